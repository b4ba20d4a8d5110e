/** `shoal status|ps|logs|exec|events|version`: what is going on, now and as it happens. */

import type { TaskId } from "../../model/ids.ts";
import { explain } from "../../model/problem.ts";
import type { MeshView, TaskView } from "../../model/view.ts";
import { showSpan } from "../amounts.ts";
import { printClock, printInstant } from "../calendar.ts";
import { paint } from "../colours.ts";
import { type Command, type Input, show, showTable, word } from "../command.ts";
import { findNode, findService, findTask, nodeName, servicesOfStack } from "../names.ts";
import { slip } from "../options.ts";
import { nodeColumns, serviceColumns, taskColumns } from "../rows.ts";
import { printFields, printTable } from "../table.ts";
import { ask, type ExitCode, type Work } from "../work.ts";
import type { LogQuery } from "../world.ts";

function* status(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const address = yield* ask((world) => world.mesh.address);
  const width = yield* ask(({ terminal }) => terminal.columns);
  yield* show(input, view, () => printStatus(view, address, width));
  return 0;
}

function printStatus(view: MeshView, address: string, width: number | undefined): string {
  const self = view.nodes.find(({ node }) => node === view.self);
  const alive = view.nodes.filter((node) => node.status === "alive").length;
  const lag =
    view.convergedAgoMs < 1000 ? "up to date" : `last equal ${showSpan(view.convergedAgoMs)} ago`;
  const fields = printFields([
    ["Mesh", view.mesh.slice(0, 12)],
    ["Answered by", `${self === undefined ? view.self : nodeName(self)} (${address})`],
    ["Nodes", `${alive} of ${view.nodes.length} alive`],
    ["State", `${view.digest.slice(0, 12)}, ${lag}`],
  ]);
  const problems = [...new Set([...view.problems.map(explain), ...ailmentsOfOthers(view)])];
  const parts = [
    fields,
    printTable(nodeColumns(view.self), view.nodes, width),
    view.services.length === 0 ? "no services" : printTable(serviceColumns, view.services, width),
    problems.length === 0
      ? "no problems"
      : `Problems:\n${problems.map((one) => `  ${one}`).join("\n")}`,
  ];
  return parts.join("\n\n");
}

/** Of a problem that only another node knows the details of, its code is known here. */
function ailmentsOfOthers(view: MeshView): string[] {
  return view.nodes.flatMap((node) => {
    const { addresses = [], ailments = [] } = node.facts ?? {};
    if (node.node === view.self || node.status !== "alive" || ailments.length === 0) return [];
    const there = `shoal status --peer ${addresses[0] ?? ""}/p2p/${node.node}`;
    return [`${nodeName(node)} says ${ailments.join(", ")}: more by \`${there}\``];
  });
}

function* tasks(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const nowMs = yield* ask((world) => world.nowMs());
  const wanted = input.options.text("node");
  const node = wanted === undefined ? undefined : findNode(view, wanted).node;
  const all = input.options.flag("all");
  const rows = view.tasks.filter((task) => {
    return (all || task.standing !== "superseded") && (node === undefined || task.node === node);
  });
  yield* showTable(input, rows, taskColumns(nowMs));
  return 0;
}

function* logs(input: Input): Work<ExitCode> {
  const view = yield* ask((world) => world.mesh.view());
  const nowMs = yield* ask((world) => world.nowMs());
  const query = chooseLogs(input, view, nowMs);
  const isJson = input.options.choice("format", ["table", "json"]) === "json";
  const names = new Map(view.tasks.map((task) => [task.task, logName(task)]));
  const withTimes = input.options.flag("timestamps");
  const prefixed = !input.options.flag("raw");
  const colours = yield* ask(({ terminal }) => terminal.colours);
  yield* ask((world) =>
    world.follow(world.mesh.logs(query), (chunk) => {
      if (isJson) return JSON.stringify(chunk);
      const time = withTimes ? `${printClock(chunk.atMs)} ` : "";
      const name = `${names.get(chunk.task) ?? chunk.task} | `;
      const prefix = prefixed ? (colours ? paint(chunk.task, name) : name) : "";
      return `${time}${prefix}${chunk.line}`;
    }),
  );
  return 0;
}

