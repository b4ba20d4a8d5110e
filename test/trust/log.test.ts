import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hex } from "../../crdt/hash.ts";
import { type Fact, writeFact } from "../../trust/facts.ts";
import { verify } from "../../trust/identity.ts";
import { TrustLog } from "../../trust/log.ts";
import { lines, stories } from "./stories.ts";
import { facts, founded, key, logOf, logOfBytes, mesh, standing } from "./story.ts";

for (const [what, story, expected] of stories) {
  test(`trust: ${what}`, () => {
    assert.equal(standing(logOf(lines(story)).view()), expected);
  });
}

test("whatever the order of arrival, and however often, equal facts mean the same", () => {
  for (const [what, story] of stories) {
    const all = [...founded.facts, ...facts(lines(story)).map(({ bytes }) => bytes)];
    const plain = logOfBytes(all);
    const shuffled = fc.shuffledSubarray(all, { minLength: all.length });
    fc.assert(
      fc.property(shuffled, fc.array(fc.constantFrom(...all)), (order, repeats) => {
        const log = logOfBytes([...repeats, ...order]);
        assert.deepEqual(log.digest(), plain.digest());
        assert.deepEqual(saying(log), saying(plain), what);
      }),
      { numRuns: 5 },
    );
  }
});

/** Everything a view says, as data. */
function saying(log: TrustLog): unknown {
  const { nodes, people, invites, revoked, everWriters, name } = log.view();
  const writers = [...everWriters].sort();
  return { nodes, people, invites, revoked, writers, name };
}

const anyLine = fc.record({
  time: fc.nat(40),
  who: fc.constantFrom("ada", "ben", "cleo", "i", "j", "n0", "n1"),
  verb: fc.constantFrom(
    "grants",
    "grants",
    "admits",
    "revokes",
    "invites",
    "invites",
    "brings",
    "brings",
    "brings",
  ),
  whom: fc.constantFrom("ada", "ben", "cleo", "i", "j", "n0", "n1", "n2"),
  person: fc.constantFrom("admin", "admin", "operator", "viewer"),
  role: fc.constantFrom("admin", "operator", "viewer", "peer", "peer", "runner"),
  rest: fc.constantFrom("", "until 20 uses 2", "from 15", "via n1", "uses 2"),
});
const anyStory = fc.array(anyLine, { minLength: 1, maxLength: 25, size: "max" }).map((all) =>
  all.map(({ time, who, verb, whom, person, role, rest }) => {
    const invites = verb === "invites" ? (whom < "k" && whom >= "i" ? whom : "i") : whom;
    const by = verb === "brings" ? (who < "k" && who >= "i" ? who : "i") : who;
    const as = verb === "grants" ? person : role;
    const tail = verb === "brings" ? `as ${role} ${rest}` : rest;
    return `${time} ${by} ${verb} ${invites} ${verb === "brings" ? "" : as} ${tail}`;
  }),
);

test("random logs mean the same in every order", () => {
  fc.assert(
    fc.property(anyStory, fc.nat(), (story, turn) => {
      const all = [...founded.facts, ...facts(story).map(({ bytes }) => bytes)];
      const at = turn % all.length;
      const turned = [...all.slice(at), ...all.slice(0, at)].toReversed();
      assert.deepEqual(saying(logOfBytes(turned)), saying(logOfBytes(all)));
    }),
    { numRuns: 300 },
  );
});

test("who ever could write only grows, so that all keep the same revisions", () => {
  fc.assert(
    fc.property(anyStory, fc.nat(25), (story, some) => {
      const all = facts(story).map(({ bytes }) => bytes);
      const before = logOfBytes([...founded.facts, ...all.slice(0, some)]).view();
      const after = logOfBytes([...founded.facts, ...all]).view();
      for (const writer of before.everWriters) assert.ok(after.everWriters.has(writer));
      for (const [id, { role }] of after.people) {
        if (role !== "viewer") assert.ok(after.everWriters.has(id));
      }
    }),
    { numRuns: 300 },
  );
});

test("an operator remains one who ever could write when its admin turns out to have been cut off", () => {
  const story = ["5 ada grants ben admin", "20 ben grants cleo operator"];
  const cutOff = [...story, "30 ada revokes ben from 10"];
  for (const told of [story, cutOff]) assert.ok(logOf(told).view().everWriters.has(key("cleo").id));
});

