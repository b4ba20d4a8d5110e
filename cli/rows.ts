/** Cells that several tables share. */

import type { PublishedPort, ServiceSpec } from "../model/spec.ts";
import type { NodeView, ServiceView, TaskView } from "../model/view.ts";
import { shorten, showAge } from "./amounts.ts";
import { nodeName } from "./names.ts";
import type { Column } from "./table.ts";

export function showImage({ workload }: ServiceSpec): string {
  return workload.kind === "container" ? workload.image : `process: ${workload.command[0] ?? ""}`;
}

/** "*:8080->80/tcp", as docker prints it; `host` ports name no address. */
export function showPorts(ports: readonly PublishedPort[]): string {
  return ports
    .map(({ published, target, protocol, mode }) => {
      return `${mode === "host" ? "" : "*:"}${published}->${target}/${protocol}`;
    })
    .join(", ");
}

export const serviceColumns: readonly Column<ServiceView>[] = [
  ["NAME", ({ service }) => service],
  ["MODE", ({ spec }) => spec.mode],
  ["REPLICAS", ({ ready, replicas }) => `${ready}/${replicas}`],
  ["UPDATE", ({ update }) => update.state],
  ["IMAGE", ({ spec }) => showImage(spec)],
  ["PORTS", ({ spec }) => showPorts(spec.ports)],
];

export function nodeColumns(self: string): readonly Column<NodeView>[] {
  return [
    ["ID", ({ node }) => `${shorten(node)}${node === self ? " *" : ""}`],
    ["NAME", nodeName],
    ["STATUS", ({ status }) => status],
    ["AVAILABILITY", ({ availability }) => availability],
    ["ROLE", ({ role }) => role],
    ["ENGINES", ({ facts }) => facts?.engines.join(",") ?? ""],
    ["DATA PATH", ({ facts }) => facts?.dataPath ?? ""],
    ["RTT", ({ rttMs }) => (rttMs === undefined ? "" : `${rttMs.toFixed(1)} ms`)],
    ["VERSION", ({ facts }) => facts?.version ?? ""],
  ];
}

export function taskColumns(nowMs: number): readonly Column<TaskView>[] {
  return [
    ["ID", ({ task }) => task.slice(task.lastIndexOf(".") + 1)],
    ["REPLICA", ({ service, slot }) => `${service}.${slot}`],
    ["NODE", ({ nodeName: name }) => name],
    ["STATE", showState],
    ["SINCE", ({ changedAtMs }) => showAge(changedAtMs, nowMs)],
    ["REVISION", ({ revision }) => revision.slice(0, 8)],
    ["NOTE", ({ reason }) => reason ?? ""],
  ];
}

function showState({ state, ready, health, standing }: TaskView): string {
  const served = state === "running" && ready ? "ready" : state;
  const sick = health === "unhealthy" ? ", unhealthy" : "";
  return `${served}${sick}${standing === "current" ? "" : ` (${standing})`}`;
}
