import assert from "node:assert/strict";
import { test } from "node:test";
import { joinAsPerson } from "../../api/admission.ts";
import { type Client, openClient } from "../../api/client.ts";
import { dialPeer } from "../../api/dial.ts";
import { mintInvite } from "../../api/person.ts";
import { serveAdmissions } from "../../link/join.ts";
import { type Link, openLink } from "../../link/link.ts";
import { protocols } from "../../link/streams.ts";
import { OperationError } from "../../model/problem.ts";
import { isNodeRole } from "../../trust/facts.ts";
import { type Identity, identityFromSeed, verify } from "../../trust/identity.ts";
import { judgeAdmission } from "../../trust/invite.ts";
import { until } from "../until.ts";
import { mesh, nodeKeys, people, revoke, service, task } from "./fake-backend.ts";
import { type Api, type Apis, openApis, take } from "./mesh-of-apis.ts";

const secret = new Uint8Array(32).fill(9);

type Linked = { readonly api: Api; readonly link: Link; readonly address: string };

/** The first API of the three, on real links: noise, yamux, TCP on the loopback. */
async function withLink(run: (linked: Linked, apis: Apis) => Promise<void>): Promise<void> {
  const apis = await openApis();
  const [api] = apis.apis;
  const identity = nodeKeys[0] as Identity;
  const log = () => undefined;
  const listen = ["/ip4/127.0.0.1/tcp/0"];
  const link = await openLink({ identity, secret, listen, mdns: false, log });
  link.admitGuests((id) => {
    const role = api.backend.trustView().roleOf(id);
    if (role !== undefined) return isNodeRole(role) ? "node" : "person";
    return api.backend.trustView().invites.has(id) ? "invite" : undefined;
  });
  link.serve(protocols.api, ["node", "person"], (stream, from) => api.accept(stream, from));
  serveAdmissions(link, async (request) => {
    const verdict = judgeAdmission(request, api.backend.log, identity, Date.now(), verify);
    if (verdict.kind === "refused") return verdict;
    api.backend.learn(verdict.fact);
    return { kind: "admitted", facts: api.backend.trustFacts() };
  });
  const address = `${link.listenAddresses()[0]}/p2p/${identity.id}`;
  try {
    await run({ api, link, address }, apis);
  } finally {
    await link.close();
    await apis.close();
  }
}

async function reach(address: string, key: Identity): Promise<Client> {
  const link = await dialPeer({ address, secret, key, signal: AbortSignal.timeout(10_000) });
  return await openClient({ link }, { key, mesh });
}

test("a person asks a peer over a link of its own: answers, streams and sessions", async () => {
  await withLink(async ({ api, address }) => {
    const { backend } = api;
    const id = "hello/web.1.a" as never;
    backend.show({ services: [service("hello/web")], tasks: [task(id, backend.self)] });
    for (let line = 0; line < 5_000; line++) backend.sessions.write(id, line, `line ${line}`);
    const client = await reach(address, people.operator);
    assert.equal((await client.view()).services.length, 1);
    const revisions = [new Uint8Array(900_000).fill(7)];
    await client.write({ revisions, facts: [] });
    assert.deepEqual(backend.written[0]?.revisions, revisions);
    const lines = await take(client.logs({ task: id, follow: true }), 5_000);
    assert.equal(lines.at(-1)?.line, "line 4999");
    const options = { command: ["cat"], tty: false, stdin: true, env: {} };
    const session = await client.exec(id, options);
    const input = new Uint8Array(1_000_000).fill(65);
    const writing = session.write(input).then(() => session.endInput());
    const counts = { stdout: 0, stderr: 0 };
    for await (const { stream, data } of session.output) counts[stream] += data.length;
    await writing;
    assert.deepEqual(counts, { stdout: 1_000_000, stderr: 1_000_000 });
    assert.equal(await session.done, 0);
    await assert.rejects(client.leave(), /needs the role admin/);
    await client.close();
    await until(() => backend.listeners.size === 0, 5_000, "the end of all streams");
  });
});

test("a person who is unknown, or revoked, does not get in", async () => {
  await withLink(async ({ api, address }) => {
    for (const key of [people.stranger, people.revoked]) {
      await assert.rejects(async () => {
        const client = await reach(address, key);
        await client.view();
      }, OperationError);
    }
    const client = await reach(address, people.viewer);
    const events = client.events()[Symbol.asyncIterator]();
    const waiting = assert.rejects(events.next(), OperationError);
    await until(() => api.backend.listeners.size > 0, 5_000);
    api.backend.learn(revoke(people.viewer));
    await waiting;
    await client.close();
  });
});

test("an agent that goes away ends what a person follows", async () => {
  await withLink(async ({ api, link, address }) => {
    const client = await reach(address, people.viewer);
    const events = client.events()[Symbol.asyncIterator]();
    const waiting = assert.rejects(events.next(), OperationError);
    await until(() => api.backend.listeners.size > 0, 5_000);
    await link.close();
    await waiting;
    await assert.rejects(client.view(), OperationError);
    await client.close();
  });
});

test("a person joins by invite, and asks from then on", async () => {
  await withLink(async ({ api, address }) => {
    const key = identityFromSeed(new Uint8Array(32).fill(77));
    const inviteSeed = new Uint8Array(32).fill(78);
    const nowMs = Date.now();
    const expiresAtMs = nowMs + 60_000;
    const dead = address.replace(/tcp\/\d+/, "tcp/1");
    const token = { mesh, name: "home", secret, inviteSeed, expiresAtMs };
    const wish = { ...token, addresses: [dead, address], role: "operator" as const };
    const invite = mintInvite(wish, 1, nowMs, people.admin);
    api.backend.learn(invite.fact);
    const admission = await joinAsPerson(invite.text, key, "eve");
    assert.equal(admission.role, "operator");
    assert.deepEqual(admission.peers, [address, dead]);
    assert.deepEqual([admission.mesh, admission.name], [mesh, "home"]);
    const client = await reach(address, key);
    assert.equal((await client.drafts(["a"])).length, 1);
    await client.close();
    const another = identityFromSeed(new Uint8Array(32).fill(79));
    await assert.rejects(joinAsPerson(invite.text, another, "mallory"), /all gone/);
  });
});

test("tokens for nodes, and what are no tokens, are told apart before anybody is asked", async () => {
  const token = { mesh, name: "home", secret, inviteSeed: secret, addresses: [], expiresAtMs: 1 };
  const forNode = mintInvite({ ...token, role: "peer" }, 1, 0, people.admin).text;
  await assert.rejects(joinAsPerson(forNode, people.stranger, "eve"), /shoal join/);
  await assert.rejects(joinAsPerson("nonsense", people.stranger, "eve"), /not an invite/);
});

const addresses: [what: string, address: string, code: string][] = [
  ["no address", "nonsense", "address-invalid"],
  ["one without the peer's id", "/ip4/127.0.0.1/tcp/1", "address-invalid"],
  ["one where nobody is", `/ip4/127.0.0.1/tcp/1/p2p/${nodeKeys[1]?.id}`, "peer-unreachable"],
];
for (const [what, address, code] of addresses) {
  test(`dialling ${what} is ${code}`, async () => {
    await assert.rejects(reach(address, people.viewer), (error) => {
      return error instanceof OperationError && error.problems[0]?.code === code;
    });
  });
}
