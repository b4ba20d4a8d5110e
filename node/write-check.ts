/**
 * What an operator's write must satisfy before it is merged: known shape, the writer's role,
 * ports that are free. All problems at once. Trust facts are judged by trust/ when merged.
 */

import { openRevision, type Revision } from "../crdt/register.ts";
import type { Store } from "../gossip/store.ts";
import type { MeshId, ServiceId } from "../model/ids.ts";
import { keyOf, mistakesIn, parseSpecDocument } from "../model/parse.ts";
import type { Problem } from "../model/problem.ts";
import { verify } from "../trust/identity.ts";
import type { Desired, WantedService } from "./desired.ts";
import type { OperatorWrite } from "./effects.ts";
import { claimPorts } from "./routing.ts";

type Claim = Pick<WantedService, "service" | "spec" | "createdAtMs">;

export function judgeWrite(
  write: OperatorWrite,
  desired: Desired,
  store: Store,
  mesh: MeshId,
): Problem[] {
  const problems: Problem[] = [];
  const claims = new Map<ServiceId, Claim>(
    desired.services.map((service) => [service.service, service]),
  );
  const written: Claim[] = [];
  for (const bytes of write.revisions) {
    const revision = openRevision(bytes, mesh, verify);
    if (revision === undefined) {
      problems.push({ code: "signature-invalid", detail: "a revision's seal" });
      continue;
    }
    problems.push(...judgeRevision(revision, store));
    const claim = claimOf(revision);
    if (claim !== undefined) written.push(claim);
    else if (revision.key.startsWith("service/")) {
      claims.delete(revision.key.slice("service/".length) as ServiceId);
    }
  }
  for (const claim of written) {
    const createdAtMs = claims.get(claim.service)?.createdAtMs ?? Number.MAX_SAFE_INTEGER;
    claims.set(claim.service, { ...claim, createdAtMs });
  }
  return [...problems, ...claimPorts([...claims.values()]).problems];
}

function judgeRevision(revision: Revision, store: Store): Problem[] {
  const { writer, timeMs } = revision.stamp;
  if (!store.trust.view().mayWrite(writer, timeMs)) {
    return [{ code: "not-authorised", principal: writer, needs: "operator" }];
  }
  if (revision.value === undefined) return [];
  const document = parseSpecDocument(revision.value);
  if (document === undefined) {
    return mistakesIn(revision.value).map(({ path, detail }): Problem => {
      return { code: "value-invalid", file: "", line: 0, path: `${revision.key}: ${path}`, detail };
    });
  }
  if (keyOf(document) === revision.key) return [];
  return [{ code: "request-invalid", detail: `${revision.key} cannot hold ${keyOf(document)}` }];
}

function claimOf(revision: Revision): Claim | undefined {
  const document = revision.value === undefined ? undefined : parseSpecDocument(revision.value);
  if (document?.kind !== "service") return undefined;
  const { spec } = document;
  return { service: spec.service, spec, createdAtMs: revision.stamp.timeMs };
}
