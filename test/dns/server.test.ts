import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Dns, type DnsOptions, openDns } from "../../dns/server.ts";
import type { Problem } from "../../model/problem.ts";
import { until } from "../until.ts";
import { askUdp, dig, digIsThere, placeOf, StubUpstream } from "./clients.ts";
import { query, read, replyTo, type TestRecord } from "./packets.ts";
import { addressOf, TestClock, table } from "./tables.ts";

const services = `default/web 80/tcp: 1@10.0.0.1 2@n2:127.0.0.1=8001
  shop/big 80/tcp: ${Array.from({ length: 100 }, (_, n) => `${n + 1}@10.0.1.${n}`).join(" ")}`;

async function open(options: Partial<DnsOptions> = {}): Promise<{ dns: Dns; at: string }> {
  const dns = await openDns({ listen: ["127.0.0.1:0"], upstream: [], addressOf, ...options });
  dns.install(table(services));
  // The port that UDP was given may be somebody's by TCP: then it is tried again.
  const at = await until(() => dns.stats().listening[0], 5000, "an address that answers");
  return { dns, at };
}

const one: TestRecord = { type: 1, ttl: 60, data: Buffer.from([192, 0, 2, 1]) };

describe("dig is answered", digIsThere, () => {
  let dns: Dns;
  let at: string;
  before(async () => {
    ({ dns, at } = await open());
  });
  after(() => dns.close());

  // What dig is told → what it prints.
  const cases: [words: string, expected: readonly RegExp[]][] = [
    [
      "web.mesh A +noedns",
      [/flags: qr aa rd ra;/, /ANSWER: 2,/, /web\.mesh\.\t+1\tIN\tA\t10\.0\.0\.1/],
    ],
    ["web.mesh A +tcp", [/ANSWER: 2,/, /192\.168\.0\.2/]],
    ["web.mesh A +edns=0 +dnssec", [/EDNS: version: 0, flags: do; udp: 1232/, /ANSWER: 2,/]],
    ["web.mesh A +edns=1 +noednsnegotiation", [/status: BADVERS/]],
    ["web.mesh A +nocookie +bufsize=512 +padding=64", [/ANSWER: 2,/]],
    ["WeB.mEsH A", [/^WeB\.mEsH\.\t/m]],
    ["web.mesh AAAA", [/status: NOERROR/, /ANSWER: 0, AUTHORITY: 1/, /SOA\tmesh\. hostmaster/]],
    ["nothing.mesh A", [/status: NXDOMAIN/, /AUTHORITY: 1/]],
    ["web.mesh TXT", [/"replica=2" "node=n2" "zone=a"/]],
    [
      "_http._tcp.web.mesh SRV",
      [/0 1 80 1\.web\.default\.mesh\./, /0 1 8001 2\.web\.default\.mesh\./],
    ],
    ["-x 10.0.0.1", [/PTR\t1\.web\.default\.mesh\./]],
    ["mesh SOA", [/SOA\tmesh\. hostmaster\.mesh\. 1 60 60 600 1/]],
    ["mesh NS", [/NS\tmesh\./]],
    ["mesh AXFR", [/Transfer failed/]],
    ["version.bind TXT CH", [/status: REFUSED/]],
    ["web.mesh ANY +notcp", [/HINFO\t"RFC8482" ""/]],
    ["web.mesh TYPE65280", [/status: NOERROR/, /ANSWER: 0, AUTHORITY: 1/]],
    ["big.shop.mesh A +ignore", [/flags: qr aa tc rd ra;/, /ANSWER: 16,/]],
    ["big.shop.mesh A +ignore +bufsize=4096", [/flags: qr aa tc rd ra;/, /ANSWER: 16,/]],
    ["big.shop.mesh A", [/retrying in TCP mode/, /flags: qr aa rd ra;/, /ANSWER: 100,/]],
    ["web.mesh +opcode=update +noedns", [/status: NOTIMP/]],
    ["example.com A", [/status: SERVFAIL/]],
  ];
  for (const [words, expected] of cases) {
    test(words, async () => {
      const output = await dig(at, ...words.split(" "));
      for (const pattern of expected) assert.match(output, pattern);
      assert.doesNotMatch(output, /malformed|WARNING|timed out/i);
    });
  }
});

