import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseTimestamp } from "../../engine/timestamp.ts";

test("timestamps are read as Date reads them", () => {
  const date = fc.date({
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  });
  const law = fc.property(date, (when) => {
    assert.equal(parseTimestamp(when.toISOString()), when.getTime());
  });
  fc.assert(law);
});

const cases: [text: string, expected: number | undefined][] = [
  ["1970-01-01T00:00:00Z", 0],
  ["1970-01-01T00:00:01.5Z", 1_500],
  ["2000-02-29T00:00:00.123456789Z", Date.UTC(2000, 1, 29, 0, 0, 0, 123)],
  ["1970-01-01T02:00:00+02:00", 0],
  ["1969-12-31T22:30:00-01:30", 0],
  ["0001-01-01T00:00:00Z", Date.parse("0001-01-01T00:00:00Z")],
  ["1970-01-01 00:00:00Z", undefined],
  ["1970-01-01T00:00:00", undefined],
  ["", undefined],
];

for (const [text, expected] of cases) {
  test(`"${text}" is ${expected}`, () => assert.equal(parseTimestamp(text), expected));
}
