/**
 * Everything an operator can be told went wrong, as data: the API sends the object, the CLI
 * prints the sentence, tests compare codes. docs/problems.md has a section per code.
 *
 * Each code's data and its sentence stand together in `sentences`. To add a code, add it to
 * `Problem`, to `sentences`, and to docs/problems.md: the compiler and a test ask for all three.
 */

export type Problem = Readonly<
  // Compose files and specs. `line` counts from 1; 0 where there is no file.
  | { code: "yaml-malformed"; file: string; line: number; detail: string }
  | { code: "key-unknown"; file: string; line: number; path: string; suggestion: string }
  | { code: "value-invalid"; file: string; line: number; path: string; detail: string }
  | { code: "key-unsupported"; file: string; line: number; path: string; detail: string }
  | { code: "key-ignored"; file: string; line: number; path: string; detail: string }
  | { code: "value-assumed"; file: string; line: number; path: string; detail: string }
  | { code: "variable-unset"; file: string; line: number; variable: string; detail: string }
  | { code: "file-unreadable"; file: string; detail: string }
  | { code: "argument-invalid"; argument: string; detail: string }
  // What is not there.
  | { code: "service-unknown"; service: string }
  | { code: "stack-unknown"; stack: string }
  | { code: "node-unknown"; node: string }
  | { code: "person-unknown"; person: string }
  | { code: "task-unknown"; task: string }
  | { code: "revision-unknown"; service: string; revision: string }
  | { code: "route-unknown"; method: string; path: string }
  | { code: "context-unknown"; context: string }
  // Placement and tasks.
  | { code: "no-eligible-node"; service: string; rejections: Readonly<Record<string, number>> }
  | { code: "image-not-found"; image: string; node: string; detail: string }
  | { code: "image-pull-failed"; image: string; node: string; detail: string }
  | { code: "port-in-use"; port: number; protocol: string; node: string; detail: string }
  | { code: "port-claimed"; port: number; protocol: string; service: string; holder: string }
  | { code: "task-failed"; task: string; detail: string }
  | { code: "task-crash-looping"; replica: string; failures: number; detail: string }
  | { code: "command-not-found"; command: string; node: string }
  | { code: "exec-failed"; task: string; detail: string }
  | { code: "update-paused"; service: string; detail: string }
  | { code: "spec-conflict"; service: string; revisions: readonly string[] }
  // Engines and the node's own means.
  | { code: "engine-unavailable"; engine: string; node: string; detail: string }
  | { code: "engine-refused"; engine: string; node: string; detail: string }
  | { code: "data-directory-unwritable"; path: string; detail: string }
  | { code: "data-directory-locked"; path: string; holder: string }
  | { code: "disk-full"; path: string }
  | { code: "database-damaged"; path: string; setAside: string }
  | { code: "schema-newer"; path: string; found: number; supported: number }
  | { code: "clock-skewed"; offsetMs: number; limitMs: number }
  | { code: "stamp-from-future"; writer: string; aheadMs: number }
  | { code: "dns-not-listening"; address: string; detail: string }
  // Trust and reaching the mesh.
  | { code: "not-authorised"; principal: string; needs: string }
  | { code: "key-refused"; address: string; detail: string }
  | { code: "signature-invalid"; detail: string }
  | { code: "request-expired"; ageMs: number }
  | { code: "invite-malformed"; detail: string }
  | { code: "invite-expired"; expiredAt: string }
  | { code: "invite-used-up"; uses: number }
  | { code: "invite-unknown"; mesh: string }
  | { code: "mesh-mismatch"; expected: string; found: string }
  | { code: "already-member"; mesh: string; path: string }
  | { code: "not-member"; path: string }
  | { code: "mesh-alive"; mesh: string; address: string }
  | { code: "peer-unreachable"; address: string; detail: string }
  | { code: "address-invalid"; address: string; detail: string }
  | { code: "agent-not-running"; socket: string }
  | { code: "node-equivocated"; node: string }
  | { code: "node-revoked"; node: string }
  | { code: "node-down"; node: string }
  // Backups.
  | { code: "backup-unreadable"; file: string; detail: string }
  | { code: "backup-newer"; file: string; found: number; supported: number }
  | { code: "backup-sealed"; file: string; mesh: string; key: string }
  // Requests.
  | { code: "request-invalid"; detail: string }
  | { code: "request-too-large"; bytesMax: number }
  | { code: "request-timeout"; detail: string }
  | { code: "overloaded"; detail: string }
>;

export type ProblemCode = Problem["code"];

type Sentences = {
  readonly [Code in ProblemCode]: (problem: Extract<Problem, { code: Code }>) => string;
};

