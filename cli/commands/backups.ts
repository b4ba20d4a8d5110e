/** `shoal backup` and `shoal restore`: a mesh in a file, and a mesh out of a file. */

import { posix } from "node:path";
import {
  backupBytesMax,
  backupVersion,
  boxRandomBytes,
  personKey,
  prepareRestoration,
  printRestoration,
  readBackup,
  readTrust,
  toBase64,
  writeBackup,
} from "../../api/person.ts";
import { OperationError, type Problem } from "../../model/problem.ts";
import type { MeshView } from "../../model/view.ts";
import { showBytes } from "../amounts.ts";
import { type Command, confirmed, type Input, note, show, word } from "../command.ts";
import type { Context } from "../contexts.ts";
import { slip } from "../options.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import { agentOptions, prepare, run } from "./agents.ts";
import { meshSecret, requireAdmin } from "./people.ts";

/** Of the nodes in a backup so many are asked whether the mesh is really lost: 5 s for all. */
const askedMax = 12;

function* backup(input: Input): Work<ExitCode> {
  const given = word(input, 0, "FILE");
  const isOutput = given === "-";
  if (isOutput && (yield* ask(({ terminal }) => terminal.isShown))) {
    throw slip("FILE", "- is for a pipe or a file, and standard output is a terminal");
  }
  const view = yield* ask((world) => world.mesh.view());
  const secret = yield* meshSecret(view);
  const key = yield* ask((world) => world.key());
  const { facts, revisions } = yield* ask((world) => world.mesh.backup());
  const trust = readTrust(view.mesh, facts);
  // Root may ask at a node's socket; a backup that no admin has signed is not restored.
  requireAdmin(trust, key.id);
  const atMs = yield* ask((world) => world.nowMs());
  const random = yield* ask((world) => world.random(boxRandomBytes));
  const { mesh } = view;
  const addresses = placesOf(view);
  const bytes = writeBackup({ mesh, atMs, secret, facts, revisions, addresses }, key, random);
  const path = yield* toPath(given);
  if (isOutput) yield* ask(({ terminal }) => terminal.printBytes(bytes));
  else yield* ask((world) => world.writePrivate(path, bytes));
  const counts = {
    services: view.services.length,
    facts: facts.length,
    revisions: revisions.length,
  };
  const summary = { mesh, name: trust.name, ...counts, bytes: bytes.length, atMs };
  const text =
    `mesh ${trust.name}: ${many(counts.services, "service")}, ${many(counts.facts, "fact")}, ` +
    `${many(counts.revisions, "revision")}; ${showBytes(bytes.length)} in ${given}`;
  if (isOutput) yield* note(text);
  else yield* show(input, { ...summary, file: path }, () => text);
  return 0;
}

/** Every node's best two addresses: whoever restores looks there for what is left. */
function placesOf({ nodes }: MeshView): string[] {
  return nodes.flatMap(({ node, facts }) => {
    return (facts?.addresses ?? []).slice(0, 2).map((address) => `${address}/p2p/${node}`);
  });
}

function* restore(input: Input): Work<ExitCode> {
  const start = yield* prepare(input);
  const allLost = input.options.flag("all-lost");
  const known = yield* ask(({ agent }) => agent.read(start.data));
  if (known !== undefined) {
    throw new OperationError({ code: "already-member", mesh: known.name, path: start.data });
  }
  const admin = yield* ask((world) => world.key());
  const { backup, trust } = yield* read(word(input, 0, "FILE"));
  const found = yield* ask(({ agent }) => agent.seed(start.data));
  const seed = found ?? (yield* ask((world) => world.random(32)));
  const node = personKey(seed).id;
  if (trust.revoked.has(node)) throw new OperationError({ code: "node-revoked", node });
  const others = [...trust.nodes.keys()].filter((one) => one !== node).length;
  const nowMs = yield* ask((world) => world.nowMs());
  const nodeName = input.options.text("node-name") ?? "";
  const options = { seed, nodeName, admin, nowMs, allLost };
  const { restoration, added } = prepareRestoration(backup, trust, options);
  const { mesh, secret, addresses } = backup;
  const context = { name: trust.name, mesh, secret: toBase64(secret), peers: addresses };
  yield* tellOthers({ context, added, allLost, others });
  const question = `take the ${many(others, "other node")} of mesh ${trust.name} out for good?`;
  if (allLost && others > 0 && !(yield* confirmed(input, question))) return 1;
  const args = [...start.args, "--restore"];
  const text =
    `restoring mesh ${trust.name} as it was on ${new Date(backup.atMs).toISOString()}: ` +
    `${many(backup.facts.length, "fact")}, ${many(backup.revisions.length, "revision")}`;
  yield* note(text);
  return yield* run(input, { ...start, args, input: printRestoration(restoration) });
}

