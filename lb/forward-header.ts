/**
 * What a forward stream begins with: one byte of length, then "<task> <port key>" in ASCII, for
 * instance "shop/web.1.k3j9x0a2bq7z 80/tcp". The other side answers with one byte before anything
 * else flows, so that a refusal can be retried elsewhere with no byte of the client lost. Pure.
 */

import type { TaskId } from "../model/ids.ts";
import type { PortKey } from "../model/spec.ts";

export type ForwardHeader = { readonly task: TaskId; readonly port: PortKey };

/** The answers. What a node does not know it takes for a refusal. */
export const answers = {
  accepted: 0,
  /** No such task here, or none with that port. */
  unknown: 1,
  /** The task is here and did not take the connection. */
  refused: 2,
  malformed: 3,
  overloaded: 4,
} as const;

export type Answer = keyof typeof answers;

/** A task's id has 195 characters at the most: two labels of 63, a peer id, 12 letters, marks. */
const textBytesMax = 255;

const pattern = /^([a-z0-9-]+\/[a-z0-9-]+\.[a-zA-Z0-9-]+\.[a-z0-9]+) ([1-9]\d{0,4}\/(?:tcp|udp))$/;

/** With its length before it. */
export function encodeHeader({ task, port }: ForwardHeader): Buffer {
  const text = `${task} ${port}`;
  if (text.length > textBytesMax) throw new Error(`the header of ${task} is too long`);
  return Buffer.from(`${String.fromCharCode(text.length)}${text}`, "latin1");
}

/** Of the text after the length; undefined when it is none of ours. */
export function parseHeader(text: Buffer): ForwardHeader | undefined {
  const [, task, port] = pattern.exec(text.toString("latin1")) ?? [];
  if (task === undefined || port === undefined) return undefined;
  return { task: task as TaskId, port: port as PortKey };
}
