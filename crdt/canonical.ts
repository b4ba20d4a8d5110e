/**
 * Whether bytes are one value in the one spelling that `encode` gives it: shortest heads, definite
 * lengths, sorted keys, no links. One pass over the heads of all items, building none, so that
 * nesting and lengths are known before a recursive decoder sees them. Begin reading at
 * `isCanonical`.
 *
 * Sources: RFC 8949, section 4.2 (deterministic encoding), with keys by length first as in section
 * 4.2.3; IPLD DAG-CBOR specification, "Strictness". Where a decoder is lenient one value has many
 * spellings, and with each a relay could pass one signed thing off as another.
 */

import { isUtf8 } from "node:buffer";

/** Specs nest 6 deep; the rest is room for growth. Deeper input is an attack on the stack. */
const depthMax = 32;

/** An item's head: its kind, its argument, and where the bytes after the head begin. */
type Head = { readonly major: number; readonly argument: number; readonly next: number };

/** A list or a map that is being walked. */
type Level = { left: number; readonly isMap: boolean; lastKey: Uint8Array | undefined };

export function isCanonical(bytes: Uint8Array): boolean {
  const levels: Level[] = [{ left: 1, isMap: false, lastKey: undefined }];
  let at = 0;
  for (let level = levels[0]; level !== undefined; level = levels[levels.length - 1]) {
    if (level.left === 0) {
      levels.pop();
      continue;
    }
    const head = readHead(bytes, at);
    if (head === undefined) return false;
    const isKey = level.isMap && level.left % 2 === 0;
    if (isKey && !followsKey(level, bytes, head)) return false;
    level.left--;
    const end = endOf(bytes, at, head);
    if (end === undefined) return false;
    at = end;
    if (head.major === 4 || head.major === 5) {
      const isMap = head.major === 5;
      const left = isMap ? 2 * head.argument : head.argument;
      // Each item takes a byte at least.
      if (left > bytes.length - at || levels.length >= depthMax) return false;
      levels.push({ left, isMap, lastKey: undefined });
    }
  }
  return at === bytes.length;
}

/** Undefined when it is cut short, or longer than it need be. */
function readHead(bytes: Uint8Array, at: number): Head | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const major = first >> 5;
  const size = first & 31;
  if (size < 24) return { major, argument: size, next: at + 1 };
  if (size > 27) return undefined;
  const next = at + 1 + 2 ** (size - 24);
  if (next > bytes.length) return undefined;
  let argument = 0;
  for (let index = at + 1; index < next; index++) argument = argument * 256 + (bytes[index] ?? 0);
  const isShortest = argument >= (size === 24 ? 24 : 2 ** (8 * 2 ** (size - 25)));
  return isShortest || major === 7 ? { major, argument, next } : undefined;
}

/**
 * Where the next item begins, which is inside for lists and maps; undefined for what is refused.
 */
function endOf(bytes: Uint8Array, at: number, head: Head): number | undefined {
  const { major, argument, next } = head;
  const end = next + argument;
  switch (major) {
    case 0:
      return argument <= Number.MAX_SAFE_INTEGER ? next : undefined;
    case 1:
      return argument < Number.MAX_SAFE_INTEGER ? next : undefined;
    case 2:
      return end <= bytes.length ? end : undefined;
    case 3:
      return end <= bytes.length && isText(bytes, next, end) ? end : undefined;
    case 4:
    case 5:
      return next;
    case 7:
      return isPlainSimple(bytes, at, next) ? next : undefined;
    default:
      return undefined;
  }
}

/** Nearly all text is short and ASCII, which is told sooner than a native function is called. */
function isText(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if ((bytes[at] as number) >= 0x80) return isUtf8(bytes.subarray(at, to));
  }
  return true;
}

/** False, true, null, and numbers that are no safe integers, as 64 bits. */
function isPlainSimple(bytes: Uint8Array, at: number, next: number): boolean {
  if (next === at + 1) return bytes[at] === 0xf4 || bytes[at] === 0xf5 || bytes[at] === 0xf6;
  if (bytes[at] !== 0xfb) return false;
  const value = new DataView(bytes.buffer, bytes.byteOffset + at + 1, 8).getFloat64(0);
  return Number.isFinite(value) && !Number.isSafeInteger(value);
}

/** Keys are text, each greater than the one before: by length, then by bytes. */
function followsKey(level: Level, bytes: Uint8Array, { major, argument, next }: Head): boolean {
  if (major !== 3) return false;
  const key = bytes.subarray(next, next + argument);
  const last = level.lastKey;
  level.lastKey = key;
  if (last === undefined) return true;
  return last.length - key.length < 0 || (last.length === key.length && isLess(last, key));
}

function isLess(left: Uint8Array, right: Uint8Array): boolean {
  for (let at = 0; at < left.length; at++) {
    const difference = (left[at] as number) - (right[at] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
