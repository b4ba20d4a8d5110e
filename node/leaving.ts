/**
 * The two ways in which an agent ends by itself: it leaves its mesh, or an admin removed it.
 *
 * Leaving, first no replica is wanted here any more and each moves to where it is seen ready, then
 * the node revokes its own key. A door: it waits for both.
 */

import type { Signer } from "../crdt/signed.ts";
import type { NodeId } from "../model/ids.ts";
import { explain, type Problem } from "../model/problem.ts";
import type { Clock } from "../ports.ts";
import { writeFact } from "../trust/facts.ts";
import { countReceipts, stored } from "./backend.ts";
import type { Host } from "./host.ts";
import type { Log } from "./log.ts";
import { realClock } from "./real-world.ts";
import { isLive } from "./rollout.ts";

/** Replicas that nobody else can run are not waited for longer than this, ms. */
const movedMsMax = 60_000;
/** To stop what could not be moved, ms: a grace period and some. */
const stoppedMsMax = 15_000;

/** A removed node stops what it runs; what does not stop in this time is left, ms. */
const removedMsMax = 15_000;
/** The answer to whoever asked the node to leave goes out first, ms. */
const answerMs = 100;

export type Ending = {
  /** With the problem when the node was removed. */
  readonly ended: Promise<Problem | undefined>;
  leave(): Promise<void>;
};

/** `forget` closes everything and drops this node's state. */
export function awaitEnd(
  { host, identity, log }: { readonly host: Host; readonly identity: Signer; readonly log: Log },
  forget: () => Promise<void>,
): Ending {
  const { promise: ended, resolve } = Promise.withResolvers<Problem | undefined>();
  let leaving = false;
  const stopListening = host.onStep(() => {
    if (leaving || !host.agent.store.trust.view().revoked.has(identity.id)) return;
    leaving = true;
    stopListening();
    const problem: Problem = { code: "node-revoked", node: identity.id };
    log.error("removed", { problem: explain(problem) });
    host.take({ kind: "facts-learnt", facts: { engines: [] } });
    void untilEmpty(host, realClock, removedMsMax).then(() => resolve(problem));
  });
  const leave = async (): Promise<void> => {
    leaving = true;
    await leaveMesh(host, identity, realClock);
    realClock.after(answerMs, () => void forget().then(() => resolve(undefined)));
  };
  return { ended, leave };
}

/** Resolves when this node has said that it goes and runs nothing any more. */
async function leaveMesh(host: Host, signer: Signer, clock: Clock): Promise<void> {
  const { agent } = host;
  const alone = agent.store.trust.view().nodes.size <= 1;
  // A node without engines is eligible for nothing: its replicas are served elsewhere, then drain.
  host.take({ kind: "facts-learnt", facts: { engines: [] } });
  if (!alone) await untilEmpty(host, clock, movedMsMax);
  const subject = agent.self as NodeId;
  const fact = { kind: "revoke", subject, cutOffMs: clock.wallMs() } as const;
  const { id, bytes } = writeFact(agent.mesh, fact, clock.wallMs(), signer);
  await stored(host, { revisions: [], facts: [bytes] });
  await countReceipts(host, clock, [id]);
  await untilEmpty(host, clock, stoppedMsMax);
}

/** Nothing live of this node's own, or time is up. */
function untilEmpty(host: Host, clock: Clock, msMax: number): Promise<void> {
  return new Promise((resolve) => {
    const isEmpty = (): boolean => !host.agent.ownTasks().some(isLive);
    if (isEmpty()) return resolve();
    const finish = (): void => {
      stopListening();
      cancel();
      resolve();
    };
    const cancel = clock.after(msMax, finish);
    const stopListening = host.onStep(() => {
      if (isEmpty()) finish();
    });
  });
}
