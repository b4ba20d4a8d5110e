/**
 * Holds the house to its own rules: who imports whom, which files are doors, how files look, and
 * that what a document names is there. A rule that no machine holds is stale within the year.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { commands, groups } from "../cli/program.ts";
import { problemCodes } from "../model/problem.ts";
import { deadLinks, unknownCommands, unknownScripts } from "./tidy/documents.ts";
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

test("documents name files, npm scripts and commands that are there", () => {
  const scripts = Object.keys(JSON.parse(readText("package.json")).scripts);
  const files = new Set(listFiles([""]));
  const faults = listFiles([".md"]).flatMap((path) => {
    const text = readText(path);
    const found = [
      ...deadLinks(path, text, files),
      ...unknownScripts(text, scripts),
      ...unknownCommands(text, commands, groups),
    ];
    return found.map((fault) => `${path}: ${fault}`);
  });
  assert.deepEqual(faults, []);
});

test("what problems advise to do can be done", () => {
  const text = readText("model/problem.ts");
  assert.deepEqual(unknownCommands(text, commands, groups), []);
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
