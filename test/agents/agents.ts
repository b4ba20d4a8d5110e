/** Real agents as processes of this machine, with the process engine, asked by the real command. */

import { randomInt } from "node:crypto";
import { get } from "node:http";
import { text } from "node:stream/consumers";
import { DemoMesh, type DemoNode } from "../../cli/demo-mesh.ts";
import type { MeshView, TaskView } from "../../model/view.ts";
import { until } from "../until.ts";

/** Agents of one test file do not meet those of another, which runs at the same time. */
export function newAgents(count: number): DemoMesh {
  const network = `127.${randomInt(10, 250)}.${randomInt(1, 250)}`;
  return new DemoMesh(count, {}, network);
}

/** The first founds the mesh, all others join by one invite. */
export async function formMesh(agents: DemoMesh): Promise<void> {
  const [first, ...others] = agents.nodes as [DemoNode, ...DemoNode[]];
  await agents.start(first);
  if (others.length === 0) return;
  const token = await agents.shoal(["invite", "--uses", String(others.length)]);
  for (const node of others) await agents.start(node, token);
  await untilWhole(agents, agents.nodes);
}

/** All of these see each other alive and hold equal state. */
export async function untilWhole(agents: DemoMesh, nodes: readonly DemoNode[]): Promise<void> {
  await until(
    async () => {
      const views = await Promise.all(nodes.map((node) => agents.view(node)));
      const alive = views.map((view) => view.nodes.filter(({ status }) => status === "alive"));
      const equal = new Set(views.map(({ digest }) => digest)).size === 1;
      return equal && alive.every((one) => one.length === nodes.length);
    },
    30_000,
    "a whole mesh",
  );
}

/** On a connection of its own, as a new client comes. */
export async function ask(node: DemoNode, port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const request = get({ host: node.address, port, agent: false, timeout: 5_000 }, (response) => {
      text(response).then(resolve, reject);
    });
    request.once("timeout", () => request.destroy(new Error("no answer within 5 s")));
    request.once("error", reject);
  });
}

export function serving(view: MeshView, service: string): TaskView[] {
  return view.tasks.filter((task) => {
    const current = task.service === service && task.standing === "current";
    return current && task.ready && task.state === "running";
  });
}

/** A web server in so many replicas, published at that port, that says which replica it is. */
export function webCompose(port: number, replicas: number, more = ""): string {
  return `
name: shop
services:
  web:
    command:
      - node
      - -e
      - |
        const { SHOAL_SLOT, SHOAL_NODE, PORT, VERSION = "1" } = process.env;
        const server = require("node:http").createServer((request, response) => {
          console.log("asked " + request.url);
          response.end("v" + VERSION + " " + SHOAL_SLOT + " on " + SHOAL_NODE + "\\n");
        });
        server.listen(Number(PORT));
        process.on("SIGTERM", () => server.close(() => process.exit(0)));
    ports: ["${port}:80"]
    x-shoal:
      engine: process
      health:
        readiness: { http: { port: 80, path: / }, interval: 500ms, timeout: 1s }
    deploy:
      replicas: ${replicas}
${more}`;
}
