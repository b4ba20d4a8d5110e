/**
 * From the text of a request to typed values. Total and bounded: what does not fit is a problem
 * that says where. Called only when the caller has been found to be allowed to ask.
 */

import type * as z from "zod";
import type { SpecDocument } from "../model/documents.ts";
import { mistakesIn, parseSpecDocument } from "../model/parse.ts";
import { OperationError, type Problem } from "../model/problem.ts";
import { type BodyOf, type QueryOf, type RouteName, routes } from "./routes.ts";

/** As deep as canonical bytes may nest (docs/protocol.md). */
const nestingMax = 32;
/** A request that is wrong everywhere is told its first mistakes. */
const mistakesMax = 20;

export function readQuery<Name extends RouteName>(name: Name, target: string): QueryOf<Name> {
  const at = target.indexOf("?");
  const pairs = [...new URLSearchParams(at < 0 ? "" : target.slice(at + 1))];
  const query = Object.fromEntries(pairs);
  if (Object.keys(query).length < pairs.length) throw invalid("the query says something twice");
  return fit(routes[name].query, query, "query") as QueryOf<Name>;
}

export function readBody<Name extends RouteName>(name: Name, body: Uint8Array): BodyOf<Name> {
  return fit(routes[name].body, body.length === 0 ? {} : parseJson(body), "body") as BodyOf<Name>;
}

/** Throws an OperationError: `request-invalid` with the place, for every mistake. */
function fit(shape: z.ZodType, value: unknown, place: string): unknown {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, mistakesMax).map(({ path, message }): Problem => {
    return { code: "request-invalid", detail: `${[place, ...path].join(".")}: ${message}` };
  });
  throw new OperationError(problems);
}

function parseJson(body: Uint8Array): unknown {
  if (isDeep(body)) throw invalid(`the body nests deeper than ${nestingMax}`);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw invalid("the body is not JSON");
  }
}

/** Counted on bytes before parsing: a megabyte of "[" would become a hundred of arrays. */
function isDeep(body: Uint8Array): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (isText) {
      if (byte === backslash) at++;
      else if (byte === quote) isText = false;
    } else if (byte === quote) isText = true;
    else if (byte === openBracket || byte === openBrace) {
      if (++depth > nestingMax) return true;
    } else if (byte === closeBracket || byte === closeBrace) depth--;
  }
  return false;
}

const [quote, backslash, openBracket, closeBracket, openBrace, closeBrace] = [...'"\\[]{}'].map(
  (character) => character.charCodeAt(0),
);

/** Every mistake of every document at once. */
export function readDocuments(values: readonly unknown[]): readonly SpecDocument[] {
  const problems: Problem[] = [];
  const documents = values.flatMap((value, index) => {
    const document = parseSpecDocument(value);
    if (document !== undefined) return [document];
    for (const { path, detail } of mistakesIn(value)) {
      if (problems.length >= mistakesMax) break;
      const place = `documents.${index}${path === "" ? "" : `.${path}`}`;
      problems.push({ code: "value-invalid", file: "", line: 0, path: place, detail });
    }
    return [];
  });
  if (problems.length > 0) throw new OperationError(problems);
  return documents;
}

function invalid(detail: string): OperationError {
  return new OperationError({ code: "request-invalid", detail });
}
