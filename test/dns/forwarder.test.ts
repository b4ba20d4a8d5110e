import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNetwork } from "../../dns/address.ts";
import type { Ears, Exchange } from "../../dns/forwarder.ts";
import { formatPlace, type Place, parsePlace } from "../../dns/place.ts";
import { query, type Read, read, replyTo, soaData, type TestRecord } from "./packets.ts";
import { type MeshServer, meshServer } from "./tables.ts";

/** One question to one server, held until the test answers. */
type Asking = {
  readonly to: string;
  readonly message: Buffer;
  readonly ears: Ears;
  isClosed: boolean;
};

class Upstream implements Exchange {
  readonly askings: Asking[] = [];

  open(server: Place, protocol: "udp" | "tcp", message: Buffer, ears: Ears) {
    const asking = { to: `${formatPlace(server)} ${protocol}`, message, ears, isClosed: false };
    this.askings.push(asking);
    return {
      close: () => {
        asking.isClosed = true;
      },
    };
  }

  /** The one that is open. */
  get now(): Asking {
    const open = this.askings.filter(({ isClosed }) => !isClosed);
    assert.equal(open.length, 1, "one question is open");
    return open[0] as Asking;
  }

  /** Answers it. */
  answer(parts: Parameters<typeof replyTo>[1]): void {
    const { message, ears } = this.now;
    ears.reply(replyTo(message, parts));
  }
}

const one: TestRecord = { type: 1, ttl: 60, data: Buffer.from([192, 0, 2, 1]) };
const servFail = { flags: 0x8182 };
const asked = query("Example.com", "A");

type Scene = { readonly upstream: Upstream; readonly server: MeshServer; readonly got: Read[] };

function scene(...servers: string[]): Scene & { ask(message?: Buffer, overTcp?: boolean): void } {
  const upstream = new Upstream();
  const places = servers.map((text) => parsePlace(text) as Place);
  const server = meshServer("default/web: 1@10.0.0.1", { exchange: upstream, servers: places });
  const got: Read[] = [];
  const ask = (message = asked, overTcp = false) => {
    const client = { address: "127.0.0.1", overTcp };
    server.answerer.serve(message, client, (reply) => got.push(read(reply)));
  };
  return { upstream, server, got, ask };
}

const rcodes = (got: readonly Read[]) => got.map(({ rcode }) => rcode).join(" ");

test("a question goes upstream with an id and EDNS of our own", () => {
  const { upstream, ask, got } = scene("10.0.0.1");
  ask(query("Example.com", "A", { edns: 4096, dnssecOk: true, flags: 0x0110 }));
  const sent = read(Buffer.from(upstream.now.message));
  assert.notEqual(sent.id, 0x1234);
  assert.deepEqual(
    [sent.flags, sent.question, sent.edns],
    ["rd cd", "Example.com 1 1", "size 1232 rcode 0 do"],
  );
  upstream.answer({ answers: [one] });
  assert.deepEqual(got[0]?.answers, ["Example.com 60 A 192.0.2.1"]);
  assert.deepEqual([got[0]?.id, got[0]?.edns], [0x1234, "size 1232 rcode 0 do"]);
});

test("ids of questions differ", () => {
  const { upstream, ask } = scene("10.0.0.1");
  for (let n = 0; n < 50; n++) ask(query(`${n}.example`, "A"));
  const ids = new Set(upstream.askings.map(({ message }) => message.readUInt16BE(0)));
  assert.ok(ids.size > 45, `${ids.size} of 50`);
});

test("an answer is kept until its time is over, and grows old meanwhile", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  ask();
  upstream.answer({ answers: [one] });
  server.clock.advance(10_000);
  ask(query("eXAMPLE.com", "A"));
  assert.deepEqual(got[1]?.answers, ["eXAMPLE.com 50 A 192.0.2.1"]);
  server.clock.advance(50_001);
  ask();
  assert.equal(upstream.askings.length, 2);
});

test("a no is kept for as long as its SOA says", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  const soa: TestRecord = { type: 6, ttl: 600, data: soaData(30) };
  ask();
  upstream.answer({ authorities: [soa], flags: 0x8183 });
  server.clock.advance(29_000);
  ask();
  server.clock.advance(2000);
  assert.equal(rcodes(got), "3 3");
  assert.equal(upstream.askings.length, 1);
  ask();
  assert.equal(upstream.askings.length, 2);
});

