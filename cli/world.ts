/**
 * Everything a command can ask for: the mesh it talks to, the terminal, the person's own files and
 * key, the agent on this machine. Implemented by doors; tests hand in plain values.
 */

import type { Draft, PersonKey } from "../api/person.ts";
import type { SpecDocument } from "../model/documents.ts";
import type { MeshId, NodeId, TaskId } from "../model/ids.ts";
import type { Plan } from "../model/plan.ts";
import type { MeshEvent, MeshView } from "../model/view.ts";
import type { Context, ContextFile } from "./contexts.ts";

type Answer<Value> = Value | Promise<Value>;

/** The API of one peer, reached by its socket or over a link. */
export interface Mesh {
  /** Where the answers come from, for people: a socket's path or a peer's address. */
  readonly address: string;
  version(): Answer<{ readonly version: string; readonly mesh: string; readonly node: string }>;
  view(): Answer<MeshView>;
  drafts(keys: readonly string[]): Answer<readonly Draft[]>;
  write(writes: Writes): Answer<Written>;
  plan(documents: readonly SpecDocument[], removals: readonly string[]): Answer<Plan>;
  /** Signed facts of the trust log. */
  trust(): Answer<readonly Uint8Array[]>;
  /** All signed facts and revisions; for admins. */
  backup(): Answer<Writes>;
  logs(query: LogQuery): AsyncIterable<LogLine>;
  events(): AsyncIterable<MeshEvent>;
  leave(): Answer<void>;
}

export type Writes = {
  readonly revisions: readonly Uint8Array[];
  readonly facts: readonly Uint8Array[];
};

/** `peers`: how many had it by the time of the answer. */
export type Written = { readonly revisions: readonly string[]; readonly peers: number };

/** Of one task, one service, or one stack. */
export type LogQuery = {
  readonly task: TaskId | undefined;
  readonly service: string | undefined;
  readonly stack: string | undefined;
  readonly follow: boolean;
  readonly tail: number | undefined;
  readonly sinceMs: number | undefined;
};

export type LogLine = {
  readonly task: TaskId;
  readonly stream: "stdout" | "stderr";
  /** Unix ms. */
  readonly atMs: number;
  readonly line: string;
};

export type ExecRequest = {
  readonly task: TaskId;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  readonly workingDir: string | undefined;
};

export interface Terminal {
  /** Width of standard output; undefined when it is no terminal. */
  readonly columns: number | undefined;
  /** Whether standard output may be coloured. */
  readonly colours: boolean;
  /** One line, or several, to standard output. */
  print(text: string): void;
  /** To standard error. */
  note(text: string): void;
  /** Whether standard error is a terminal, on which `draw` shows something. */
  readonly draws: boolean;
  /** Lines that replace the ones drawn before. */
  draw(lines: readonly string[]): void;
  /** False where nobody can answer. */
  confirm(question: string): Answer<boolean>;
  /** All of standard input. */
  readInput(): Answer<string>;
  /** Whether standard output is a terminal. */
  readonly isShown: boolean;
  /** To standard output as they are. */
  printBytes(bytes: Uint8Array): Answer<void>;
}

/** How to start the agent, and where it keeps its things. */
export type AgentStart = {
  readonly data: string;
  readonly socket: string;
  readonly args: readonly string[];
  /** Goes to its standard input: an invite must not stand in the list of processes. */
  readonly input: string | undefined;
  readonly detach: boolean;
};

/** What an agent writes beside its state for the people of its machine. */
export type AgentFile = {
  readonly mesh: MeshId;
  readonly name: string;
  /** Base64 of 32 bytes. */
  readonly secret: string;
  readonly node: NodeId;
};

export interface LocalAgent {
  readonly isRoot: boolean;
  readonly home: string;
  /** Undefined when the directory holds no node. */
  read(data: string): AgentFile | undefined;
  /** The 32 secret bytes of the node's key, if the directory has one already. */
  seed(data: string): Uint8Array | undefined;
  /** Resolves when its socket answers; rejects with its problem when it ends before. */
  start(start: AgentStart): Answer<void>;
  /** Drops the state of a node whose agent does not run; rejects while one answers. */
  forget(data: string, socket: string): Answer<void>;
  /** Resolves with the exit code of the agent started in the foreground. */
  finished(): Answer<number>;
}

export interface World {
  /** Of this package. */
  readonly version: string;
  readonly mesh: Mesh;
  /** The agent of this machine that has this socket. */
  meshAt(socket: string): Mesh;
  /** By the first of the context's peers that answers; undefined when none does. */
  reach(context: Context): Answer<Mesh | undefined>;
  readonly terminal: Terminal;
  readonly agent: LocalAgent;
  /** The context that `--context` names, or the current one. */
  readonly context: Context | undefined;
  readonly contexts: ContextFile;
  readonly env: Readonly<Record<string, string>>;
  /** Absolute. */
  readonly directory: string;
  saveContexts(contexts: ContextFile): Answer<void>;
  /** Made on first use. */
  key(): Answer<PersonKey>;
  /** Text of a file, undefined when it cannot be read. */
  readText(path: string): string | undefined;
  /**
   * Of a file, or of standard input for "-". Undefined when it cannot be read or has more bytes than
   * that.
   */
  readBytes(path: string, bytesMax: number): Answer<Uint8Array | undefined>;
  /** Whole or not at all, and for nobody else to read. */
  writePrivate(path: string, bytes: Uint8Array): Answer<void>;
  random(bytes: number): Uint8Array;
  nowMs(): number;
  sleep(ms: number): Answer<void>;
  /** Prints every item as it comes until there are no more or the person stops it. */
  follow<Item>(items: AsyncIterable<Item>, print: (item: Item) => string): Answer<void>;
  /** Runs a command in a task with this terminal; gives its exit code. */
  exec(request: ExecRequest): Answer<number>;
  /** A person's admission by an invite: asks the mesh that the token names. */
  askAdmission(token: string, name: string): Answer<Admission>;
}

export type Admission = {
  readonly mesh: MeshId;
  readonly name: string;
  readonly secret: Uint8Array;
  /** Addresses of peers, with their ids. */
  readonly peers: readonly string[];
  readonly role: string;
};
