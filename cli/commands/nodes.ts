/** `shoal node ls|inspect|update|rm`: the hosts of the mesh. */

import { writeRevocation } from "../../api/person.ts";
import type { SpecDocument } from "../../model/documents.ts";
import type { NodeView } from "../../model/view.ts";
import {
  type Command,
  confirmed,
  type Input,
  note,
  print,
  show,
  showTable,
  word,
} from "../command.ts";
import { findNode, nodeName } from "../names.ts";
import { slip } from "../options.ts";
import { nodeColumns } from "../rows.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { toChange, write } from "../writing.ts";
import { waitTime } from "./waiting.ts";

function* list(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  yield* showTable(input, view.nodes, nodeColumns(view.self));
  return 0;
}

function* inspect(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  if (input.words.length === 0) throw slip("NODE", "is missing");
  const nodes = input.words.map((name) => {
    const node = findNode(view, name);
    return { ...node, tasks: view.tasks.filter((task) => task.node === node.node) };
  });
  yield* print(JSON.stringify(nodes, undefined, 2));
  return 0;
}

function* update(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const node = findNode(view, word(input, 0, "NODE"));
  const { options } = input;
  const availability =
    options.choice("availability", ["active", "pause", "drain"]) ?? node.availability;
  const labels = changeLabels(node, options.pairs("label-add"), options.list("label-rm"));
  const document: SpecDocument = { kind: "node", node: node.node, availability, labels };
  const written = yield* write([toChange(document)]);
  yield* show(input, written, () => nodeName(node));
  const stillMs = waitTime(input);
  if (availability !== "drain" || stillMs === undefined) return 0;
  return yield* awaitDrained(node, stillMs);
}

/** What an operator said before is what differs from the node's own labels. */
function changeLabels(
  node: NodeView,
  added: readonly (readonly [string, string])[],
  removed: readonly string[],
): Record<string, string> {
  const own = node.facts?.labels ?? {};
  for (const name of removed) {
    if (Object.hasOwn(own, name) && own[name] === node.labels[name]) {
      throw slip("--label-rm", `${name} comes from the node's own command line`);
    }
  }
  const said = Object.entries(node.labels).filter(([name, value]) => own[name] !== value);
  const kept = said.filter(([name]) => !removed.includes(name));
  return { ...Object.fromEntries(kept), ...Object.fromEntries(added) };
}

/** Waits until nothing runs there, for as long as something moves. */
function* awaitDrained(node: NodeView, stillMs: number): Work<ExitCode> {
  let last = Number.POSITIVE_INFINITY;
  let movedAtMs = yield* ask((world) => world.nowMs());
  for (;;) {
    const view = yield* ask((world) => world.mesh.view());
    const nowMs = yield* ask((world) => world.nowMs());
    const tasks = view.tasks.filter((task) => {
      return task.node === node.node && task.state !== "complete" && task.state !== "failed";
    });
    const line = `${nodeName(node)}  ${tasks.length === 0 ? "drained" : `${tasks.length} left`}`;
    yield* ask(({ terminal }) => terminal.draw([line]));
    if (tasks.length === 0) return 0;
    if (tasks.length !== last) movedAtMs = nowMs;
    last = tasks.length;
    if (nowMs - movedAtMs > stillMs) {
      yield* note(`nothing has moved for ${Math.round(stillMs / 1000)} s: ${line}`);
      return 1;
    }
    yield* ask((world) => world.sleep(200));
  }
}

function* remove(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const node = findNode(view, word(input, 0, "NODE"));
  const name = nodeName(node);
  if (node.status === "alive" && !input.options.flag("force")) {
    throw slip(name, "is alive: run `shoal leave` there, stop it, or use --force");
  }
  if (!view.nodes.some((other) => other.node !== node.node && other.role === "peer")) {
    throw slip(name, "is the only peer: `shoal leave` there ends the mesh");
  }
  const question = `remove node ${name} (${node.node})? It must be invited again to come back.`;
  if (!(yield* confirmed(input, question))) return 1;
  const key = yield* ask((world) => world.key());
  const nowMs = yield* ask((world) => world.nowMs());
  const fact = writeRevocation(view.mesh, node.node, nowMs, key);
  const written = yield* ask((world) => world.mesh.write({ revisions: [], facts: [fact] }));
  yield* show(input, { node: node.node, peers: written.peers }, () => name);
  return 0;
}

export const nodeCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "",
    summary: "List nodes; * is the one that answers",
    options: [],
    examples: ["shoal node ls"],
    run: list,
  },
  {
    name: "inspect",
    usage: "NODE...",
    summary: "Show nodes and their tasks as JSON; self is the one that answers",
    options: [],
    examples: ["shoal node inspect self", "shoal node inspect host2"],
    run: inspect,
  },
  {
    name: "update",
    usage: "NODE",
    summary: "Change a node's availability and labels",
    options: [
      ["--availability STATE", "active, pause (nothing new) or drain (nothing at all)"],
      ["--label-add NAME=VALUE...", "set a label"],
      ["--label-rm NAME...", "remove a label"],
      ["-d, --detach", "do not wait until a drained node is empty"],
      ["--timeout DURATION", "give up when nothing moves for so long (60s)"],
    ],
    examples: [
      "shoal node update host2 --availability drain",
      "shoal node update host1 --label-add zone=a",
    ],
    run: update,
  },
  {
    name: "rm",
    usage: "NODE",
    summary: "Remove a node from the mesh for good",
    options: [
      ["-y, --yes", "do not ask"],
      ["-f, --force", "although it is alive"],
    ],
    examples: ["shoal node rm host3 --yes"],
    run: remove,
  },
];
