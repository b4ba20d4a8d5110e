import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { showBytes, showSpan } from "../../cli/amounts.ts";
import { parseInstant, printInstant } from "../../cli/calendar.ts";

test("instants agree with the platform's own calendar, both ways", () => {
  const instant = fc.integer({ min: 0, max: 250_000_000_000 }).map((seconds) => seconds * 1000);
  fc.assert(
    fc.property(instant, (ms) => {
      const text = new Date(ms).toISOString().replace(".000Z", "Z");
      assert.equal(printInstant(ms), text);
      assert.equal(parseInstant(text), ms);
    }),
    { numRuns: 1000 },
  );
});

test("zones, fractions and dates alone are understood", () => {
  assert.equal(parseInstant("1970-01-01T01:00:00+01:00"), 0);
  assert.equal(parseInstant("1970-01-01T00:00:00.25Z"), 250);
  assert.equal(parseInstant("1970-01-02"), 86_400_000);
  for (const text of ["", "now", "1970-13-01", "1970-01-01T25:00", "1970"]) {
    assert.equal(parseInstant(text), undefined, text);
  }
});

test("spans and bytes are said in one unit", () => {
  assert.deepEqual([0, 1000, 90_000, 7_200_000, 1e9].map(showSpan), [
    "less than a second",
    "1 second",
    "1 minute",
    "2 hours",
    "11 days",
  ]);
  assert.deepEqual([0, 1536, 2 ** 30].map(showBytes), ["0 B", "1.5 KiB", "1.0 GiB"]);
});
