/**
 * Holds the house to its own rules: who imports whom, which files are doors, how files look, and
 * that what a document names is there. A rule that no machine holds is stale within the year.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { problemCodes } from "../model/problem.ts";
import { isOutsideTheHouse, listedDoors, reasonsToBeDoor } from "./tidy/doors.ts";
import { breaches, findCycle } from "./tidy/import-rule.ts";
import { listFiles, parseSource, readSources, readText } from "./tidy/source-tree.ts";

const sources = readSources();
const house = sources.filter(({ path }) => !isOutsideTheHouse(path));

/** Longer files ask for a noun that is missing. Tables of cases may be longer than code. */
const linesMax = { house: 300, test: 400 };
const columnsMax = 100;
/** Words that hide what a file is about, or say that it is not finished. */
const vagueNames = /(?:^|[/-])(?:utils?|helpers?|common|manager|misc|worker-utils)(?:[-/.]|$)/;
const unfinished = /\b(?:TODO|FIXME|XXX|HACK)\b/;

test("the tree is read, so that an empty list proves nothing", () => {
  assert.ok(house.length > 50, `only ${house.length} files`);
});

test("folders import only what stands to their left", () => {
  assert.deepEqual(sources.flatMap(breaches), []);
});

test("no file imports itself, however long the way", () => {
  assert.equal(findCycle(house), undefined);
});

test("ARCHITECTURE.md lists exactly the files that touch the world", () => {
  const doors = house.filter((file) => reasonsToBeDoor(file).length > 0).map(({ path }) => path);
  const listed = listedDoors(readText("ARCHITECTURE.md"));
  const why = (path: string) => {
    const file = house.find((candidate) => candidate.path === path);
    return `${path} (${file === undefined ? "is not there" : reasonsToBeDoor(file).join(", ")})`;
  };
  assert.deepEqual(
    {
      unlisted: doors.filter((path) => !listed.includes(path)).map(why),
      listedInVain: listed.filter((path) => !doors.includes(path)).map(why),
    },
    { unlisted: [], listedInVain: [] },
  );
});

test("every file opens by saying what it is for", () => {
  const silent = house.filter(({ text }) => !/^(?:#![^\n]*\n)?\/\*\*/.test(text));
  assert.deepEqual(paths(silent), []);
});

test("no file has become a monster", () => {
  const long = sources.filter(({ path, text }) => {
    const max = isOutsideTheHouse(path) ? linesMax.test : linesMax.house;
    return text.split("\n").length - 1 > max;
  });
  assert.deepEqual(paths(long), []);
});

test(`no line is longer than ${columnsMax} columns`, () => {
  const wide = sources.flatMap(({ path, text }) =>
    text.split("\n").flatMap((line, index) => (isWide(line) ? [`${path}:${index + 1}`] : [])),
  );
  assert.deepEqual(wide, []);
});

test("files are named by kebab-case nouns that mean something", () => {
  const wellNamed = /^(?:[a-z0-9]+(?:-[a-z0-9]+)*\/)*[a-z0-9]+(?:-[a-z0-9]+)*(?:\.test)?\.ts$/;
  const names = paths(sources);
  assert.deepEqual(
    names.filter((path) => !wellNamed.test(path) || vagueNames.test(path)),
    [],
  );
});

test("nothing is left to do later", () => {
  const found = sources.filter(
    ({ path, text }) => path !== "test/tidy.test.ts" && unfinished.test(text),
  );
  assert.deepEqual(paths(found), []);
});

test("docs/problems.md has a section for every problem code and no other", () => {
  const sections = [...readText("docs/problems.md").matchAll(/^## `?([a-z-]+)`?$/gm)];
  assert.deepEqual(sections.map(([, code]) => code as string).sort(), [...problemCodes].sort());
});

test("documents name npm scripts and files that are there", () => {
  const scripts = Object.keys(JSON.parse(readText("package.json")).scripts);
  const files = new Set(listFiles([""]));
  const missing = listFiles([".md"]).flatMap((path) => {
    const text = readText(path);
    const named = [...text.matchAll(/npm (?:run )?(start|test|[a-z]+)\b(?= |`|$)/gm)]
      .map(([, script]) => script as string)
      .filter((script) => !scripts.includes(script) && !["ci", "install"].includes(script))
      .map((script) => `${path}: npm run ${script}`);
    return [...named, ...deadLinks(path, text, files)];
  });
  assert.deepEqual(missing, []);
});

test("the detector of doors knows a door from a pure file", () => {
  const cases: [text: string, isDoor: boolean][] = [
    ["const later = await ready;", true],
    ["export async function open() {}", true],
    ['import { connect } from "node:net";', true],
    ['import type { Socket } from "node:net";', false],
    ["export type Later = Promise<string>;", false],
    ["const now = Date.now();", true],
    ["// Date.now() is the host's\nconst a = 1;", false],
    ['const text = "await the Date";', false],
    ['import { join } from "node:path";', false],
    ['import { resolve } from "node:path";', true],
    ['import { encode } from "@ipld/dag-cbor";', false],
    ['import { createLibp2p } from "libp2p";', true],
  ];
  for (const [text, isDoor] of cases) {
    assert.equal(reasonsToBeDoor(parseSource("model/case.ts", text)).length > 0, isDoor, text);
  }
});

/** A literal that no formatter can break counts as nothing. */
function isWide(line: string): boolean {
  if ([...line].length <= columnsMax) return false;
  const literals = /"(?:\\.|[^"\\])*"|`(?:\\.|[^`\\])*`?|\/(?:\\.|[^/\\ ])+\/[a-z]*/g;
  return [...line.replaceAll(literals, "")].length > columnsMax;
}

function paths(files: readonly { readonly path: string }[]): string[] {
  return files.map(({ path }) => path);
}

/** Relative links, and names of files in backquotes that start with one of our folders. */
function deadLinks(path: string, text: string, files: ReadonlySet<string>): string[] {
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)].map(([, to]) =>
    new URL(to as string, `file:///${folder}`).pathname.slice(1),
  );
  const ours = [...files].map((file) => file.split("/")[0]).join("|");
  const quoted = [...text.matchAll(new RegExp(`\`((?:${ours})/[\\w./-]+\\.\\w+)\``, "g"))].map(
    ([, name]) => name as string,
  );
  const isThere = (name: string) =>
    files.has(name) || [...files].some((file) => file.startsWith(name.replace(/\/?$/, "/")));
  return [...links, ...quoted].filter((name) => !isThere(name)).map((name) => `${path}: ${name}`);
}
