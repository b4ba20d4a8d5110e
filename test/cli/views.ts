/** Views of a mesh in a few words, for tests of what commands show of it. */

import { compile } from "../../cli/compose/compile.ts";
import type { NodeId, ReplicaId, RevisionId, ServiceId, TaskId } from "../../model/ids.ts";
import type { ServiceSpec } from "../../model/spec.ts";
import type { MeshView, NodeView, ServiceView, TaskView } from "../../model/view.ts";
import { identityFromSeed } from "../../trust/identity.ts";
import { mesh } from "./fake-world.ts";

export function specFrom(stack: string, name: string, lines = "image: nginx"): ServiceSpec {
  const body = lines.split("\n").map((line) => `    ${line}`);
  const text = ["services:", `  ${name}:`, ...body].join("\n");
  const files = [{ path: "compose.yaml", text }];
  const source = { files, directory: "/srv", env: {}, readText: () => undefined, stack };
  const { documents, problems } = compile(source);
  const [document] = documents;
  if (document?.kind !== "service") throw new Error(JSON.stringify(problems));
  return document.spec;
}

export function nodeView(name: string, changes: Partial<NodeView> = {}): NodeView {
  const number = Number(name.slice(-1));
  const node = identityFromSeed(new Uint8Array(32).fill(number)).id as NodeId;
  return {
    node,
    facts: {
      name,
      addresses: [`/ip4/10.0.0.${name.slice(-1)}/tcp/7946`],
      probePort: 7946,
      version: "0.1.0",
      protocol: [1, 1],
      os: "linux",
      arch: "amd64",
      engines: ["docker"],
      cpuMilli: 2000,
      memoryBytes: 2 ** 31,
      labels: {},
      subnet: "10.210.1.0/24",
      dataPath: "userspace",
      ailments: [],
    },
    role: "peer",
    status: "alive",
    availability: "active",
    labels: {},
    epoch: 1,
    seq: 1,
    ...changes,
  };
}

export function serviceView(
  name: string,
  replicas: number,
  changes: Partial<ServiceView> = {},
): ServiceView {
  const [stack = "", own = ""] = name.split("/");
  const spec = changes.spec ?? specFrom(stack, own);
  return {
    service: name as ServiceId,
    spec,
    revision: "0123456789abcdef0123456789abcdef" as RevisionId,
    replicas,
    updated: replicas,
    ready: replicas,
    update: { state: "completed", message: "" },
    history: [],
    problems: [],
    ...changes,
  };
}

export function taskView(replica: string, node: string, changes: Partial<TaskView> = {}): TaskView {
  const dot = replica.lastIndexOf(".");
  return {
    task: `${replica}.abcdefghijk${node.slice(-1)}` as TaskId,
    replica: replica as ReplicaId,
    service: replica.slice(0, dot) as ServiceId,
    revision: "0123456789abcdef0123456789abcdef" as RevisionId,
    engine: "docker",
    state: "running",
    ready: true,
    health: "none",
    createdAtMs: 1_000,
    changedAtMs: 4_000,
    failures: 0,
    node: nodeView(node).node,
    nodeName: node,
    slot: replica.slice(dot + 1),
    standing: "current",
    ...changes,
  };
}

export function meshView(changes: Partial<MeshView> = {}): MeshView {
  return {
    mesh,
    self: nodeView("host1").node,
    digest: "ab".repeat(32),
    convergedAgoMs: 200,
    nodes: [nodeView("host1"), nodeView("host2"), nodeView("host3")],
    services: [],
    tasks: [],
    problems: [],
    ...changes,
  };
}

export const webSpec = specFrom("hello", "web", 'image: hello:1\nports: ["8080:80"]\nscale: 3');

/** Two services, of which one is being updated. */
export function helloView(changes: Parameters<typeof meshView>[0] = {}) {
  return meshView({
    services: [serviceView("hello/web", 3, { spec: webSpec }), serviceView("shop/api", 2)],
    tasks: [
      taskView("hello/web.1", "host1"),
      taskView("hello/web.2", "host2", { state: "starting", ready: false }),
      taskView("hello/web.2", "host3", { standing: "superseded", reason: "replaced" }),
      taskView("shop/api.1", "host2"),
    ],
    ...changes,
  });
}
