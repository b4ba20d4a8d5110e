import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Gate } from "../../dns/gate.ts";
import { Stream, type StreamSocket } from "../../dns/stream.ts";
import { query } from "./packets.ts";
import { TestClock } from "./tables.ts";

class FakeSocket implements StreamSocket {
  written = Buffer.alloc(0);
  isFull = false;
  isPaused = false;
  state: "open" | "ended" | "destroyed" = "open";

  write(bytes: Buffer): boolean {
    assert.equal(this.state, "open", "nothing is written when all is over");
    this.written = Buffer.concat([this.written, bytes]);
    return !this.isFull;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  end(): void {
    this.state = "ended";
  }

  destroy(): void {
    this.state = "destroyed";
  }

  /** Ids of the replies written. */
  get ids(): number[] {
    const ids: number[] = [];
    for (let at = 0; at < this.written.length; at += 2 + this.written.readUInt16BE(at)) {
      ids.push(this.written.readUInt16BE(at + 2));
    }
    return ids;
  }
}

/** A stream whose questions are answered by themselves: at once, or when the test says so. */
function scene(options: { readonly later?: boolean; readonly mayServe?: () => boolean } = {}) {
  const [clock, socket] = [new TestClock(), new FakeSocket()];
  const waiting: (() => void)[] = [];
  const stream = new Stream({
    socket,
    clock,
    mayServe: options.mayServe ?? (() => true),
    serve: (message, send) => {
      const reply = Buffer.from(message);
      if (options.later === true) waiting.push(() => send(reply));
      else send(reply);
    },
  });
  return { clock, socket, stream, waiting };
}

function framed(id: number): Buffer {
  const message = query("web.mesh", "A", { id });
  return Buffer.concat([Buffer.from([0, message.length]), message]);
}

function many(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, id) => framed(id)));
}

const upTo = (count: number) => Array.from({ length: count }, (_, id) => id);

test("messages are found however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (cuts) => {
      const { socket, stream } = scene();
      const bytes = many(5);
      for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const end = at + (cuts[turn % cuts.length] as number);
        stream.received(bytes.subarray(at, end));
        at = end;
      }
      assert.deepEqual(socket.ids, upTo(5));
    }),
  );
});

test("thousands in a row are all answered in order, a turn at a time", () => {
  const { clock, socket, stream } = scene();
  stream.received(many(2000));
  assert.equal(socket.ids.length, 64, "the first turn");
  assert.equal(socket.isPaused, true);
  clock.advance(0);
  assert.deepEqual(socket.ids, upTo(2000));
  assert.equal(socket.isPaused, false);
});

test("a client has sixteen questions in flight and is not read meanwhile", () => {
  const { socket, stream, waiting } = scene({ later: true });
  stream.received(many(40));
  assert.equal(waiting.length, 16);
  assert.equal(socket.isPaused, true);
  // Answers go out as they come, in any order.
  waiting[15]?.();
  assert.deepEqual(socket.ids, [15]);
  assert.equal(waiting.length, 17);
  for (let next = 0; next < waiting.length; next++) if (next !== 15) waiting[next]?.();
  assert.equal(socket.ids.length, 40);
  assert.equal(socket.isPaused, false);
});

test("a client that does not read is not served, and then cut off", () => {
  const { clock, socket, stream } = scene();
  socket.isFull = true;
  stream.received(many(40));
  assert.equal(socket.ids.length, 1);
  assert.equal(socket.isPaused, true);
  clock.advance(4000);
  socket.isFull = false;
  stream.drained();
  assert.equal(socket.ids.length, 40);
  socket.isFull = true;
  stream.received(framed(1));
  clock.advance(6001);
  assert.equal(socket.state, "destroyed");
  assert.equal(clock.timers, 0);
});

test("a client that asks too fast is read slower, and loses nothing", () => {
  let tokens = 10;
  const mayServe = () => tokens-- > 0;
  const { clock, socket, stream } = scene({ mayServe });
  stream.received(many(25));
  assert.equal(socket.ids.length, 10);
  assert.equal(socket.isPaused, true);
  tokens = 10;
  clock.advance(50);
  assert.equal(socket.ids.length, 20);
  tokens = 10;
  clock.advance(50);
  assert.deepEqual(socket.ids, upTo(25));
});