test("IPv6 is answered on, by UDP and TCP", digIsThere, async (context) => {
  const { dns, at } = await open({ listen: ["[::1]:0"] });
  context.after(() => dns.close());
  for (const protocol of ["+notcp", "+tcp"]) {
    assert.match(await dig(at, "web.mesh", protocol), /ANSWER: 2,/);
  }
});

test("the world is asked upstream, from another port and with another id each time", async (context) => {
  const upstream = new StubUpstream((message) => replyTo(message, { answers: [one] }));
  const { dns, at } = await open({ upstream: [await upstream.open()] });
  context.after(() => dns.close());
  context.after(() => upstream.close());
  for (let n = 0; n < 20; n++) {
    const name = `Host${n}.example.com`;
    const reply = read((await askUdp(at, query(name, "A", { edns: 1232 }))) as Buffer);
    assert.deepEqual(reply.answers, [`${name} 60 A 192.0.2.1`]);
  }
  assert.equal(new Set(upstream.seen.map(({ port }) => port)).size, 20);
  assert.ok(new Set(upstream.seen.map(({ message }) => message.readUInt16BE(0))).size > 17);
  await askUdp(at, query("host0.example.com", "A"));
  assert.equal(upstream.seen.length, 20, "the last one was kept");
});

test("a truncated reply is asked for again by TCP", async (context) => {
  const many = Array.from({ length: 20 }, (_, n) => ({ ...one, data: Buffer.from([10, 0, 0, n]) }));
  const upstream = new StubUpstream((message, protocol) => {
    return protocol === "udp"
      ? replyTo(message, { flags: 0x8380 })
      : replyTo(message, { answers: many });
  });
  const { dns, at } = await open({ upstream: [await upstream.open()] });
  context.after(() => dns.close());
  context.after(() => upstream.close());
  const reply = read((await askUdp(at, query("example.com", "A"))) as Buffer);
  assert.equal(reply.answers.length, 20);
  assert.deepEqual(
    upstream.seen.map(({ protocol }) => protocol),
    ["udp", "tcp"],
  );
});

test("a reply from another port than was asked is not heard", async (context) => {
  const forger = createSocket("udp4");
  const poisoned = { ...one, data: Buffer.from([6, 6, 6, 6]) };
  const upstream = new StubUpstream((message) => replyTo(message, { answers: [one] }));
  // The forger knows id and port, and speaks first.
  const stub = new StubUpstream((message) => {
    const { port } = stub.seen.at(-1) as { port: number };
    forger.send(replyTo(message, { answers: [poisoned] }), port, "127.0.0.1", () => {
      const { host, port: real } = placeOf(upstreamAt);
      const relay = createSocket("udp4");
      relay.on("message", (reply) => {
        relay.close();
        stub.reply(reply, port);
      });
      relay.send(message, real, host);
    });
    return undefined;
  });
  const upstreamAt = await upstream.open();
  const { dns, at } = await open({ upstream: [await stub.open()] });
  for (const end of [dns, upstream, stub, forger]) context.after(() => end.close());
  const reply = read((await askUdp(at, query("example.com", "A"))) as Buffer);
  assert.deepEqual(reply.answers, ["example.com 60 A 192.0.2.1"]);
});

test("an upstream that nobody listens at is passed over at once", async (context) => {
  const upstream = new StubUpstream((message) => replyTo(message, { answers: [one] }));
  const closed = createSocket("udp4").bind(0, "127.0.0.1");
  await once(closed, "listening");
  const dead = `127.0.0.1:${closed.address().port}`;
  closed.close();
  const { dns, at } = await open({ upstream: [dead, await upstream.open()] });
  context.after(() => dns.close());
  context.after(() => upstream.close());
  const begin = performance.now();
  const reply = read((await askUdp(at, query("example.com", "A"))) as Buffer);
  assert.equal(reply.answers.length, 1);
  assert.ok(performance.now() - begin < 1000, "by the refusal, not by a timeout");
});