test("a question with DO or CD is another one than without", () => {
  const { upstream, ask } = scene("10.0.0.1");
  ask();
  upstream.answer({ answers: [one] });
  ask(query("example.com", "A", { edns: 1232, dnssecOk: true }));
  upstream.answer({ answers: [one] });
  ask(query("example.com", "A", { flags: 0x0110 }));
  upstream.answer({ answers: [one] });
  ask(query("example.com", "A", { edns: 1232 }));
  assert.equal(upstream.askings.length, 3);
});

test("equal questions wait for one answer, which also ends a loop", () => {
  const { upstream, ask, got } = scene("10.0.0.1");
  for (let n = 0; n < 5; n++) ask(query("example.com", "A", { id: n }));
  upstream.answer({ answers: [one] });
  assert.equal(upstream.askings.length, 1);
  assert.deepEqual(
    got.map(({ id }) => id),
    [0, 1, 2, 3, 4],
  );
});

test("silence is tried again, at each server in turn, then it is a failure", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1", "10.0.0.2");
  ask();
  server.clock.advance(4799);
  assert.equal(rcodes(got), "");
  server.clock.advance(1);
  assert.equal(rcodes(got), "2");
  assert.deepEqual(
    upstream.askings.map(({ to }) => to),
    ["10.0.0.1:53 udp", "10.0.0.2:53 udp", "10.0.0.1:53 udp", "10.0.0.2:53 udp"],
  );
  assert.ok(upstream.askings.every(({ isClosed }) => isClosed));
  assert.equal(server.clock.timers, 0);
});

test("a failure is kept for a second, so that a flood ends here", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  ask();
  server.clock.advance(4800);
  for (let n = 0; n < 100; n++) ask();
  assert.equal(got.length, 101);
  assert.equal(upstream.askings.length, 4);
  server.clock.advance(1001);
  ask();
  assert.equal(upstream.askings.length, 5);
});

test("a server that is refused or says it failed is followed by the next at once", () => {
  const { upstream, ask, got } = scene("10.0.0.1", "10.0.0.2", "10.0.0.3");
  ask();
  upstream.now.ears.failed();
  upstream.answer(servFail);
  upstream.answer({ answers: [one] });
  assert.equal(rcodes(got), "0");
  // The one that answered is asked first from now on.
  ask(query("other.example", "A"));
  assert.equal(upstream.now.to, "10.0.0.3:53 udp");
});

test("when all fail the client hears what they say", () => {
  const { upstream, ask, got } = scene("10.0.0.1");
  ask();
  for (let n = 0; n < 4; n++) upstream.answer({ flags: 0x8185 });
  assert.equal(rcodes(got), "5");
});

test("without servers every name of the world fails at once", () => {
  const { ask, got } = scene();
  ask();
  assert.equal(rcodes(got), "2");
});

test("a truncated answer is fetched by TCP, and cut for clients that come by UDP", () => {
  const { upstream, ask, got } = scene("10.0.0.1");
  const many = Array.from({ length: 60 }, (_, n) => ({ ...one, data: Buffer.from([10, 0, 0, n]) }));
  ask();
  upstream.answer({ flags: 0x8380 });
  assert.equal(upstream.now.to, "10.0.0.1:53 tcp");
  upstream.answer({ answers: many });
  assert.deepEqual([got[0]?.flags, got[0]?.answers.length], ["qr tc rd ra", 0]);
  ask(asked, true);
  assert.deepEqual([got[1]?.flags, got[1]?.answers.length], ["qr rd ra", 60]);
  assert.equal(upstream.askings.length, 2);
});

test("forged answers are not believed, and too many of them make us ask by TCP", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  ask();
  const { message, ears } = upstream.now;
  const forge = (id: number) => {
    const forged = replyTo(message, { answers: [{ ...one, data: Buffer.from([6, 6, 6, 6]) }] });
    forged.writeUInt16BE(id, 0);
    ears.reply(forged);
  };
  const id = message.readUInt16BE(0);
  for (let n = 1; n <= 20; n++) forge((id + n) & 0xffff);
  // Even the right one comes too late then: UDP is given up for this question.
  forge(id);
  assert.equal(rcodes(got), "");
  assert.equal(upstream.now.to, "10.0.0.1:53 tcp");
  upstream.answer({ answers: [one] });
  assert.deepEqual(got[0]?.answers, ["Example.com 60 A 192.0.2.1"]);
  assert.equal(server.forwarder.stats().forgeries, 8);
});

