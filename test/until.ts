/** Waiting for a condition with a deadline, in place of sleeping and hoping. */

import { setTimeout as sleep } from "node:timers/promises";

/** How often the condition is looked at, ms: short beside what any test measures. */
const pollMs = 20;

/**
 * The first truthy answer of `condition`, which may throw meanwhile: its last error is the cause
 * when the deadline passes.
 */
export async function until<Value>(
  condition: () => Value | Promise<Value>,
  deadlineMs: number,
  what = "the condition",
): Promise<NonNullable<Value>> {
  const end = performance.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<Value>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) {
      throw new Error(`${what} did not hold within ${deadlineMs} ms`, { cause });
    }
    await sleep(pollMs);
  }
}
