/** A few stores with keys and an operator, and frames carried between them by hand. */

import type { Signer } from "../../crdt/signed.ts";
import { Store } from "../../gossip/store.ts";
import type { SpecDocument } from "../../model/documents.ts";
import type { MeshId, NodeId } from "../../model/ids.ts";
import type { Moment } from "../../model/moment.ts";
import { signSpec } from "../../trust/authoring.ts";
import { writeFact } from "../../trust/facts.ts";
import { createMesh } from "../../trust/genesis.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";

export const startMs = 1_800_000_000_000;

export function identity(number: number): Identity {
  return identityFromSeed(new Uint8Array(32).fill(number));
}

export const operator = identity(200);
export const stranger = identity(201);

export class Stores {
  readonly mesh: MeshId;
  readonly facts: readonly Uint8Array[];
  readonly stores = new Map<NodeId, Store>();
  readonly ids: readonly NodeId[];
  nowMs = 0;

  constructor(count: number) {
    const keys = Array.from({ length: count }, (_, index) => identity(index + 1));
    const [first] = keys as [Identity];
    const genesis = {
      name: "test",
      founder: operator,
      admins: [operator.id],
      node: first.id,
      nodeName: "n1",
      nonce: new Uint8Array(32),
      timeMs: startMs - 10_000,
    };
    const { mesh, facts } = createMesh(genesis);
    this.mesh = mesh;
    const admitted = keys.slice(1).map(({ id }, index) => {
      const name = `n${index + 2}`;
      const fact = { kind: "admit", subject: id, role: "peer", name, acceptance: null } as const;
      return writeFact(mesh, fact, startMs - 9_000, operator).bytes;
    });
    this.facts = [...facts, ...admitted];
    this.ids = keys.map(({ id }) => id as NodeId);
    for (const key of keys) this.stores.set(key.id as NodeId, this.open(key));
  }

  open(key: Signer, loaded = this.loaded([])): Store {
    const store = new Store({ mesh: this.mesh, self: key, verify, loaded });
    store.open(startMs + this.nowMs);
    return store;
  }

  loaded(writes: readonly { table: string; key: string; value: Uint8Array | undefined }[]) {
    const tables = new Map<string, Map<string, Uint8Array>>();
    this.facts.forEach((fact, index) => {
      tables.set("fact", (tables.get("fact") ?? new Map()).set(String(index), fact));
    });
    for (const { table, key, value } of writes) {
      const rows = tables.get(table) ?? new Map<string, Uint8Array>();
      tables.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
    return { load: (table: string) => tables.get(table) ?? new Map() };
  }

  at(index: number): Store {
    return this.stores.get(this.ids[index] as NodeId) as Store;
  }

  moment(offsetMs = 0): Moment {
    return { monotonicMs: this.nowMs, wallMs: startMs + this.nowMs + offsetMs, dice: 1 };
  }

  sign(index: number, key: string, document: SpecDocument | null, signer: Signer = operator) {
    return signSpec(this.mesh, this.at(index).draft(key, this.moment()), document, signer);
  }

  submit(index: number, key: string, document: SpecDocument | null) {
    const revisions = [this.sign(index, key, document)];
    return this.at(index).submit({ revisions, facts: [] }, this.moment());
  }

  /** Delivers frames, and the replies to them, until there are none. `loses` may drop any. */
  carry(
    from: number,
    to: number,
    frames: readonly Uint8Array[],
    loses: () => boolean = () => false,
  ): void {
    const queue = frames.map((frame) => ({ from, to, frame }));
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (loses()) continue;
      const { replies } = this.at(next.to).receive(
        this.ids[next.from] as NodeId,
        next.frame,
        this.moment(),
      );
      for (const frame of replies) queue.push({ from: next.to, to: next.from, frame });
    }
  }

  compare(from: number, to: number, loses?: () => boolean): void {
    this.carry(from, to, [this.at(from).greet(this.moment())], loses);
  }

  broadcast(from: number, loses?: () => boolean): void {
    const frames = this.at(from).takeBroadcast(this.moment());
    for (let to = 0; to < this.ids.length; to++) {
      if (to !== from) this.carry(from, to, frames, loses);
    }
  }
}

export function scale(service: string, replicas: number): SpecDocument {
  return { kind: "scale", service: service as never, replicas };
}
