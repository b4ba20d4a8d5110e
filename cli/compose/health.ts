/**
 * Health checks: Compose's `healthcheck` (liveness: an unhealthy task is replaced) and Shoal's own
 * `x-shoal.health`, which knows readiness apart from liveness, HTTP and TCP.
 */

import type { Check, CheckTest, HealthSpec } from "../../model/spec.ts";
import { defined, type Field } from "./field.ts";

/** Compose's own defaults. */
const composeDefaults = { intervalMs: 30_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 0 };
/** For readiness to follow quickly: a replica gone bad gets traffic for 15 s at the most. */
const ownDefaults = { intervalMs: 5_000, timeoutMs: 2_000, retries: 3, startPeriodMs: 0 };

export function readHealth(service: Field): HealthSpec {
  const own = service.get("x-shoal").get("health");
  const compose = service.get("healthcheck");
  const disabled = compose.get("disable").flag() ?? isNone(compose.get("test"));
  const fromCompose = disabled ? undefined : readCompose(compose);
  const liveness = readOwn(own.get("liveness"));
  if (fromCompose !== undefined && liveness !== undefined) {
    own.get("liveness").invalid("healthcheck says the same: keep one of them");
  }
  const readiness = readOwn(own.get("readiness"));
  return { ...defined({ liveness: liveness ?? fromCompose, readiness }), disabled };
}

function isNone(test: Field): boolean {
  return test.tree?.kind === "list" && test.items()[0]?.text() === "NONE";
}

function readCompose(field: Field): Check | undefined {
  const timing = readTiming(field, composeDefaults);
  const test = field.get("test");
  if (!test.isPresent) {
    const parts = ["interval", "timeout", "retries", "start_period"];
    if (parts.some((part) => field.get(part).isPresent))
      field.unsupported("changing the image's own check: give `test` as well");
    return undefined;
  }
  const command = readTest(test);
  return command === undefined ? undefined : { test: command, ...timing };
}

function readTest(field: Field): CheckTest | undefined {
  if (field.tree?.kind !== "list") {
    const line = field.word();
    return line === undefined ? undefined : { kind: "command", command: [line], shell: true };
  }
  const [kind, ...command] = field.texts() ?? [];
  if (command.length === 0) return field.invalid('expected ["CMD", …] or ["CMD-SHELL", "…"]');
  if (kind === "CMD") return { kind: "command", command, shell: false };
  if (kind === "CMD-SHELL") return { kind: "command", command: [command.join(" ")], shell: true };
  return field.invalid(`begins with "${kind}": expected CMD, CMD-SHELL or NONE`);
}

function readOwn(field: Field): Check | undefined {
  if (!field.isPresent) return undefined;
  const timing = readTiming(field, ownDefaults);
  const tests = [readHttp(field.get("http")), readTcp(field.get("tcp"))];
  const command = field.get("command");
  if (command.isPresent) tests.push(readCommand(command));
  const [test, second] = tests.filter((one) => one !== undefined);
  if (second !== undefined) return field.invalid("takes one of http, tcp and command");
  const mentioned = ["http", "tcp", "command"].some((key) => field.get(key).isPresent);
  if (test === undefined)
    return mentioned ? undefined : field.invalid("needs http, tcp or command");
  return { test, ...timing };
}

function readHttp(field: Field): CheckTest | undefined {
  if (!field.isPresent) return undefined;
  const port = field.get("port").whole(1, 65_535);
  const path = field.get("path").word() ?? "/";
  if (!field.get("port").isPresent) return field.invalid("needs a port");
  if (!path.startsWith("/")) return field.get("path").invalid("must begin with /");
  return port === undefined ? undefined : { kind: "http", port, path };
}

function readTcp(field: Field): CheckTest | undefined {
  if (!field.isPresent) return undefined;
  const port = (field.tree?.kind === "map" ? field.get("port") : field).whole(1, 65_535);
  return port === undefined ? undefined : { kind: "tcp", port };
}

function readCommand(field: Field): CheckTest | undefined {
  const command = field.texts() ?? [];
  if (command.length === 0) return field.invalid("is empty");
  return { kind: "command", command, shell: field.tree?.kind === "scalar" };
}

function readTiming(field: Field, defaults: typeof composeDefaults): Omit<Check, "test"> {
  return {
    intervalMs: orDefault(field.get("interval").durationMs(), defaults.intervalMs),
    timeoutMs: orDefault(field.get("timeout").durationMs(), defaults.timeoutMs),
    retries: orDefault(field.get("retries").whole(0), defaults.retries),
    startPeriodMs: field.get("start_period").durationMs() ?? defaults.startPeriodMs,
  };
}

/** Docker takes 0 for "the default". */
function orDefault(value: number | undefined, fallback: number): number {
  return value === undefined || value === 0 ? fallback : value;
}
