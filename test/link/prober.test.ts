import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ProbeFrame, ProbeSeal, probeName } from "../../link/probe-frames.ts";
import { probeTimes } from "../../link/probe-watch.ts";
import { openProbes, type Prober, type ProberOptions } from "../../link/prober.ts";
import type { NodeId } from "../../model/ids.ts";
import { OperationError } from "../../model/problem.ts";
import type { ProbeTarget, ProbeVerdict } from "../../ports.ts";
import { agreements } from "../../trust/agreement.ts";
import { type Identity, identityFromSeed } from "../../trust/identity.ts";
import { until } from "../until.ts";

const secret = new Uint8Array(32).fill(7);
const open: { close(): unknown }[] = [];
const beating = setInterval(() => {
  for (const { prober } of nodes) prober.beat();
}, 100);
after(async () => {
  clearInterval(beating);
  await Promise.all(open.map((one) => one.close()));
});

class TestNode {
  readonly id: NodeId;
  readonly prober: Prober;
  readonly verdicts: (ProbeVerdict & { readonly atMs: number })[] = [];

  constructor(id: NodeId, prober: Prober) {
    this.id = id;
    this.prober = prober;
    prober.onVerdict((verdict) => this.verdicts.push({ ...verdict, atMs: performance.now() }));
  }

  /** Resolves when the newest verdict is that one. */
  async says(state: ProbeVerdict["state"], deadlineMs = 5_000): Promise<ProbeVerdict> {
    const reached = () => this.verdicts.at(-1)?.state === state;
    await until(reached, deadlineMs, `${this.id} saying ${state}`);
    return this.verdicts.at(-1) as ProbeVerdict;
  }

  target(port = this.prober.port, host = "/ip4/127.0.0.1"): ProbeTarget {
    return { node: this.id, addresses: [`${host}/tcp/7946`], port };
  }
}

const nodes: TestNode[] = [];

/** The same for the same name. */
function identityOf(name: string): Identity {
  return identityFromSeed(createHash("sha256").update(name).digest());
}

/** Seals as a node of that name, or as one that only says that it is `claimed`. */
function sealer(name: string, claimed = name) {
  const { seed, publicKey } = identityOf(name);
  const seal = new ProbeSeal(secret, () => randomBytes(8));
  const agree = agreements({ seed, publicKey, secret, context: "shoal/probe-proof/1" });
  const from = probeName(identityOf(claimed).id as NodeId) as string;
  return (to: string, frame: Omit<ProbeFrame, "from" | "to">): Uint8Array => {
    const key = agree(Buffer.from(to, "hex")) ?? assert.fail();
    return seal.seal({ ...frame, from, to }, key);
  };
}

async function startNode(name: string, options: Partial<ProberOptions> = {}): Promise<TestNode> {
  const bind = { address: "127.0.0.1", port: 0 };
  const identity = identityOf(name);
  const prober = await openProbes({ secret, identity, bind, ...options });
  open.push(prober);
  const node = new TestNode(identity.id as NodeId, prober);
  nodes.push(node);
  return node;
}

async function startSocket(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  let isOpen = true;
  socket.once("close", () => {
    isOpen = false;
  });
  open.push({ close: () => isOpen && socket.close() });
  return { socket, port: socket.address().port };
}

test("a member that answers is reachable, and unreachable within 1.5 s of its end", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  const { rttMs } = await near.says("reachable");
  assert.ok(rttMs > 0 && rttMs < 500, `${rttMs} ms`);
  const endMs = performance.now();
  await far.prober.close();
  await near.says("unreachable");
  const seenMs = (near.verdicts.at(-1)?.atMs ?? 0) - endMs;
  assert.ok(seenMs < 1_500, `${seenMs} ms`);
});

test("both families, by one socket", async () => {
  const near = await startNode("near", { bind: { address: "::", port: 0 } });
  const far = await startNode("far", { bind: { address: "::", port: 0 } });
  const old = await startNode("old");
  near.prober.observe([far.target(undefined, "/ip6/::1"), old.target()]);
  // Where the kernel has no IPv6, the one of IPv4 is reached all the same.
  const hasIpv6 = networkInterfaces().lo?.some(({ address }) => address === "::1") === true;
  const wanted = hasIpv6 ? [far.id, old.id] : [old.id];
  await until(
    () => {
      const reached = near.verdicts.filter(({ state }) => state === "reachable");
      return wanted.every((id) => reached.some(({ node }) => node === id));
    },
    5_000,
    "every member being reachable",
  );
});

