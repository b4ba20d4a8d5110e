/** What a write would do, as `shoal plan` shows it. Plain JSON. */

import type { NodeId, ReplicaId } from "./ids.ts";

export type Plan = { readonly steps: readonly PlanStep[] };

export type PlanStep = {
  readonly action: "create" | "update" | "remove" | "unchanged";
  /** A spec document's key: "service/hello/web". */
  readonly key: string;
  readonly differences: readonly Difference[];
  /** Where replicas would run; empty for what has none. */
  readonly placement: readonly {
    readonly replica: ReplicaId;
    readonly node: NodeId;
    readonly nodeName: string;
  }[];
  /** How many nodes each placement filter ruled out, when some replicas found none. */
  readonly rejections: Readonly<Record<string, number>>;
};

/** `from` and `to` are JSON; "" where there is nothing. */
export type Difference = { readonly path: string; readonly from: string; readonly to: string };
