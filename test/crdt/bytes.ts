/** Bytes for tests: written as hex, and damaged at random from a seed. */

export function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
}

/** A small generator of its own, so that a failure is the same for everyone. Marsaglia, 2003. */
export function dice(seed: number): (bound: number) => number {
  let state = seed | 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
}

/**
 * `count` inputs: one in eight random, the others a seed with bits flipped, bytes changed, pieces
 * cut out, doubled, or exchanged with another seed's.
 */
export function* mutated(
  seeds: readonly Uint8Array[],
  count: number,
  seed: number,
): Generator<Uint8Array> {
  const throwDice = dice(seed);
  for (let index = 0; index < count; index++) {
    if (throwDice(8) === 0) {
      yield Uint8Array.from({ length: throwDice(64) }, () => throwDice(256));
      continue;
    }
    let bytes = pick(seeds, throwDice);
    for (let times = throwDice(3); times >= 0; times--) bytes = mutate(bytes, seeds, throwDice);
    yield bytes;
  }
}

function mutate(
  bytes: Uint8Array,
  seeds: readonly Uint8Array[],
  throwDice: (bound: number) => number,
): Uint8Array {
  const at = throwDice(bytes.length + 1);
  const length = Math.min(bytes.length - at, throwDice(9));
  const [before, piece, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, at + length),
    bytes.subarray(at + length),
  ];
  switch (throwDice(5)) {
    case 0:
      return join(
        before,
        piece.map((byte) => byte ^ (1 << throwDice(8))),
        after,
      );
    case 1:
      return join(
        before,
        piece.map(() => throwDice(256)),
        after,
      );
    case 2:
      return join(before, after);
    case 3:
      return join(before, piece, piece, after);
    default: {
      const other = pick(seeds, throwDice);
      const start = throwDice(other.length + 1);
      return join(before, other.subarray(start, start + throwDice(24)), after);
    }
  }
}

function pick(seeds: readonly Uint8Array[], throwDice: (bound: number) => number): Uint8Array {
  return seeds[throwDice(seeds.length)] as Uint8Array;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
