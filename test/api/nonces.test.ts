import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Nonces } from "../../api/nonces.ts";
import { requestWindowMs } from "../../trust/request.ts";

/** A signed request is good for so long at most, from a clock ahead to a clock behind. */
const lifeMs = 2 * requestWindowMs;

test("a nonce is refused again for as long as any request with it could be good", () => {
  const step = fc.record({ nonce: fc.nat(20), passMs: fc.nat(lifeMs) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(2 ** 41), (steps, startMs) => {
      const nonces = new Nonces();
      // The slow obvious twin: remembers all for ever, with the time.
      const usedAtMs = new Map<number, number>();
      let nowMs = startMs;
      for (const { nonce, passMs } of steps) {
        nowMs += passMs;
        const result = nonces.use("p", String(nonce), nowMs);
        const known = usedAtMs.get(nonce);
        if (known !== undefined && nowMs - known < lifeMs) assert.equal(result, "used");
        if (known === undefined) assert.equal(result, "fresh");
        if (result === "fresh") usedAtMs.set(nonce, nowMs);
      }
    }),
  );
});

test("one nonce of two people is two", () => {
  const nonces = new Nonces();
  assert.equal(nonces.use("a", "1", 0), "fresh");
  assert.equal(nonces.use("b", "1", 0), "fresh");
  assert.equal(nonces.use("a", "1", 0), "used");
});

test("a flood of one person's is refused before it fills the memory, others go on", () => {
  const nonces = new Nonces();
  let taken = 0;
  while (taken < 1e6 && nonces.use("wild", String(taken), 0) === "fresh") taken++;
  assert.equal(taken, 16_384);
  assert.equal(nonces.use("calm", "1", 0), "fresh");
  assert.equal(nonces.use("wild", "new", lifeMs), "fresh");
});

test("a flood of many people's is refused as well, and forgotten in time", () => {
  const nonces = new Nonces();
  let taken = 0;
  while (taken < 1e6 && nonces.use(String(taken % 100), String(taken), 0) === "fresh") taken++;
  assert.equal(taken, 65_536);
  assert.equal(nonces.size, 65_536);
  assert.equal(nonces.use("calm", "1", 2 * lifeMs), "fresh");
  assert.equal(nonces.size, 1);
});

test("a clock that jumps back opens no nonce and closes no door", () => {
  const nonces = new Nonces();
  assert.equal(nonces.use("a", "1", 10 * lifeMs), "fresh");
  assert.equal(nonces.use("a", "1", 10 * lifeMs - 1000), "used");
  assert.equal(nonces.use("a", "2", 0), "fresh");
});
