/**
 * Contexts: the meshes this person knows, and how to reach them. Kept in one file of the person's
 * own (cli/context-file.ts); here is only what it means.
 */

import * as z from "zod";
import type { MeshId } from "../model/ids.ts";
import type { Problem } from "../model/problem.ts";

export type Context = {
  readonly name: string;
  readonly mesh: MeshId;
  /** Base64 of the mesh's 32 bytes: without it no handshake with a peer completes. */
  readonly secret: string;
  /** Multiaddrs of peers with their ids, tried in order. */
  readonly peers: readonly string[];
  /** Path of the socket of an agent on this machine, tried before the peers. */
  readonly socket?: string | undefined;
};

export type ContextFile = {
  /** Name of the one in use; "" when there is none. */
  readonly current: string;
  readonly contexts: readonly Context[];
};

export const noContexts: ContextFile = { current: "", contexts: [] };

const shape = z.object({
  current: z.string(),
  contexts: z.array(
    z.object({
      name: z.string().min(1),
      mesh: z.string(),
      secret: z.string(),
      peers: z.array(z.string()),
      socket: z.string().optional(),
    }),
  ),
});

/** Undefined when the value is no such file. */
export function parseContexts(value: unknown): ContextFile | undefined {
  const result = shape.safeParse(value);
  return result.success ? (result.data as unknown as ContextFile) : undefined;
}

export function printContexts(file: ContextFile): string {
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

export function findContext(file: ContextFile, name: string): Context | Problem {
  const found = file.contexts.find((context) => context.name === name);
  return found ?? { code: "context-unknown", context: name };
}

/** Replaces one of the same name, and becomes the one in use. */
export function addContext(file: ContextFile, context: Context): ContextFile {
  const others = file.contexts.filter(({ name }) => name !== context.name);
  return { current: context.name, contexts: [...others, context] };
}

export function removeContext(file: ContextFile, name: string): ContextFile {
  const contexts = file.contexts.filter((context) => context.name !== name);
  const current = file.current === name ? (contexts[0]?.name ?? "") : file.current;
  return { current, contexts };
}

/** A name that no other mesh has: "home", "home-2", … A mesh known already keeps its name. */
export function freeName(file: ContextFile, wanted: string, mesh: MeshId): string {
  const known = file.contexts.find((context) => context.mesh === mesh);
  if (known !== undefined) return known.name;
  const names = new Set(file.contexts.map(({ name }) => name));
  let name = wanted;
  for (let number = 2; names.has(name); number++) name = `${wanted}-${number}`;
  return name;
}