test("a hastened member that is dead is unreachable at once", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  await near.says("reachable");
  await far.prober.close();
  const startMs = performance.now();
  near.prober.hasten(far.id);
  await near.says("unreachable");
  const seenMs = (near.verdicts.at(-1)?.atMs ?? 0) - startMs;
  assert.ok(seenMs < 500, `${seenMs} ms`);
});

test("a member whose main thread is blocked answers as fast as ever, and is hung in the end", async () => {
  const script = fileURLToPath(new URL("./probed-process.ts", import.meta.url));
  const { id, seed } = identityOf("far");
  const arguments_ = [seed, secret].map((bytes) => Buffer.from(bytes).toString("hex"));
  const child = fork(script, arguments_, {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  open.push({ close: () => child.kill("SIGKILL") });
  const [port] = (await once(child, "message")) as [number];
  const near = await startNode("near");
  near.prober.observe([{ node: id as NodeId, addresses: ["/ip4/127.0.0.1/tcp/1"], port }]);
  await near.says("reachable");
  const blockedMs = performance.now();
  child.send(4_500);
  const hung = await near.says("hung", 6_000);
  const afterMs = performance.now() - blockedMs;
  assert.ok(afterMs > 2_800 && afterMs < 4_500, `hung after ${afterMs} ms`);
  assert.ok(hung.rttMs < 20, `${hung.rttMs} ms`);
  assert.deepEqual(
    new Set(near.verdicts.map(({ state }) => state)),
    new Set(["reachable", "hung"]),
  );
  await near.says("reachable", 4_000);
});

test("a blocked main thread of our own finds the newest verdict of each, not all of them", async () => {
  const times = { ...probeTimes, intervalMs: 10, refreshMs: 20 };
  const near = await startNode("near", { times });
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  await near.says("reachable");
  const before = near.verdicts.length;
  // Some eighty verdicts fall due meanwhile.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  const wokeMs = performance.now();
  await until(() => performance.now() - wokeMs > 200, 5_000);
  const later = near.verdicts.slice(before);
  assert.ok(later.length > 0 && later.length < 30, `${later.length} verdicts`);
});

test("a node of another mesh is unreachable, and answers nothing", async () => {
  const near = await startNode("near");
  const far = await startNode("far", { secret: new Uint8Array(32).fill(8) });
  near.prober.observe([far.target()]);
  await near.says("unreachable");
  assert.ok(far.prober.stats().unsealed >= 3);
  assert.equal(far.prober.stats().probesAnswered, 0);
  assert.equal(near.prober.stats().answersTaken, 0);
});

test("another node's answers, and old ones said again, do not make a dead one reachable", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  const other = await startNode("other");
  const { socket, port } = await startSocket();
  const recorded: Buffer[] = [];
  let nearPort = 0;
  let to = far.prober.port;
  socket.on("message", (datagram, from) => {
    if (from.port === far.prober.port) {
      recorded.push(datagram);
      socket.send(datagram, nearPort, "127.0.0.1");
    } else {
      nearPort = from.port;
      socket.send(datagram, to, "127.0.0.1");
      if (to === far.prober.port) return;
      for (const old of recorded) socket.send(old, nearPort, "127.0.0.1");
    }
  });
  near.prober.observe([far.target(port)]);
  await near.says("reachable");
  await until(() => recorded.length > 5, 5_000, "answers to record");
  to = other.prober.port;
  await far.prober.close();
  await near.says("unreachable");
  await until(() => other.prober.stats().strays > 5, 5_000, "probes for somebody else");
  assert.ok(near.prober.stats().replayed > 20);
  assert.equal(near.verdicts.at(-1)?.state, "unreachable");
});

test("ten thousand hostile datagrams are counted, and the one that is real answered once", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  await near.says("reachable");
  const { socket } = await startSocket();
  let answers = 0;
  socket.on("message", () => answers++);
  const seal = sealer("x");
  const probe = { kind: "probe", sequence: 1, lagMs: 0 } as const;
  const [toFar, toOther] = [far.id, identityOf("y").id].map((id) => probeName(id as NodeId) ?? "");
  const real = seal(toFar as string, probe);
  const hostile = (index: number): Uint8Array => {
    if (index % 4 === 0) return randomBytes(index % 1_400);
    if (index % 4 === 1) return real;
    if (index % 4 === 2) return seal(toOther as string, probe);
    const flipped = Uint8Array.from(real);
    const at = index % real.length;
    flipped[at] = (flipped[at] as number) ^ (1 + (index % 255));
    return flipped;
  };
  const counted = () => {
    const { unsealed, strays, replayed } = far.prober.stats();
    return unsealed + strays + replayed + answers;
  };
  for (let sent = 0; sent < 10_000; sent += 100) {
    for (let index = sent; index < sent + 100; index++) {
      socket.send(hostile(index), far.prober.port, "127.0.0.1");
    }
    await until(() => counted() >= sent + 100, 5_000, `${sent + 100} datagrams being counted`);
  }
  const { unsealed, strays, replayed, restarts } = far.prober.stats();
  assert.deepEqual(
    { unsealed, strays, replayed, answers, restarts },
    { unsealed: 5_000, strays: 2_500, replayed: 2_499, answers: 1, restarts: 0 },
  );
  assert.deepEqual(new Set(near.verdicts.map(({ state }) => state)), new Set(["reachable"]));
});

