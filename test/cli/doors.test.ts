import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { answers, openLocalAgent } from "../../cli/agent-process.ts";
import { readBytes, writePrivate } from "../../cli/backup-file.ts";
import { configDirectory, openPersonFiles } from "../../cli/context-file.ts";
import { addContext, freeName, noContexts, removeContext } from "../../cli/contexts.ts";
import { perform } from "../../cli/performer.ts";
import { ask, type Work } from "../../cli/work.ts";
import type { AgentStart, World } from "../../cli/world.ts";
import type { MeshId } from "../../model/ids.ts";
import { OperationError } from "../../model/problem.ts";

const root = mkdtempSync(join(tmpdir(), "shoal-cli-"));
after(() => rmSync(root, { recursive: true, force: true }));

function fresh(name: string): string {
  return mkdtempSync(join(root, `${name}-`));
}

const context = {
  name: "home",
  mesh: "m1" as MeshId,
  secret: "c2VjcmV0",
  peers: ["/ip4/10.0.0.1/tcp/7946/p2p/x"],
  socket: "/run/shoal.sock",
};

test("a person's key is made once, kept for nobody else to read, and found again", () => {
  const directory = join(fresh("key"), "config");
  const first = openPersonFiles(directory).key();
  const second = openPersonFiles(directory).key();
  assert.equal(first.id, second.id);
  assert.match(first.id, /^12D3KooW/);
  assert.equal(statSync(join(directory, "key")).mode & 0o777, 0o600);
  assert.equal(statSync(directory).mode & 0o777, 0o700);
});

test("contexts are written whole, readable by nobody else, and read back", () => {
  const directory = join(fresh("contexts"), "config");
  const files = openPersonFiles(directory);
  assert.deepEqual(files.contexts, noContexts);
  files.save(addContext(noContexts, context));
  assert.deepEqual(openPersonFiles(directory).contexts, { current: "home", contexts: [context] });
  assert.equal(statSync(join(directory, "contexts.json")).mode & 0o777, 0o600);
});

test("a backup replaces what was there whole, for nobody else to read, and nothing is left beside", async () => {
  const directory = fresh("backup");
  const path = join(directory, "home.backup");
  writeFileSync(path, "an older one", { mode: 0o644 });
  for (const bytes of [new Uint8Array(0), new Uint8Array(300_000).fill(3)]) {
    writePrivate(path, bytes);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(await readBytes(path, bytes.length), bytes);
  }
  assert.deepEqual(readdirSync(directory), ["home.backup"]);
  assert.equal(await readBytes(path, 299_999), undefined, "larger than that");
  assert.equal(await readBytes(join(directory, "none"), 10), undefined);
  assert.equal(await readBytes(directory, 10_000), undefined);
});

test("a backup goes into no device, link or directory, and what cannot be written is a problem", () => {
  const directory = fresh("device");
  const link = join(directory, "link");
  symlinkSync("/dev/null", link);
  for (const path of [link, directory, "/dev/null", join(directory, "none", "file")]) {
    assert.throws(() => writePrivate(path, new Uint8Array(3)), /cannot write to/);
  }
  assert.deepEqual(readdirSync(directory), ["link"]);
});

test("damaged files of a person are a problem that names them", () => {
  const directory = fresh("damaged");
  writeFileSync(join(directory, "contexts.json"), "{");
  writeFileSync(join(directory, "key"), "not a key");
  const files = openPersonFiles(directory);
  assert.throws(() => files.contexts, /contexts.json/);
  assert.throws(() => files.key(), /holds no key/);
  assert.equal(readFileSync(join(directory, "key"), "utf8"), "not a key");
});

test("SHOAL_CONFIG wins over XDG_CONFIG_HOME, which wins over the home directory", () => {
  assert.equal(configDirectory({ SHOAL_CONFIG: "/a", XDG_CONFIG_HOME: "/b" }, "/h"), "/a");
  assert.equal(configDirectory({ XDG_CONFIG_HOME: "/b" }, "/h"), "/b/shoal");
  assert.equal(configDirectory({}, "/h"), "/h/.config/shoal");
});

