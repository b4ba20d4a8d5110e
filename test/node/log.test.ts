import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { afterEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Log, openLog } from "../../node/log.ts";

afterEach(() => {
  delete process.env.SHOAL_LOG;
});

type Line = Readonly<Record<string, unknown>>;

function logInto(lines: Line[], nowMs: () => number = () => 0): Log {
  return openLog({ destination: { write: (text) => lines.push(JSON.parse(text)) }, nowMs });
}

test("a line is an event with its time, its level and its fields", () => {
  const lines: Line[] = [];
  logInto(lines).warn("peer-refused", { address: "/ip4/10.0.0.1", tries: 3 });
  const { time, ...rest } = lines[0] as Line;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(rest, {
    level: "warn",
    event: "peer-refused",
    address: "/ip4/10.0.0.1",
    tries: 3,
  });
});

const levels: [setting: string | undefined, written: string][] = [
  [undefined, "info warn error"],
  ["debug", "debug info warn error"],
  ["info", "info warn error"],
  ["warn", "warn error"],
  ["error", "error"],
  ["silent", ""],
  ["loud", "log-level-unknown info warn error"],
  ["", "log-level-unknown info warn error"],
];

for (const [setting, written] of levels) {
  test(`SHOAL_LOG=${setting ?? "(unset)"} writes ${written || "nothing"}`, () => {
    if (setting !== undefined) process.env.SHOAL_LOG = setting;
    const lines: Line[] = [];
    const log = logInto(lines);
    for (const level of ["debug", "info", "warn", "error"] as const) log[level](level);
    assert.equal(lines.map(({ event }) => event).join(" "), written);
  });
}

test("no secret is written, however it is wrapped", () => {
  const lines: Line[] = [];
  const deep = { a: { b: { c: { d: { e: "hidden" } } } } };
  logInto(lines).info("all", {
    secret: "hidden",
    inviteSeed: "hidden",
    nested: { Authorization: "Shoal hidden", list: [{ accessToken: "hidden" }] },
    bytes: new TextEncoder().encode("hidden"),
    text: "joining with shoal1-hidden_Hidden-1 now",
    error: new Error("bad invite shoal1-hidden"),
    deep,
    count: 5n,
  });
  const text = JSON.stringify(lines);
  assert.ok(!text.includes("hidden"), text);
  const [line] = lines;
  assert.equal(line?.text, "joining with (invite) now");
  assert.equal(line?.bytes, "(6 bytes)");
  assert.equal(line?.count, "5");
});

test("a ring, an endless text and an endless list are cut off", () => {
  const lines: Line[] = [];
  const ring: Record<string, unknown> = {};
  ring.ring = ring;
  logInto(lines).info("long", { ring, text: "x".repeat(1e6), list: Array(1e5).fill(1) });
  assert.ok(JSON.stringify(lines).length < 10_000);
});

test("an event that repeats is written a few times, then counted, and others are not held back", () => {
  const lines: Line[] = [];
  let now = 0;
  const log = logInto(lines, () => now);
  for (let index = 0; index < 10_000; index++) log.warn("bad-frame", { index });
  log.warn("other");
  log.error("bad-frame");
  assert.equal(lines.length, 22);
  now = 10_000;
  log.warn("bad-frame", { index: 1 });
  log.warn("bad-frame", { index: 2 });
  assert.deepEqual(
    lines.slice(-2).map(({ index, suppressed }) => [index, suppressed]),
    [
      [1, 9_980],
      [2, undefined],
    ],
  );
});

test("events without end take no memory without end", () => {
  const lines: Line[] = [];
  const log = logInto(lines);
  for (let index = 0; index < 3_000; index++) log.info(`event-${index}`);
  assert.equal(lines.length, 3_000);
});

/** How it ends, and how many lines came out, behind a shell's pipe to that reader. */
function logTo(reader: string, lines: number): { code: string; lines: number } {
  const script = fileURLToPath(new URL("./logging-process.ts", import.meta.url));
  const text = `(timeout 20 "$0" "$1" ${lines}; echo "code $?" >&2) | ${reader}`;
  const { stdout, stderr } = spawnSync("sh", ["-c", text, process.execPath, script]);
  return {
    code: String(stderr).match(/code \d+/)?.[0] ?? "",
    lines: String(stdout).split("\n").length - 1,
  };
}

test("the last line before an exit is written, into a pipe", () => {
  assert.deepEqual(logTo("cat", 40), { code: "code 3", lines: 40 });
});

test("a reader that has gone does not keep the agent from ending", () => {
  assert.deepEqual(logTo("true", 40), { code: "code 3", lines: 0 });
});

test("a reader that does not read does not stop the agent", () => {
  assert.deepEqual(logTo("sleep 2", 400), { code: "code 3", lines: 0 });
});
