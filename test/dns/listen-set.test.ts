import assert from "node:assert/strict";
import { test } from "node:test";
import { ListenSet } from "../../dns/listen-set.ts";
import type { ListenerEars } from "../../dns/listener.ts";
import { formatPlace, type Place } from "../../dns/place.ts";
import { TestClock } from "./tables.ts";

/** A machine on which some addresses can be bound. */
function scene() {
  const clock = new TestClock();
  const bindable = new Set<string>();
  const bound = new Map<string, ListenerEars>();
  let changes = 0;
  const set = new ListenSet({
    clock,
    changed: () => changes++,
    open: (place: Place, ears) => {
      const text = formatPlace(place);
      if (!bindable.has(text) || bound.has(text)) {
        ears.failed(Object.assign(new Error("bind"), { code: "EADDRNOTAVAIL" }));
        return { close: () => {} };
      }
      bound.set(text, ears);
      ears.opened(place);
      return { close: () => bound.delete(text) };
    },
  });
  const problems = () => set.problems.map((problem) => JSON.stringify(problem));
  return { clock, bindable, bound, set, problems, changes: () => changes };
}

const missing = (address: string, detail = "EADDRNOTAVAIL") => {
  return JSON.stringify({ code: "dns-not-listening", address, detail });
};

test("what is wanted is bound, and what is no longer wanted is let go", () => {
  const { bindable, bound, set, problems } = scene();
  for (const address of ["10.0.0.1:53", "10.0.0.2:53"]) bindable.add(address);
  set.want(["10.0.0.1:53", "10.0.0.2:53"]);
  assert.deepEqual([...bound.keys()], ["10.0.0.1:53", "10.0.0.2:53"]);
  set.want(["10.0.0.2:53"]);
  assert.deepEqual([...bound.keys()], ["10.0.0.2:53"]);
  assert.deepEqual(set.places.map(formatPlace), ["10.0.0.2:53"]);
  assert.deepEqual(problems(), []);
  set.want([]);
  assert.equal(bound.size, 0);
});

test("an address that is not there yet is a problem until it is", () => {
  const { clock, bindable, bound, set, problems, changes } = scene();
  set.want(["172.17.0.1"]);
  assert.deepEqual(problems(), [missing("172.17.0.1")]);
  assert.equal(set.isSettled, true);
  clock.advance(5500);
  bindable.add("172.17.0.1:53");
  const before = changes();
  clock.advance(1000);
  assert.deepEqual([...bound.keys()], ["172.17.0.1:53"]);
  assert.deepEqual(problems(), []);
  assert.ok(changes() > before);
  assert.equal(clock.timers, 0);
});

test("an address that is no longer wanted is not tried again", () => {
  const { clock, bindable, bound, set, problems } = scene();
  set.want(["172.17.0.1"]);
  set.want([]);
  bindable.add("172.17.0.1:53");
  clock.advance(10_000);
  assert.deepEqual([bound.size, problems(), clock.timers], [0, [], 0]);
});

test("sockets that break are opened again", () => {
  const { clock, bindable, bound, set, problems } = scene();
  bindable.add("10.0.0.1:53");
  set.want(["10.0.0.1"]);
  const ears = bound.get("10.0.0.1:53");
  bound.clear();
  ears?.failed(new Error("gone"));
  assert.deepEqual(problems(), [missing("10.0.0.1", "gone")]);
  clock.advance(1000);
  assert.deepEqual([problems(), bound.size], [[], 1]);
});

test("the same list again changes nothing", () => {
  const { bindable, bound, set } = scene();
  bindable.add("10.0.0.1:53");
  set.want(["10.0.0.1", "10.0.0.1"]);
  const ears = bound.get("10.0.0.1:53");
  set.want(["10.0.0.1"]);
  assert.equal(bound.get("10.0.0.1:53"), ears);
});

test("what is no address is a problem and nothing more", () => {
  const { clock, set, problems } = scene();
  set.want(["docker0"]);
  assert.deepEqual(problems(), [missing("docker0", "this is no address")]);
  assert.equal(clock.timers, 0);
});
