/** The process engine: what every engine must do, and what only this one can do wrong. */

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openProcessEngine } from "../../engine/process/process-engine.ts";
import type { TaskId } from "../../model/ids.ts";
import { conform } from "./conformance.ts";
import type { EngineBed, Workload } from "./engine-bench.ts";

/** Serves index.html of its directory, as busybox's httpd does in the containers. */
const serverCode = `
const { existsSync, writeFileSync } = require("node:fs");
writeFileSync("index.html", "well");
const answer = (request, response) => {
  response.statusCode = request.url === "/index.html" && existsSync("index.html") ? 200 : 404;
  response.end();
};
const { PORT, DELAY_S } = process.env;
const listen = () => require("node:http").createServer(answer).listen(Number(PORT));
setTimeout(listen, Number(DELAY_S) * 1000);
`;

export function process(command: readonly string[], env = {}): Workload {
  return { kind: "process", command, env };
}

async function open(): Promise<EngineBed> {
  const directory = await mkdtemp(join(tmpdir(), "shoal-process-"));
  return {
    kind: "process",
    newEngine: () => openProcessEngine({ directory, nodeName: "first" }),
    script: (text, env) => process(["sh", "-c", text], env),
    server: (delayS = 0) => process(["node", "-e", serverCode], { DELAY_S: String(delayS) }),
    nonsense: () => process(["no-such-command"]),
    order: {},
    isLeft: (task: TaskId) => existsSync(join(directory, task.replace("/", "_"))),
    close: () => rm(directory, { recursive: true }),
  };
}

const needsProc = existsSync("/proc/self/stat") ? false : "it needs /proc";
conform("the process engine", open, needsProc);
