/** Options of every command that changes what runs: wait for it, or not. */

import type { Input } from "../command.ts";

export const waitOptions: readonly (readonly [flags: string, description: string])[] = [
  ["-d, --detach", "do not wait until every replica serves"],
  ["--timeout DURATION", "give up when nothing moves for so long (60s)"],
];

/** A pull of an image shows no movement while it lasts. */
const stillMsDefault = 60_000;

/** Undefined when the person does not want to wait. */
export function waitTime({ options }: Input): number | undefined {
  if (options.flag("detach")) return undefined;
  return options.durationMs("timeout") ?? stillMsDefault;
}