test("a context's name is free for one mesh only, and removing it chooses another", () => {
  const file = addContext(addContext(noContexts, context), {
    ...context,
    name: "work",
    mesh: "m2" as MeshId,
  });
  assert.equal(freeName(file, "home", "m3" as MeshId), "home-2");
  assert.equal(freeName(file, "anything", "m1" as MeshId), "home");
  assert.equal(removeContext(file, "work").current, "home");
  assert.equal(removeContext(file, "home").current, "work");
});

test("a command's failed question ends it with that failure", async () => {
  const world = { nowMs: () => Promise.resolve(5) } as unknown as World;
  function* work(): Work<number> {
    const now = yield* ask((one) => one.nowMs());
    yield* ask(() => Promise.reject(new Error(`failed at ${now}`)));
    return 0;
  }
  await assert.rejects(perform(work(), world), /failed at 5/);
});

/** An agent that answers on its socket, writes its file, and repeats what it was told. */
const obedient = `
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { text } from "node:stream/consumers";
const at = (name) => process.argv[process.argv.indexOf(name) + 1];
const input = process.argv.includes("--join") ? await text(process.stdin) : "";
writeFileSync(at("--data") + "/told", JSON.stringify({ args: process.argv.slice(2), input }));
const file = { mesh: "m", name: "home", secret: "s", node: "n" };
writeFileSync(at("--data") + "/mesh.json", JSON.stringify(file));
const server = createServer((socket) => socket.resume()).listen(at("--socket"));
process.on("SIGTERM", () => { server.close(); process.exit(7); });
`;

function startOf(data: string, changes: Partial<AgentStart> = {}): AgentStart {
  const socket = join(data, "shoal.sock");
  const args = ["--data", data, "--socket", socket];
  return { data, socket, args, input: undefined, detach: false, ...changes };
}

function writeAgent(text: string): string {
  const path = join(fresh("agent"), "main.mjs");
  writeFileSync(path, text);
  return path;
}

test("an agent is started, awaited, told its invite in private, and its end reported", async () => {
  const data = join(fresh("run"), "data");
  const agent = openLocalAgent(writeAgent(obedient));
  assert.equal(agent.read(data), undefined);
  const start = startOf(data);
  await agent.start({ ...start, args: [...start.args, "--join"], input: "shoal1-x\n" });
  assert.equal(await answers(start.socket), true);
  assert.deepEqual(agent.read(data), { mesh: "m", name: "home", secret: "s", node: "n" });
  const told = JSON.parse(readFileSync(join(data, "told"), "utf8")) as { input: string };
  assert.equal(told.input, "shoal1-x\n");
  const listeners = process.listeners("SIGTERM");
  const finished = agent.finished();
  const pass = process.listeners("SIGTERM").find((one) => !listeners.includes(one));
  pass?.("SIGTERM");
  assert.equal(await finished, 7);
});

test("a second agent on the same socket is refused before it is started", async () => {
  const data = join(fresh("twice"), "data");
  const entry = writeAgent(obedient);
  const first = openLocalAgent(entry);
  await first.start(startOf(data));
  await assert.rejects(async () => openLocalAgent(entry).start(startOf(data)), OperationError);
  const before = process.listeners("SIGTERM");
  const finished = first.finished();
  process.listeners("SIGTERM").find((one) => !before.includes(one))?.("SIGTERM");
  await finished;
});

test("an agent that ends at once is a problem, not a wait", async () => {
  const data = join(fresh("ends"), "data");
  const agent = openLocalAgent(writeAgent("process.exit(3);"));
  await assert.rejects(async () => agent.start(startOf(data)), /exit code 3/);
});

test("a data directory that cannot be made is a problem with its path", async () => {
  const file = join(fresh("file"), "file");
  writeFileSync(file, "");
  const agent = openLocalAgent(writeAgent(obedient));
  await assert.rejects(async () => agent.start(startOf(join(file, "data"))), /cannot write to/);
  assert.ok(!existsSync(join(file, "data")));
});
