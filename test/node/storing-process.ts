/**
 * Commits one number after the other to a data directory, and says each one on standard output
 * after it was acknowledged: `storing-process.ts DIRECTORY`. Goes on from where the last run was.
 */

import { writeSync } from "node:fs";
import { openStorage } from "../../node/storage.ts";

const { storage } = openStorage(process.argv[2] as string);
const last = storage.load("meta").get("last");
const bytes = (number: number) => Buffer.from(`${number} ${"x".repeat((number * 37) % 5_000)}`);

for (let next = Number.parseInt(Buffer.from(last ?? []).toString() || "0", 10) + 1; ; next++) {
  const key = `key ${next % 40}`;
  const outcome = storage.commit([
    { table: "document", key, value: bytes(next) },
    { table: "revision", key, value: bytes(next) },
    { table: "meta", key: "last", value: bytes(next) },
  ]);
  if (outcome.kind === "refused") throw new Error(outcome.problem.code);
  writeSync(1, `${next}\n`);
}
