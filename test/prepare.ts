/**
 * What the tests need of the machine: Docker Engine, nftables and friends, from Debian's own
 * packages. Installs what is missing where this is root on Debian; says what is missing elsewhere.
 */

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";

/** A command that must be there, and the Debian package that has it. */
type Need = { readonly command: string; readonly package: string };

/** A client called docker may be there without an engine: it is dockerd that is asked for. */
const needs: readonly Need[] = [
  { command: "dockerd", package: "docker.io" },
  { command: "nft", package: "nftables" },
  { command: "iptables", package: "iptables" },
  { command: "ip", package: "iproute2" },
  { command: "nsenter", package: "util-linux" },
  { command: "dig", package: "dnsutils" },
  { command: "curl", package: "curl" },
  { command: "busybox", package: "busybox-static" },
  { command: "vagrant", package: "vagrant" },
  { command: "faketime", package: "faketime" },
];

/** apt's output is worth reading only when it fails. Mirrors are slow on bad days: 10 minutes. */
const aptTimeoutMs = 600_000;

/** Installs what it can. Returns sentences about what is still missing, empty when all is there. */
export function prepareMachine(say: (line: string) => void): string[] {
  const missing = needs.filter(({ command }) => findCommand(command) === undefined);
  if (missing.length === 0) return [];
  const names = missing.map((need) => need.package).join(" ");
  if (process.getuid?.() !== 0) {
    return [`these Debian packages are missing, and only root can install them: ${names}`];
  }
  if (!isDebian()) return [`install what these Debian packages have, by hand: ${names}`];
  say(`installing ${names}`);
  const failure = aptInstall(missing.map((need) => need.package));
  if (failure !== undefined) return [`apt-get could not install ${names}: ${failure}`];
  return needs
    .filter(({ command }) => findCommand(command) === undefined)
    .map(({ command, package: name }) => `${name} is installed, yet has no ${command}`);
}

/** Where a command is, by PATH and the system's own folders, which a user's PATH may lack. */
export function findCommand(command: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin", "/usr/bin"];
  return folders
    .map((folder) => `${folder}/${command}`)
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function isDebian(): boolean {
  return existsSync("/etc/debian_version") && findCommand("apt-get") !== undefined
    ? /\b(?:debian|ubuntu)\b/.test(readFileSync("/etc/os-release", "utf8"))
    : false;
}

/** Undefined when it went well, else the last lines apt said. */
function aptInstall(packages: readonly string[]): string | undefined {
  const install = ["install", "--yes", "--no-install-recommends", ...packages];
  const first = apt(install);
  if (first === undefined) return undefined;
  // Most often the lists are missing or stale: fetch them, and try once more.
  return apt(["update"]) ?? apt(install);
}

function apt(args: readonly string[]): string | undefined {
  const done = spawnSync("apt-get", ["--quiet", ...args], {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: aptTimeoutMs,
  });
  if (done.status === 0) return undefined;
  const said = `${done.stdout ?? ""}${done.stderr ?? ""}`.trim().split("\n").slice(-5).join("\n");
  return said || String(done.error ?? `exit ${done.status}`);
}
