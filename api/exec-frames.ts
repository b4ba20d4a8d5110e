/**
 * What a session of exec says after the upgrade, both ways: frames of a kind (1 byte), a length
 * (4 bytes, big-endian) and a payload. Pure, total, bounded: a reader keeps one frame at most.
 */

import { OperationError, type Problem } from "../model/problem.ts";
import { problemsAnswer } from "./shapes.ts";

export type ExecFrame = Readonly<
  // From the person's side.
  | { kind: "stdin"; data: Uint8Array }
  | { kind: "stdin-end" }
  | { kind: "resize"; columns: number; rows: number }
  // From the task's side.
  | { kind: "stdout"; data: Uint8Array }
  | { kind: "stderr"; data: Uint8Array }
  | { kind: "exit"; code: number }
  | { kind: "failure"; problems: readonly Problem[] }
  // Says nothing: writing is how a side that has gone is noticed.
  | { kind: "alive" }
>;

const kinds = [
  "stdin",
  "stdin-end",
  "resize",
  "stdout",
  "stderr",
  "exit",
  "failure",
  "alive",
] as const;
const headerBytes = 5;
/** Longer data is split. */
export const payloadBytesMax = 64 * 1024;

/** Data of any length; never more than a payload's worth in one frame. */
export function writeFrames(frame: ExecFrame): Uint8Array[] {
  const payload = payloadOf(frame);
  if (payload.length <= payloadBytesMax) return [writeFrame(frame.kind, payload)];
  const frames: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += payloadBytesMax) {
    frames.push(writeFrame(frame.kind, payload.subarray(at, at + payloadBytesMax)));
  }
  return frames;
}

function writeFrame(kind: ExecFrame["kind"], payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kinds.indexOf(kind));
  view.setUint32(1, payload.length);
  bytes.set(payload, headerBytes);
  return bytes;
}

function payloadOf(frame: ExecFrame): Uint8Array {
  switch (frame.kind) {
    case "stdin":
    case "stdout":
    case "stderr":
      return frame.data;
    case "stdin-end":
    case "alive":
      return new Uint8Array(0);
    case "resize": {
      const view = new DataView(new ArrayBuffer(4));
      view.setUint16(0, clampSize(frame.columns));
      view.setUint16(2, clampSize(frame.rows));
      return new Uint8Array(view.buffer);
    }
    case "exit": {
      const view = new DataView(new ArrayBuffer(4));
      view.setInt32(0, frame.code);
      return new Uint8Array(view.buffer);
    }
    case "failure":
      return encodeProblems(frame.problems);
  }
}

/** The first that one frame holds: more is more than anybody reads. */
function encodeProblems(problems: readonly Problem[]): Uint8Array {
  const bytes = new TextEncoder().encode(JSON.stringify({ problems }));
  if (bytes.length <= payloadBytesMax) return bytes;
  if (problems.length > 1) return encodeProblems(problems.slice(0, problems.length >> 1));
  return encodeProblems([{ code: "request-invalid", detail: "too long to be told" }]);
}

function clampSize(cells: number): number {
  return Math.min(Math.max(Math.trunc(cells) || 0, 0), 0xffff);
}

export class ExecFrames {
  #rest: Uint8Array = new Uint8Array(0);

  /** Bytes kept for a frame that is not whole yet. */
  get pendingBytes(): number {
    return this.#rest.length;
  }

  /** Throws `request-invalid` when the bytes are no frames; nothing can be read after that. */
  read(chunk: Uint8Array): ExecFrame[] {
    const frames: ExecFrame[] = [];
    let bytes: Uint8Array = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    while (bytes.length >= headerBytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const length = view.getUint32(1);
      const kind = kinds[view.getUint8(0)];
      if (kind === undefined || length > payloadBytesMax) throw malformed();
      if (bytes.length < headerBytes + length) break;
      frames.push(readFrame(kind, bytes.subarray(headerBytes, headerBytes + length)));
      bytes = bytes.subarray(headerBytes + length);
    }
    // A copy: a few left-over bytes must not hold on to a whole chunk.
    this.#rest = bytes.slice();
    return frames;
  }
}

function readFrame(kind: ExecFrame["kind"], payload: Uint8Array): ExecFrame {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  switch (kind) {
    case "stdin":
    case "stdout":
    case "stderr":
      return { kind, data: payload };
    case "stdin-end":
    case "alive":
      if (payload.length !== 0) throw malformed();
      return { kind };
    case "resize":
      if (payload.length !== 4) throw malformed();
      return { kind, columns: view.getUint16(0), rows: view.getUint16(2) };
    case "exit":
      if (payload.length !== 4) throw malformed();
      return { kind, code: view.getInt32(0) };
    case "failure":
      return { kind, problems: readProblems(payload) };
  }
}

function readProblems(payload: Uint8Array): readonly Problem[] {
  try {
    return problemsAnswer.parse(JSON.parse(new TextDecoder().decode(payload)));
  } catch {
    throw malformed();
  }
}

function concat(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(left.length + right.length);
  bytes.set(left);
  bytes.set(right, left.length);
  return bytes;
}

function malformed(): OperationError {
  return new OperationError({
    code: "request-invalid",
    detail: "the session's frames are garbled",
  });
}
