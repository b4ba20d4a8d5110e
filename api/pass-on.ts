/**
 * Passing a person's request on to the node that the task runs on: the same method, path, body and
 * signature, so that the other node checks the person's own word and needs to trust nobody in
 * between. A door.
 */

import type { NodeId } from "../model/ids.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import { requestWindowMs } from "../trust/request.ts";
import type { Asked } from "./authority.ts";
import type { Backend } from "./backend.ts";
import { ask, broken, foreign, type Reply, readLines, readProblems, refusal } from "./exchange.ts";
import type { Elsewhere, LogItem } from "./log-stream.ts";
import { logLine, renewal } from "./shapes.ts";

/** A node on the other side of the world answers in a second. */
const openMsMax = 10_000;
/** A signature this near its end would expire on the way. */
const marginMs = 10_000;

/** Throws when the request is not signed: a node's own word is good for nothing there. */
export async function passOn(
  asked: Asked,
  node: NodeId,
  backend: Pick<Backend, "openPeer">,
  signal: AbortSignal,
  upgrade = false,
): Promise<Reply> {
  const { method, path, authorization, body } = asked;
  if (authorization === undefined) throw new OperationError(unsigned);
  try {
    const opening = AbortSignal.any([signal, AbortSignal.timeout(openMsMax)]);
    const stream = await backend.openPeer(node, opening);
    const rest = { only: true, answerMsMax: openMsMax, upgrade, signal };
    return await ask(stream, { method, path, authorization, body, ...rest });
  } catch (error) {
    throw broken(error, node);
  }
}

const unsigned: Problem = {
  code: "not-authorised",
  principal: "an unsigned request that must reach another node",
  needs: "operator",
};

/** For logs: other nodes are asked as long as the signature lasts. */
export function makeElsewhere(asked: Asked, backend: Backend): Elsewhere {
  const receivedMs = backend.wallMs();
  return {
    problem: asked.authorization === undefined ? unsigned : undefined,
    isFresh: () => Math.abs(backend.wallMs() - receivedMs) < requestWindowMs - marginMs,
    read: (node, signal) => readElsewhere(asked, node, backend, signal),
  };
}

async function* readElsewhere(
  asked: Asked,
  node: NodeId,
  backend: Backend,
  signal: AbortSignal,
): AsyncGenerator<LogItem> {
  const reply = await passOn(asked, node, backend, signal);
  if (reply.kind === "upgraded") throw foreign("switches protocols unasked");
  const { status, content } = reply;
  try {
    if (status !== 200) throw await refusal(status, content);
    for await (const value of readLines(content)) yield readItem(value);
  } catch (error) {
    throw broken(error, node);
  } finally {
    content.destroy();
  }
}

function readItem(value: unknown): LogItem {
  const line = logLine.safeParse(value);
  if (line.success) return line.data;
  const again = renewal.safeParse(value);
  if (again.success) return again.data;
  const problems = readProblems(value);
  throw problems === undefined ? foreign("has a line that is none") : new OperationError(problems);
}