// Lengths that no query has end the connection at once.
for (const length of [0, 1, 11, 4097, 65_535]) {
  test(`a message of ${length} bytes ends the connection before it comes`, () => {
    const { clock, socket, stream } = scene();
    stream.received(Buffer.from([length >> 8, length & 255]));
    assert.equal(socket.state, "destroyed");
    stream.received(many(3));
    assert.equal(socket.ids.length, 0);
    assert.equal(clock.timers, 0);
  });
}

test("doing nothing ends after ten seconds, and after the last answer as well", () => {
  const { clock, socket, stream } = scene();
  clock.advance(9000);
  stream.received(framed(1));
  clock.advance(9000);
  assert.equal(socket.state, "open");
  clock.advance(2001);
  assert.equal(socket.state, "destroyed");
});

test("half a message ends after five seconds, however slowly bytes trickle in", () => {
  const { clock, socket, stream } = scene();
  const bytes = framed(1);
  for (let at = 0; at < bytes.length && socket.state === "open"; at++) {
    stream.received(bytes.subarray(at, at + 1));
    clock.advance(1000);
  }
  assert.equal(socket.state, "destroyed");
  assert.ok(clock.monotonicMs() <= 1000 + 7000, `${clock.monotonicMs()}`);
});

test("a slow answer of ours does not end the connection", () => {
  const { clock, socket, stream, waiting } = scene({ later: true });
  stream.received(framed(1));
  clock.advance(60_000);
  assert.equal(socket.state, "open");
  waiting[0]?.();
  assert.deepEqual(socket.ids, [1]);
});

test("a client that only sends its end gets its answers, then ours", () => {
  const { clock, socket, stream, waiting } = scene({ later: true });
  stream.received(many(20));
  stream.received(framed(99).subarray(0, 5));
  stream.ended();
  assert.equal(socket.state, "open");
  for (let next = 0; next < waiting.length; next++) waiting[next]?.();
  assert.equal(socket.ids.length, 20);
  assert.equal(socket.state, "ended");
  clock.advance(6001);
  assert.equal(socket.state, "destroyed", "it never took our end");
});

test("an answer after the client has gone is let go", () => {
  const { clock, socket, stream, waiting } = scene({ later: true });
  stream.received(many(20));
  stream.closed();
  for (let next = 0; next < waiting.length; next++) waiting[next]?.();
  assert.deepEqual([socket.ids.length, waiting.length, clock.timers], [0, 16, 0]);
});

test("any bytes in any order of events leave bounded state and no timer behind", () => {
  const event = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.constant(many(3)),
    fc.constantFrom("drained", "ended", "answer", "second", "full"),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const { clock, socket, stream, waiting } = scene({ later: true });
      for (const happening of events) {
        if (socket.state === "destroyed") break;
        if (typeof happening !== "string") {
          if (!socket.isPaused) stream.received(Buffer.from(happening));
        } else if (happening === "drained") {
          socket.isFull = false;
          stream.drained();
        } else if (happening === "ended") stream.ended();
        else if (happening === "answer") waiting.shift()?.();
        else if (happening === "second") clock.advance(1000);
        else socket.isFull = true;
        assert.ok(waiting.length <= 16);
      }
      stream.closed();
      assert.equal(clock.timers, 0);
    }),
  );
});

test("the gate lets in so many of one client, so many in all, and so many a second", () => {
  const clock = new TestClock();
  const gate = new Gate(clock);
  const mine = Array.from({ length: 100 }, () => gate.admit("10.0.0.1"));
  assert.equal(mine.filter((release) => release !== undefined).length, 64);
  for (let client = 2; client < 300; client++) gate.admit(`10.0.0.${client}`);
  assert.equal(gate.open, 256);
  for (const release of mine) release?.();
  assert.equal(gate.open, 192);
  // 5,000 tokens, ten a connection: opening and closing in a circle ends as well.
  let admitted = 0;
  for (let turn = 0; turn < 1000; turn++) {
    const release = gate.admit("10.0.9.9");
    if (release !== undefined) admitted++;
    release?.();
  }
  assert.equal(admitted, 500);
  assert.equal(gate.maySend("10.0.9.9"), false);
  clock.advance(1000);
  assert.equal(gate.maySend("10.0.9.9"), true);
});
