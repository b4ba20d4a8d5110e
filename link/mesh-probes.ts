/**
 * The probes of a mesh's node: over UDP from a thread, and over the links. A host whose UDP port is
 * taken goes without UDP: its links show it alive, only a death is seen later. A door.
 */

import { explain, OperationError, type Problem } from "../model/problem.ts";
import type { Clock, Probes } from "../ports.ts";
import { FallbackProbes } from "./fallback-probes.ts";
import type { Link } from "./link.ts";
import type { ProbeStats } from "./probe-board.ts";
import { type ProbeStreamStats, ProbeStreams } from "./probe-streams.ts";
import { openProbes, type Prober, type ProberOptions } from "./prober.ts";

export type MeshProbesOptions = ProberOptions & {
  readonly link: Pick<Link, "open" | "serve" | "onLink" | "linked">;
  readonly clock: Clock;
};

export type MeshProbes = Probes & {
  /** 0 without UDP. */
  readonly port: number;
  /** Why there is no UDP. */
  readonly problems: readonly Problem[];
  stats(): Partial<ProbeStats> & { readonly streams: ProbeStreamStats };
  close(): Promise<void>;
};

export async function openMeshProbes(options: MeshProbesOptions): Promise<MeshProbes> {
  const { link, clock } = options;
  const { udp, problems } = await tryUdp(options);
  const asker = new ProbeStreams(link, clock);
  const probes = new FallbackProbes({ udp, asker, links: link, clock });
  return {
    port: udp?.port ?? 0,
    problems,
    observe: (targets) => probes.observe(targets),
    hasten: (node) => probes.hasten(node),
    beat: () => probes.beat(),
    onVerdict: (listener) => probes.onVerdict(listener),
    stats: () => ({ ...udp?.stats(), streams: asker.stats() }),
    close: async () => {
      probes.close();
      await udp?.close();
    },
  };
}

async function tryUdp(
  options: ProberOptions,
): Promise<{ udp: Prober | undefined; problems: readonly Problem[] }> {
  try {
    return { udp: await openProbes(options), problems: [] };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    const { problems } = error;
    options.log?.warn("no-udp", { detail: problems.map(explain).join("; ") });
    return { udp: undefined, problems };
  }
}
