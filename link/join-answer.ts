/** What a peer answers to a wish for admission, in bytes, and which refusal says most. */

import { isRecord } from "../crdt/signed.ts";
import type { Problem } from "../model/problem.ts";

export type Answer =
  /** All facts of the trust log, the new admission among them. */
  | { readonly kind: "admitted"; readonly facts: readonly Uint8Array[] }
  | { readonly kind: "refused"; readonly problem: Problem };

/** Those that decide come first: a dead peer among the addresses is no news to who was refused. */
const order: readonly Problem["code"][] = [
  "node-revoked",
  "invite-expired",
  "invite-used-up",
  "invite-unknown",
  "mesh-mismatch",
  "request-invalid",
  "overloaded",
  "peer-unreachable",
  "address-invalid",
];

/** What refusals look like. Anything else that a peer says is nonsense. */
const fields: Readonly<Record<string, Readonly<Record<string, "string" | "number">>>> = {
  "node-revoked": { node: "string" },
  "invite-expired": { expiredAt: "string" },
  "invite-used-up": { uses: "number" },
  "invite-unknown": { mesh: "string" },
  "mesh-mismatch": { expected: "string", found: "string" },
  "request-invalid": { detail: "string" },
  overloaded: { detail: "string" },
};
const charactersMax = 1_024;

export function writeAnswer(answer: Answer): unknown {
  return answer.kind === "admitted" ? { facts: answer.facts } : { problem: answer.problem };
}

/** Undefined when it is no answer. */
export function readAnswer(value: unknown): Answer | undefined {
  if (!isRecord(value)) return undefined;
  const { facts, problem } = value;
  if (Array.isArray(facts) && facts.every((fact) => fact instanceof Uint8Array)) {
    return { kind: "admitted", facts };
  }
  const refusal = readProblem(problem);
  return refusal === undefined ? undefined : { kind: "refused", problem: refusal };
}

function readProblem(value: unknown): Problem | undefined {
  if (!isRecord(value)) return undefined;
  const { code } = value;
  const wanted = typeof code === "string" && Object.hasOwn(fields, code) ? fields[code] : undefined;
  if (wanted === undefined) return undefined;
  const isWhole = Object.entries(wanted).every(([name, type]) => {
    const field = value[name];
    return typeof field === type && String(field).length <= charactersMax;
  });
  if (!isWhole) return undefined;
  const known = Object.keys(wanted).map((name) => [name, value[name]]);
  return { code, ...Object.fromEntries(known) } as Problem;
}

/** The one that matters most. A key that the gater refuses is an invite that nobody knows. */
export function weigh(problems: readonly Problem[], mesh: string): Problem {
  const plain = problems.map(
    (problem): Problem =>
      problem.code === "key-refused" ? { code: "invite-unknown", mesh } : problem,
  );
  const rank = ({ code }: Problem): number => (order.indexOf(code) + order.length) % order.length;
  const [first] = plain.sort((left, right) => rank(left) - rank(right));
  return first ?? { code: "invite-malformed", detail: "it names no peer to ask" };
}
