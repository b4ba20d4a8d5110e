/**
 * Whether agents keep their size: three of them on this machine, with the process engine, under
 * half an hour of scaling, updates, crashes and requests. SHOAL_CHURN_MINUTES makes it shorter.
 */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DemoMesh, DemoNode } from "../cli/demo-mesh.ts";
import { formMesh, newAgents, webCompose } from "../test/agents/agents.ts";
import { type Figures, type RunBench, rounded } from "./figures.ts";

const minutes = Number(process.env.SHOAL_CHURN_MINUTES ?? 30);
const port = 18_080;
const service = "shop/web";
/** What a start leaves behind has settled by then, and caches are full. */
const settledMs = 60_000;
const stepMs = 1_000;

export const run: RunBench = async ({ say }) => {
  const agents = newAgents(3);
  try {
    await formMesh(agents);
    const compose = webCompose(port, 3);
    await agents.shoal(["deploy", "-f", "-"], compose);
    return await churn(agents, say);
  } finally {
    await agents.close();
  }
};

async function churn(agents: DemoMesh, say: (line: string) => void): Promise<Figures> {
  const startMs = performance.now();
  let settled: number[] | undefined;
  let steps = 0;
  while (performance.now() - startMs < minutes * 60_000) {
    await change(agents, steps++);
    for (const { address } of agents.nodes) await ask(`http://${address}:${port}/`);
    if (settled === undefined && performance.now() - startMs > settledMs) settled = sizes(agents);
    if (steps % 60 === 0) say(`${steps} changes: ${sizes(agents).map((mb) => rounded(mb))} MB`);
    await sleep(stepMs);
  }
  const before = Math.max(...(settled ?? sizes(agents)));
  const after = Math.max(...sizes(agents));
  return { minutes, changes: steps, settledMB: rounded(before), endMB: rounded(after) };
}

/** Up, down, another revision, a crash: in turn. */
async function change(agents: DemoMesh, step: number): Promise<void> {
  const node = agents.nodes[step % agents.nodes.length] as DemoNode;
  const via = agents.peer(node);
  switch (step % 4) {
    case 0:
      await agents.shoal(["service", "scale", "--detach", ...via, `${service}=6`]);
      return;
    case 1:
      await agents.shoal(["service", "scale", "--detach", ...via, `${service}=2`]);
      return;
    case 2: {
      const env = `STEP=${step}`;
      await agents.shoal(["service", "update", "--detach", ...via, "--env-add", env, service]);
      return;
    }
    default:
      agents.crashOne(node);
  }
}

/** A refused request is churn as well; only its being made counts. */
async function ask(url: string): Promise<void> {
  const signal = AbortSignal.timeout(1_000);
  await fetch(url, { signal }).then(
    (response) => response.text(),
    () => undefined,
  );
}

/** Resident memory of each agent, MB. */
function sizes(agents: DemoMesh): number[] {
  return agents.nodes.flatMap((node) => {
    return agents.agentPids(node).map((pid) => {
      const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
      return (Number(kib) * 1024) / 1e6;
    });
  });
}
