/**
 * `npm start`: the main job, on this machine alone. Three agents form a mesh by invite, a Compose
 * file is deployed through one of them, and every node serves it. Then it stays up with a live
 * status, or with `--once` kills one node, times how long until all replicas serve again, and ends
 * with exit code 0 or 1. A door.
 */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { MeshView } from "../model/view.ts";
import { DemoMesh, type DemoNode, findPort } from "./demo-mesh.ts";
import { nodeColumns, serviceColumns, taskColumns } from "./rows.ts";
import { printTable } from "./table.ts";
import { openTerminal } from "./terminal.ts";

const file = fileURLToPath(new URL("../examples/hello/compose.yaml", import.meta.url));
const replicas = 6;
const nodeCount = 3;
/** Far above the promise of 4 s: beyond it the demonstration has failed. */
const healMsMax = 30_000;
const requestMsMax = 1_000;
const statusMs = 1_000;

const terminal = openTerminal();

function say(text = ""): void {
  terminal.print(text);
}

function step(words: string): void {
  say(`\n$ ${words}`);
}

async function main(once: boolean): Promise<number> {
  const addresses = Array.from({ length: nodeCount }, (_, index) => `127.0.0.${index + 1}`);
  const port = await findPort(8080, addresses);
  const mesh = new DemoMesh(nodeCount, { HELLO_PORT: String(port) });
  const stopped = untilSignal();
  try {
    const shown = show(mesh, port, once);
    const outcome = await Promise.race([shown, stopped]);
    // A person's Ctrl-C is how the live status ends.
    return typeof outcome === "number" ? outcome : 0;
  } finally {
    // With the terminal gone a word to it would end this before everything else has ended.
    if (!hungUp) say("\ncleaning up");
    await mesh.close();
    terminal.close();
  }
}

async function show(mesh: DemoMesh, port: number, once: boolean): Promise<number> {
  const [first, second] = mesh.nodes as [DemoNode, DemoNode];
  step("shoal up --name demo");
  await mesh.start(first);
  step(`shoal invite --uses ${nodeCount - 1}`);
  const token = await mesh.shoal(["invite", "--uses", String(nodeCount - 1)]);
  say(`${token.slice(0, 40)}…`);
  for (const node of mesh.nodes.slice(1)) {
    step(`shoal join shoal1-…   # on ${node.name}`);
    await mesh.start(node, token);
  }
  step(`shoal deploy -f examples/hello/compose.yaml   # through ${second.name}`);
  say(await mesh.shoal(["deploy", "-f", file, ...mesh.peer(second)]));
  await printTables(mesh);
  printPlaces(mesh, port);
  const heard = await askEverywhere(mesh.nodes, port);
  say(`\n${heard.size} of ${replicas} replicas have answered through ${nodeCount} nodes`);
  if (!once) return await live(mesh);
  return heard.size === replicas ? await killOne(mesh, port) : 1;
}

async function printTables(mesh: DemoMesh): Promise<void> {
  const [first] = mesh.nodes as [DemoNode];
  const view = await mesh.view(first);
  step("shoal node ls");
  say(printTable(nodeColumns(view.self), view.nodes, terminal.columns));
  step("shoal ps");
  say(printTable(taskColumns(Date.now()), current(view), terminal.columns));
}

function current(view: MeshView): MeshView["tasks"] {
  return view.tasks.filter(({ standing }) => standing !== "superseded");
}

function printPlaces(mesh: DemoMesh, port: number): void {
  say("\nAny node serves it:");
  for (const node of mesh.nodes) say(`  curl http://${node.address}:${port}/     # ${node.name}`);
  say("and knows its name:");
  say(`  dig ${mesh.dnsOf(mesh.nodes[0] as DemoNode)} web.hello.mesh`);
}

/** Replicas, by what they say, that answer through these nodes; a few requests for each. */
async function askEverywhere(nodes: readonly DemoNode[], port: number): Promise<Set<string>> {
  const heard = new Set<string>();
  for (let request = 0; request < 40 * nodes.length && heard.size < replicas; request++) {
    const { address } = nodes[request % nodes.length] as DemoNode;
    const text = await ask(`http://${address}:${port}/`);
    if (text !== undefined) heard.add(text);
  }
  return heard;
}

/** Undefined when it does not answer well in time. */
async function ask(url: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(requestMsMax);
    const response = await fetch(url, { signal, headers: { connection: "close" } });
    const text = await response.text();
    return response.ok ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Kills a node with all it runs, and waits until every replica serves through every survivor. */
async function killOne(mesh: DemoMesh, port: number): Promise<number> {
  const victim = mesh.nodes.at(-1) as DemoNode;
  const survivors = mesh.nodes.slice(0, -1);
  say(`\nkilling ${victim.name}: its agent and its tasks, without a word`);
  const killedMs = performance.now();
  mesh.kill(victim);
  const deadline = killedMs + healMsMax;
  while (performance.now() < deadline) {
    const views = await Promise.all(survivors.map((node) => mesh.view(node)));
    if (views.every(isWhole) && (await askEverywhere(survivors, port)).size === replicas) {
      const seconds = ((performance.now() - killedMs) / 1000).toFixed(2);
      say(`all ${replicas} replicas served again after ${seconds} s`);
      say(printTable(taskColumns(Date.now()), current(views[0] as MeshView), terminal.columns));
      return 0;
    }
    await sleep(20);
  }
  say(`not all replicas served again within ${healMsMax / 1000} s`);
  return 1;
}

/** As many replicas ready as are wanted, none of them counted on a node that is not alive. */
function isWhole(view: MeshView): boolean {
  const alive = new Set(
    view.nodes.filter(({ status }) => status === "alive").map((one) => one.node),
  );
  const ready = view.tasks.filter(({ ready, state, node }) => {
    return ready && state === "running" && alive.has(node);
  });
  return new Set(ready.map(({ replica }) => replica)).size === replicas;
}

/** Until Ctrl-C. */
async function live(mesh: DemoMesh): Promise<number> {
  say("\nIt stays up until Ctrl-C.\n");
  const [first] = mesh.nodes as [DemoNode];
  let last = "";
  for (;;) {
    const view = await mesh.view(first);
    const lines = [
      ...printTable(nodeColumns(view.self), view.nodes, terminal.columns).split("\n"),
      "",
      ...printTable(serviceColumns, view.services, terminal.columns).split("\n"),
    ];
    const text = lines.join("\n");
    if (terminal.draws) terminal.draw(lines);
    else if (text !== last) say(text);
    last = text;
    await sleep(statusMs);
  }
}

let hungUp = false;

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(signal, () => {
        hungUp ||= signal === "SIGHUP";
        resolve(signal);
      });
    }
  });
}

const known = ["--once", "--help"];
const unknown = process.argv.slice(2).filter((word) => !known.includes(word));
if (unknown.length > 0 || process.argv.includes("--help")) {
  const { name } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  say(`${name} demonstration: npm start, or npm start -- --once to see one node die`);
  process.exit(unknown.length > 0 ? 2 : 0);
}
process.exit(await main(process.argv.includes("--once")));
