import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Ears, Exchange } from "../../dns/forwarder.ts";
import { type Place, parsePlace } from "../../dns/place.ts";
import { mutate, pointerBomb } from "./mutations.ts";
import { query, questionEnd, read, replyTo, soaData } from "./packets.ts";
import { meshServer, seeded } from "./tables.ts";

/** Of a failing run, to be put here and run again. */
const seed = Number(process.env.SHOAL_SEED ?? 20260726);

const services = `default/web 80/tcp: 1@10.0.0.1 2@10.0.0.2
  default/big 80/tcp: ${Array.from({ length: 100 }, (_, n) => `${n + 1}@10.0.1.${n}`).join(" ")}`;

test("100,000 hostile packets are answered rightly or not at all, and nothing grows", () => {
  const random = seeded(seed);
  const server = meshServer(services, { servers: [], random });
  const tally = new Map<string, number>();
  let heapBefore = 0;
  for (let n = 0; n < 100_000; n++) {
    const packet = mutate(random);
    const context = () => `seed ${seed}, packet ${n}: ${packet.toString("hex").slice(0, 400)}`;
    // Time goes on, so that limits do not hide the work.
    server.clock.advance(5);
    const overTcp = n % 2 === 0;
    let reply: Buffer | undefined;
    try {
      reply = server.ask(packet, { overTcp });
      const outcome = reply === undefined ? "silence" : judge(packet, reply, overTcp);
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
    } catch (error) {
      throw new Error(context(), { cause: error });
    }
    if (n === 20_000) heapBefore = heapBytes();
  }
  const grown = heapBytes() - heapBefore;
  assert.ok(grown < 8 * 1024 * 1024, `the heap grew by ${grown} bytes`);
  // Every way out was taken, many times.
  for (const outcome of ["silence", "0", "1", "2", "3", "4", "5"]) {
    assert.ok((tally.get(outcome) ?? 0) > 100, `${outcome}: ${JSON.stringify([...tally])}`);
  }
});

/** What must hold of any reply to any packet. Returns its code. */
function judge(packet: Buffer, reply: Buffer, overTcp: boolean): string {
  const { id, flags, rcode, question, edns } = read(reply);
  assert.equal(id, packet.readUInt16BE(0));
  assert.equal((packet[2] as number) & 0x80, 0, "a response is never answered");
  assert.match(flags, /^qr/);
  assert.ok(reply.length <= (overTcp ? 65_535 : 1232));
  assert.equal((reply[2] as number) & 0x78, (packet[2] as number) & 0x78, "the opcode");
  if (question === "") assert.ok(rcode === 1 || rcode === 4, `code ${rcode} without a question`);
  else {
    const end = questionEnd(packet);
    assert.ok(reply.subarray(12, end).equals(packet.subarray(12, end)), "the question as it was");
  }
  if (rcode === 0 && edns === "") assert.equal(packet.readUInt16BE(10), 0, "EDNS for EDNS");
  if (!overTcp && edns === "") assert.ok(reply.length <= 512);
  return `${rcode}`;
}

test("40,000 hostile replies from upstream reach a client well formed or not at all", () => {
  const random = seeded(seed + 1);
  const upstream = new Puppet();
  const servers = [parsePlace("10.0.0.1") as Place];
  const server = meshServer(services, { exchange: upstream, servers, random });
  const client = { address: "127.0.0.1", overTcp: true };
  let [answered, passed] = [0, 0];
  for (let n = 0; n < 40_000; n++) {
    server.clock.advance(100);
    const asked = query(`${n}.example`, "A");
    server.answerer.serve(asked, client, (reply) => {
      answered++;
      const outline = outlineOf(reply);
      assert.equal(outline.id, 0x1234);
      if (outline.rcode === 0) passed++;
    });
    // A right reply spoilt, so that many still have the right id and question.
    for (let turn = 0; turn < 3 && upstream.ears !== undefined; turn++) {
      const right = replyTo(upstream.message, {
        answers: [{ type: 1, ttl: 1 + (n % 9), data: Buffer.from([192, 0, 2, 1]) }],
        authorities: [{ type: 6, ttl: 60, data: soaData(30) }],
        additionals: [{ type: 41, ttl: 0, data: Buffer.alloc(0), owner: Buffer.from([0]) }],
      });
      upstream.ears.reply(mutate(random, [right]));
    }
    if (upstream.ears !== undefined) server.clock.advance(10_000);
  }
  assert.equal(answered, 40_000);
  assert.ok(passed > 10_000, `${passed} passed`);
  assert.equal(server.forwarder.stats().inFlight, 0);
});

/** Upstream in the test's hand: `ears` is set while a question is open. */
class Puppet implements Exchange {
  ears: Ears | undefined;
  message = Buffer.alloc(0);

  open(_server: Place, _protocol: string, message: Buffer, ears: Ears) {
    this.ears = ears;
    this.message = Buffer.from(message);
    return {
      close: () => {
        if (this.ears === ears) this.ears = undefined;
      },
    };
  }
}

/** The frame of a reply: names within records are upstream's and are passed on as they came. */
function outlineOf(reply: Buffer): { id: number; rcode: number } {
  let at = questionEnd(reply);
  const counts = [6, 8, 10].map((offset) => reply.readUInt16BE(offset));
  for (let left = counts.reduce((sum, count) => sum + count); left > 0; left--) {
    while ((reply[at] as number) > 0 && (reply[at] as number) < 0xc0)
      at += 1 + (reply[at] as number);
    at += (reply[at] as number) >= 0xc0 ? 2 : 1;
    at += 10 + reply.readUInt16BE(at + 8);
  }
  assert.equal(at, reply.length, "records that fill the reply");
  return { id: reply.readUInt16BE(0), rcode: (reply[3] as number) & 15 };
}

test("a packet that keeps a recursive parser for seconds is nothing to us", () => {
  const server = meshServer(services);
  for (const size of [512, 1472, 4096, 16_384, 65_507]) {
    const bomb = pointerBomb(size);
    const begin = performance.now();
    for (let n = 0; n < 100; n++) assert.equal(read(server.ask(bomb) as Buffer).rcode, 1);
    const eachMs = (performance.now() - begin) / 100;
    assert.ok(eachMs < 5, `${size} bytes took ${eachMs} ms`);
  }
});

/** After collecting what is not reachable. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
