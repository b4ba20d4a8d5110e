/**
 * Weighted rendezvous hashing: everyone ranks the candidates for a service by the same hash, so all
 * that see the same members pick the same winners without asking each other. When a node leaves,
 * only what it was winning moves. With weight w a node wins w times as often as one with 1.
 *
 * Sources: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM
 * Transactions on Networking 6(1), 1998; the weights by Schindelhauer and Schomaker, "Weighted
 * Distributed Hash Tables", SPAA 2005 (score = w / −ln u). Integers only, see log-table.ts. This is
 * algorithm 1 of a spec's `placement.algorithm`: changing any number here needs a new one.
 */

import { compareIds } from "../model/ids.ts";
import { negativeLog2 } from "./log-table.ts";

/** Two independent 32-bit hashes of a name, computed once per name. */
export type Digest = { readonly high: number; readonly low: number };

/** One who may be chosen. */
export type Candidate = {
  readonly id: string;
  readonly digest: Digest;
  /** Whole, 1 to 64. */
  readonly weight: number;
};

/** Weights above would make scores unsafe integers: 64 · 2^46 = 2^52. */
export const weightMax = 64;
const numerator = 2 ** 46;

/** FNV-1a over UTF-16 code units, once from each of two seeds, each finished by `mix`. */
export function digest(name: string): Digest {
  let high = 0x811c9dc5;
  let low = 0x2f0b4a27;
  for (let at = 0; at < name.length; at++) {
    const unit = name.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x01000193);
    low ^= low >>> 15;
  }
  return { high: mix(high), low: mix(low) };
}

/** The hash that ranks: uniform over [0, 2^32) for each pair of names. */
export function pairHash(name: Digest, candidate: Digest): number {
  return mix(mix(name.high ^ candidate.high) ^ name.low ^ candidate.low) >>> 0;
}

/** Decides between equal scores and equal hashes; unrelated to `pairHash`. */
function secondHash(name: Digest, candidate: Digest): number {
  return mix(mix(name.low ^ candidate.high) + candidate.low) >>> 0;
}

/** Higher is better. Never falls when hash or weight rises. */
export function score(hash: number, weight: number): number {
  return Math.floor((weight * numerator) / negativeLog2(hash));
}

/**
 * Negative when `left` ranks before `right` for this name. By score, then by the hash itself, then
 * by a second hash, then by id, so that no two are ever equal.
 */
export function compareRank(name: Digest, left: Candidate, right: Candidate): number {
  const leftHash = pairHash(name, left.digest);
  const rightHash = pairHash(name, right.digest);
  return (
    score(rightHash, right.weight) - score(leftHash, left.weight) ||
    rightHash - leftHash ||
    compareTies(name, left, right)
  );
}

/**
 * `compareRank` for whoever has both hashes at hand. Where hash and weight agree no score is
 * needed, since it falls with neither: in a mesh of equal weights the logarithm is never taken.
 */
export function compareHashed(
  name: Digest,
  left: Candidate,
  leftHash: number,
  right: Candidate,
  rightHash: number,
): number {
  if (leftHash > rightHash && left.weight >= right.weight) return -1;
  if (leftHash < rightHash && left.weight <= right.weight) return 1;
  return (
    score(rightHash, right.weight) - score(leftHash, left.weight) ||
    rightHash - leftHash ||
    compareTies(name, left, right)
  );
}

/** The end of `compareRank`, for equal scores and hashes. */
function compareTies(name: Digest, left: Candidate, right: Candidate): number {
  const second = secondHash(name, right.digest) - secondHash(name, left.digest);
  return second || compareIds(left.id, right.id);
}

/** Best first. The order past the winner is the order of fallback. */
export function rank<Each extends Candidate>(name: Digest, candidates: readonly Each[]): Each[] {
  return [...candidates].sort((left, right) => compareRank(name, left, right));
}

/**
 * The finaliser of MurmurHash3 (Appleby, public domain): every input bit moves every output bit.
 */
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