test("nobody who is revoked is in, and nobody is in whom no fact of an admin lets in", () => {
  fc.assert(
    fc.property(anyStory, (story) => {
      const view = logOf(story).view();
      for (const id of view.revoked.keys()) assert.equal(view.roleOf(id), undefined);
      const orphaned = story.filter((line) => !/ ada | revokes /.test(line));
      const strangers = logOf(orphaned).view();
      assert.equal(standing(strangers), "ada admin, n0 peer");
    }),
    { numRuns: 300 },
  );
});

const writes: readonly [what: string, story: string, who: string, at: number, may: boolean][] = [
  ["an admin", "", "ada", 50, true],
  ["a stranger", "", "ben", 50, false],
  ["a viewer", "10 ada grants ben viewer", "ben", 50, false],
  ["a node", "", "n0", 50, false],
  ["an operator", "10 ada grants ben operator", "ben", 50, true],
  ["an operator whose clock is behind", "10 ada grants ben operator", "ben", 9, true],
  ["an operator by invite", "10 ada invites i operator; 20 i brings ben via n0", "ben", 50, true],
  [
    "an operator before its cut-off",
    "10 ada grants ben operator; 60 ada revokes ben from 55",
    "ben",
    54,
    true,
  ],
  [
    "an operator after its cut-off",
    "10 ada grants ben operator; 60 ada revokes ben from 55",
    "ben",
    55,
    false,
  ],
  [
    "an operator before it was made a viewer",
    "10 ada grants ben operator; 60 ada grants ben viewer",
    "ben",
    59,
    true,
  ],
  [
    "an operator after it was made a viewer",
    "10 ada grants ben operator; 60 ada grants ben viewer",
    "ben",
    60,
    false,
  ],
  [
    "an operator by an admin that was none any more",
    "5 ada grants ben admin; 20 ben grants cleo operator; 30 ada revokes ben from 10",
    "cleo",
    50,
    false,
  ],
  [
    "an admin by an admin that was none any more",
    "5 ada grants ben admin; 20 ben grants cleo admin; 30 ada revokes ben from 10",
    "cleo",
    50,
    false,
  ],
  [
    "one whose invite had expired",
    "10 ada invites i operator until 15; 20 i brings ben via n0",
    "ben",
    50,
    false,
  ],
];

for (const [what, story, who, at, may] of writes) {
  test(`${what} ${may ? "may" : "may not"} write`, () => {
    assert.equal(logOf(lines(story)).view().mayWrite(key(who).id, at), may);
  });
}

test("an invite says how often it is still good", () => {
  const story = [
    "10 ada invites i peer uses 3 until 99",
    "20 i brings n1 via n0",
    "21 i brings n1 via n0",
  ];
  assert.deepEqual(logOf(story).view().invites.get(key("i").id), {
    role: "peer",
    expiresAtMs: 99,
    uses: 3,
    usesLeft: 2,
  });
});

test("an acceptance holds for one invite, one key and one time: it cannot be dated back", () => {
  const [invite, late] = facts(["10 ada invites i peer until 20", "30 i brings n1 via n0"]);
  assert.equal(late?.fact.kind, "admit");
  const log = logOfBytes([...founded.facts, invite?.bytes as Uint8Array]);
  const fact = late?.fact as Extract<NonNullable<typeof late>["fact"], { kind: "admit" }>;
  const acceptance = fact.acceptance as NonNullable<typeof fact.acceptance>;
  for (const [changed, subject] of [
    [{ ...acceptance, timeMs: 15 }, fact.subject],
    [{ ...acceptance, timeMs: 15, node: key("n9").id }, fact.subject],
    [acceptance, key("n2").id],
  ] as const) {
    const forged = writeAgain({ ...fact, subject, acceptance: changed });
    assert.equal(log.add(forged), "added");
  }
  assert.equal(standing(log.view()), "ada admin, n0 peer");
});

function writeAgain(fact: Fact): Uint8Array {
  return writeFact(mesh, fact, 15, key("i")).bytes;
}

test("a log knows each fact once, and no fact of another mesh", () => {
  const log = new TrustLog(mesh, verify);
  const [first] = founded.facts as [Uint8Array];
  assert.equal(log.add(first), "added");
  assert.equal(log.add(first.slice()), "known");
  const other = new TrustLog("0".repeat(64) as typeof mesh, verify);
  for (const bytes of founded.facts) assert.equal(other.add(bytes), "invalid");
  assert.equal(other.view().people.size, 0);
  assert.notEqual(hex(log.digest()), hex(other.digest()));
});
