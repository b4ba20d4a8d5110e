/** Who may connect, and as what. Asked at each connection and each stream: keys get revoked. */

import type { NodeId } from "../model/ids.ts";
import type { Guest } from "./streams.ts";

export type Classify = (id: string) => Guest | undefined;

export class Admission {
  #nodes: ReadonlySet<string> = new Set();
  #classify: Classify = () => undefined;

  admitNodes(nodes: ReadonlySet<NodeId>): void {
    this.#nodes = nodes;
  }

  admitGuests(classify: Classify): void {
    this.#classify = classify;
  }

  isNode(id: string): id is NodeId {
    return this.#nodes.has(id);
  }

  /** Undefined for a stranger. Only the admitted set makes a node, whatever `classify` says. */
  kindOf(id: string): Guest | undefined {
    if (this.#nodes.has(id)) return "node";
    const kind = this.#classify(id);
    return kind === "node" ? undefined : kind;
  }
}
