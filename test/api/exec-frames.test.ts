import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ExecFrame, ExecFrames, payloadBytesMax, writeFrames } from "../../api/exec-frames.ts";
import { OperationError } from "../../model/problem.ts";

const data = fc.uint8Array({ maxLength: 300 });
const cells = fc.integer({ min: 0, max: 0xffff });
const frame: fc.Arbitrary<ExecFrame> = fc.oneof(
  fc.record({ kind: fc.constantFrom("stdin", "stdout", "stderr"), data }),
  fc.constant({ kind: "stdin-end" as const }),
  fc.record({ kind: fc.constant("resize" as const), columns: cells, rows: cells }),
  fc.record({ kind: fc.constant("exit" as const), code: fc.integer({ min: -1, max: 255 }) }),
  fc.constant({ kind: "failure" as const, problems: [{ code: "node-down", node: "a" }] as const }),
) as fc.Arbitrary<ExecFrame>;

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

test("frames come out as they went in, however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
      const bytes = join(frames.flatMap(writeFrames));
      const reader = new ExecFrames();
      const read: ExecFrame[] = [];
      let at = 0;
      for (let turn = 0; at < bytes.length; turn++) {
        const length = cuts.length === 0 ? bytes.length : (cuts[turn % cuts.length] as number);
        read.push(...reader.read(bytes.subarray(at, at + length)));
        at += length;
      }
      assert.deepEqual(read.map(plain), frames.map(plain));
      assert.equal(reader.pendingBytes, 0);
    }),
  );
});

function plain(one: ExecFrame): unknown {
  return "data" in one ? { ...one, data: [...one.data] } : { ...one };
}

test("any bytes are frames, or refused, or waited for, and never kept without bound", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
      const reader = new ExecFrames();
      try {
        for (const chunk of chunks) {
          reader.read(chunk);
          assert.ok(reader.pendingBytes <= payloadBytesMax + 5);
        }
      } catch (error) {
        assert.ok(error instanceof OperationError);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a frame that announces more than it may is refused before it comes", () => {
  const header = new Uint8Array([0, 0, 1, 0, 1]);
  assert.throws(() => new ExecFrames().read(header), OperationError);
  assert.deepEqual(new ExecFrames().read(new Uint8Array([0, 0, 1, 0, 0])), []);
});

test("data longer than a frame is split, and nothing is lost", () => {
  const long = new Uint8Array(2.5 * payloadBytesMax).map((_, index) => index % 251);
  const frames = writeFrames({ kind: "stdout", data: long });
  assert.equal(frames.length, 3);
  const read = new ExecFrames().read(join(frames));
  const parts = read.map((one) => (one.kind === "stdout" ? one.data : new Uint8Array()));
  assert.equal(Buffer.compare(join(parts), long), 0);
});

test("problems larger than a frame are told as far as they fit", () => {
  const problem = { code: "exec-failed", task: "a", detail: "x".repeat(20_000) } as const;
  const many = Array.from({ length: 100 }, () => problem);
  const [read] = new ExecFrames().read(join(writeFrames({ kind: "failure", problems: many })));
  assert.ok(read?.kind === "failure" && read.problems.length > 0);
  const huge = [{ ...problem, detail: "x".repeat(200_000) }];
  const [one] = new ExecFrames().read(join(writeFrames({ kind: "failure", problems: huge })));
  assert.ok(one?.kind === "failure" && one.problems.length === 1);
});

test("a problem that this version does not know is told as it came", () => {
  const unknown = { code: "from-the-future", detail: "x" } as never;
  const bytes = join(writeFrames({ kind: "failure", problems: [unknown] }));
  const [read] = new ExecFrames().read(bytes);
  assert.ok(read?.kind === "failure");
  assert.match(JSON.stringify(read.problems), /request-invalid.*from-the-future/);
});
