/**
 * What the API asks of an agent, answered with the agent's host. A door: writes wait for the disk
 * and, for a moment, for peers.
 */

import type { Duplex } from "node:stream";
import { hex, sha256 } from "../crdt/hash.ts";
import type { Streams } from "../link/streams.ts";
import { protocols } from "../link/streams.ts";
import type { SpecDocument } from "../model/documents.ts";
import type { NodeId, TaskId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import { place } from "../placement/place.ts";
import type { Clock, Sessions } from "../ports.ts";
import type { OperatorWrite } from "./effects.ts";
import type { Host } from "./host.ts";
import { planWrite } from "./plan.ts";

export type BackendParts = {
  readonly version: string;
  readonly host: Host;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly sessions: Sessions;
  readonly counters: () => Readonly<Record<string, number>>;
  readonly leave: () => Promise<void>;
};

/** A peer's receipt takes a few ms on a LAN; the answer does not wait longer for slow ones. */
const receiptsMs = 250;

export function makeBackend({ version, host, streams, clock, ...parts }: BackendParts) {
  const { agent } = host;
  return {
    mesh: agent.mesh,
    self: agent.self,
    version,
    sessions: parts.sessions,
    counters: parts.counters,
    leave: parts.leave,
    view: () => host.view(),
    wallMs: () => clock.wallMs(),
    drafts: (keys: readonly string[]) => keys.map((key) => agent.store.draft(key, host.moment())),
    plan(documents: readonly SpecDocument[], removals: readonly string[]) {
      const moment = host.moment();
      return planWrite(documents, removals, agent.desired(moment), moment.wallMs, place);
    },
    trustFacts: () => [...agent.store.trust.entries().values()],
    backup: () => ({
      facts: [...agent.store.trust.entries().values()],
      revisions: agent.store.revisions(),
    }),
    trustView: () => agent.store.trust.view(),
    nodeOf: (task: TaskId): NodeId | undefined =>
      agent.desired(host.moment()).tasks.find((one) => one.task === task)?.node,
    openPeer: (node: NodeId, signal: AbortSignal): Promise<Duplex> =>
      streams.open(node, protocols.api, signal),
    onView: (listener: () => void) => host.onStep(listener),
    async write(write: OperatorWrite) {
      const revisions = write.revisions.map((bytes) => hex(sha256(bytes)).slice(0, 32));
      const role = agent.store.trust.view().nodes.get(agent.self)?.role;
      if (role !== "peer") {
        const refusal: Problem = { code: "not-authorised", principal: agent.self, needs: "peer" };
        return { problems: [refusal], revisions, peers: 0 };
      }
      const problems = await stored(host, write);
      if (problems.length > 0) return { problems, revisions, peers: 0 };
      const ids = [...revisions, ...write.facts.map((bytes) => hex(sha256(bytes)))];
      return { problems, revisions, peers: await countReceipts(host, clock, ids) };
    },
  };
}

/** Resolves when the write is on this node's disk or refused. */
export function stored(host: Host, write: OperatorWrite): Promise<readonly Problem[]> {
  return new Promise((resolve) => host.write(write, resolve));
}

/** How many peers said that they have it: all that are linked, or as many as did in time. */
export function countReceipts(host: Host, clock: Clock, ids: readonly string[]): Promise<number> {
  const { agent } = host;
  return new Promise((resolve) => {
    const count = (): number => agent.store.peersWith(ids);
    const isDone = (): boolean => count() >= agent.linked().size;
    if (isDone()) return resolve(count());
    const finish = (): void => {
      stopListening();
      cancel();
      resolve(count());
    };
    const cancel = clock.after(receiptsMs, finish);
    const stopListening = host.onStep(() => {
      if (isDone()) finish();
    });
  });
}

/** Logs, exec and stats of own tasks, from the engine that runs each. */
export function joinSessions(
  host: Host,
  engines: readonly (Sessions & { readonly kind: string })[],
): Sessions {
  const engineOf = (task: TaskId): Sessions => {
    const kind = host.agent.ownTasks().find((one) => one.task === task)?.engine;
    const engine = engines.find((one) => one.kind === kind);
    if (engine === undefined) throw new OperationError({ code: "task-unknown", task });
    return engine;
  };
  return {
    logs: (task, options) => engineOf(task).logs(task, options),
    exec: async (task, options) => await engineOf(task).exec(task, options),
    stats: async (task) => await engineOf(task).stats(task),
  };
}
