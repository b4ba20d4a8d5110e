/**
 * −log₂ of a 32-bit hash, in fixed point, from a table. ECMAScript leaves Math.log2 to the engine,
 * and one differing bit would have two nodes start the same replica; addition, multiplication,
 * division and Math.floor on safe integers are exact everywhere (ECMA-262, "Number::divide").
 *
 * The table itself is computed the same way, by repeated squaring (Knuth, "The Art of Computer
 * Programming" volume 1, section 1.2.2, exercise 25 has the relatives of this method), and its
 * fingerprint is checked when it is loaded: an engine that computes it differently must not place.
 */

/** Bits after the binary point of what `negativeLog2` returns. */
export const fractionBits = 25;

const one = 2 ** fractionBits;
const tableBits = 12;
const tableSize = 2 ** tableBits;
/** Hash bits below those that choose a table entry, once the leading one is gone. */
const restBits = 31 - tableBits;

/** Of the table below; a golden value. */
const tableFingerprint = 0x93133ce8;

/** log₂(1 + index / 4096) · 2^25, for index 0 to 4096. Rises by 5,900 to 11,800 a step. */
const table = buildTable();

function buildTable(): Int32Array {
  const entries = new Int32Array(tableSize + 1);
  for (let index = 0; index < tableSize; index++) entries[index] = log2Of(index);
  entries[tableSize] = one;
  return entries;
}

/** Squares x in [1, 2): each time it passes 2, one more bit of its logarithm is 1. */
function log2Of(index: number): number {
  let x = one + index * 2 ** (fractionBits - tableBits);
  let bits = 0;
  for (let bit = 0; bit < fractionBits; bit++) {
    // x is below 2^26, so that its square is a safe integer.
    x = Math.floor((x * x) / one);
    bits *= 2;
    if (x >= 2 * one) {
      x = Math.floor(x / 2);
      bits++;
    }
  }
  return bits;
}

/** FNV-1a over the table's entries. */
function fingerprint(): number {
  let hash = 0x811c9dc5;
  for (const entry of table) hash = Math.imul(hash ^ entry, 0x01000193);
  return hash >>> 0;
}

if (fingerprint() !== tableFingerprint) {
  throw new Error(`this engine computes another table of logarithms: ${fingerprint()}`);
}

/**
 * −log₂((hash + 1) / 2^32) · 2^25, at least 1, for a hash in [0, 2^32). Never rises with the hash.
 * Straight lines between table entries.
 */
export function negativeLog2(hash: number): number {
  if (hash === 0xffffffff) return 1;
  const value = hash + 1;
  const leading = 31 - Math.clz32(value);
  // The bits after the leading one, moved up to fill 31.
  const mantissa = (value << (31 - leading)) & 0x7fffffff;
  const index = mantissa >>> restBits;
  const rest = mantissa & (2 ** restBits - 1);
  const low = table[index] as number;
  const high = table[index + 1] as number;
  const log = leading * one + low + Math.floor(((high - low) * rest) / 2 ** restBits);
  return Math.max(1, 32 * one - log);
}
