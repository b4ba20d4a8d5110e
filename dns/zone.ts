/**
 * The mesh's names, as the routing table has them this very moment:
 *
 *     <service>.<namespace>.mesh          A, AAAA, TXT   where the service answers
 *     tasks.<service>.<namespace>.mesh    A, AAAA, TXT   all of its replicas, always
 *     <n>.<service>.<namespace>.mesh      A, AAAA, TXT   one replica
 *     _<port>._tcp.<service>.<namespace>.mesh  SRV       the replicas' names and real ports
 *     …in-addr.arpa, …ip6.arpa            PTR            replicas' names by address
 *     mesh                                SOA, NS, A, AAAA
 *
 * `<service>.mesh` is short for namespace `default`, with all that stands before it. Where a short
 * and a full name are equal ("a.b.mesh": service a of namespace b, or replica a of default's b),
 * the full one wins. Draining endpoints are in no answer. Rows are what other nodes say, so texts
 * and numbers are checked here. Begin reading at `lookUp`.
 */

import type { NodeId, ServiceId } from "../model/ids.ts";
import { serviceId, splitServiceId } from "../model/ids.ts";
import type { Endpoint, RoutingTable, ServiceRoute } from "../model/routing.ts";
import type { PortKey } from "../model/spec.ts";
import {
  formatAddress,
  isLoopback,
  isUnspecified,
  parseAddress,
  readReverseName,
} from "./address.ts";
import { recordType, type ZoneRecord, zoneName } from "./record.ts";
import { wellKnownPort } from "./well-known-ports.ts";

export type Finding = Readonly<
  /** None of ours. */
  | { kind: "foreign" }
  /** In our zone, and not there: NXDOMAIN. */
  | { kind: "absent" }
  /** The name exists; without records of that type it is NODATA. */
  | { kind: "present"; records: readonly ZoneRecord[] }
>;

export type ZoneView = {
  /** A node's own address as its peers reach it. */
  readonly addressOf: (node: NodeId) => string | undefined;
  /** Where this server answers: the addresses of the zone's top. */
  readonly servers: () => readonly string[];
  /** Grows with each table. */
  readonly serial: number;
};

/** Of a service or a part of it: which endpoints a name stands for. */
type Named = { readonly route: ServiceRoute; readonly endpoints: readonly Endpoint[] };

/** More would not fit into any answer, and cost time to encode. */
const recordsMax = 1000;

const foreign: Finding = { kind: "foreign" };
const absent: Finding = { kind: "absent" };
const nothing: Finding = { kind: "present", records: [] };

/** Indexes of a table. Built by the first question that needs them: most tables see none. */
type Index = {
  readonly routes: ReadonlyMap<ServiceId, ServiceRoute>;
  readonly namespaces: ReadonlySet<string>;
};

/** Tens of thousands, so nothing is made of an endpoint before it is asked for. */
type ByAddress = ReadonlyMap<string, readonly { route: ServiceRoute; endpoint: Endpoint }[]>;

export class Zone {
  readonly #table: RoutingTable;
  readonly #view: ZoneView;
  #index: Index | undefined;
  #byAddress: ByAddress | undefined;

  constructor(table: RoutingTable, view: ZoneView) {
    this.#table = table;
    this.#view = view;
  }

