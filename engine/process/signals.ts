/** Names of signals as people write them: "SIGTERM", "term", "15". A door: it asks the system. */

import { constants } from "node:os";

/** SIGTERM for what this system has no signal of. */
export function signalNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0 && number <= 64) return number;
  const name = text.toUpperCase().replace(/^(?:SIG)?/, "SIG");
  return (constants.signals as Record<string, number>)[name] ?? constants.signals.SIGTERM;
}
