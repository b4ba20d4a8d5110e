/**
 * The image that the bed deploys, made on the spot: busybox and a web server that says which
 * version it is and which container answers. No registry, no build, a second to make.
 *
 *   GET /                  "hello VERSION from HOSTNAME"
 *   GET /cgi-bin/slow      the same, half a second a line, for ten seconds: an open connection
 *   GET /cgi-bin/say?WORD  puts "said WORD" in the container's log
 *
 * START_DELAY_S delays the listening. SIGTERM closes the door first and lets answers finish.
 */

import { chmod, copyFile, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { findCommand } from "../prepare.ts";
import { run } from "./shell.ts";

export type HelloVersion = "1" | "2";
export const helloVersions: readonly HelloVersion[] = ["1", "2"];

/** The port it listens at, unless PORT says otherwise. */
export const helloPort = 80;

const server = `#!/bin/sh
stop() {
  kill "$door" 2>/dev/null
  sleep 1
  exit 0
}
trap stop TERM INT
sleep "\${START_DELAY_S:-0}"
echo "hello $VERSION from $(hostname)" >/www/index.html
httpd -f -p "\${PORT:-${helloPort}}" -h /www &
door=$!
echo "hello $VERSION ready"
wait "$door"
`;

const slow = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
for line in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  cat /www/index.html
  sleep 0.5
done
`;

const say = `#!/bin/sh
echo "said $QUERY_STRING" >&2
printf 'Content-Type: text/plain\\r\\n\\r\\nsaid\\n'
`;

const applets = "sh cat echo env hostname httpd id kill ls nc nslookup ping printf ps sleep wget";

/** A tar of the image's files at `path`. */
export async function writeHelloTar(path: string): Promise<void> {
  const busybox = findCommand("busybox");
  if (busybox === undefined) throw new Error("busybox is missing: apt-get install busybox-static");
  const tree = `${path}.tree`;
  await rm(tree, { recursive: true, force: true });
  for (const folder of ["bin", "etc", "tmp", "www/cgi-bin"]) {
    await mkdir(`${tree}/${folder}`, { recursive: true });
  }
  await copyFile(busybox, `${tree}/bin/busybox`);
  await Promise.all(applets.split(" ").map((name) => symlink("busybox", `${tree}/bin/${name}`)));
  await writeFile(`${tree}/etc/passwd`, "root:x:0:0::/:/bin/sh\n");
  const scripts = { "bin/server": server, "www/cgi-bin/slow": slow, "www/cgi-bin/say": say };
  for (const [name, text] of Object.entries(scripts)) {
    await writeFile(`${tree}/${name}`, text);
    await chmod(`${tree}/${name}`, 0o755);
  }
  await run(["tar", "-C", tree, "--owner=0", "--group=0", "-cf", path, "."]);
  await rm(tree, { recursive: true });
}

/** What turns that tar into `hello:VERSION`, read from standard input. */
export function importCommand(version: HelloVersion): string[] {
  const changes = [`ENV VERSION=${version}`, 'CMD ["/bin/server"]', `EXPOSE ${helloPort}`];
  return ["docker", "import", ...changes.flatMap((c) => ["--change", c]), "-", `hello:${version}`];
}
