/**
 * The composition root: puts an agent together from its real parts and runs it. The only file that
 * knows them all. Begin reading at `openDaemon`.
 */

import { join } from "node:path";
import type { Backend } from "../api/backend.ts";
import { Handler } from "../api/handler.ts";
import { ApiServer } from "../api/server.ts";
import { hex, sha256 } from "../crdt/hash.ts";
import { openDns } from "../dns/server.ts";
import { openDockerEngine } from "../engine/docker/docker-engine.ts";
import { openProcessEngine } from "../engine/process/process-engine.ts";
import { farewell, isRemovedNode } from "../gossip/farewell.ts";
import { type Forwarder, openForwarder } from "../lb/forwarder.ts";
import { serveAdmissions } from "../link/join.ts";
import { type Link, openLink } from "../link/link.ts";
import { type MeshProbes, openMeshProbes } from "../link/mesh-probes.ts";
import { type Guest, protocols } from "../link/streams.ts";
import type { EngineKind } from "../model/documents.ts";
import type { NodeId } from "../model/ids.ts";
import { explain, OperationError, type Problem } from "../model/problem.ts";
import type { Engine, Sessions, Storage } from "../ports.ts";
import { type Identity, identityFromSeed, verify } from "../trust/identity.ts";
import { judgeAdmission } from "../trust/invite.ts";
import { parseRestoration, type Restoration } from "../trust/restoration.ts";
import { Agent } from "./agent.ts";
import { countReceipts, joinSessions, makeBackend, stored } from "./backend.ts";
import { defaults } from "./config.ts";
import { flatten } from "./counters.ts";
import { dropDirectory, loadNodeKey } from "./data-directory.ts";
import { comeToMesh, keepMembership, type Membership } from "./founding.ts";
import { withHints } from "./hints.ts";
import { Host } from "./host.ts";
import { awaitEnd } from "./leaving.ts";
import type { Log } from "./log.ts";
import { readNode } from "./mesh-facts.ts";
import { awaitNetwork } from "./network-gate.ts";
import { describeNode, dockerSocket, enginesOf, nameOf } from "./own-facts.ts";
import { realClock, realRandom } from "./real-world.ts";
import type { Settings } from "./settings.ts";
import { openStorage } from "./storage.ts";
import { type Kept, keepUp } from "./upkeep.ts";

export type Daemon = {
  /** Resolves when the agent has ended by itself: it left, or was removed. */
  readonly ended: Promise<Problem | undefined>;
  /** Lets go of everything; tasks run on. */
  close(): Promise<void>;
};

export type DaemonOptions = {
  readonly settings: Settings;
  readonly version: string;
  readonly log: Log;
  /** The invite, from standard input. */
  readonly readToken: () => Promise<string>;
};

type TaskEngine = Engine & Sessions;

/** What is open so far, to be closed in reverse whatever happens. */
class Open {
  readonly #closers: (() => Promise<void> | void)[] = [];

