import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { diffViews } from "../../api/events.ts";
import type { NodeId } from "../../model/ids.ts";
import type { MeshView, NodeView } from "../../model/view.ts";
import { FakeBackend, service, task } from "./fake-backend.ts";

const host1 = "host1" as NodeId;
const empty = new FakeBackend().view();

function node(name: string, changes: Partial<NodeView> = {}): NodeView {
  const view = { node: `id-${name}`, facts: { name }, status: "alive", availability: "active" };
  return { ...view, ...changes } as unknown as NodeView;
}

type Change = Partial<MeshView>;
const web = service("hello/web");
const webTask = task("hello/web.1.abc", host1, { nodeName: "host1" });
const second = [{ revision: "b".repeat(32), generation: 2, status: "current" }] as never;

const cases: [name: string, before: Change, after: Change, events: string][] = [
  ["a node that joins", {}, { nodes: [node("host1")] }, "node joined host1 (id-host1, alive)"],
  ["a node that goes", { nodes: [node("host1")] }, {}, "node left host1 (id-host1)"],
  [
    "a node that fails while it drains",
    { nodes: [node("host1")] },
    { nodes: [node("host1", { status: "down", availability: "drain" })] },
    "node down host1 (was alive); node availability host1 (drain)",
  ],
  ["a service that is created", {}, { services: [web] }, "service created hello/web (1 replicas)"],
  ["a service that is removed", { services: [web] }, {}, "service removed hello/web ()"],
  [
    "a service that is scaled",
    { services: [web] },
    { services: [service("hello/web", { replicas: 3 })] },
    "service scaled hello/web (1 to 3 replicas)",
  ],
  [
    "a service that is written anew with the same content",
    { services: [web] },
    { services: [service("hello/web", { history: second })] },
    "service updated hello/web (revision aaaaaaaaaaaa)",
  ],
  [
    "an update that pauses",
    { services: [web] },
    { services: [service("hello/web", { update: { state: "paused", message: "too bad" } })] },
    "service update-paused hello/web (too bad)",
  ],
  ["a task that runs", {}, { tasks: [webTask] }, "task running hello/web.1.abc (on host1)"],
  [
    "a task that fails",
    { tasks: [webTask] },
    { tasks: [{ ...webTask, state: "failed", ready: false, exitCode: 3, reason: "bad config" }] },
    "task failed hello/web.1.abc (on host1, exit code 3, bad config)",
  ],
  [
    "a task that loses its node",
    { tasks: [webTask] },
    { tasks: [{ ...webTask, standing: "orphaned" }] },
    "task orphaned hello/web.1.abc (on host1)",
  ],
  [
    "a task that takes no traffic any more",
    { tasks: [webTask] },
    { tasks: [{ ...webTask, ready: false, health: "unhealthy" }] },
    "task unhealthy hello/web.1.abc (on host1); task not-ready hello/web.1.abc (on host1)",
  ],
  [
    "a problem that comes for another",
    { problems: [{ code: "node-down", node: "a" }] },
    { problems: [{ code: "disk-full", path: "/" }] },
    "problem new disk-full (no room left on the disk of /: free some, writes resume by themselves); " +
      "problem solved node-down (node a is down)",
  ],
];

for (const [name, before, after, expected] of cases) {
  test(`${name} is told`, () => {
    const events = diffViews({ ...empty, ...before }, { ...empty, ...after }, 7);
    const shown = events.map(({ kind, action, subject, detail }) => {
      return `${kind} ${action} ${subject} (${detail})`;
    });
    assert.equal(shown.join("; "), expected);
    assert.ok(events.every(({ atMs }) => atMs === 7));
  });
}

/** Views over few names, so that they have much in common. */
const views = fc
  .record({
    nodes: fc.uniqueArray(fc.constantFrom("a", "b", "c")),
    status: fc.constantFrom("alive", "down"),
    services: fc.uniqueArray(fc.constantFrom("x/a", "x/b")),
    replicas: fc.nat(2),
    tasks: fc.uniqueArray(fc.constantFrom("x/a.1.p", "x/b.1.q")),
    state: fc.constantFrom("running", "failed"),
  })
  .map(({ nodes, status, services, replicas, tasks, state }): MeshView => {
    return {
      ...empty,
      nodes: nodes.map((name) => node(name, { status } as Partial<NodeView>)),
      services: services.map((name) => service(name, { replicas })),
      tasks: tasks.map((id) => task(id, host1, { state } as never)),
    };
  });

test("equal views have no difference between them, and unequal ones have", () => {
  fc.assert(
    fc.property(views, views, (before, after) => {
      const sorted = (view: MeshView): string =>
        JSON.stringify([
          view.nodes.map((one) => JSON.stringify(one)).sort(),
          view.services.map((one) => JSON.stringify(one)).sort(),
          view.tasks.map((one) => JSON.stringify(one)).sort(),
        ]);
      const isEqual = sorted(before) === sorted(after);
      assert.equal(diffViews(before, after, 0).length === 0, isEqual);
      assert.deepEqual(diffViews(after, structuredClone(after), 0), []);
    }),
  );
});

test("what comes and goes is told once each way", () => {
  fc.assert(
    fc.property(views, views, (before, after) => {
      const there = diffViews(before, after, 0).filter(({ action }) => action === "joined");
      const back = diffViews(after, before, 0).filter(({ action }) => action === "left");
      assert.deepEqual(
        there.map(({ subject }) => subject).sort(),
        back.map(({ subject }) => subject).sort(),
      );
    }),
  );
});
