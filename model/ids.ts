/**
 * Identities. Branded strings, so that a node's id cannot be passed where a service's is meant.
 * Begin reading here: every other file of model/ builds on these.
 */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A libp2p peer id of an ed25519 key ("12D3KooW…"). The key is the identity, addresses change. */
export type NodeId = Branded<"NodeId">;

/** A person's key, written as a peer id as well. */
export type PrincipalId = Branded<"PrincipalId">;

/** Hex SHA-256 of the genesis fact. */
export type MeshId = Branded<"MeshId">;

/** "namespace/name": the namespace is the stack's name, or "default". */
export type ServiceId = Branded<"ServiceId">;

/** "namespace/name.slot": the slot counts from 1, or is the node's id for a global service. */
export type ReplicaId = Branded<"ReplicaId">;

/** Hex, the first 16 bytes of the hash of one spec: a revision. */
export type RevisionId = Branded<"RevisionId">;

/** One attempt to run a replica: "<replica>.<12 random lower-case letters and digits>". */
export type TaskId = Branded<"TaskId">;

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** A DNS label, RFC 1123 section 2.1: services and namespaces are names in DNS. */
export function isName(text: string): boolean {
  return namePattern.test(text);
}

export function serviceId(namespace: string, name: string): ServiceId {
  return `${namespace}/${name}` as ServiceId;
}

export function splitServiceId(service: ServiceId): { namespace: string; name: string } {
  const slash = service.indexOf("/");
  return { namespace: service.slice(0, slash), name: service.slice(slash + 1) };
}

export function replicaId(service: ServiceId, slot: string | number): ReplicaId {
  return `${service}.${slot}` as ReplicaId;
}

export function splitReplicaId(replica: ReplicaId): { service: ServiceId; slot: string } {
  const dot = replica.lastIndexOf(".");
  return { service: replica.slice(0, dot) as ServiceId, slot: replica.slice(dot + 1) };
}

/** A total order that every engine computes alike: by UTF-16 code unit, never by locale. */
export function compareIds(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
