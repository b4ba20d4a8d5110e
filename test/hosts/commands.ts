/** `npm run hosts -- COMMAND`: the test bed by hand. */

import { spawn } from "node:child_process";
import { isIPv4 } from "node:net";
import type { Bed } from "./bed.ts";
import { BedMesh } from "./mesh.ts";

type HostCommand = {
  readonly usage: string;
  readonly summary: string;
  /** Returns an exit code, or nothing when all went well. */
  readonly run: (bed: Bed, args: readonly string[]) => Promise<number | undefined> | Promise<void>;
};

const commands: Readonly<Record<string, HostCommand>> = {
  up: {
    usage: "up COUNT",
    summary: "hosts with an engine and the image hello:1 and hello:2 each; COUNT is 3 if left out",
    run: async (bed, [count]) => {
      await bed.up(count === undefined ? 3 : hostNumber(count));
      await printStatus(bed);
    },
  },
  mesh: {
    usage: "mesh",
    summary: "install Shoal on all of them and make them one mesh",
    run: async (bed) => {
      await BedMesh.form(bed);
    },
  },
  "kill-agent": {
    usage: "kill-agent HOST",
    summary: "kill -9 its agent; containers run on",
    run: async (bed, [host]) => await new BedMesh(bed).killAgent(bed.host(hostNumber(host))),
  },
  "start-agent": {
    usage: "start-agent HOST",
    summary: "start it again",
    run: async (bed, [host]) => await new BedMesh(bed).startAgent(bed.host(hostNumber(host))),
  },
  status: {
    usage: "status",
    summary: "what is up, with its address and memory",
    run: printStatus,
  },
  exec: {
    usage: "exec HOST -- COMMAND",
    summary: "run a command on a host",
    run: async (bed, [host, ...rest]) =>
      await attach(bed.host(hostNumber(host)).command(afterDashes(rest))),
  },
  client: {
    usage: "client -- COMMAND",
    summary: "run a command on the operator's machine: on the network, in no mesh",
    run: async (bed, rest) => await attach(bed.clientCommand(afterDashes(rest))),
  },
  kill: {
    usage: "kill HOST",
    summary: "pull the plug: silence, then nothing",
    run: async (bed, [host]) => await bed.host(hostNumber(host)).cutPower(),
  },
  reboot: {
    usage: "reboot HOST",
    summary: "power on again, with the disk it had",
    run: async (bed, [host]) => {
      await bed.reboot(hostNumber(host));
    },
  },
  cut: {
    usage: "cut HOST HOST",
    summary: "no frame passes between two hosts, and nobody is told",
    run: async (bed, [a, b]) => await bed.lan.cut(hostNumber(a), hostNumber(b)),
  },
  "cut-one-way": {
    usage: "cut-one-way FROM TO",
    summary: "what one host sends to the other is lost; the way back works",
    run: async (bed, [from, to]) => await bed.lan.cutOneWay(hostNumber(from), hostNumber(to)),
  },
  lose: {
    usage: "lose HOST PERCENT",
    summary: "so many of the frames from it and to it",
    run: async (bed, [host, percent]) =>
      await bed.lan.lose(hostNumber(host), wholeNumber(percent, 100, "percent")),
  },
  slow: {
    usage: "slow HOST KBITS",
    summary: "its cable carries so many kbit/s each way",
    run: async (bed, [host, kbits]) =>
      await bed.lan.slow(hostNumber(host), wholeNumber(kbits, 10_000_000, "kbit/s")),
  },
  heal: {
    usage: "heal [HOST HOST]",
    summary: "undo one cut, or all that was done to the network",
    run: async (bed, [a, b]) =>
      a === undefined ? await bed.lan.heal() : await bed.lan.heal(hostNumber(a), hostNumber(b)),
  },
  isolate: {
    usage: "isolate HOST",
    summary: "pull its network cable",
    run: async (bed, [host]) => await bed.lan.setCable(hostNumber(host), "down"),
  },
  rejoin: {
    usage: "rejoin HOST",
    summary: "plug it in again",
    run: async (bed, [host]) => await bed.lan.setCable(hostNumber(host), "up"),
  },
  ip: {
    usage: "ip HOST ADDRESS",
    summary: "give it another address on the network",
    run: async (bed, [host, address]) => {
      if (address === undefined || !isIPv4(address)) throw new Error("ip HOST ADDRESS");
      await bed.host(hostNumber(host)).readdress(address);
    },
  },
  freeze: {
    usage: "freeze HOST",
    summary: "stop everything on it between two instructions",
    run: async (bed, [host]) => bed.host(hostNumber(host)).group.setFrozen(true),
  },
  thaw: {
    usage: "thaw HOST",
    summary: "let it go on",
    run: async (bed, [host]) => bed.host(hostNumber(host)).group.setFrozen(false),
  },
  "freeze-agent": {
    usage: "freeze-agent HOST",
    summary: "SIGSTOP for its agent alone; containers run on",
    run: async (bed, [host]) => setAgentFrozen(bed, host, true),
  },
  "thaw-agent": {
    usage: "thaw-agent HOST",
    summary: "let it go on",
    run: async (bed, [host]) => setAgentFrozen(bed, host, false),
  },
  "fill-disk": {
    usage: "fill-disk HOST",
    summary: "its agent's disk, to the last byte",
    run: async (bed, [host]) => await bed.host(hostNumber(host)).fillDisk(),
  },
  "free-disk": {
    usage: "free-disk HOST",
    summary: "make room again",
    run: async (bed, [host]) => await bed.host(hostNumber(host)).freeDisk(),
  },
  "kill-engine": {
    usage: "kill-engine HOST",
    summary: "kill -9 its Docker Engine",
    run: async (bed, [host]) => await bed.host(hostNumber(host)).killEngine(),
  },
  "start-engine": {
    usage: "start-engine HOST",
    summary: "start it again",
    run: async (bed, [host]) => {
      await bed.host(hostNumber(host)).startEngine();
      await bed.host(hostNumber(host)).engineReady();
    },
  },
  down: {
    usage: "down",
    summary: "take everything away",
    run: async (bed) => await bed.down(),
  },
};

export async function runCommand(bed: Bed, [name, ...args]: readonly string[]): Promise<number> {
  const command = commands[name ?? ""];
  if (command === undefined) {
    for (const { usage, summary } of Object.values(commands)) {
      console.log(`  ${usage.padEnd(26)} ${summary}`);
    }
    return name === undefined ? 0 : 2;
  }
  try {
    return (await command.run(bed, args)) ?? 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return 1;
  }
}

async function printStatus(bed: Bed): Promise<void> {
  for (const host of bed.hosts) {
    const state = host.pid === undefined ? "off" : `up, ${host.group.processes().length} processes`;
    console.log(`${host.name}  ${host.address.padEnd(15)}  ${state}`);
  }
}

function setAgentFrozen(bed: Bed, host: string | undefined, frozen: boolean): void {
  new BedMesh(bed).setAgentFrozen(bed.host(hostNumber(host)), frozen);
}

function hostNumber(text: string | undefined): number {
  return wholeNumber(text, 99, "a host");
}

function wholeNumber(text: string | undefined, max: number, what: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= max) return number;
  throw new Error(`${what}: a whole number from 1 to ${max}, not ${text ?? "nothing"}`);
}

function afterDashes(args: readonly string[]): readonly string[] {
  const command = args[0] === "--" ? args.slice(1) : args;
  if (command.length === 0) throw new Error("which command?");
  return command;
}

/** With this terminal, to its end. */
function attach([program, ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program as string, args, { stdio: "inherit" });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 137));
  });
}