/** "compose.yaml:7: " or "" when there is no file. */
function at(problem: { file: string; line: number }): string {
  if (problem.file === "") return "";
  return problem.line > 0 ? `${problem.file}:${problem.line}: ` : `${problem.file}: `;
}

/** How a person comes by a role; nodes get theirs when they join. */
function inviteHint(role: string): string {
  if (role === "peer" || role === "runner") return "";
  return ` (an admin runs \`shoal invite --role ${role}\`, then here: \`shoal context add NAME TOKEN\`)`;
}

const sentences: Sentences = {
  "yaml-malformed": (p) => `${at(p)}this is not YAML: ${p.detail}`,
  "key-unknown": (p) =>
    `${at(p)}${p.path}: unknown key${p.suggestion ? `, did you mean "${p.suggestion}"?` : ""}`,
  "value-invalid": (p) => `${at(p)}${p.path}: ${p.detail}`,
  "key-unsupported": (p) => `${at(p)}${p.path}: not supported yet: ${p.detail}`,
  "key-ignored": (p) => `${at(p)}${p.path}: ignored: ${p.detail}`,
  "value-assumed": (p) => `${at(p)}${p.path}: ${p.detail}`,
  "variable-unset": (p) => `${at(p)}variable ${p.variable} is not set: ${p.detail}`,
  "file-unreadable": (p) => `cannot read ${p.file}: ${p.detail}`,
  "argument-invalid": (p) => `${p.argument}: ${p.detail}`,
  "service-unknown": (p) =>
    `there is no service called ${p.service}: see \`shoal service ls\` for those there are`,
  "stack-unknown": (p) => `there is no stack called ${p.stack}: see \`shoal stack ls\``,
  "node-unknown": (p) => `there is no node called ${p.node}: see \`shoal node ls\``,
  "person-unknown": (p) =>
    `nobody called ${p.person} may talk to this mesh: see \`shoal person ls\``,
  "task-unknown": (p) => `there is no task called ${p.task}: see \`shoal ps\``,
  "revision-unknown": (p) =>
    `${p.service} has no revision ${p.revision}: see \`shoal service history ${p.service}\``,
  "route-unknown": (p) => `the API has no ${p.method} ${p.path}`,
  "context-unknown": (p) =>
    p.context === ""
      ? "no mesh is known here: begin one with `shoal up`, or `shoal context add NAME TOKEN`"
      : `there is no context called ${p.context}: see \`shoal context ls\``,
  "no-eligible-node": (p) => {
    const counts = Object.entries(p.rejections).map(([filter, n]) => `${filter} ruled out ${n}`);
    return `no node can run ${p.service}: ${counts.join(", ") || "the mesh has no nodes"}`;
  },
  "image-not-found": (p) =>
    `node ${p.node} cannot find image ${p.image} (${p.detail}): check the name, or push it`,
  "image-pull-failed": (p) => `node ${p.node} cannot pull image ${p.image}: ${p.detail}`,
  "port-in-use": (p) =>
    `port ${p.port}/${p.protocol} on node ${p.node} is in use by something else: ${p.detail}`,
  "port-claimed": (p) =>
    `${p.service} cannot publish ${p.port}/${p.protocol}: ${p.holder} has it; publish another port`,
  "task-failed": (p) => `task ${p.task} failed: ${p.detail}`,
  "task-crash-looping": (p) =>
    `${p.replica} failed ${p.failures} times in a row and is started less and less often: ${p.detail}`,
  "command-not-found": (p) => `node ${p.node} has no command called ${p.command}`,
  "exec-failed": (p) => `cannot run a command in task ${p.task}: ${p.detail}`,
  "update-paused": (p) =>
    `the update of ${p.service} is paused: ${p.detail}; deploy a better one, go on ` +
    `(\`shoal service update ${p.service} --resume\`) or back (\`shoal service rollback\`)`,
  "spec-conflict": (p) =>
    `${p.service} was changed on two sides at once (${p.revisions.join(", ")} lost): ` +
    `see \`shoal service history ${p.service}\`, then deploy or roll back to settle it`,
  "engine-unavailable": (p) =>
    `the ${p.engine} engine on node ${p.node} does not answer: ${p.detail}`,
  "engine-refused": (p) => `the ${p.engine} engine on node ${p.node} refused: ${p.detail}`,
  "data-directory-unwritable": (p) => `cannot write to ${p.path}: ${p.detail}`,
  "data-directory-locked": (p) =>
    `another agent (${p.holder}) uses ${p.path}: stop it, or choose another --data`,
  "disk-full": (p) =>
    `no room left on the disk of ${p.path}: free some, writes resume by themselves`,
  "database-damaged": (p) =>
    `${p.path} was damaged and is set aside as ${p.setAside}: state is being refilled from peers`,
  "schema-newer": (p) =>
    `${p.path} was written by a newer Shoal (schema ${p.found}, this one knows ${p.supported}): upgrade`,
  "clock-skewed": (p) =>
    `this clock is off by ${p.offsetMs} ms (limit ${p.limitMs} ms): set it right, writes resume then`,
  "stamp-from-future": (p) =>
    `${p.writer} stamps its writes ${p.aheadMs} ms ahead of now: they are held back until its clock is set`,
  "dns-not-listening": (p) =>
    `DNS is not answered at ${p.address} (${p.detail}): it is tried again every second`,
  "not-authorised": (p) =>
    `${p.principal} may not do this: it needs the role ${p.needs}${inviteHint(p.needs)}`,
  "key-refused": (p) =>
    `${p.address} refuses this key, which has no role in its mesh, or none any more (${p.detail}): ` +
    "ask an admin for an invite, then `shoal context add NAME TOKEN`",
  "signature-invalid": (p) => `a signature does not fit: ${p.detail}`,
  "request-expired": (p) =>
    `the request was signed ${p.ageMs} ms away from now: check both clocks and try again`,
  "invite-malformed": (p) => `this is not an invite: ${p.detail}`,
  "invite-expired": (p) =>
    `the invite expired at ${p.expiredAt}: ask for a new one (\`shoal invite\`)`,
  "invite-used-up": (p) => `the invite was good for ${p.uses} uses, all gone: ask for a new one`,
  "invite-unknown": (p) => `mesh ${p.mesh} does not know this invite: ask for a new one`,
  "mesh-mismatch": (p) => `that belongs to mesh ${p.found}, this is mesh ${p.expected}`,
  "already-member": (p) =>
    `${p.path} belongs to a node of mesh ${p.mesh} already: \`shoal leave\` first, or choose another --data`,
  "not-member": (p) => `${p.path} holds no node: start one with \`shoal up\` or \`shoal join\``,
  "mesh-alive": (p) =>
    `not all of mesh ${p.mesh} is lost, ${p.address} answers: leave out --all-lost, or join by invite`,
  "peer-unreachable": (p) => `cannot reach ${p.address}: ${p.detail}`,
  "address-invalid": (p) =>
    `${p.address} is no peer address (${p.detail}): it looks like /ip4/10.0.0.1/tcp/7946/p2p/12D3…`,
  "agent-not-running": (p) =>
    `no agent answers at ${p.socket}: start one with \`shoal up\`, or point --peer at one`,
  "node-equivocated": (p) =>
    `node ${p.node} signed two different states as one: it is quarantined; remove it (\`shoal node rm\`)`,
  "node-revoked": (p) =>
    `node ${p.node} was removed from the mesh: to bring the machine back, ` +
    "`shoal leave --force` there and join by a new invite",
  "node-down": (p) => `node ${p.node} is down`,
  "backup-unreadable": (p) => `cannot restore ${p.file}: ${p.detail}`,
  "backup-newer": (p) =>
    `${p.file} was written by a newer Shoal (format ${p.found}, this one knows ${p.supported}): upgrade`,
  "backup-sealed": (p) =>
    `${p.file} is sealed for the admins of mesh ${p.mesh}, and the key of this person (${p.key}) ` +
    "is none of theirs: put an admin's key here, or restore where it is",
  "request-invalid": (p) => `bad request: ${p.detail}`,
  "request-too-large": (p) => `the request is larger than ${p.bytesMax} bytes`,
  "request-timeout": (p) => `no answer in time: ${p.detail}`,
  overloaded: (p) => `too busy: ${p.detail}`,
};

export const problemCodes = Object.keys(sentences) as readonly ProblemCode[];

/** Codes that only warn: the work goes on. */
export function isWarning(problem: Problem): boolean {
  return problem.code === "key-ignored" || problem.code === "value-assumed";
}

/** One sentence: what happened and, where it helps, what to do. */
export function explain(problem: Problem): string {
  const sentence = sentences[problem.code] as (problem: Problem) => string;
  return sentence(problem);
}

/** Thrown where work cannot go on. A bug is a plain Error: only expected failures get a code. */
export class OperationError extends Error {
  override readonly name = "OperationError";
  /** All of them at once; never empty. */
  readonly problems: readonly Problem[];

  constructor(problems: Problem | readonly Problem[], options?: ErrorOptions) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(list.map(explain).join("\n"), options);
    this.problems = list;
  }
}
