/**
 * The prober's thread: socket and timers around link/probe-schedule.ts. A door, loaded only as a
 * worker by link/prober.ts. It answers probes whatever the main thread is doing, and says in each
 * answer how long that one has not turned.
 *
 * Verdicts wait here until the main thread has read the last ones, newest per node: a main thread
 * that is stuck for an hour finds one message, not an hour of them.
 */

import { randomBytes, randomInt } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import type { NodeId } from "../model/ids.ts";
import type { ProbeTarget, ProbeVerdict } from "../ports.ts";
import { agreements } from "../trust/agreement.ts";
import { identityFromSeed } from "../trust/identity.ts";
import { udpAddressesOf } from "./probe-addresses.ts";
import { ProbeBoard } from "./probe-board.ts";
import {
  isProven,
  type OpenedFrame,
  type ProbeFrame,
  ProbeSeal,
  probeName,
} from "./probe-frames.ts";
import type { ProbeNews, ProbeOrder, ProbeWorkerData } from "./probe-messages.ts";
import { ProbePairs } from "./probe-pairs.ts";
import { ProbeReplays } from "./probe-replays.ts";
import { ProbeSchedule, type ProbeStep } from "./probe-schedule.ts";
import { openProbeSocket, type ProbeSocket } from "./probe-socket.ts";

/** The two clocks part by this much, ms, when the machine was suspended (or its clock set). */
const sleptMs = 1_000;

const { secret, seed, bind, times, board: shared } = workerData as ProbeWorkerData;
const board = new ProbeBoard(shared);
const seal = new ProbeSeal(secret, () => randomBytes(8));
const replays = new ProbeReplays();
const schedule = new ProbeSchedule(times, { below: (bound) => randomInt(bound) }, nowMs());
const { id, publicKey } = identityFromSeed(seed);
const selfName = probeName(id as NodeId) ?? "";
const pairs = new ProbePairs(
  agreements({ seed, publicKey, secret, context: "shoal/probe-proof/1" }),
);
const names = new Map<NodeId, string>();
const nodes = new Map<string, NodeId>();
const unsaid = new Map<NodeId, ProbeVerdict>();
let mayPost = true;
let timer: NodeJS.Timeout | undefined;
let timerDueMs = Number.POSITIVE_INFINITY;
let clocksApartMs = Date.now() - nowMs();
let stalls = 0;
let socket: ProbeSocket | undefined;

/** By the clock that all threads share. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function post(news: ProbeNews): void {
  parentPort?.postMessage(news);
}

function take(order: ProbeOrder): void {
  switch (order.kind) {
    case "observe":
      observe(order.targets);
      break;
    case "hasten":
      perform(schedule.on(order, nowMs()));
      break;
    case "taken":
      mayPost = true;
      flush();
  }
}

function observe(list: readonly ProbeTarget[]): void {
  names.clear();
  nodes.clear();
  for (const { node } of list) {
    const name = probeName(node);
    if (name === undefined) continue;
    names.set(node, name);
    nodes.set(name, node);
  }
  for (const node of [...unsaid.keys()]) if (!names.has(node)) unsaid.delete(node);
  const targets = list
    .filter(({ node }) => names.has(node))
    .map((target) => ({ ...target, addresses: udpAddressesOf(target) }));
  perform(schedule.on({ kind: "observe", targets }, nowMs()));
}

function receive(datagram: Uint8Array, address: string): void {
  const frame = seal.open(datagram);
  if (frame === undefined) board.count("unsealed");
  else if (frame.to !== selfName || frame.from === selfName) board.count("strays");
  else if (!isFromItsSender(frame)) board.count("unproven");
  else if (!replays.accept(frame.session, frame.count)) board.count("replayed");
  else if (frame.kind === "probe") answer(frame, address);
  else hear(frame);
}

function isFromItsSender(frame: OpenedFrame): boolean {
  const key = nodes.has(frame.from) ? pairs.of(frame.from) : pairs.ofStranger(frame.from, nowMs());
  return key !== undefined && isProven(frame, key);
}

/** Whoever has the secret gets an answer, for members choose their observers by themselves. */
function answer({ from, sequence }: OpenedFrame, address: string): void {
  const now = nowMs();
  const lagMs = schedule.lagMs(Number(board.beatNs()) / 1e6, now);
  transmit({ kind: "answer", from: selfName, to: from, sequence, lagMs }, address);
  board.count("probesAnswered");
  const node = nodes.get(from);
  if (node !== undefined) perform(schedule.on({ kind: "heard", node, address }, now));
}

function hear({ from, sequence, lagMs }: OpenedFrame): void {
  const node = nodes.get(from);
  if (node === undefined) {
    board.count("strays");
    return;
  }
  const step = schedule.on({ kind: "answered", node, sequence, lagMs }, nowMs());
  board.count(step.expected ? "answersTaken" : "strays");
  perform(step);
}

function perform(step: ProbeStep): void {
  for (const { node, address, sequence } of step.sends) {
    const to = names.get(node) ?? "";
    transmit({ kind: "probe", from: selfName, to, sequence, lagMs: 0 }, address);
    board.count("probesSent");
  }
  for (const verdict of step.verdicts) unsaid.set(verdict.node, verdict);
  for (; stalls < schedule.stalls(); stalls++) board.count("stalls");
  flush();
  arm();
}

function transmit(frame: ProbeFrame, address: string): void {
  const key = pairs.of(frame.to);
  if (key === undefined) board.count("sendFailures");
  else socket?.send(seal.seal(frame, key), address, () => board.count("sendFailures"));
}

function flush(): void {
  if (!mayPost || unsaid.size === 0) return;
  mayPost = false;
  post({ kind: "verdicts", verdicts: [...unsaid.values()] });
  unsaid.clear();
}

/** Answers that have arrived are read between the timer and the turn: see ProbeSchedule. */
function arm(): void {
  const dueMs = schedule.dueMs();
  if (dueMs === timerDueMs) return;
  timerDueMs = dueMs;
  clearTimeout(timer);
  timer = setTimeout(() => setImmediate(turn), Math.max(0, Math.ceil(dueMs - nowMs())));
}

function turn(): void {
  timerDueMs = Number.POSITIVE_INFINITY;
  const apartMs = Date.now() - nowMs();
  const slept = Math.abs(apartMs - clocksApartMs) > sleptMs;
  clocksApartMs = apartMs;
  if (slept) perform(schedule.on({ kind: "slept" }, nowMs()));
  perform(schedule.on({ kind: "due" }, nowMs()));
}

try {
  socket = await openProbeSocket(bind, receive);
  parentPort?.on("message", take);
  post({ kind: "listening", port: socket.port });
  arm();
} catch (error) {
  const { code = "", message } = error as NodeJS.ErrnoException;
  post({ kind: "failed", code, detail: message });
}
