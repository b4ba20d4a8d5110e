/**
 * A world for commands in which every answer is there at once: a mesh that is a view and a list of
 * writes, a terminal that remembers, files that are a record. `type` runs a command line in it.
 */

import { personKey, toBase64 } from "../../api/person.ts";
import type { Command, Input } from "../../cli/command.ts";
import { type ContextFile, noContexts } from "../../cli/contexts.ts";
import { makeProgram } from "../../cli/program.ts";
import type { Work } from "../../cli/work.ts";
import type {
  AgentFile,
  AgentStart,
  LogLine,
  LogQuery,
  Mesh,
  World,
  Writes,
} from "../../cli/world.ts";
import { openRevision } from "../../crdt/register.ts";
import type { SpecDocument } from "../../model/documents.ts";
import type { MeshId } from "../../model/ids.ts";
import { keyOf } from "../../model/parse.ts";
import type { Plan } from "../../model/plan.ts";
import { explain, OperationError, type Problem } from "../../model/problem.ts";
import type { MeshEvent, MeshView } from "../../model/view.ts";
import { createMesh } from "../../trust/genesis.ts";
import { identityFromSeed, verify } from "../../trust/identity.ts";

export const key = personKey(new Uint8Array(32).fill(7));
export const nodeKey = identityFromSeed(new Uint8Array(32).fill(1));
export const secret = new Uint8Array(32).fill(9);
export const genesis = createMesh({
  name: "home",
  founder: key,
  admins: [key.id],
  node: nodeKey.id,
  nodeName: "host1",
  nonce: new Uint8Array(32),
  timeMs: 1_000,
});
export const mesh: MeshId = genesis.mesh;

export type Fake = {
  readonly world: World;
  readonly out: string[];
  readonly err: string[];
  readonly drawn: string[][];
  /** Documents as written, null for tombstones, by key. */
  readonly written: Map<string, SpecDocument | null>;
  readonly facts: Uint8Array[];
  readonly starts: AgentStart[];
  readonly queries: LogQuery[];
  contexts: ContextFile;
  view: MeshView;
  /** Called at every sleep, to move the mesh on. */
  onSleep: (sleeps: number) => void;
  answer: boolean;
  agentFile: AgentFile | undefined;
  /** Files of bytes by their paths; "-" is standard input and output. */
  readonly kept: Map<string, Uint8Array>;
  /** Of the node's key that is there already. */
  seed: Uint8Array | undefined;
  /** Whether peers of a context answer, and which were asked. */
  isAlive: boolean;
  readonly reached: string[];
  /** The trust log and the revisions of the mesh. */
  held: Writes;
};

type Options = {
  readonly view: MeshView;
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
  /** Whether standard output is a terminal. */
  readonly isShown?: boolean;
  readonly logs?: readonly LogLine[];
  readonly events?: readonly MeshEvent[];
  readonly plan?: (documents: readonly SpecDocument[], removals: readonly string[]) => Plan;
};

