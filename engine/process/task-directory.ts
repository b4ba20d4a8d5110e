/**
 * A task's directory: what was ordered and how it stands, for the agent that comes after this
 * one. A door.
 *
 *   task.json           the order and what was decided for it; written whole, before the start
 *   started, exit …     the wrapper's own records: see wrapper.ts
 *   stdout.log …        what the task says: see task-log.ts
 *   work/               the task's working directory and home
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import type { TaskId } from "../../model/ids.ts";
import { parseSpecDocument } from "../../model/parse.ts";
import type { StartOrder } from "../../ports.ts";
import { type ProcessIdentity, parseStat } from "./kernel.ts";
import type { PortMap } from "./process-environment.ts";
import { recordNames } from "./wrapper.ts";

export type TaskRecord = {
  readonly order: StartOrder;
  /** Unix ms. */
  readonly createdAtMs: number;
  readonly bootId: string;
  readonly ports: PortMap;
  /** Directories of the task's control groups. */
  readonly groups: readonly string[];
};

const shape = z.object({
  order: z.looseObject({
    mesh: z.string(),
    node: z.string(),
    nodeName: z.string(),
    task: z.string(),
    replica: z.string(),
    slot: z.string(),
    revision: z.string(),
    spec: z.unknown(),
    dnsAddress: z.string(),
    subnet: z.string(),
  }),
  createdAtMs: z.number(),
  bootId: z.string(),
  ports: z.record(z.string(), z.number()),
  groups: z.array(z.string()),
});

export class TaskDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static of(root: string, task: TaskId): TaskDirectory {
    return new TaskDirectory(join(root, directoryName(task)));
  }

  /** All there are below `root`. */
  static list(root: string): TaskDirectory[] {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => new TaskDirectory(join(root, name)));
  }

  get work(): string {
    return join(this.path, "work");
  }

  create(): void {
    mkdirSync(this.work, { recursive: true, mode: 0o700 });
  }

  /** All or nothing, and on the disk: a task that no record tells of would run for ever. */
  write(record: TaskRecord): void {
    const path = join(this.path, "task.json");
    const file = openSync(`${path}.new`, "w", 0o600);
    try {
      writeFileSync(file, JSON.stringify(record));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
  }

  /** "absent" when it was never written or its removal had begun; undefined for a broken one. */
  read(): TaskRecord | "absent" | undefined {
    const path = join(this.path, "task.json");
    if (!existsSync(path)) return "absent";
    try {
      const result = shape.safeParse(JSON.parse(readFileSync(path, "utf8")));
      if (!result.success) return undefined;
      const document = parseSpecDocument({ kind: "service", spec: result.data.order.spec });
      if (document?.kind !== "service") return undefined;
      const order = { ...result.data.order, spec: document.spec };
      return { ...result.data, order } as unknown as TaskRecord;
    } catch {
      return undefined;
    }
  }

  /**
   * The same as the wrapper writes, sooner: nothing is told of a task before this is there, so an
   * agent that is killed right after has lost none that anybody knows of.
   */
  writeStarted(statLine: string): void {
    writeFileSync(join(this.path, recordNames.started), statLine);
  }

  /** Who the wrapper said it was. */
  readStarted(): ProcessIdentity | undefined {
    return parseStat(this.#readRecord(recordNames.started));
  }

  /** Undefined while the command runs, and when the wrapper was killed with it. */
  readExitCode(): number | undefined {
    const text = this.#readRecord(recordNames.exit);
    return /^\d+\n$/.test(text) ? Number(text) : undefined;
  }

  /** A wrapper that begins after this ends at once: see wrapper.ts. */
  giveUp(): void {
    writeFileSync(join(this.path, recordNames.givenUp), "");
  }

  /** The record goes first, so that half a removal is no task. */
  async remove(): Promise<void> {
    rmSync(join(this.path, "task.json"), { force: true });
    await rm(this.path, { recursive: true, force: true });
  }

  #readRecord(name: string): string {
    try {
      return readFileSync(join(this.path, name), "utf8");
    } catch {
      return "";
    }
  }
}

/** "default_web.1.k3j…": no name of ours can climb out of the root. */
function directoryName(task: TaskId): string {
  return task.replaceAll(/[^A-Za-z0-9.-]/g, "_").replace(/^\.+/, "_");
}
