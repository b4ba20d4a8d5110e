/** `shoal invite` and `shoal context …`: letting others in, and remembering meshes. */

import {
  fromBase64,
  mintInvite,
  type Role,
  readTrust,
  type TrustView,
  toBase64,
} from "../../api/person.ts";
import { OperationError } from "../../model/problem.ts";
import type { MeshView } from "../../model/view.ts";
import { shorten } from "../amounts.ts";
import { type Command, type Input, note, print, show, showTable, word } from "../command.ts";
import { addContext, type Context, findContext, freeName, removeContext } from "../contexts.ts";
import { slip } from "../options.ts";
import { ask, type ExitCode, type Work } from "../work.ts";

const roles = ["peer", "runner", "operator", "viewer", "admin"] as const;
/** Long enough to walk to the other machine, short enough to forget. */
const expiresMsDefault = 15 * 60_000;
/** A joiner tries them in turn; more only make the token longer. */
const addressesMax = 5;
const peerAddress = /^\/(?:ip[46]|dns[46]?)\/[^/]+\/tcp\/[1-9]\d{0,4}\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/;
const peerAddressExample = "/ip4/10.0.0.1/tcp/7946/p2p/12D3…";

function* invite(input: Input): Work<ExitCode> {
  const { options } = input;
  const role: Role = options.choice("role", roles) ?? "peer";
  const uses = options.whole("uses") ?? 1;
  if (uses < 1) throw slip("--uses", "expected 1 or more");
  const expiresMs = options.durationMs("expires") ?? expiresMsDefault;
  if (expiresMs === 0) throw slip("--expires", "expected more than no time at all");
  const own = options.list("address");
  for (const address of own.filter((one) => !peerAddress.test(one))) {
    throw slip("--address", `${address} is no peer address: it looks like ${peerAddressExample}`);
  }
  const view = yield* ask((world) => world.mesh.view());
  const secret = yield* meshSecret(view);
  const key = yield* ask((world) => world.key());
  const facts = yield* ask((world) => world.mesh.trust());
  const trust = readTrust(view.mesh, facts);
  requireAdmin(trust, key.id);
  const nowMs = yield* ask((world) => world.nowMs());
  const inviteSeed = yield* ask((world) => world.random(32));
  const addresses = [...own, ...addressesOf(view)].slice(0, addressesMax);
  const expiresAtMs = nowMs + expiresMs;
  const { mesh } = view;
  const token = { mesh, name: trust.name, secret, inviteSeed, addresses, role, expiresAtMs };
  const minted = mintInvite(token, uses, nowMs, key);
  yield* ask((world) => world.mesh.write({ revisions: [], facts: [minted.fact] }));
  yield* show(input, { token: minted.text, role, uses, expiresAtMs, addresses }, () => minted.text);
  return 0;
}

/** Of the mesh that was asked, as this person's contexts have it. */
export function* meshSecret(view: MeshView): Work<Uint8Array> {
  const context = yield* ask((world) => world.context);
  const secret = fromBase64(context?.secret ?? "", 32);
  if (context !== undefined && secret !== undefined && context.mesh === view.mesh) return secret;
  throw slip(
    "--context",
    "no context here knows this mesh's secret: run this where `shoal up` ran",
  );
}

export function requireAdmin(trust: TrustView, principal: string): void {
  if (trust.roleOf(principal) === "admin") return;
  throw new OperationError({ code: "not-authorised", principal, needs: "admin" });
}

/** Of nodes that are up: the one that answers first; loopback only when there is nothing else. */
export function addressesOf(view: MeshView): string[] {
  const nodes = view.nodes
    .filter(({ status, role }) => status === "alive" && role === "peer")
    .toSorted((left, right) => Number(right.node === view.self) - Number(left.node === view.self));
  const all = nodes.flatMap(({ node, facts }) => {
    return (facts?.addresses ?? []).map((address) => `${address}/p2p/${node}`);
  });
  const reachable = all.filter((address) => !/^\/(ip4\/127\.|ip6\/::1\/)/.test(address));
  return reachable.length > 0 ? reachable : all;
}

function* list(input: Input): Work<ExitCode> {
  const { contexts, current } = yield* ask((world) => world.contexts);
  const rows = contexts.map(({ secret: _, ...context }) => {
    return { ...context, current: context.name === current };
  });
  yield* showTable(input, rows, [
    ["NAME", (row) => `${row.name}${row.current ? " *" : ""}`],
    ["MESH", ({ mesh }) => shorten(mesh)],
    ["SOCKET", ({ socket }) => socket ?? ""],
    ["PEERS", ({ peers }) => peers.join(" ")],
  ]);
  return 0;
}

