/** What the kernel says of processes, by /proc. A door. */

import { readdirSync, readFileSync } from "node:fs";

/** A process for good: pids come round again, but not with the same start time. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Clock ticks from boot to its start: field 22 of /proc/PID/stat. */
  readonly startTicks: number;
};

export type ProcessStat = ProcessIdentity & {
  /** "R", "S", "Z" … */
  readonly state: string;
  readonly session: number;
  /** User and system, in clock ticks. */
  readonly cpuTicks: number;
  readonly residentPages: number;
};

/** Linux has had 100 ticks a second and pages of 4 KiB wherever this runs, said by getconf. */
export const ticksPerSecond = 100;
export const pageBytes = 4096;

/** Different after every boot; "" where there is no such thing. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "";
  }
}

/** The name, in parentheses, may hold anything: what follows the last ")" is counted. */
export function parseStat(line: string): ProcessStat | undefined {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [pid, session, user, system, startTicks, residentPages] = [
    Number.parseInt(line, 10),
    ...[3, 11, 12, 19, 21].map((index) => Number(fields[index])),
  ] as [number, number, number, number, number, number];
  if (![pid, session, startTicks].every(Number.isSafeInteger)) return undefined;
  const state = fields[0] ?? "";
  return { pid, state, session, cpuTicks: user + system, startTicks, residentPages };
}

export function readStat(pid: number): ProcessStat | undefined {
  return parseStat(readStatLine(pid));
}

/** "" when there is no such process. */
export function readStatLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

/** A zombie has ended: it only waits for somebody to ask how. */
export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTicks === startTicks && !/[ZX]/.test(stat.state);
}

/** All processes of a session, of which the wrapper is the leader. */
export function sessionOf(leader: number): ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
    .filter(({ session }) => session === leader);
}

/** The whole process group; that it is gone already is as good. Other errors are thrown. */
export function signalGroup(leader: number, signal: NodeJS.Signals | number): void {
  try {
    process.kill(-leader, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
