/** One round of tests: which of the runner's events to show, and the sums over all rounds. */

import type { TestEvent } from "node:test/reporters";

export type Tally = {
  tests: number;
  suites: number;
  passed: number;
  failed: number;
  cancelled: number;
  skipped: number;
  todo: number;
};

/** What the runner says at the end of each round; the sums are printed once, at the very end. */
const roundSummary = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/;

export function emptyTally(): Tally {
  return { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
}

/** Adds a round's counts to the tally. Returns whether the event is worth showing. */
export function watchRound(event: TestEvent, tally: Tally): boolean {
  // The runner counts a suite that is left out as nothing at all.
  if (event.type === "test:pass" && event.data.details.type === "suite" && event.data.skip) {
    tally.skipped += 1;
  }
  if (event.type === "test:diagnostic") return !roundSummary.test(event.data.message);
  // Each file has a summary as well; the one without a file is the round's.
  if (event.type !== "test:summary" || event.data.file !== undefined) return true;
  const { tests, suites, passed, cancelled, skipped, todo } = event.data.counts;
  tally.tests += tests;
  tally.suites += suites;
  tally.passed += passed;
  tally.failed += tests - passed - cancelled - skipped - todo;
  tally.cancelled += cancelled;
  tally.skipped += skipped;
  tally.todo += todo;
  return false;
}