function* use(input: Input): Work<ExitCode> {
  const file = yield* ask((world) => world.contexts);
  const { name } = known(findContext(file, word(input, 0, "NAME")));
  yield* ask((world) => world.saveContexts({ ...file, current: name }));
  yield* show(input, { current: name }, () => name);
  return 0;
}

function* add(input: Input): Work<ExitCode> {
  const name = word(input, 0, "NAME");
  const token = yield* readToken(word(input, 1, "TOKEN"));
  const user = yield* ask(({ env }) => env.USER ?? name);
  const admission = yield* ask((world) => world.askAdmission(token, user));
  const { mesh, secret, peers, role } = admission;
  const file = yield* ask((world) => world.contexts);
  const context: Context = { name, mesh, secret: toBase64(secret), peers };
  yield* ask((world) => world.saveContexts(addContext(file, context)));
  yield* show(input, { name, mesh, role }, () => `${name}: ${role} of mesh ${admission.name}`);
  return 0;
}

function* readToken(text: string): Work<string> {
  return text === "-" ? yield* ask(({ terminal }) => terminal.readInput()) : text;
}

function* remove(input: Input): Work<ExitCode> {
  const file = yield* ask((world) => world.contexts);
  const { name } = known(findContext(file, word(input, 0, "NAME")));
  yield* ask((world) => world.saveContexts(removeContext(file, name)));
  yield* show(input, { removed: name }, () => name);
  return 0;
}

function* showOne(input: Input): Work<ExitCode> {
  const file = yield* ask((world) => world.contexts);
  const name = input.words[0] ?? file.current;
  const { secret: _, ...context } = known(findContext(file, name));
  const key = yield* ask((world) => world.key());
  yield* print(JSON.stringify({ ...context, key: key.id }, undefined, 2));
  return 0;
}

function known(found: ReturnType<typeof findContext>): Context {
  if ("code" in found) throw new OperationError(found);
  return found;
}

/** After `up` or `join`: the mesh this machine's agent belongs to becomes the context in use. */
export function* remember(context: Omit<Context, "name">, wanted: string): Work<string> {
  const file = yield* ask((world) => world.contexts);
  const name = freeName(file, wanted, context.mesh);
  const before = file.contexts.find((one) => one.name === name);
  const peers = context.peers.length > 0 ? context.peers : (before?.peers ?? []);
  yield* ask((world) => world.saveContexts(addContext(file, { ...context, name, peers })));
  if (before === undefined) yield* note(`context ${name} added; see \`shoal context ls\``);
  return name;
}

export const inviteCommand: Command = {
  name: "invite",
  usage: "",
  summary: "Print an invite: whoever holds it can join",
  options: [
    ["--role ROLE", `${roles.join(", ")}; peer unless given`],
    ["--uses COUNT", "how many may join with it; 1 unless given"],
    ["--expires DURATION", "good for so long; 15m unless given"],
    ["--address MULTIADDR...", "an address of a peer as the joiner reaches it, tried first"],
  ],
  examples: ["shoal invite", "shoal invite --role operator --expires 1h", "shoal invite --uses 2"],
  run: invite,
};

export const contextCommands: readonly Command[] = [
  {
    name: "ls",
    usage: "",
    summary: "List the meshes that this person knows",
    options: [],
    examples: ["shoal context ls"],
    isLocal: true,
    run: list,
  },
  {
    name: "use",
    usage: "NAME",
    summary: "Choose the mesh that commands talk to",
    options: [],
    examples: ["shoal context use home"],
    isLocal: true,
    run: use,
  },
  {
    name: "add",
    usage: "NAME TOKEN",
    summary: "Join a mesh as a person, with an invite for operators, viewers or admins",
    options: [],
    examples: ["shoal context add work shoal1-…", "shoal context add work - < token"],
    isLocal: true,
    run: add,
  },
  {
    name: "rm",
    usage: "NAME",
    summary: "Forget a mesh",
    options: [],
    examples: ["shoal context rm work"],
    isLocal: true,
    run: remove,
  },
  {
    name: "show",
    usage: "[NAME]",
    summary: "Show a context and this person's key, without secrets",
    options: [],
    examples: ["shoal context show"],
    isLocal: true,
    run: showOne,
  },
];