/** A stack, a service, or tasks, by whatever name fits first. */
function chooseLogs({ words, options }: Input, view: MeshView, nowMs: number): LogQuery {
  const [first] = words;
  const base = {
    task: undefined,
    service: undefined,
    stack: undefined,
    follow: options.flag("follow"),
    tail: options.whole("tail"),
    sinceMs: options.instant("since", nowMs),
  };
  const stack = options.text("stack");
  if (stack !== undefined) {
    servicesOfStack(view, stack);
    return { ...base, stack };
  }
  if (first === undefined) throw slip("SERVICE", "name a service, a replica or --stack");
  if (/\.[^./]+$/.test(first)) return { ...base, task: findTask(view, first).task };
  return { ...base, service: findService(view, first).service };
}

function logName({ service, slot, nodeName: name }: TaskView): string {
  return `${service}.${slot}@${name}`;
}

function* exec(input: Input): Work<ExitCode> {
  const { words, options } = input;
  // Docker's habit is without the dashes, kubectl's is with them: both are meant the same.
  const command = words.slice(words[1] === "--" ? 2 : 1);
  if (command.length === 0) throw slip("COMMAND", "is missing");
  const view = yield* ask((world) => world.mesh.view());
  const task: TaskId = findTask(view, word(input, 0, "TASK")).task;
  const request = {
    task,
    command,
    tty: options.flag("tty"),
    stdin: options.flag("interactive"),
    env: Object.fromEntries(options.pairs("env")),
    user: options.text("user"),
    workingDir: options.text("workdir"),
  };
  return yield* ask((world) => world.exec(request));
}

function* events(input: Input): Work<ExitCode> {
  const isJson = input.options.choice("format", ["table", "json"]) === "json";
  yield* ask((world) =>
    world.follow(world.mesh.events(), (event) => {
      if (isJson) return JSON.stringify(event);
      const { atMs, kind, action, subject, detail } = event;
      return `${printInstant(atMs)} ${kind} ${action} ${subject}${detail === "" ? "" : ` (${detail})`}`;
    }),
  );
  return 0;
}

function* version(input: Input): Work<ExitCode> {
  const client = yield* ask((world) => world.version);
  if (input.options.flag("client")) {
    yield* show(input, { client }, () => client);
    return 0;
  }
  const agent = yield* ask((world) => world.mesh.version());
  const fields = [
    ["Client", client],
    ["Agent", agent.version],
    ["Node", agent.node],
  ] as const;
  yield* show(input, { client, agent }, () => printFields([...fields, ["Mesh", agent.mesh]]));
  return 0;
}

export const watchingCommands: readonly Command[] = [
  {
    name: "status",
    usage: "",
    summary: "Show mesh, nodes, services and problems on one screen",
    options: [],
    examples: ["shoal status", "shoal status --format json"],
    run: status,
  },
  {
    name: "ps",
    usage: "",
    summary: "List tasks of all services",
    options: [
      ["-a, --all", "also tasks that were replaced"],
      ["--node NODE", "only those of one node"],
    ],
    examples: ["shoal ps", "shoal ps --node host2 --all"],
    run: tasks,
  },
  {
    name: "logs",
    usage: "[SERVICE|TASK]",
    summary: "Print what tasks wrote, wherever they run",
    options: [
      ["-f, --follow", "go on until interrupted"],
      ["-n, --tail LINES", "only the last lines of each task"],
      ["--since TIME", "only after this time, or so long ago"],
      ["-t, --timestamps", "put the time before each line"],
      ["--raw", "only the lines, without the replica before each"],
      ["--stack STACK", "of all services of a stack"],
    ],
    examples: ["shoal logs -f hello/web", "shoal logs web.1 --tail 20", "shoal logs --stack hello"],
    run: logs,
  },
  {
    name: "exec",
    usage: "TASK COMMAND...",
    summary: "Run a command in a task, wherever it runs",
    options: [
      ["-i, --interactive", "pass standard input on"],
      ["-t, --tty", "with a terminal"],
      ["-e, --env NAME=VALUE...", "set a variable"],
      ["-u, --user USER", "as this user"],
      ["-w, --workdir PATH", "in this directory"],
    ],
    examples: ["shoal exec -it web.1 sh", "shoal exec hello/web.2 cat /etc/hosts"],
    run: exec,
  },
  {
    name: "events",
    usage: "",
    summary: "Print changes of nodes, services and tasks as they happen",
    options: [],
    examples: ["shoal events", "shoal events --format json"],
    run: events,
  },
  {
    name: "version",
    usage: "",
    summary: "Print the versions of this command and of the agent it talks to",
    options: [["--client", "only of this command"]],
    examples: ["shoal version", "shoal version --client"],
    run: version,
  },
];
