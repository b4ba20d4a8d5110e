import assert from "node:assert/strict";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { Database, migrations } from "../../node/database.ts";
import { openStorage } from "../../node/storage.ts";
import { SeededRandom } from "../../sim/random.ts";
import { until } from "../until.ts";
import { fresh, look, problemOf, put, startStoring, texts, write } from "./storage-bench.ts";

function garble(path: string, offset: number, length: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(length, 0xa5), 0, length, offset);
  closeSync(file);
}

test("what was committed is there after opening again, for nobody else to read", () => {
  const directory = join(fresh(), "made", "on", "the", "way");
  look(directory, (storage) => {
    put(storage, write("fact", "a", "1"), write("meta", "a", "2"), write("meta", "b", ""));
    put(storage, write("meta", "a", undefined), write("document", "ü/ \0", "3"));
    for (const name of readdirSync(directory)) {
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600, name);
    }
  });
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  look(directory, (storage, problems) => {
    assert.deepEqual(problems, []);
    assert.deepEqual(texts(storage, "fact"), { a: "1" });
    assert.deepEqual(texts(storage, "meta"), { b: "" });
    assert.deepEqual(texts(storage, "document"), { "ü/ \0": "3" });
    assert.deepEqual(texts(storage, "revision"), {});
  });
});

test("a directory that others could read is closed to them", () => {
  const directory = fresh();
  mkdirSync(join(directory, "open"), { mode: 0o755 });
  look(join(directory, "open"), () => {});
  assert.equal(statSync(join(directory, "open")).mode & 0o777, 0o700);
});

test("storage does as a map would, over any commits and restarts", () => {
  const tables = ["fact", "document", "revision", "meta"] as const;
  const one = fc.record({
    table: fc.constantFrom(...tables),
    key: fc.constantFrom("a", "b", "c", ""),
    value: fc.option(fc.uint8Array({ maxLength: 20_000 }), { nil: undefined }),
  });
  const step = fc.oneof(fc.array(one, { maxLength: 5 }), fc.constant("restart" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const directory = fresh();
      const twin = new Map<string, Uint8Array>();
      let { storage } = openStorage(directory);
      for (const writes of steps) {
        if (writes === "restart") {
          storage.close();
          storage = openStorage(directory).storage;
          continue;
        }
        assert.equal(storage.commit(writes).kind, "stored");
        for (const { table, key, value } of writes) {
          if (value === undefined) twin.delete(`${table} ${key}`);
          else twin.set(`${table} ${key}`, value);
        }
      }
      const found = tables.flatMap((table) => {
        return [...storage.load(table)].map(([key, value]) => [`${table} ${key}`, value] as const);
      });
      storage.close();
      assert.deepEqual(new Map(found), new Map([...twin].map(([key, value]) => [key, value])));
    }),
    { numRuns: 25 },
  );
});

/** Killed after so many acknowledgements; resolves with the number acknowledged last. */
async function storeAndKill(directory: string, afterCount: number): Promise<number> {
  const child = startStoring(directory);
  let said = "";
  child.stdout?.on("data", (chunk) => {
    said += chunk;
  });
  const closed = once(child, "close");
  // Acknowledgements come in bursts of their own, so the kill meets every moment of a commit.
  await until(() => said.split("\n").length > afterCount, 20_000, "the acknowledgements");
  child.kill("SIGKILL");
  await closed;
  return Number(said.split("\n").at(-2));
}

test("a kill at any moment loses no acknowledged write, and halves none", async () => {
  const directory = fresh();
  const random = new SeededRandom(1);
  for (let round = 0; round < 15; round++) {
    const acknowledged = await storeAndKill(directory, 1 + random.below(120));
    look(directory, (storage, problems) => {
      assert.deepEqual(problems, []);
      const last = Number.parseInt(texts(storage, "meta").last ?? "", 10);
      assert.ok(last >= acknowledged, `${last} is there, ${acknowledged} was acknowledged`);
      assert.ok(last <= acknowledged + 1, "at most one more than was said");
      assert.deepEqual(texts(storage, "document"), texts(storage, "revision"));
      const kept = Object.values(texts(storage, "document")).map((text) =>
        Number.parseInt(text, 10),
      );
      const wanted = Array.from({ length: Math.min(40, last) }, (_, back) => last - back);
      assert.deepEqual(new Set(kept), new Set(wanted));
    });
  }
});

test("a log that a power cut tore off holds whole commits from the beginning on", () => {
  const directory = fresh();
  const { storage } = openStorage(directory);
  const commits = 30;
  for (let index = 1; index <= commits; index++) {
    put(
      storage,
      write("meta", "last", `${index}`),
      write("fact", `${index}`, "x".repeat(index * 50)),
    );
  }
  const copy = fresh();
  cpSync(directory, copy, { recursive: true });
  storage.close();
  const { size } = statSync(join(copy, "state.db-wal"));
  const random = new SeededRandom(2);
  let before = commits;
  for (let length = size; length > 0; length -= 1 + random.below(12_000)) {
    const torn = fresh();
    cpSync(copy, torn, { recursive: true });
    truncateSync(join(torn, "state.db-wal"), length);
    look(torn, (opened, problems) => {
      assert.deepEqual(problems, []);
      const last = Number(texts(opened, "meta").last ?? 0);
      assert.equal(Object.keys(texts(opened, "fact")).length, last);
      assert.ok(last <= before);
      before = last;
    });
  }
  assert.ok(before < commits / 2, "the log was torn far enough");
});

