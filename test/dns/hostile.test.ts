import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { type Dns, openDns } from "../../dns/server.ts";
import { findCommand } from "../prepare.ts";
import { until } from "../until.ts";
import { askUdp, frame, placeOf, TcpClient } from "./clients.ts";
import { mutate, pointerBomb } from "./mutations.ts";
import { query, read } from "./packets.ts";
import { addressOf, seeded, TestClock, table } from "./tables.ts";

const asked = query("web.mesh", "A");

async function open(clock?: TestClock): Promise<{ dns: Dns; at: string }> {
  const options = { listen: ["127.0.0.1:0"], upstream: [], addressOf };
  const dns = await openDns(clock === undefined ? options : { ...options, clock });
  const endpoints = Array.from({ length: 100 }, (_, n) => `${n + 1}@10.0.1.${n}`).join(" ");
  dns.install(table(`default/web: 1@10.0.0.1\ndefault/big: ${endpoints}`));
  const at = await until(
    () => {
      clock?.advance(1000);
      return dns.stats().listening[0];
    },
    5000,
    "an address that answers",
  );
  return { dns, at };
}

/** The server answers as ever, and no message found a bug. */
async function assertWell(dns: Dns, at: string): Promise<void> {
  const reply = await askUdp(at, asked);
  assert.ok(reply !== undefined, "an answer");
  assert.deepEqual(read(reply).answers, ["web.mesh 1 A 10.0.0.1"]);
  assert.equal(dns.stats().faults, 0);
}

