/** What an agent is made of: its identity, its settings, and what its disk held. */

import type { Signer, Verify } from "../crdt/signed.ts";
import type { StoreOptions } from "../gossip/store.ts";
import type { NodeFacts } from "../model/documents.ts";
import type { MeshId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";
import type { Config } from "./config.ts";

export type AgentOptions = {
  readonly mesh: MeshId;
  readonly signer: Signer;
  readonly verify: Verify;
  readonly config: Config;
  readonly facts: NodeFacts;
  /** As containers reach this node's DNS; "" without. */
  readonly dnsAddress: string;
  /** What storage held when the agent started. */
  readonly loaded: StoreOptions["loaded"];
  readonly problems: readonly Problem[];
};