test("rubbish anywhere in the files alters no value: it is as it was, or said to be damaged", () => {
  const directory = fresh();
  const written = new Map<string, string>();
  look(directory, (storage) => {
    for (let index = 0; index < 60; index++) {
      written.set(`${index}`, `${index}`.repeat(400));
      put(storage, write("fact", `${index}`, written.get(`${index}`)));
    }
  });
  const { size } = statSync(join(directory, "state.db"));
  const random = new SeededRandom(3);
  let damaged = 0;
  let saved = 0;
  for (let round = 0; round < 60; round++) {
    const hurt = fresh();
    cpSync(directory, hurt, { recursive: true });
    garble(join(hurt, "state.db"), random.below(size), 1 + random.below(600));
    look(hurt, (storage, problems) => {
      const found = Object.entries(texts(storage, "fact"));
      for (const [key, value] of found) assert.equal(value, written.get(key));
      if (problems.length === 0) {
        assert.equal(found.length, written.size);
        return;
      }
      damaged++;
      saved += found.length;
      assert.equal(problems[0]?.code, "database-damaged");
      assert.equal(readdirSync(hurt).filter((name) => /damaged-[\w-]*Z$/.test(name)).length, 1);
      put(storage, write("meta", "after", "all"));
    });
    look(hurt, (_, problems) => assert.deepEqual(problems, [], "damaged only once"));
  }
  assert.ok(damaged > 30, `${damaged} found damaged`);
  assert.ok(saved > (damaged * written.size) / 3, `${saved} rows saved of ${damaged} databases`);
});

test("a database damaged while in use is set aside, and work goes on with what is whole", () => {
  const directory = fresh();
  look(directory, (storage) => {
    for (let index = 0; index < 40; index++) {
      put(storage, write("document", `${index}`, `${index % 10}`.repeat(100_000)));
    }
  });
  look(directory, (storage, problems) => {
    const file = join(directory, "state.db");
    garble(file, Math.floor(statSync(file).size / 2), 300_000);
    const found = texts(storage, "document");
    assert.deepEqual(
      problems.map(({ code }) => code),
      ["database-damaged"],
    );
    assert.ok(Object.keys(found).length > 20 && Object.keys(found).length < 40);
    for (const [key, value] of Object.entries(found)) {
      assert.equal(value, `${Number(key) % 10}`.repeat(100_000));
    }
    put(storage, write("document", "new", "1"));
  });
  look(directory, (storage, problems) => {
    assert.deepEqual(problems, []);
    assert.equal(texts(storage, "document").new, "1");
  });
});

const spoilers: [name: string, spoil: (directory: string) => void][] = [
  ["is something else", (directory) => writeFileSync(join(directory, "state.db"), "no database")],
  ["lacks a table", (directory) => alter(directory, "drop table fact")],
  ["has a value that is another", (directory) => alter(directory, "update meta set value = x'00'")],
  ["is cut off", (directory) => truncateSync(join(directory, "state.db"), 6_000)],
];

function alter(directory: string, statement: string): void {
  const database = new DatabaseSync(join(directory, "state.db"));
  database.exec(statement);
  database.close();
}

for (const [name, spoil] of spoilers) {
  test(`a database that ${name} is damaged`, () => {
    const directory = fresh();
    look(directory, (storage) => put(storage, write("meta", "a", "1"), write("fact", "b", "2")));
    spoil(directory);
    look(directory, (storage, problems) => {
      assert.equal(problems[0]?.code, "database-damaged");
      put(storage, write("fact", "c", "3"));
      assert.equal(texts(storage, "fact").c, "3");
    });
  });
}

test("an older schema is brought forward with all that is in it, or left as it is", () => {
  const directory = fresh();
  look(directory, (storage) => put(storage, write("meta", "a", "1"), write("fact", "b", "2")));
  const path = join(directory, "state.db");
  const next = [...migrations, "alter table meta add column note text"];
  const broken = [...next, "drop table nowhere"];
  assert.throws(() => new Database(path, broken), /nowhere/);
  look(directory, (storage) => assert.equal(texts(storage, "fact").b, "2"));
  const whole = new Database(path, next);
  assert.equal(whole.read("meta").size, 1);
  whole.write([write("meta", "c", "3")]);
  whole.close();
  const again = new Database(path, next);
  assert.deepEqual([...again.read("meta").keys()], ["a", "c"]);
  assert.deepEqual([...again.read("fact").keys()], ["b"]);
  again.close();
  assert.equal(problemOf(() => openStorage(directory)).code, "schema-newer");
});

test("a newer schema is left as it is", () => {
  const directory = fresh();
  look(directory, (storage) => put(storage, write("meta", "a", "1")));
  alter(directory, "pragma user_version = 99");
  const before = readFileSync(join(directory, "state.db"));
  const problem = problemOf(() => openStorage(directory));
  assert.deepEqual(problem, {
    code: "schema-newer",
    path: join(directory, "state.db"),
    found: 99,
    supported: 1,
  });
  assert.deepEqual(readFileSync(join(directory, "state.db")), before);
});
