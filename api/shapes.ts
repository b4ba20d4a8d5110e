/**
 * What travels in requests and answers, checked once where it enters. Requests are read strictly;
 * answers leniently, because the other side may be newer: fields that this version does not know
 * are left alone. Bytes travel as base64.
 */

import * as z from "zod";
import type { NodeId, TaskId } from "../model/ids.ts";
import type { Plan } from "../model/plan.ts";
import { explain, type Problem } from "../model/problem.ts";
import type { MeshEvent, MeshView } from "../model/view.ts";
import type { Draft } from "../trust/authoring.ts";

/** Names, ids and keys are far shorter. */
const shortText = z.string().max(512);
const name = shortText.min(1);
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Documents of one write: more than the largest stack has, few enough to sign in a second. */
export const documentsMax = 4096;
/** Tasks that a follower of logs may have seen so far. */
export const cursorsMax = 10_000;

/** Base64 on the way, bytes for the reader. */
const bytes = z
  .string()
  .refine((text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text), "not base64")
  .transform((text) => new Uint8Array(Buffer.from(text, "base64")));

/** Whatever cannot be put into a sentence here, by its age or by intent, is told as it came. */
const problem = z.looseObject({ code: name }).transform((value): Problem => {
  const known = value as unknown as Problem;
  try {
    explain(known);
    return known;
  } catch {
    return { code: "request-invalid", detail: `the agent says ${JSON.stringify(value)}` };
  }
});

/** Where a reader of a task's log stands: lines of its last millisecond that it has. */
const cursor = z.object({ atMs: whole, lines: whole.min(1) });

export const nothing = z.strictObject({});

export const ofTask = z.strictObject({
  task: name.transform((text) => text as TaskId),
});

export const draftsRequest = z.strictObject({ keys: z.array(name).max(documentsMax) });

export const writeRequest = z.strictObject({
  revisions: z.array(bytes).max(documentsMax),
  facts: z.array(bytes).max(documentsMax),
});

/** Documents are read by model/parse.ts, which names every mistake. */
export const planRequest = z.strictObject({
  documents: z.array(z.unknown()).max(documentsMax),
  removals: z.array(name).max(documentsMax),
});

/** Names the node that is to leave, so that the signature is good for no other. */
export const leaveRequest = z.strictObject({
  node: name.transform((text) => text as NodeId),
});

export const logRequest = z
  .strictObject({
    task: name.optional(),
    service: name.optional(),
    stack: name.optional(),
    follow: z.boolean(),
    /** Last lines only, of each task that was there when the reader came. */
    tail: whole.optional(),
    sinceMs: whole.optional(),
    /** When the reader came, by its own clock: tasks younger than this are read from the start. */
    openedAtMs: whole.optional(),
    after: z
      .record(name, cursor)
      .refine((after) => Object.keys(after).length <= cursorsMax, "too many tasks")
      .optional(),
  })
  .refine(({ task, service, stack }) => {
    return [task, service, stack].filter((one) => one !== undefined).length === 1;
  }, "name one of task, service and stack");

export const execRequest = z.strictObject({
  command: z.array(z.string().max(32_768)).min(1).max(1024),
  tty: z.boolean(),
  stdin: z.boolean(),
  env: z.record(name, z.string().max(32_768)),
  user: name.optional(),
  workingDir: z.string().max(4096).optional(),
});

export const versionAnswer = z.looseObject({ version: shortText, mesh: name, node: name });

export const viewAnswer = z
  .looseObject({
    mesh: name,
    self: name,
    digest: shortText,
    convergedAgoMs: z.number(),
    nodes: z.array(z.looseObject({ node: name, role: name, status: name })),
    services: z.array(z.looseObject({ service: name, spec: z.looseObject({}), replicas: whole })),
    tasks: z.array(z.looseObject({ task: name, service: name, node: name, state: name })),
    problems: z.array(problem),
  })
  .transform((view) => view as unknown as MeshView);

const draft = z.object({
  key: name,
  generation: whole,
  timeMs: whole,
  counter: whole,
  parents: z.array(name).max(1024),
});

export const draftsAnswer = z
  .looseObject({ drafts: z.array(draft) })
  .transform(({ drafts }): readonly Draft[] => drafts);

export const writeAnswer = z.looseObject({ revisions: z.array(name), peers: whole });

const steps = z.array(
  z.looseObject({
    action: z.enum(["create", "update", "remove", "unchanged"]),
    key: name,
    differences: z.array(z.looseObject({ path: z.string(), from: z.string(), to: z.string() })),
    placement: z.array(z.looseObject({ replica: name, node: name, nodeName: z.string() })),
    rejections: z.record(z.string(), z.number()),
  }),
);

export const planAnswer = z.looseObject({ steps }).transform((plan) => plan as unknown as Plan);

export const trustAnswer = z.looseObject({ facts: z.array(bytes) });

/** One of them: what a backup holds, piece by piece, and then how much there was. */
export const backupLine = z
  .looseObject({
    fact: bytes.optional(),
    revision: bytes.optional(),
    end: z.looseObject({ facts: whole, revisions: whole }).optional(),
  })
  // A line of problems has none of them.
  .refine(({ fact, revision, end }) => (fact ?? revision ?? end) !== undefined, "says nothing");

export const logLine = z
  .looseObject({
    task: name,
    stream: z.enum(["stdout", "stderr"]),
    atMs: z.number(),
    line: z.string(),
  })
  .transform((line) => line as unknown as LogLine);

export const eventLine = z
  .looseObject({
    atMs: z.number(),
    kind: z.enum(["node", "service", "task", "problem"]),
    action: z.string(),
    subject: z.string(),
    detail: z.string(),
  })
  .transform((event) => event as unknown as MeshEvent);

export const statsAnswer = z.looseObject({
  cpu: z.number(),
  memoryBytes: z.number(),
  pids: z.number(),
});

export const stateAnswer = z.record(z.string(), z.number());

export const problemsAnswer = z
  .looseObject({ problems: z.array(problem).min(1) })
  .transform(({ problems }): readonly Problem[] => problems);

/** A follower of logs is asked to come again with a fresh signature: api/log-stream.ts. */
export const renewal = z.looseObject({ renew: z.literal(true) });

export type Renewal = z.output<typeof renewal>;
export type Cursor = z.output<typeof cursor>;
export type LogRequest = z.output<typeof logRequest>;
export type ExecRequest = z.output<typeof execRequest>;

export type LogLine = {
  readonly task: TaskId;
  readonly stream: "stdout" | "stderr";
  /** Unix ms. */
  readonly atMs: number;
  readonly line: string;
};
