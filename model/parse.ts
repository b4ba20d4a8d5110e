/**
 * From decoded bytes to typed documents: the one place where what peers and operators send is
 * checked for shape. Total: undefined when it does not fit. Fields that this version does not
 * know are left alone; the bytes that carried them are relayed as they came.
 */

import * as z from "zod";
import type { Row, SpecDocument } from "./documents.ts";
import { isName, type ServiceId, splitServiceId } from "./ids.ts";

const text = z.string().max(4096);
const shortText = z.string().max(512);
const whole = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const strings = z.record(shortText, z.string().max(131_072));
const port = z.number().int().min(1).max(65_535);
const portKey = z.string().regex(/^\d{1,5}\/(tcp|udp)$/);
const service = z.string().refine(isServiceId, "is no namespace/name of DNS labels");
const replica = z
  .string()
  .max(256)
  .regex(/^[a-z0-9-]+\/[a-z0-9-]+\.[A-Za-z0-9]+$/);
const revision = z.string().regex(/^[0-9a-f]{32}$/);
const engine = z.enum(["docker", "process"]);

function isServiceId(text: string): boolean {
  const { namespace, name } = splitServiceId(text as ServiceId);
  return text.includes("/") && isName(namespace) && isName(name);
}

const checkTest = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("command"),
    command: z.array(text).min(1).max(256),
    shell: z.boolean(),
  }),
  z.object({ kind: z.literal("http"), port, path: text }),
  z.object({ kind: z.literal("tcp"), port }),
]);

const check = z.object({
  test: checkTest,
  intervalMs: whole.min(10),
  timeoutMs: whole.min(10),
  retries: whole.min(1),
  startPeriodMs: whole,
});

const mount = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("bind"), source: text, target: text, readOnly: z.boolean() }),
  z.object({
    kind: z.literal("volume"),
    source: shortText.optional(),
    target: text,
    readOnly: z.boolean(),
    driver: shortText.optional(),
    driverOptions: strings.optional(),
    labels: strings.optional(),
  }),
  z.object({
    kind: z.literal("tmpfs"),
    target: text,
    sizeBytes: whole.optional(),
    mode: whole.optional(),
  }),
]);

const list = z.array(z.string().max(131_072)).max(1024);

const container = z.object({
  kind: z.literal("container"),
  image: shortText.min(1),
  pull: z.enum(["always", "missing", "never"]).optional(),
  platform: shortText.optional(),
  entrypoint: list.optional(),
  command: list.optional(),
  env: strings,
  containerLabels: strings,
  workingDir: text.optional(),
  user: shortText.optional(),
  groupAdd: list.optional(),
  hostname: shortText.optional(),
  domainname: shortText.optional(),
  mounts: z.array(mount).max(256),
  init: z.boolean().optional(),
  tty: z.boolean().optional(),
  stdinOpen: z.boolean().optional(),
  readOnly: z.boolean().optional(),
  privileged: z.boolean().optional(),
  capAdd: list.optional(),
  capDrop: list.optional(),
  securityOpt: list.optional(),
  devices: z
    .array(z.object({ host: text, container: text, permissions: shortText }))
    .max(64)
    .optional(),
  ulimits: z
    .array(z.object({ name: shortText, soft: z.number().int(), hard: z.number().int() }))
    .max(64)
    .optional(),
  sysctls: strings.optional(),
  extraHosts: list.optional(),
  dns: list.optional(),
  dnsSearch: list.optional(),
  dnsOptions: list.optional(),
  shmSizeBytes: whole.optional(),
  oomScoreAdj: z.number().int().optional(),
  pidMode: shortText.optional(),
  ipcMode: shortText.optional(),
  userns: shortText.optional(),
  cgroupParent: shortText.optional(),
  runtime: shortText.optional(),
  networkMode: z.enum(["bridge", "host", "none"]).optional(),
  logging: z.object({ driver: shortText, options: strings }).optional(),
  stopSignal: shortText.optional(),
  stopGraceMs: whole.optional(),
});

const processWorkload = z.object({
  kind: z.literal("process"),
  command: z.array(z.string().max(131_072)).min(1).max(256),
  env: strings,
  stopSignal: shortText.optional(),
  stopGraceMs: whole.optional(),
});

const update = z.object({
  parallelism: whole,
  delayMs: whole,
  order: z.enum(["start-first", "stop-first"]),
  monitorMs: whole,
  failureAction: z.enum(["pause", "continue", "rollback"]),
  maxFailureRatio: z.number().min(0).max(1),
});

