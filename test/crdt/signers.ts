/** Keys for tests, and the check of what they signed: real ones, from small seeds. */

import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";

export { verify };

export function key(number: number): Identity {
  const seed = new Uint8Array(32).fill(7);
  seed[0] = number;
  seed[1] = number >> 8;
  return identityFromSeed(seed);
}

export const [ada, ben, cleo] = [key(1), key(2), key(3)] as const;