  add<Part extends { close(): Promise<void> | void }>(part: Part): Part {
    this.#closers.push(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

/** Throws an OperationError when it cannot start; whatever was opened is closed then. */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const open = new Open();
  try {
    return await assemble(options, open);
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function assemble(options: DaemonOptions, open: Open): Promise<Daemon> {
  const { settings, log } = options;
  const { data } = settings;
  const { storage, problems } = openStorage(data);
  open.add(storage);
  for (const problem of problems) log.error("storage", { problem: explain(problem) });
  const restoration = await readRestoration(options);
  const identity = identityFromSeed(loadNodeKey(data, restoration?.seed));
  const membership = await enter(options, storage, identity, restoration);
  const guests = new Guests();
  const link = open.add(await openLinkOf(settings, membership, identity, guests, log));
  // Not sooner: where nothing can be listened on, no mesh is begun.
  keepMembership(membership, data, storage, identity.id);
  const bind = { address: hostOf(settings), port: portOf(link) };
  const probing = { secret: membership.secret, identity, bind, log };
  const probes = open.add(await openMeshProbes({ ...probing, link, clock: realClock }));
  const engines = openEngines(settings, log).map((engine) => open.add(engine));
  const forwarder = open.add(openForwarderOf(settings, link, log));
  const learnt = { addresses: link.listenAddresses(), probePort: probes.port };
  const found = [...problems, ...probes.problems];
  const agent = makeAgent(options, { storage, identity, membership, problems: found, learnt });
  guests.agent = agent;
  link.onFarewell(() => farewell(agent.store.trust));
  const addressOf = (node: NodeId) => findAddress(agent, node);
  const told = (line: string) => log.info("dns", { line });
  const dns = open.add(await openDns({ listen: settings.dns, addressOf, log: told }));
  const transport = withHints(link, membership.peers);
  const world = { clock: realClock, random: realRandom, transport, probes, storage };
  const ports = { ...world, engines: engines.map((engine) => awaitNetwork(engine, realClock)) };
  const host = open.add(new Host(agent, { ...ports, routes: [forwarder, dns] }));
  host.open();
  const running: Running = { settings, host, link, dns, engines, forwarder, identity, probes, log };
  open.add(keepUp(running));
  serveAdmissions(link, (request) => admit(host, identity, request));
  link.serve(protocols.forward, ["node"], (stream, from) => forwarder.accept(stream, from));
  link.serve(protocols.datagrams, ["node"], (stream, from) =>
    forwarder.acceptDatagrams(stream, from),
  );
  const end = awaitEnd(running, async () => {
    await open.close();
    dropDirectory(data);
  });
  if (agent.store.trust.view().revoked.has(identity.id)) {
    // Removed while it was away: what it still runs is stopped, and that is all.
    const removed = await end.ended;
    if (removed !== undefined) throw new OperationError(removed);
  }
  const backend = backendOf(running, options.version, end.leave);
  const handler = new Handler(backend);
  const onBug = (error: unknown) => log.error("api", { error });
  const api = open.add(await ApiServer.open({ socket: settings.socket, handler, onBug }));
  link.serve(protocols.api, ["node", "person"], (stream, from) => api.accept(stream, from));
  log.info("up", { mesh: membership.mesh, node: identity.id, addresses: learnt.addresses });
  return { ended: end.ended, close: () => open.close() };
}

/** From standard input, as the command made it; undefined when nothing is to be restored. */
async function readRestoration({ settings, readToken }: DaemonOptions) {
  if (settings.entry.kind !== "restore") return undefined;
  const restoration = parseRestoration(await readToken());
  if (restoration !== undefined) return restoration;
  const detail = "standard input holds nothing to restore";
  throw new OperationError({ code: "argument-invalid", argument: "--restore", detail });
}

/** Founds, joins, restores or resumes. */
async function enter(
  { settings, readToken }: DaemonOptions,
  storage: Storage,
  identity: Identity,
  restoration: Restoration | undefined,
): Promise<Membership> {
  const { data, entry } = settings;
  const nodeName = nameOf(settings);
  const nowMs = realClock.wallMs();
  const knowsMesh = storage.load("fact").size > 0;
  const said = { data, entry, identity, nodeName, readToken, nowMs, knowsMesh, restoration };
  return await comeToMesh(said);
}

/** Who may connect without being a node: known once the agent is there. */
class Guests {
  agent: Agent | undefined;

  classify(id: string): Guest | undefined {
    const view = this.agent?.store.trust.view();
    if (this.agent !== undefined && isRemovedNode(this.agent.store.trust, id)) return "removed";
    if (view?.people.has(id)) return "person";
    // Used-up and expired ones as well: their holders are told why on the join protocol.
    return view?.invites.has(id) ? "invite" : undefined;
  }
}

async function openLinkOf(
  { listen }: Settings,
  { secret }: Membership,
  identity: Identity,
  guests: Guests,
  log: Log,
): Promise<Link> {
  const told = (event: string, fields: Readonly<Record<string, unknown>>) =>
    log.info(event, fields);
  const link = await openLink({ identity, secret, listen, mdns: !isLocal(listen), log: told });
  link.admitGuests((id) => guests.classify(id));
  return link;
}

/** Agents of one machine know each other; there is nobody to be found on the network. */
function isLocal(listen: readonly string[]): boolean {
  return listen.every((address) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address));
}

/** Probes use the link's own number, on UDP: one port to open in a firewall. */
function portOf(link: Link): number {
  const [, port] = /\/tcp\/(\d+)/.exec(link.listenAddresses()[0] ?? "") ?? [];
  return Number(port ?? 0);
}

/** The IP address that the link listens on; "::" stands for all of both families. */
function hostOf({ listen }: Settings): string {
  const [, host = "::"] = /^\/ip[46]\/([^/]+)/.exec(listen[0] ?? "") ?? [];
  return host === "0.0.0.0" || listen.length > 1 ? "::" : host;
}

/** An agent that is reached on loopback alone publishes its ports there alone. */
function openForwarderOf(settings: Settings, link: Link, log: Log): Forwarder {
  const listenAddress = isLocal(settings.listen) ? hostOf(settings) : undefined;
  return openForwarder({
    openStream: (node, purpose, signal) => link.open(node, protocols[purpose], signal),
    node: nameOf(settings),
    log: (line) => log.warn("ports", { line }),
    ...(listenAddress === undefined ? {} : { listenAddress }),
  });
}

function openEngines(settings: Settings, log: Log): TaskEngine[] {
  const nodeName = nameOf(settings);
  return enginesOf(settings).map((kind: EngineKind): TaskEngine => {
    const told = (line: string) => log.info(kind, { line });
    if (kind === "docker") {
      return openDockerEngine({ socketPath: dockerSocket, nodeName, log: told });
    }
    const directory = join(settings.data, "tasks");
    return openProcessEngine({ directory, nodeName, log: told });
  });
}

type AgentParts = {
  readonly storage: Storage;
  readonly identity: Identity;
  readonly membership: Membership;
  readonly problems: readonly Problem[];
  readonly learnt: { readonly addresses: readonly string[]; readonly probePort: number };
};

function makeAgent({ settings, version }: DaemonOptions, parts: AgentParts): Agent {
  const { storage, identity, membership, problems, learnt } = parts;
  return new Agent({
    mesh: membership.mesh,
    signer: identity,
    verify,
    config: defaults,
    facts: describeNode(settings, version, { ...learnt, subnet: "" }),
    dnsAddress: "",
    loaded: storage,
    problems,
  });
}

/** The node's own IP address as peers reach it, for names of tasks that are not containers. */
function findAddress(agent: Agent, node: NodeId): string | undefined {
  const [first] = readNode(agent.store, node).facts?.addresses ?? [];
  return /^\/ip[46]\/([^/]+)/.exec(first ?? "")?.[1];
}

type Running = Kept & {
  readonly engines: readonly TaskEngine[];
  readonly forwarder: Forwarder;
  readonly identity: Identity;
  readonly probes: MeshProbes;
};

/** A peer's side of joining: the newcomer gets every fact, its own admission included. */
async function admit(host: Host, identity: Identity, request: unknown) {
  const { store } = host.agent;
  const role = store.trust.view().nodes.get(host.agent.self)?.role;
  if (role !== "peer") {
    const problem: Problem = { code: "not-authorised", principal: host.agent.self, needs: "peer" };
    return { kind: "refused", problem } as const;
  }
  const verdict = judgeAdmission(request, store.trust, identity, realClock.wallMs(), verify);
  if (verdict.kind === "refused") return verdict;
  const [problem] = await stored(host, { revisions: [], facts: [verdict.fact] });
  if (problem !== undefined) return { kind: "refused", problem } as const;
  // The newcomer will dial anyone: the more have heard of it, the fewer refuse it at first.
  await countReceipts(host, realClock, [hex(sha256(verdict.fact))]);
  return { kind: "admitted", facts: [...store.trust.entries().values()] } as const;
}

function backendOf(running: Running, version: string, leave: () => Promise<void>): Backend {
  const { host, link, engines, forwarder, dns, probes } = running;
  const sessions = joinSessions(host, engines);
  const counters = () => {
    const gossip = { dropped: host.agent.store.dropped };
    const parts = { link: link.counts(), probes: probes.stats(), gossip };
    return flatten("", { ...parts, ports: forwarder.stats(), dns: dns.stats() });
  };
  return makeBackend({ version, host, streams: link, clock: realClock, sessions, counters, leave });
}