  /** `labels` in lower case, most specific first, without the root. */
  lookUp(labels: readonly string[], type: number): Finding {
    const top = labels.at(-1);
    if (top === "arpa") return this.#lookUpAddress(labels, type);
    if (top !== zoneName) return foreign;
    const rest = labels.slice(0, -1);
    this.#index ??= indexOf(this.#table);
    return withAny(type, rest.length === 0 ? this.#apex(type) : this.#inside(rest, type));
  }

  #apex(type: number): Finding {
    switch (type) {
      case recordType.SOA:
        return present([{ kind: "SOA", serial: this.#view.serial }]);
      case recordType.NS:
        // The top itself, for any other name might be a service's.
        return present([{ kind: "NS", target: zoneName }]);
      default:
        return present(addressRecords(this.#view.servers(), type));
    }
  }

  #inside(labels: readonly string[], type: number): Finding {
    const [first, second] = labels as [string, string | undefined];
    // The full name before the short one.
    const full = this.#route(labels.at(-2), labels.at(-1));
    if (full !== undefined) return this.#ofService(full, labels.slice(0, -2), type);
    const short = this.#route(labels.at(-1), "default");
    if (short !== undefined) return this.#ofService(short, labels.slice(0, -1), type);
    return second === undefined && this.#index?.namespaces.has(first) ? nothing : absent;
  }

  #route(name: string | undefined, namespace: string | undefined): ServiceRoute | undefined {
    if (name === undefined || namespace === undefined) return undefined;
    return this.#index?.routes.get(serviceId(namespace, name));
  }

  /** `before` is what stands before the service's own name. */
  #ofService(route: ServiceRoute, before: readonly string[], type: number): Finding {
    const [first, second] = before;
    if (before.length > 2) return absent;
    if (second !== undefined) return this.#ofPort(route, first as string, second, type);
    // "_tcp" has no records, but names below it have (RFC 8020).
    if (first === "_tcp" || first === "_udp") return nothing;
    const all = route.endpoints.filter(({ draining }) => !draining);
    if (first === undefined) return this.#answer({ route, endpoints: all }, type, "service");
    if (first === "tasks") return this.#answer({ route, endpoints: all }, type, "tasks");
    const endpoints = all.filter(({ slot }) => slotLabel(slot) === first);
    return endpoints.length === 0 ? absent : this.#answer({ route, endpoints }, type, "tasks");
  }

  #answer(named: Named, type: number, as: "service" | "tasks"): Finding {
    if (type === recordType.TXT) return present(named.endpoints.map(describe));
    const addresses = as === "service" ? this.#serviceAddresses(named) : this.#addresses(named);
    return present(addressRecords(addresses, type));
  }

  /**
   * What a service's own name means. The one place for virtual addresses: as long as the data path
   * gives services none, endpoint mode `vip` answers what `dnsrr` answers.
   */
  #serviceAddresses(named: Named): string[] {
    switch (named.route.endpointMode) {
      case "vip":
      case "dnsrr":
        return this.#addresses(named);
    }
  }

  #addresses({ endpoints }: Named): string[] {
    return endpoints.flatMap((endpoint) => this.#addressOf(endpoint) ?? []);
  }

  /** As seen from this node: loopback of another node is that node's own address. */
  #addressOf(endpoint: Endpoint): string | undefined {
    const bytes = parseAddress(endpoint.address);
    if (bytes === undefined || isUnspecified(bytes)) return undefined;
    if (endpoint.local || !isLoopback(bytes)) return formatAddress(bytes);
    const node = parseAddress(this.#view.addressOf(endpoint.node) ?? "");
    return node === undefined ? undefined : formatAddress(node);
  }

  /** "_80._tcp" or, for ports that everybody knows, "_http._tcp". */
  #ofPort(route: ServiceRoute, name: string, protocol: string, type: number): Finding {
    if (protocol !== "_tcp" && protocol !== "_udp") return absent;
    const port = /^_[0-9]{1,5}$/.test(name) ? Number(name.slice(1)) : wellKnownPort(name);
    const key = `${port}/${protocol.slice(1)}` as PortKey;
    if (!route.targets.includes(key)) return absent;
    if (type !== recordType.SRV) return nothing;
    const found = new Map<string, ZoneRecord>();
    for (const endpoint of route.endpoints) {
      const record = this.#srv(endpoint, route, key);
      if (record !== undefined) found.set(`${record.target} ${record.port}`, record);
    }
    return present([...found.values()]);
  }

  #srv(endpoint: Endpoint, route: ServiceRoute, key: PortKey) {
    const port = endpoint.ports[key];
    if (endpoint.draining || port === undefined || !isPort(port)) return undefined;
    const target = replicaName(endpoint, route);
    if (target === undefined || this.#addressOf(endpoint) === undefined) return undefined;
    return { kind: "SRV", port, target } as const;
  }

  /** Addresses that are not ours are asked upstream, and so are all other types at ours. */
  #lookUpAddress(labels: readonly string[], type: number): Finding {
    const address = type === recordType.PTR ? readReverseName(labels) : undefined;
    if (address === undefined) return foreign;
    this.#byAddress ??= indexByAddress(this.#table);
    const targets = this.#byAddress.get(address)?.flatMap(({ endpoint, route }) => {
      return replicaName(endpoint, route) ?? [];
    });
    if (targets === undefined || targets.length === 0) return foreign;
    return present([...new Set(targets)].map((target) => ({ kind: "PTR", target }) as const));
  }
}

