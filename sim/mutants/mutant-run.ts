/**
 * Runs the simulator on a copy of the tree with a bug planted in it, seed after seed, until one of
 * the standard set finds it. In a process of its own: a mutant may do anything, and may not end.
 */

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyEdits, type PlantedBug } from "./planted-bug.ts";

/** Some days of the simulator: seeds from 1 on. */
export type Course = { readonly seeds: number; readonly nodes: number | undefined };

/** What every bug is to be found by. Small meshes run fast, and most bugs need no more. */
export const standardSet: readonly Course[] = [
  { seeds: 60, nodes: 4 },
  { seeds: 100, nodes: undefined },
];

export type Verdict = Readonly<
  | { kind: "caught"; seed: number; nodes: number; breach: string }
  | { kind: "not-caught"; why: string }
>;

const root = join(import.meta.dirname, "../..");
/** All that sim/main.ts loads. */
const rooms = ["model", "crdt", "trust", "link", "gossip", "placement", "node", "sim", "ports.ts"];
/** A mutant that goes round in circles ends here, ms. */
const patienceMs = 15 * 60_000;

/** Throws when the bug cannot be planted any more. */
export async function runMutant(
  bug: PlantedBug,
  courses: readonly Course[] = standardSet,
): Promise<Verdict> {
  const edited = applyEdits(bug, (file) => readFileSync(join(root, file), "utf8"));
  const tree = await mkdtemp(join(tmpdir(), "shoal-mutant-"));
  try {
    for (const room of [...rooms, "package.json"]) {
      await cp(join(root, room), join(tree, room), { recursive: true });
    }
    await symlink(join(root, "node_modules"), join(tree, "node_modules"));
    for (const [file, text] of edited) await writeFile(join(tree, file), text);
    return await runCourses(tree, courses);
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

async function runCourses(tree: string, courses: readonly Course[]): Promise<Verdict> {
  for (const course of courses) {
    const verdict = readOutput(await simulate(tree, course));
    if (verdict !== undefined) return verdict;
  }
  return { kind: "not-caught", why: "all seeds passed" };
}

/** All that it said. */
function simulate(tree: string, { seeds, nodes }: Course): Promise<string> {
  const flags = ["--disable-warning=ExperimentalWarning", "sim/main.ts", "--fail-fast"];
  const size = nodes === undefined ? [] : ["--nodes", String(nodes)];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, "--seeds", String(seeds), ...size], {
      cwd: tree,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: patienceMs,
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        output += chunk;
      });
    }
    child.once("close", () => resolve(output));
  });
}

/** Undefined when all passed. What does not run at all was not caught by any check. */
function readOutput(output: string): Verdict | undefined {
  const failed = /^seed (\d+) \((\d+) nodes\): (.*)$/m.exec(output);
  if (failed !== null && / 1 failed\n$/.test(output)) {
    const [, seed, nodes, breach = ""] = failed;
    return { kind: "caught", seed: Number(seed), nodes: Number(nodes), breach };
  }
  if (/ 0 failed\n$/.test(output)) return undefined;
  const [error] = /^\w*Error\b.*$/m.exec(output) ?? [];
  return { kind: "not-caught", why: `did not run to an end: ${error ?? "no answer in time"}` };
}