test("whoever holds the mesh's secret alone can neither answer for a node nor probe as one", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  const { socket, port } = await startSocket();
  const forge = sealer("an invite's holder", "far");
  const claim = sealer("an invite's holder");
  const toNear = probeName(near.id) as string;
  let asked = 0;
  socket.on("message", (_, from) => {
    // Sequence numbers are sealed in the probe; a holder of the secret reads them.
    const reader = new ProbeSeal(secret, () => randomBytes(8));
    const { sequence = 0 } = reader.open(_) ?? {};
    asked++;
    for (const make of [forge, claim]) {
      socket.send(make(toNear, { kind: "answer", sequence, lagMs: 0 }), from.port, "127.0.0.1");
      socket.send(make(toNear, { kind: "probe", sequence, lagMs: 0 }), from.port, "127.0.0.1");
    }
  });
  near.prober.observe([far.target(port)]);
  await near.says("unreachable");
  const { unproven, answersTaken } = near.prober.stats();
  assert.ok(asked >= 3 && unproven >= 6, `${asked} asked, ${unproven} unproven`);
  assert.equal(answersTaken, 0);
  assert.deepEqual(new Set(near.verdicts.map(({ state }) => state)), new Set(["unreachable"]));
});

test("ever new names cost a bounded number of keys, and a member is answered meanwhile", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  far.prober.observe([near.target()]);
  await far.says("reachable");
  const { socket } = await startSocket();
  const to = probeName(near.id) as string;
  const answeredBefore = near.prober.stats().probesAnswered;
  const counted = () => {
    const { probesAnswered, unproven } = near.prober.stats();
    return probesAnswered - answeredBefore + unproven;
  };
  for (let sent = 0; sent < 1_000; sent++) {
    const stranger = sealer(`stranger ${sent}`);
    socket.send(stranger(to, { kind: "probe", sequence: 1, lagMs: 0 }), near.prober.port);
    if (sent % 100 === 99) await until(() => counted() >= sent, 5_000, "all being counted");
  }
  assert.ok(near.prober.stats().unproven >= 300, `${near.prober.stats().unproven} turned away`);
  assert.deepEqual(new Set(far.verdicts.map(({ state }) => state)), new Set(["reachable"]));
});

test("a member that moved to another port is followed by its own probes", async () => {
  const near = await startNode("near");
  const far = await startNode("far");
  near.prober.observe([far.target()]);
  far.prober.observe([near.target()]);
  await near.says("reachable");
  await far.prober.close();
  await near.says("unreachable");
  const moved = await startNode("far");
  moved.prober.observe([near.target()]);
  await near.says("reachable");
  await moved.says("reachable");
});

test("a worker that dies is started again, on its port and with the newest targets", async () => {
  const warnings: string[] = [];
  const near = await startNode("near", { log: { warn: (event) => warnings.push(event) } });
  const far = await startNode("far");
  const { port } = near.prober;
  near.prober.observe([null as never]);
  near.prober.observe([far.target()]);
  await near.says("reachable");
  assert.equal(near.prober.stats().restarts, 1);
  assert.equal(near.prober.port, port);
  assert.deepEqual(warnings, ["prober-failed"]);
  far.prober.observe([near.target()]);
  await far.says("reachable");
});

test("a port that is taken is a problem that names it", async () => {
  const { port } = await startSocket();
  await assert.rejects(startNode("late", { bind: { address: "127.0.0.1", port } }), (error) => {
    assert.ok(error instanceof OperationError);
    const [problem] = error.problems;
    return problem?.code === "port-in-use" && problem.port === port && problem.protocol === "udp";
  });
  await assert.rejects(
    startNode("nowhere", { bind: { address: "203.0.113.1", port: 0 } }),
    OperationError,
  );
});