function indexOf({ services }: RoutingTable): Index {
  return {
    routes: new Map(services.map((route) => [route.service, route])),
    namespaces: new Set(["default", ...services.map((route) => namespaceOf(route.service))]),
  };
}

function indexByAddress({ services }: RoutingTable): ByAddress {
  const index = new Map<string, { route: ServiceRoute; endpoint: Endpoint }[]>();
  for (const route of services) {
    for (const endpoint of route.endpoints) {
      const address = reversible(endpoint);
      if (address === undefined) continue;
      const same = index.get(address);
      if (same === undefined) index.set(address, [{ route, endpoint }]);
      else same.push({ route, endpoint });
    }
  }
  return index;
}

/** An address of a whole host is not a replica's. IPv4 is written in one way only. */
function reversible({ address, draining }: Endpoint): string | undefined {
  if (draining || address.startsWith("127.")) return undefined;
  if (!address.includes(":")) return address;
  const bytes = parseAddress(address);
  return bytes === undefined || isLoopback(bytes) ? undefined : formatAddress(bytes);
}

function namespaceOf(service: ServiceId): string {
  return splitServiceId(service).namespace;
}

/**
 * The label of a slot: numbers stay, a node's name (of a global service) is any text, so letters,
 * digits and hyphens are kept and the rest becomes a hyphen. "" when nothing is left.
 */
export function slotLabel(slot: string): string {
  const label = slot.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return label.replace(/^-/, "").slice(0, 63).replace(/-$/, "");
}

function replicaName(endpoint: Endpoint, { service }: ServiceRoute): string | undefined {
  const { namespace, name } = splitServiceId(service);
  const label = slotLabel(endpoint.slot);
  return label === "" ? undefined : `${label}.${name}.${namespace}.${zoneName}`;
}

/** One record an endpoint: which replica, where. Zones are labels of people, cut to what fits. */
function describe(endpoint: Endpoint): ZoneRecord {
  const facts = [`replica=${endpoint.slot}`, `node=${endpoint.node}`, `zone=${endpoint.zone}`];
  return {
    kind: "TXT",
    strings: facts.map((fact) => fact.replaceAll(/[^ -~]/g, "?").slice(0, 255)),
  };
}

/** Each address once: replicas of the process engine share their node's. */
function addressRecords(addresses: readonly string[], type: number): ZoneRecord[] {
  const kind = type === recordType.A ? "A" : type === recordType.AAAA ? "AAAA" : undefined;
  if (kind === undefined) return [];
  return [...new Set(addresses)]
    .filter((address) => address.includes(":") === (kind === "AAAA"))
    .map((address) => ({ kind, address }));
}

function present(records: readonly ZoneRecord[]): Finding {
  return { kind: "present", records: records.slice(0, recordsMax) };
}

/** ANY at a name that exists gets one small record, which says that ANY is not served. */
function withAny(type: number, finding: Finding): Finding {
  return type === recordType.ANY && finding.kind === "present"
    ? { kind: "present", records: [{ kind: "HINFO" }] }
    : finding;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}
