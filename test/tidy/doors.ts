/**
 * What makes a file a door: it waits, asks the clock, throws dice, sets timers, looks at the
 * process, or loads something that does. Everything else is pure, and can be run by the simulator
 * and replayed from a seed.
 */

import type { Import, SourceFile } from "./source-tree.ts";

/** Node's own modules that only compute. */
const pureBuiltins = new Set([
  "node:assert",
  "node:assert/strict",
  "node:buffer",
  "node:path/posix",
  "node:util",
]);

/** Packages that only compute. Every other package is taken to touch the world. */
const purePackages = [
  "@ipld/dag-cbor",
  "@libp2p/interface",
  "@libp2p/peer-id",
  "@multiformats/multiaddr",
  "commander",
  "multiformats",
  "uint8arrays",
  "yaml",
  "zod",
];

/** Hashing and signing only compute; nothing else in node:crypto is wanted outside doors. */
const mayHash = new Set([
  "crdt/hash.ts",
  "link/probe-frames.ts",
  "trust/agreement.ts",
  "trust/identity.ts",
  "trust/sealed-box.ts",
]);

const signs: readonly (readonly [RegExp, string])[] = [
  [/\b(?:await|async)\b|\bPromise\b/, "waits"],
  // `new Date(ms)` only computes; without a time it asks.
  [/\bDate\.now\b|\bDate\(\)|\bperformance\b/, "asks the clock"],
  [/\bMath\.random\b/, "throws dice"],
  [/\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/, "sets timers"],
  [/\bprocess\.|\bglobalThis\b/, "looks at the process"],
  [/\bconsole\b/, "prints"],
  [/(?<![.\w#])fetch\(/, "calls out"],
];

/** Why a file is a door; empty when it is none. */
export function reasonsToBeDoor(file: SourceFile): string[] {
  const reasons = signs.filter(([sign]) => sign.test(file.code)).map(([, reason]) => reason);
  for (const wanted of file.imports) {
    if (wanted.typeOnly || wanted.from.startsWith(".") || isPure(file.path, wanted)) continue;
    reasons.push(`loads ${wanted.from}`);
  }
  return reasons;
}

function isPure(path: string, { from, names }: Import): boolean {
  if (from === "node:crypto") return mayHash.has(path);
  // `resolve` and `relative` look at the working directory; the others only compute.
  if (from === "node:path") return !/\b(?:resolve|relative)\b/.test(names);
  if (from.startsWith("node:")) return pureBuiltins.has(from);
  return purePackages.some((name) => from === name || from.startsWith(`${name}/`));
}

/** Folders whose files may touch the world without being listed: they are no part of an agent. */
export function isOutsideTheHouse(path: string): boolean {
  return /^(?:test|bench|examples|vagrant)\//.test(path);
}

/** The doors that ARCHITECTURE.md lists: lines of the form "- `folder/`: name, name: what for". */
export function listedDoors(architecture: string): string[] {
  const section = architecture.split(/^## /m).find((part) => part.startsWith("Doors")) ?? "";
  const bullets = section.replaceAll(/\n {2}/g, " ").matchAll(/^- `([^`]+\/)`: ([^:\n]+)(?::|$)/gm);
  return [...bullets]
    .flatMap(([, folder, names]) => {
      return (names as string).split(", ").map((name) => `${folder}${name.trim()}.ts`);
    })
    .sort();
}
