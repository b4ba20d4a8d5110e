/** What the main thread and the prober's worker say to each other. */

import type { NodeId } from "../model/ids.ts";
import type { ProbeTarget, ProbeVerdict } from "../ports.ts";
import type { ProbeTimes } from "./probe-watch.ts";

export type ProbeWorkerData = {
  readonly secret: Uint8Array;
  /** Of this node's key. */
  readonly seed: Uint8Array;
  readonly bind: { readonly address: string; readonly port: number };
  readonly times: ProbeTimes;
  /** Of a ProbeBoard. */
  readonly board: SharedArrayBuffer;
};

export type ProbeOrder = Readonly<
  | { kind: "observe"; targets: readonly ProbeTarget[] }
  | { kind: "hasten"; node: NodeId }
  /** The last verdicts have been read: the next ones may come. */
  | { kind: "taken" }
>;

export type ProbeNews = Readonly<
  | { kind: "listening"; port: number }
  /** The port cannot be had; `code` is the system's (EADDRINUSE). The worker ends. */
  | { kind: "failed"; code: string; detail: string }
  /** The newest of each node since the last; at most one such message is on its way. */
  | { kind: "verdicts"; verdicts: readonly ProbeVerdict[] }
>;
