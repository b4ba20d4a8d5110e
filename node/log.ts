/**
 * The agent's log: lines of JSON on standard output, by pino. A door.
 *
 * What repeats is written a few times and then counted, because what peers send can make an agent
 * say the same thing as often as they like. Secrets never reach it: node/log-fields.ts.
 */

import pino from "pino";
import { cleanFields, type LogFields } from "./log-fields.ts";
import { openOutput } from "./log-output.ts";

export interface Log {
  /** `event` is a constant of the code, in kebab case; what varies goes into the fields. */
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogOptions = {
  readonly destination?: pino.DestinationStream;
  readonly nowMs?: () => number;
};

type Level = keyof Log;
type Repeats = { startMs: number; written: number; suppressed: number };

const levels: readonly string[] = ["debug", "info", "warn", "error", "silent"];
/** Lines of one event in one window; more are counted, and the next window says how many. */
const repeatsMax = 20;
const windowMs = 10_000;
/** Far more than the code has events. */
const eventsMax = 1_000;

/** The level is SHOAL_LOG: debug, info (when unset), warn, error or silent. */
export function openLog(options: LogOptions = {}): Log {
  const wanted = process.env.SHOAL_LOG ?? "info";
  const level = levels.includes(wanted) ? wanted : "info";
  const { nowMs = () => performance.now(), destination = openOutput() } = options;
  const formatters = { level: (label: string) => ({ level: label }) };
  const timestamp = pino.stdTimeFunctions.isoTime;
  const logger = pino(
    { level, base: null, messageKey: "event", timestamp, formatters },
    destination,
  );
  const repeats = new Map<string, Repeats>();
  const write = (kind: Level, event: string, fields: LogFields): void => {
    if (!logger.isLevelEnabled(kind)) return;
    const suppressed = admit(repeats, `${kind} ${event}`, nowMs());
    if (suppressed === undefined) return;
    logger[kind]({ ...cleanFields(fields), ...(suppressed > 0 ? { suppressed } : {}) }, event);
  };
  const to =
    (kind: Level) =>
    (event: string, fields: LogFields = {}) =>
      write(kind, event, fields);
  const log: Log = { debug: to("debug"), info: to("info"), warn: to("warn"), error: to("error") };
  if (level !== wanted) log.warn("log-level-unknown", { wanted, level });
  return log;
}

/** How many of these were left out before this one; undefined when this one is left out too. */
function admit(repeats: Map<string, Repeats>, key: string, nowMs: number): number | undefined {
  let seen = repeats.get(key);
  const suppressed = seen?.suppressed ?? 0;
  if (seen === undefined || nowMs - seen.startMs >= windowMs) {
    if (repeats.size >= eventsMax) repeats.clear();
    seen = { startMs: nowMs, written: 0, suppressed: 0 };
    repeats.set(key, seen);
  }
  if (seen.written >= repeatsMax) {
    seen.suppressed++;
    return undefined;
  }
  seen.written++;
  return seen.written === 1 ? suppressed : 0;
}
