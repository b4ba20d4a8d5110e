/** What Docker says when it will not, as problems that an operator can act on. Pure. */

import type { Problem } from "../../model/problem.ts";
import type { ContainerWorkload } from "../../model/spec.ts";

/** The daemon answered, and the answer is no. */
export class DockerRefusal extends Error {
  override readonly name = "DockerRefusal";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The daemon did not answer: nothing can be concluded about the task. */
export class DockerGone extends Error {
  override readonly name = "DockerGone";
}

type Place = { readonly node: string; readonly workload: ContainerWorkload };

/** Why a container could not be created or started. */
export function refusalOf(error: DockerRefusal, { node, workload }: Place): Problem {
  const detail = oneLine(error.message);
  const port = takenPort(error.message);
  if (port !== undefined) return { code: "port-in-use", ...port, node, detail };
  if (/\bno such image\b/i.test(error.message)) {
    return { code: "image-not-found", image: workload.image, node, detail };
  }
  if (/executable file not found|no such file or directory: unknown/i.test(error.message)) {
    const command = /exec: \\?"([^"\\]+)\\?"/.exec(error.message)?.[1];
    if (command !== undefined) return { code: "command-not-found", command, node };
  }
  return { code: "engine-refused", engine: "docker", node, detail };
}

/** Why an image could not be pulled: it is not there, or the way to it is closed. */
export function pullProblem(message: string, image: string, node: string): Problem {
  const detail = oneLine(message);
  const code = absent.test(message) ? "image-not-found" : "image-pull-failed";
  return { code, image, node, detail };
}

const absent = new RegExp(
  [
    "manifest unknown",
    "manifest for .* not found",
    "pull access denied",
    "repository does not exist",
    "name unknown",
    "invalid reference format",
    "no matching manifest",
  ].join("|"),
  "i",
);

/** Docker words it in several ways, by version and by who found out first. */
function takenPort(message: string): { port: number; protocol: string } | undefined {
  const taken = /port is already allocated|address already in use/i;
  if (!taken.test(message)) return undefined;
  const port = /:(\d{1,5})(?:\/(tcp|udp))?(?:\s*->|\s+failed|:\s*bind|:\s)/.exec(message);
  if (port === null) return undefined;
  return { port: Number(port[1]), protocol: port[2] ?? (/\budp/.test(message) ? "udp" : "tcp") };
}

/** dockerode wraps the daemon's words in its own: "(HTTP code 404) no such container - …". */
export function daemonWords(message: string): string {
  return message.replace(/^\(HTTP code \d+\) [^-]*- /, "").trim();
}

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, " ").trim().slice(0, 500);
}
