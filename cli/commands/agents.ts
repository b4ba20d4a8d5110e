/** `shoal up|join|leave`: the agent on this machine. */

import { posix } from "node:path";
import { parseInvite } from "../../api/person.ts";
import { OperationError } from "../../model/problem.ts";
import { type Command, confirmed, type Input, note, show, word } from "../command.ts";
import { slip } from "../options.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import type { AgentStart } from "../world.ts";
import { addressesOf, remember } from "./people.ts";

const listenDefault = "/ip4/0.0.0.0/tcp/7946";
/** What a first `up` cannot listen on must not leave a mesh behind. */
const listenAddress = /^\/ip[46]\/[0-9a-f.:]+\/tcp\/\d{1,5}$/i;

function* up(input: Input): Work<ExitCode> {
  const start = yield* prepare(input);
  const known = yield* ask(({ agent }) => agent.read(start.data));
  const wanted = input.options.text("name");
  if (known !== undefined) {
    if (wanted !== undefined && wanted !== known.name) {
      yield* note(`--name ${wanted} is left out: ${start.data} belongs to mesh ${known.name}`);
    }
    return yield* run(input, start);
  }
  const name = wanted ?? "mesh";
  const key = yield* ask((world) => world.key());
  const genesis = ["--genesis-name", name, "--admin", key.id];
  return yield* run(input, { ...start, args: [...start.args, ...genesis] });
}

function* join(input: Input): Work<ExitCode> {
  const given = word(input, 0, "TOKEN");
  const text = given === "-" ? yield* ask(({ terminal }) => terminal.readInput()) : given;
  const token = parseInvite(text);
  if ("code" in token) throw new OperationError(token);
  if (token.role !== "peer" && token.role !== "runner") {
    throw slip("TOKEN", `is for a person (${token.role}): use \`shoal context add NAME TOKEN\``);
  }
  const start = yield* prepare(input);
  const known = yield* ask(({ agent }) => agent.read(start.data));
  if (known !== undefined && known.mesh !== token.mesh) {
    throw new OperationError({ code: "already-member", mesh: known.name, path: start.data });
  }
  const args = [...start.args, "--join"];
  return yield* run(input, { ...start, args, input: `${text.trim()}\n` });
}

/** Where the agent keeps its things, and what every agent is told. */
export function* prepare({ options }: Input): Work<AgentStart> {
  const data = yield* dataDirectory(options.text("data"));
  const socket = options.text("socket") ?? posix.join(data, "shoal.sock");
  const args = ["--data", data, "--socket", socket];
  const listen = options.list("listen");
  for (const address of listen.length > 0 ? listen : [listenDefault]) {
    if (!listenAddress.test(address)) {
      throw slip(
        "--listen",
        `${address} is no address to listen on: it looks like ${listenDefault}`,
      );
    }
    args.push("--listen", address);
  }
  const name = options.text("node-name");
  if (name !== undefined) args.push("--name", name);
  for (const label of options.list("label")) args.push("--label", label);
  for (const engine of options.list("engine")) args.push("--engine", engine);
  for (const dns of options.list("dns")) args.push("--dns", dns);
  return { data, socket, args, input: undefined, detach: options.flag("detach") };
}

function* dataDirectory(given: string | undefined): Work<string> {
  const cwd = yield* ask((world) => world.directory);
  if (given !== undefined) return posix.resolve(cwd, given);
  const { isRoot, home } = yield* ask(({ agent }) => agent);
  const share = yield* ask(({ env }) => env.XDG_DATA_HOME);
  if (isRoot) return "/var/lib/shoal";
  return posix.join(share ?? posix.join(home, ".local", "share"), "shoal");
}

export function* run(input: Input, start: AgentStart): Work<ExitCode> {
  yield* ask(({ agent }) => agent.start(start));
  const file = yield* ask(({ agent }) => agent.read(start.data));
  if (file !== undefined) {
    const { mesh, secret, name } = file;
    const view = yield* ask((world) => world.meshAt(start.socket).view());
    const peers = addressesOf(view);
    yield* remember({ mesh, secret, socket: start.socket, peers }, name);
    yield* note(`node ${file.node} of mesh ${name} is up; see \`shoal status\``);
  }
  if (!start.detach) return yield* ask(({ agent }) => agent.finished());
  yield* show(input, { node: file?.node, mesh: file?.mesh, socket: start.socket }, () => "");
  return 0;
}

function* leave(input: Input): Work<ExitCode> {
  const data = yield* dataDirectory(input.options.text("data"));
  const file = yield* ask(({ agent }) => agent.read(data));
  if (file === undefined) throw new OperationError({ code: "not-member", path: data });
  const socket = input.options.text("socket") ?? posix.join(data, "shoal.sock");
  const isForced = input.options.flag("force");
  const losses = isForced
    ? "The mesh is not told, and this node's state is dropped."
    : "Tasks move away and this node's state is dropped.";
  if (!(yield* confirmed(input, `leave mesh ${file.name}? ${losses}`))) return 1;
  if (isForced) yield* ask(({ agent }) => agent.forget(data, socket));
  else yield* ask((world) => world.meshAt(socket).leave());
  yield* show(input, { node: file.node, mesh: file.mesh }, () => `left mesh ${file.name}`);
  return 0;
}

const placeOptions = [
  ["--data DIR", "where the agent keeps its state (/var/lib/shoal for root)"],
  ["--socket PATH", "where it answers on this machine (shoal.sock in --data)"],
] as const;

export const agentOptions = [
  ...placeOptions,
  ["--listen MULTIADDR...", `where peers reach it (${listenDefault})`],
  ["--node-name NAME", "its name for people (the host's)"],
  ["--label NAME=VALUE...", "a label of the node"],
  ["--engine ENGINE...", "docker, process (all there are)"],
  ["--dns ADDRESS:PORT...", "where it answers DNS"],
  ["-d, --detach", "return as soon as it answers"],
] as const;

export const agentCommands: readonly Command[] = [
  {
    name: "up",
    usage: "",
    summary: "Start the agent here; the first time, begin a mesh",
    options: [["--name MESH", "name of a new mesh"], ...agentOptions],
    examples: ["shoal up --name home", "shoal up --detach --label zone=a"],
    isLocal: true,
    run: up,
  },
  {
    name: "join",
    usage: "TOKEN",
    summary: "Start the agent here and join a mesh by invite; - reads it from standard input",
    options: agentOptions,
    examples: ["shoal join shoal1-…", "shoal join - --detach < token"],
    isLocal: true,
    run: join,
  },
  {
    name: "leave",
    usage: "",
    summary: "Take this machine's node out of its mesh",
    options: [
      ...placeOptions,
      ["-y, --yes", "do not ask"],
      ["-f, --force", "drop the state here without an agent, as after `shoal node rm`"],
    ],
    examples: ["shoal leave --yes", "shoal leave --force --data /srv/shoal"],
    isLocal: true,
    run: leave,
  },
];