/** Whatever is wrong with the file is a problem. */
function* read(given: string) {
  const path = yield* toPath(given);
  const bytes = yield* ask((world) => world.readBytes(path, backupBytesMax));
  if (bytes === undefined) {
    const detail = "it is not there, not yours to read, or larger than any backup";
    throw new OperationError({ code: "file-unreadable", file: given, detail });
  }
  const reader = yield* ask((world) => world.key());
  const reading = readBackup(bytes, reader);
  if (reading.kind === "read") return reading;
  throw new OperationError(problemOf(given, reading, reader.id));
}

function problemOf(
  file: string,
  reading: Exclude<ReturnType<typeof readBackup>, { kind: "read" }>,
  key: string,
): Problem {
  switch (reading.kind) {
    case "newer":
      return { code: "backup-newer", file, found: reading.version, supported: backupVersion };
    case "sealed":
      return { code: "backup-sealed", file, mesh: reading.mesh, key };
    case "unreadable":
      return { code: "backup-unreadable", file, detail: reading.detail };
  }
}

type Telling = {
  readonly context: Context;
  readonly added: readonly Uint8Array[];
  readonly allLost: boolean;
  readonly others: number;
};

/** Nodes that are left talk to nobody of whom they have not heard: they hear it from the admin. */
function* tellOthers({ context, added, allLost, others }: Telling): Work<void> {
  const peers = spread(context.peers).slice(0, askedMax);
  const living = yield* ask((world) => world.reach({ ...context, peers }));
  const { name } = context;
  if (living === undefined) {
    if (allLost || others === 0) return;
    yield* note(`no node of mesh ${name} answers: with --all-lost the others would be taken out`);
    return;
  }
  if (allLost) {
    throw new OperationError({ code: "mesh-alive", mesh: name, address: living.address });
  }
  yield* note(`mesh ${name} answers at ${living.address}: what is there is merged, not replaced`);
  if (added.length > 0) yield* ask(() => living.write({ revisions: [], facts: added }));
}

/** One address of every node before the second of any. */
function spread(addresses: readonly string[]): string[] {
  const seen = new Set<string>();
  const firsts = addresses.filter((address) => {
    const node = address.slice(address.lastIndexOf("/"));
    return seen.size < seen.add(node).size;
  });
  return [...new Set([...firsts, ...addresses])];
}

function* toPath(given: string): Work<string> {
  const cwd = yield* ask((world) => world.directory);
  return given === "-" ? given : posix.resolve(cwd, given);
}

function many(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export const backupCommands: readonly Command[] = [
  {
    name: "backup",
    usage: "FILE",
    summary: "Write the mesh's state to a file; - is standard output",
    more:
      "In it are all specs with their history and the values of their variables, who may do what, " +
      "and the mesh's secret. It is sealed: only who is an admin now can read or restore it, with " +
      "the file `key` of their ~/.config/shoal. Keep a copy of that key too, elsewhere. " +
      "Volumes, images and logs are not in it.",
    options: [],
    examples: ["shoal backup home.backup", "shoal backup - | ssh vault 'cat > home.backup'"],
    run: backup,
  },
  {
    name: "restore",
    usage: "FILE",
    summary: "Start the agent here as a node of the mesh in a backup; - is standard input",
    more:
      "The mesh's admins can do it, on a machine without a node. What other nodes of the mesh still " +
      "have is merged, and nothing of theirs is rolled back. When none is left, --all-lost takes " +
      "them out, so that nothing waits for them. Others join afterwards with `shoal invite`.",
    options: [
      ["--all-lost", "no other node is left: take them out of the mesh for good"],
      ["-y, --yes", "do not ask"],
      ...agentOptions,
    ],
    examples: ["shoal restore home.backup", "shoal restore --all-lost --detach home.backup"],
    isLocal: true,
    run: restore,
  },
];