const spec = z.object({
  service,
  stack: shortText.optional(),
  workload: z.discriminatedUnion("kind", [container, processWorkload]),
  mode: z.enum(["replicated", "global"]),
  ports: z
    .array(
      z.object({
        published: port,
        target: port,
        protocol: z.enum(["tcp", "udp"]),
        mode: z.enum(["ingress", "host"]),
      }),
    )
    .max(256),
  expose: z.array(portKey).max(256),
  endpointMode: z.enum(["vip", "dnsrr"]),
  placement: z.object({
    algorithm: z.literal(1),
    priority: z.number().int(),
    constraints: z
      .array(z.object({ key: shortText, operator: z.enum(["==", "!="]), value: shortText }))
      .max(64),
    spread: z.array(shortText).max(8),
    maxPerNode: whole,
  }),
  resources: z.object({
    cpuLimitMilli: whole.optional(),
    memoryLimitBytes: whole.optional(),
    pidsLimit: whole.optional(),
    cpuReservationMilli: whole.optional(),
    memoryReservationBytes: whole.optional(),
  }),
  health: z.object({
    liveness: check.optional(),
    readiness: check.optional(),
    disabled: z.boolean(),
  }),
  update,
  rollback: update,
  restart: z.object({
    condition: z.enum(["any", "on-failure", "none"]),
    delayMs: whole,
    maxAttempts: whole,
    windowMs: whole,
  }),
  isolation: z.enum(["run", "stay", "majority"]),
  force: whole.optional(),
  labels: strings,
});

/** More replicas than this of one service is a slip of the keyboard, not a wish. */
const replicasMax = 100_000;

const document = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("service"), spec, pause: z.boolean().optional() }),
  z.object({ kind: z.literal("scale"), service, replicas: whole.max(replicasMax) }),
  z.object({
    kind: z.literal("node"),
    node: shortText,
    availability: z.enum(["active", "pause", "drain"]),
    labels: strings,
  }),
]);

const row = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("node"),
    name: shortText,
    addresses: z.array(shortText).max(8),
    probePort: z.number().int().min(0).max(65_535),
    version: shortText,
    protocol: z.tuple([whole, whole]),
    os: shortText,
    arch: shortText,
    engines: z.array(engine).max(4),
    cpuMilli: whole,
    memoryBytes: whole,
    labels: strings,
    subnet: shortText,
    dataPath: z.enum(["userspace", "kernel"]),
    ailments: z.array(shortText).max(32),
  }),
  z.object({
    kind: z.literal("task"),
    task: shortText,
    replica,
    service,
    revision,
    engine,
    state: z.enum([
      "preparing",
      "starting",
      "running",
      "draining",
      "stopping",
      "complete",
      "failed",
    ]),
    ready: z.boolean(),
    health: z.enum(["none", "starting", "healthy", "unhealthy"]),
    createdAtMs: whole,
    changedAtMs: whole,
    failures: whole,
    endpoint: z.object({ address: shortText, ports: z.record(portKey, port) }).optional(),
    exitCode: z.number().int().optional(),
    reason: text.optional(),
  }),
  z.object({
    kind: z.literal("no-fit"),
    replica,
    revision,
    reason: text,
    untilMs: whole,
  }),
  z.object({ kind: z.literal("accuse"), accused: shortText, incarnation: whole }),
]);

export function parseRow(value: unknown): Row | undefined {
  const result = row.safeParse(value);
  return result.success ? (result.data as unknown as Row) : undefined;
}

export function parseSpecDocument(value: unknown): SpecDocument | undefined {
  const result = document.safeParse(value);
  return result.success ? (result.data as unknown as SpecDocument) : undefined;
}

/** Like parseSpecDocument, but says what is wrong: one line per mistake, all of them. */
export function mistakesIn(value: unknown): readonly { path: string; detail: string }[] {
  const result = document.safeParse(value);
  if (result.success) return [];
  return result.error.issues.map((issue) => ({
    path: issue.path.join("."),
    detail: issue.message,
  }));
}

/** The document's own key among replicated state. */
export function keyOf(document: SpecDocument): string {
  switch (document.kind) {
    case "service":
      return `service/${document.spec.service}`;
    case "scale":
      return `scale/${document.service}`;
    case "node":
      return `node/${document.node}`;
  }
}
