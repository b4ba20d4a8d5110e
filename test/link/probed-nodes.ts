/** Nodes with links and probes, in this process and in others. */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type MeshProbes, openMeshProbes } from "../../link/mesh-probes.ts";
import type { NodeId } from "../../model/ids.ts";
import { realClock as clock } from "../../node/real-world.ts";
import type { ProbeTarget, ProbeVerdict } from "../../ports.ts";
import { until } from "../until.ts";
import { meshSecret, newIdentity, openNode, type TestNode } from "./links.ts";

export type Said = ProbeVerdict & { readonly atMs: number };
export type Probed = {
  readonly node: TestNode;
  readonly probes: MeshProbes;
  readonly said: Said[];
};

export async function probe(t: TestContext, node: TestNode, port = 0): Promise<Probed> {
  const bind = { address: "127.0.0.1", port };
  const { link, identity } = node;
  const probes = await openMeshProbes({ secret: meshSecret, identity, bind, link, clock });
  const beating = setInterval(() => probes.beat(), 100);
  t.after(async () => {
    clearInterval(beating);
    await probes.close();
  });
  const said: Said[] = [];
  probes.onVerdict((verdict) => said.push({ ...verdict, atMs: performance.now() }));
  return { node, probes, said };
}

export type Far = { readonly id: NodeId; readonly port: number; readonly child: ChildProcess };

/** A prober with a link to a process of its own, which can be frozen: its host lost power, say. */
export async function probedProcess(t: TestContext): Promise<[near: Probed, far: Far]> {
  const near = await probe(t, await openNode(t));
  const { id, seed } = newIdentity();
  const script = fileURLToPath(new URL("./linked-process.ts", import.meta.url));
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const child = fork(script, [hex(seed), hex(meshSecret), near.node.id], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [told] = (await once(child, "message")) as [{ addresses: string[]; port: number }];
  const far = { id: id as NodeId, port: told.port, child };
  near.node.link.admit(new Set([near.node.id, far.id]));
  near.node.link.maintain([{ node: far.id, addresses: told.addresses }]);
  await until(() => near.node.link.linked().includes(far.id), 10_000, "the link");
  return [near, far];
}

export function target({ id }: { readonly id: NodeId }, port: number): ProbeTarget {
  return { node: id, addresses: ["/ip4/127.0.0.1/tcp/1"], port };
}

export async function says({ said }: Probed, state: ProbeVerdict["state"], deadlineMs = 10_000) {
  await until(() => said.at(-1)?.state === state, deadlineMs, `${state} being said`);
  return said.at(-1) as Said;
}
