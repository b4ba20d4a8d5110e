/** Invites that are too old, used up, foreign, broken, or for somebody else. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DemoNode } from "../../cli/demo-mesh.ts";
import { encode } from "../../crdt/codec.ts";
import { type InviteToken, parseInvite } from "../../trust/invite.ts";
import { until } from "../until.ts";
import { formMesh, newAgents, untilWhole } from "./agents.ts";
import { Person, type Said } from "./person.ts";

const agents = newAgents(2);
const others = newAgents(1);
const [first, second] = agents.nodes as [DemoNode, DemoNode];
const [foreign] = others.nodes as [DemoNode];
const admin = new Person(agents, "person");
const foreignAdmin = new Person(others, "person");
const guest = new Person(agents, "guest");

before(
  async () => {
    await agents.start(first);
    await formMesh(others);
  },
  { timeout: 60_000 },
);
after(async () => await Promise.all([agents.close(), others.close()]));

/** The words with which the second machine would join. */
function joining(token: string): string[] {
  const { address, data, name } = second;
  const listen = ["--listen", `/ip4/${address}/tcp/7946`, "--dns", `${address}:7953`];
  return ["join", token, "--detach", ...listen, "--data", data, "--node-name", name];
}

/** Says one thing, and leaves nothing that would stand in the way of a better token. */
function refused({ code, out, err }: Said, exitCode: number, said: RegExp): void {
  assert.equal(code, exitCode, err);
  assert.equal(out, "");
  assert.match(err, said);
  assert.equal(err.trim().split("\n").length, 1, err);
  assert.ok(!existsSync(join(second.data, "mesh.json")), "nothing was joined");
}

function forge(text: string, change: Partial<InviteToken>): string {
  const token = parseInvite(text);
  assert.ok(!("code" in token));
  return `shoal1-${Buffer.from(encode({ ...token, ...change })).toString("base64url")}`;
}

test("an invite that has expired says when, and to ask for a new one", async () => {
  const minted = await admin.shoal(["invite", "--expires", "1s", "--format", "json"]);
  const { token, expiresAtMs } = JSON.parse(minted) as { token: string; expiresAtMs: number };
  await until(() => Date.now() > expiresAtMs, 5_000, "its end");
  refused(await admin.try(joining(token)), 1, /the invite expired at 20.*: ask for a new one/);
  const person = await admin.shoal(["invite", "--role", "viewer", "--expires", "1s"]);
  await until(() => Date.now() > expiresAtMs + 10_000 || isExpired(person), 5_000, "its end");
  const { code, problems } = await guest.problems(["context", "add", "demo", person.trim()]);
  assert.equal(code, 1);
  assert.deepEqual(
    problems.map((problem) => problem.code),
    ["invite-expired"],
  );
});

function isExpired(text: string): boolean {
  const token = parseInvite(text);
  return "code" in token || Date.now() > token.expiresAtMs;
}

test("an invite for one is good for one", async () => {
  const token = await admin.shoal(["invite", "--role", "viewer"]);
  await guest.shoal(["context", "add", "demo", "-"], { input: token });
  const late = new Person(agents, "late");
  const said = await late.try(["context", "add", "demo", "-"], { input: token });
  refused(said, 1, /the invite was good for 1 uses?, all gone: ask for a new one/);
  // Whoever used it may come again: the answer to the first time may have been lost.
  await guest.shoal(["context", "add", "again", "-"], { input: token });
});

test("tokens cut short, mistyped or for somebody else are told apart at once", async () => {
  const token = (await admin.shoal(["invite"])).trim();
  const viewer = (await admin.shoal(["invite", "--role", "viewer"])).trim();
  const wrong: [args: string[], code: number, said: RegExp][] = [
    [joining(token.slice(0, -9)), 1, /this is not an invite: it is cut short or mistyped/],
    [joining(token.slice(3)), 1, /this is not an invite: it does not begin with shoal1-/],
    [joining(`${token.slice(0, 40)}!${token.slice(41)}`), 1, /it is cut short or mistyped/],
    [joining(viewer), 2, /TOKEN: is for a person \(viewer\): use `shoal context add NAME TOKEN`/],
    [["context", "add", "x", token], 2, /TOKEN: is for a node \(peer\): use `shoal join TOKEN`/],
    [["context", "add", "x", token.slice(0, 50)], 1, /this is not an invite: it is cut short/],
  ];
  for (const [args, code, said] of wrong) refused(await guest.try(args), code, said);
});

test("an invite that its mesh does not know is refused", async () => {
  const token = await admin.shoal(["invite"]);
  const forged = forge(token, { inviteSeed: new Uint8Array(32).fill(3) });
  refused(await admin.try(joining(forged)), 1, /does not know this invite: ask for a new one/);
});

test("addresses at which another mesh answers, or nobody, are named", async () => {
  const token = await admin.shoal(["invite"]);
  const [, address = ""] = others.peer(foreign);
  const astray = forge(token, { addresses: [address] });
  refused(await admin.try(joining(astray)), 1, /cannot reach .*: .*another mesh/);
  const nowhere = forge(token, { addresses: [address.replace("/tcp/7946/", "/tcp/9/")] });
  refused(await admin.try(joining(nowhere)), 1, /cannot reach .*\/tcp\/9\/p2p\/.*ECONNREFUSED/);
});

test("a node of one mesh does not join another on top of it", async () => {
  await agents.start(second, await admin.shoal(["invite"]));
  await untilWhole(agents, [first, second]);
  const token = (await foreignAdmin.shoal(["invite"])).trim();
  const { code, err, out } = await admin.try(joining(token));
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(err, /belongs to a node of mesh demo already: `shoal leave` first, or choose/);
  await untilWhole(agents, [first, second]);
  assert.equal((await others.view(foreign)).nodes.length, 1);
});