describe("a server under attack answers on", () => {
  let dns: Dns;
  let at: string;
  before(async () => {
    ({ dns, at } = await open());
  });
  after(() => dns.close());

  test("through 5,000 broken datagrams", async () => {
    const { host, port } = placeOf(at);
    const random = seeded(7);
    const socket = createSocket("udp4");
    const before = dns.stats().answers.queries;
    for (let n = 0; n < 5000; n++) {
      socket.send(mutate(random), port, host);
      // As fast as they are taken: a receive buffer that overflows would hide them.
      if (n % 50 === 49) {
        await until(() => dns.stats().answers.queries - before > n - 50, 5000, "they are read");
      }
    }
    await until(() => dns.stats().answers.queries - before >= 5000, 5000, "all are read");
    socket.close();
    await assertWell(dns, at);
  });

  test("through datagrams of 65,507 bytes that would keep a parser for seconds", async () => {
    const { host, port } = placeOf(at);
    const socket = createSocket("udp4");
    for (let n = 0; n < 20; n++) socket.send(pointerBomb(65_507), port, host);
    const begin = performance.now();
    await assertWell(dns, at);
    assert.ok(performance.now() - begin < 1000, "at once");
    socket.close();
  });

  const canForge = process.getuid?.() === 0 && findCommand("perl") !== undefined;
  const forging = { skip: !canForge && "raw sockets need root, and perl to open them" };
  test("through a datagram from port 0, to which nothing can be sent", forging, async () => {
    const { port } = placeOf(at);
    const before = dns.stats().answers.queries;
    // A UDP header by hand: source port 0, no checksum.
    const script = `use Socket; socket(my $s, PF_INET, SOCK_RAW, 17) or die $!;
      my $q = pack("H*", "${asked.toString("hex")}");
      my $d = pack("n4", 0, ${port}, 8 + length $q, 0) . $q;
      send($s, $d, 0, pack_sockaddr_in(0, inet_aton("127.0.0.1"))) or die $!;`;
    const { status, stderr } = spawnSync("perl", ["-e", script], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
    await assertWell(dns, at);
    assert.equal(dns.stats().answers.queries, before + 1, "it was dropped before it was read");
  });

  test("through connections that send rubbish", async () => {
    const random = seeded(8);
    const clients = Array.from({ length: 60 }, () => new TcpClient(at));
    for (const client of clients) {
      for (let n = 0; n < 5; n++) client.socket.write(mutate(random));
      client.socket.end();
    }
    await until(() => clients.every(({ isClosed }) => isClosed), 10_000, "all are closed");
    await until(() => dns.stats().connections === 0, 5000, "none is left");
    await assertWell(dns, at);
  });

  test("through connections of one client without end, of which it takes 64", async () => {
    const clients = Array.from({ length: 100 }, () => new TcpClient(at));
    await until(() => clients.filter(({ isClosed }) => isClosed).length === 36, 5000, "36 refused");
    assert.equal(dns.stats().connections, 64);
    await assertWell(dns, at);
    for (const { socket } of clients) socket.destroy();
    await until(() => dns.stats().connections === 0, 5000, "none is left");
  });

  test("through a client that asks for much and reads nothing", async () => {
    const client = new TcpClient(at);
    await once(client.socket, "connect");
    client.socket.pause();
    const block = Buffer.concat(new Array(500).fill(frame(query("big.mesh", "A"))));
    let isFull = false;
    for (let n = 0; n < 400 && !isFull; n++) {
      isFull = !client.socket.write(block) && client.socket.writableLength > 4 * block.length;
      await new Promise((resolve) => setImmediate(resolve));
      if (n % 20 === 0) await assertWell(dns, at);
    }
    assert.ok(isFull, "it is no longer read");
    client.socket.destroy();
    await until(() => dns.stats().connections === 0, 5000, "it is gone");
  });
});

test("2,000 questions in one go are answered in order", async (context) => {
  const { dns, at } = await open();
  context.after(() => dns.close());
  const client = new TcpClient(at);
  const ids = Array.from({ length: 2000 }, (_, id) => id);
  client.socket.write(Buffer.concat(ids.map((id) => frame(query("web.mesh", "A", { id })))));
  const messages = await client.receive(2000);
  assert.deepEqual(
    messages.map((message) => message.readUInt16BE(0)),
    ids,
  );
  client.socket.destroy();
});

test("a question and then the end gets its answer and then our end", async (context) => {
  const { dns, at } = await open();
  context.after(() => dns.close());
  const client = new TcpClient(at);
  client.socket.end(frame(asked));
  assert.equal(read((await client.receive(1))[0] as Buffer).rcode, 0);
  await until(() => client.isClosed, 5000, "the end");
});

// What a client sends, and when it is cut off in the server's time, ms.
const slow: [name: string, bytes: Buffer, cutMs: number][] = [
  ["nothing", Buffer.alloc(0), 10_000],
  ["half a length", Buffer.from([0]), 5000],
  ["a length alone", Buffer.from([0, 30]), 5000],
  ["half a question", frame(asked).subarray(0, 20), 5000],
  ["a length of 65,535", Buffer.from([0xff, 0xff]), 0],
  ["a length of 0", Buffer.from([0, 0]), 0],
];

for (const [name, bytes, cutMs] of slow) {
  test(`a client that sends ${name} is cut off after ${cutMs} ms`, async (context) => {
    const clock = new TestClock();
    const { dns, at } = await open(clock);
    context.after(() => dns.close());
    const client = new TcpClient(at);
    await until(() => dns.stats().connections === 1, 5000, "the connection");
    client.socket.write(bytes);
    if (cutMs > 0) {
      // Another client's answer shows that the server has turned since.
      await assertWell(dns, at);
      clock.advance(cutMs - 1001);
      await assertWell(dns, at);
      assert.equal(dns.stats().connections, 1);
      // A deadline is looked at once a second.
      await until(() => {
        clock.advance(500);
        return dns.stats().connections === 0;
      }, 5000);
    }
    await until(() => dns.stats().connections === 0 && client.isClosed, 5000, "the end");
  });
}

test("a message that finds a bug gets no answer, is counted, and stops nothing", async (context) => {
  const lines: string[] = [];
  const dns = await openDns({
    listen: ["127.0.0.1:0"],
    upstream: [],
    addressOf: () => {
      throw new Error("a bug");
    },
    log: (line) => lines.push(line),
  });
  context.after(() => dns.close());
  dns.install(table("default/web: 1@10.0.0.1\ndefault/bad: 1@n2:127.0.0.1"));
  const at = await until(() => dns.stats().listening[0], 5000, "an address that answers");
  for (let n = 0; n < 30; n++)
    assert.equal(await askUdp(at, query("bad.mesh", "A"), 20), undefined);
  assert.ok((await askUdp(at, asked)) !== undefined);
  assert.equal(dns.stats().faults, 30);
  assert.equal(lines.length, 10, "and does not fill the log");
});

test("closing ends connections, and the process has nothing left to wait for", async () => {
  const { dns, at } = await open();
  const client = new TcpClient(at);
  await until(() => dns.stats().connections === 1, 5000, "the connection");
  dns.close();
  await until(() => client.isClosed, 5000, "the end");
  await until(() => dns.stats().connections === 0, 5000, "none is left");
  assert.deepEqual(dns.stats().listening, []);
  assert.equal(await askUdp(at, asked, 300), undefined);
});