test("resolv.conf names the upstream, and is read again when it changes", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "shoal-dns-"));
  context.after(async () => await rm(folder, { recursive: true }));
  const resolvConf = join(folder, "resolv.conf");
  const clock = new TestClock();
  const dns = await openDns({ listen: ["127.0.0.1:0"], addressOf, resolvConf, clock });
  context.after(() => dns.close());
  const listening = () => {
    clock.advance(1000);
    return dns.stats().listening[0];
  };
  const at = await until(listening, 5000, "an address that answers");
  const ask = async (name: string) => read((await askUdp(at, query(name, "A"))) as Buffer).rcode;
  assert.equal(await ask("one.example"), 2, "there is no such file");
  assert.equal(dns.stats().upstream.asked, 0);
  // Nobody listens at port 53 of this address, which refuses at once.
  writeFileSync(resolvConf, "nameserver 127.254.253.252\n");
  clock.advance(5000);
  assert.equal(await ask("two.example"), 2);
  assert.equal(dns.stats().upstream.asked, 4);
});

test("a server that is its own upstream asks nobody", async (context) => {
  const free = createSocket("udp4").bind(0, "127.0.0.1");
  await once(free, "listening");
  const at = `127.0.0.1:${free.address().port}`;
  free.close();
  await once(free, "close");
  const { dns } = await open({ listen: [at], upstream: [at] });
  context.after(() => dns.close());
  assert.equal(read((await askUdp(at, query("example.com", "A"))) as Buffer).rcode, 2);
  assert.equal(dns.stats().upstream.asked, 0);
});

test("addresses come and go while it runs, and a taken one is a problem until it is free", async (context) => {
  const holder = createSocket("udp4").bind(0, "127.0.0.1");
  await once(holder, "listening");
  const taken = `127.0.0.1:${holder.address().port}`;
  const { dns, at } = await open();
  context.after(() => dns.close());
  let problems: readonly Problem[] = [];
  dns.onProblems((list) => {
    problems = list;
  });
  dns.listen(["127.0.0.1:0", taken]);
  await until(() => problems.length === 1, 3000, "the problem");
  assert.deepEqual(problems, [{ code: "dns-not-listening", address: taken, detail: "EADDRINUSE" }]);
  assert.ok((await askUdp(at, query("web.mesh", "A"))) !== undefined, "the other one answers");
  holder.close();
  await until(() => problems.length === 0, 5000, "no problem");
  assert.ok((await askUdp(taken, query("web.mesh", "A"))) !== undefined);
  dns.listen([taken]);
  assert.deepEqual(dns.stats().listening, [taken]);
  assert.equal(await askUdp(at, query("web.mesh", "A"), 300), undefined);
});

test("a taken address at the start is a problem and does not keep the others from answering", async (context) => {
  const holder = createSocket("udp4").bind(0, "127.0.0.1");
  await once(holder, "listening");
  context.after(() => holder.close());
  const taken = `127.0.0.1:${holder.address().port}`;
  const { dns } = await open({ listen: [taken, "127.0.0.1:0"] });
  context.after(() => dns.close());
  const told: (readonly Problem[])[] = [];
  dns.onProblems((list) => told.push(list));
  assert.ok(told[0]?.some((problem) => JSON.stringify(problem).includes(taken)));
  await until(() => dns.stats().listening.length === 1, 5000, "the other one");
});

test("a problem is told once, however often it is tried again", async (context) => {
  const holder = createSocket("udp4").bind(0, "127.0.0.1");
  await once(holder, "listening");
  context.after(() => holder.close());
  const clock = new TestClock();
  const listen = [`127.0.0.1:${holder.address().port}`];
  const dns = await openDns({ listen, upstream: [], addressOf, clock });
  context.after(() => dns.close());
  const told: (readonly Problem[])[] = [];
  dns.onProblems((list) => told.push(list));
  for (let second = 0; second < 10; second++) {
    await until(() => clock.timers === 1, 5000, "the next try");
    clock.advance(1000);
  }
  assert.equal(told.length, 1);
  dns.listen([]);
  assert.deepEqual(told[1], []);
});

test("what is no address is refused at the start", async () => {
  const bad: Partial<DnsOptions>[] = [
    { listen: ["localhost:53"] },
    { upstream: ["dns.example"] },
    { recursion: ["10.0.0.0/64"] },
  ];
  for (const options of bad) {
    await assert.rejects(open(options), /no address/, JSON.stringify(options));
  }
});