export function makeFake(options: Options): Fake {
  let sleeps = 0;
  const fake: Omit<Fake, "world"> = {
    out: [],
    err: [],
    drawn: [],
    written: new Map(),
    facts: [],
    starts: [],
    queries: [],
    contexts: {
      current: "home",
      contexts: [{ name: "home", mesh, secret: toBase64(secret), peers: [] }],
    },
    view: options.view,
    onSleep: () => undefined,
    answer: true,
    agentFile: undefined,
    kept: new Map(),
    seed: undefined,
    isAlive: false,
    reached: [],
    held: { facts: genesis.facts, revisions: [] },
  };
  const world = {
    version: "0.1.0",
    env: options.env ?? {},
    directory: "/srv/shop",
    mesh: fakeMesh(fake, options),
    meshAt: () => fakeMesh(fake, options),
    terminal: {
      columns: options.columns,
      colours: false,
      draws: false,
      print: (text) => void fake.out.push(text),
      note: (text) => void fake.err.push(text),
      draw: (lines) => void fake.drawn.push([...lines]),
      confirm: () => fake.answer,
      readInput: () => options.files?.["-"] ?? "",
      isShown: options.isShown ?? false,
      printBytes: (bytes) => void fake.kept.set("-", bytes),
    },
    agent: {
      isRoot: true,
      home: "/root",
      read: () => fake.agentFile,
      seed: () => fake.seed,
      start: (start) => {
        fake.starts.push(start);
        fake.agentFile ??= {
          mesh,
          name: "home",
          secret: toBase64(secret),
          node: nodeKey.id as never,
        };
      },
      forget: () => {
        fake.agentFile = undefined;
      },
      finished: () => 0,
    },
    get contexts() {
      return fake.contexts;
    },
    get context() {
      return fake.contexts.contexts.find(({ name }) => name === fake.contexts.current);
    },
    saveContexts: (contexts) => {
      fake.contexts = contexts;
    },
    key: () => key,
    readText: (path) => options.files?.[path],
    readBytes: (path) => fake.kept.get(path),
    writePrivate: (path, bytes) => void fake.kept.set(path, bytes),
    reach: (context) => {
      fake.reached.push(...context.peers);
      return fake.isAlive ? fakeMesh(fake, options) : undefined;
    },
    random: (bytes) => new Uint8Array(bytes).fill(3),
    nowMs: () => 10_000 + sleeps * 200,
    sleep: () => {
      sleeps++;
      fake.onSleep(sleeps);
    },
    follow: (items, print) => {
      for (const item of items as unknown as Iterable<never>) fake.out.push(print(item));
    },
    exec: (request) => {
      fake.out.push(JSON.stringify(request));
      return 3;
    },
    askAdmission: () => ({
      mesh,
      name: "home",
      secret,
      peers: ["/ip4/10.0.0.1/tcp/1"],
      role: "viewer",
    }),
  } satisfies World;
  return Object.assign(fake, { world });
}

function fakeMesh(fake: Omit<Fake, "world">, options: Options): Mesh {
  return {
    address: "/run/shoal.sock",
    version: () => ({ version: "0.1.0", mesh, node: nodeKey.id }),
    view: () => fake.view,
    drafts: (keys) =>
      keys.map((one) => ({ key: one, generation: 1, timeMs: 5, counter: 0, parents: [] })),
    write: (writes) => {
      keep(fake, writes);
      return { revisions: [], peers: 2 };
    },
    plan: options.plan ?? plainPlan,
    trust: () => fake.held.facts,
    backup: () => fake.held,
    logs: (query) => {
      fake.queries.push(query);
      return (options.logs ?? []) as never;
    },
    events: () => (options.events ?? []) as never,
    leave: () => void fake.out.push("(left)"),
  };
}

/** Everything is new or removed. */
function plainPlan(documents: readonly SpecDocument[], removals: readonly string[]): Plan {
  const step = { differences: [], placement: [], rejections: {} };
  return {
    steps: [
      ...documents.map((one) => ({ action: "create" as const, key: keyOf(one), ...step })),
      ...removals.map((one) => ({ action: "remove" as const, key: one, ...step })),
    ],
  };
}

/** Only what this person really signed counts. */
function keep(fake: Omit<Fake, "world">, { revisions, facts }: Writes): void {
  for (const bytes of revisions) {
    const revision = openRevision(bytes, mesh, verify);
    if (revision === undefined || revision.stamp.writer !== key.id) throw new Error("not signed");
    fake.written.set(revision.key, (revision.value ?? null) as SpecDocument | null);
  }
  fake.facts.push(...facts);
}

export type Ran = { readonly code: number | undefined; readonly problems: readonly Problem[] };

/** Runs "service ls --format json"; quotes hold words together. */
export function type(fake: Fake, line: string): Ran {
  const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
    ([, quoted, plain]) => quoted ?? plain ?? "",
  );
  let ran: Ran = { code: undefined, problems: [] };
  const program = makeProgram((command: Command, input: Input) => {
    ran = perform(command.run(input), fake.world);
  });
  program.exitOverride().configureOutput({
    writeOut: (text) => void fake.out.push(text),
    writeErr: (text) => void fake.err.push(text),
  });
  for (const verb of program.commands) {
    verb.exitOverride().configureOutput(program.configureOutput());
    for (const inner of verb.commands)
      inner.exitOverride().configureOutput(program.configureOutput());
  }
  program.parse(words, { from: "user" });
  return ran;
}

function perform(work: Work<number | undefined>, world: World): Ran {
  try {
    let step = work.next();
    while (!step.done) step = work.next(step.value(world));
    return { code: step.value, problems: [] };
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    return { code: 1, problems: error.problems };
  }
}

export function sentences({ problems }: Ran): string[] {
  return problems.map(explain);
}

export { noContexts };