test("a few wrong answers do not keep the right one out", () => {
  const { upstream, ask, got } = scene("10.0.0.1");
  ask();
  for (let n = 0; n < 5; n++) upstream.now.ears.reply(Buffer.from("nonsense"));
  upstream.answer({ answers: [one] });
  assert.equal(rcodes(got), "0");
});

test("questions in flight are bounded, and so are those who wait for one", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  for (let n = 0; n < 300; n++) ask(query(`${n}.example`, "A"));
  assert.equal(upstream.askings.length, 256);
  assert.equal(got.length, 44);
  for (let n = 0; n < 100; n++) ask(query("0.example", "A"));
  assert.equal(got.length, 44 + 100 - 31);
  assert.ok(got.every(({ rcode }) => rcode === 2));
  server.clock.advance(10_000);
  assert.equal(got.length, 400, "everybody was answered");
  assert.equal(server.forwarder.stats().inFlight, 0);
});

test("what is kept is bounded, whatever is asked", () => {
  const { upstream, ask, server } = scene("10.0.0.1");
  const big: TestRecord = { type: 16, ttl: 600, data: Buffer.alloc(30_000) };
  for (let n = 0; n < 500; n++) {
    server.clock.advance(10);
    ask(query(`${n}.example`, "TXT"));
    upstream.answer({ answers: [big, big] });
  }
  const { cached } = server.forwarder.stats();
  assert.ok(cached > 30 && cached * 60_000 < 4 * 1024 * 1024, `${cached}`);
});

test("closing ends what is in flight, and answers nobody any more", () => {
  const { upstream, ask, got, server } = scene("10.0.0.1");
  ask();
  server.forwarder.close();
  assert.ok(upstream.askings.every(({ isClosed }) => isClosed));
  server.clock.advance(10_000);
  assert.deepEqual([got.length, server.clock.timers], [0, 0]);
});

// Who asks for what → the code, or "asks" when it goes upstream.
const policy: [who: string, from: string, message: Buffer, outcome: string][] = [
  ["this machine", "127.0.0.1", asked, "asks"],
  ["this machine by IPv6", "::1", asked, "asks"],
  ["a container", "172.17.0.5", asked, "asks"],
  ["a container on an IPv6 socket", "::ffff:172.17.0.5", asked, "asks"],
  ["a stranger", "198.51.100.7", asked, "5"],
  ["who wants no recursion", "127.0.0.1", query("example.com", "A", { flags: 0 }), "5"],
  ["one label's address", "127.0.0.1", query("web", "A"), "3"],
  ["one label's IPv6 address", "127.0.0.1", query("web", "AAAA"), "3"],
  ["a top domain's servers", "127.0.0.1", query("com", "NS"), "asks"],
  ["the root's servers", "127.0.0.1", query("", "NS"), "asks"],
];

for (const [who, from, message, outcome] of policy) {
  test(`a question for the world by ${who}: ${outcome}`, () => {
    const upstream = new Upstream();
    const recursion = [
      parseNetwork("172.16.0.0/12") as NonNullable<ReturnType<typeof parseNetwork>>,
    ];
    const servers = [parsePlace("10.0.0.1") as Place];
    const server = meshServer("", { exchange: upstream, servers, recursion });
    const reply = server.ask(message, { from });
    assert.equal(reply === undefined ? "asks" : `${read(reply).rcode}`, outcome);
    assert.equal(upstream.askings.length, outcome === "asks" ? 1 : 0);
  });
}

test("who asks for the world too fast is refused, and the mesh still answers", () => {
  const { ask, got, server } = scene("10.0.0.1");
  for (let n = 0; n < 3000; n++) ask(query("example.com", "A"));
  assert.ok(got.filter(({ rcode }) => rcode === 5).length === 1000);
  assert.equal(read(server.ask(query("web.mesh", "A")) as Buffer).answers.length, 1);
  server.clock.advance(1000);
  got.length = 0;
  ask(query("other.example", "A"));
  assert.equal(got.filter(({ rcode }) => rcode === 5).length, 0);
});
