/**
 * What an operator wants: the spec of a service. Plain data, replicated whole, one revision at a
 * time. How many replicas is said elsewhere (model/documents.ts, `scale`), so that scaling and
 * deploying on two sides of a partition both survive.
 *
 * Every optional field means "the engine's own default" when it is absent.
 */

import type { ServiceId } from "./ids.ts";

export type ServiceSpec = {
  readonly service: ServiceId;
  /** The stack it was deployed with, for `stack ls` and `stack rm`. */
  readonly stack?: string;
  readonly workload: ContainerWorkload | ProcessWorkload;
  readonly mode: "replicated" | "global";
  readonly ports: readonly PublishedPort[];
  /** Target ports that are not published, for SRV answers and readiness: "8080/tcp". */
  readonly expose: readonly PortKey[];
  readonly endpointMode: "vip" | "dnsrr";
  readonly placement: PlacementSpec;
  readonly resources: ResourceSpec;
  readonly health: HealthSpec;
  readonly update: UpdateSpec;
  readonly rollback: UpdateSpec;
  readonly restart: RestartSpec;
  /** What a replica does when its node is cut off. DESIGN: `run`, `stay` or `majority`. */
  readonly isolation: "run" | "stay" | "majority";
  /** Raised to replace every task although nothing else changed (`service update --force`). */
  readonly force?: number;
  /** Labels of the service, not of its containers. */
  readonly labels: Readonly<Record<string, string>>;
};

/** "80/tcp" or "53/udp". */
export type PortKey = `${number}/${"tcp" | "udp"}`;

export type PublishedPort = {
  /** 1 to 65535, on every node (`ingress`) or on the replica's own node only (`host`). */
  readonly published: number;
  /** 1 to 65535, what the replica listens on. For a process, the name under which PORT is given. */
  readonly target: number;
  readonly protocol: "tcp" | "udp";
  readonly mode: "ingress" | "host";
};

/** Run by the docker engine. */
export type ContainerWorkload = {
  readonly kind: "container";
  readonly image: string;
  readonly pull?: "always" | "missing" | "never";
  readonly platform?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly containerLabels: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  readonly user?: string;
  readonly groupAdd?: readonly string[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly Mount[];
  readonly init?: boolean;
  readonly tty?: boolean;
  readonly stdinOpen?: boolean;
  readonly readOnly?: boolean;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly securityOpt?: readonly string[];
  readonly devices?: readonly DeviceMapping[];
  readonly ulimits?: readonly Ulimit[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly extraHosts?: readonly string[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  readonly shmSizeBytes?: number;
  readonly oomScoreAdj?: number;
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly userns?: string;
  readonly cgroupParent?: string;
  readonly runtime?: string;
  readonly networkMode?: "bridge" | "host" | "none";
  readonly logging?: {
    readonly driver: string;
    readonly options: Readonly<Record<string, string>>;
  };
  readonly stopSignal?: string;
  readonly stopGraceMs?: number;
};

/** Run by the process engine as a supervised child of the agent's host: no image, no isolation. */
export type ProcessWorkload = {
  readonly kind: "process";
  /** argv; the first is looked up in PATH. "node" is always there: it is the agent's own. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stopSignal?: string;
  readonly stopGraceMs?: number;
};

export type Mount = Readonly<
  | { kind: "bind"; source: string; target: string; readOnly: boolean }
  | {
      kind: "volume";
      /** Local to a node; absent for an anonymous volume. Already namespaced ("hello_data"). */
      source?: string;
      target: string;
      readOnly: boolean;
      driver?: string;
      driverOptions?: Readonly<Record<string, string>>;
      labels?: Readonly<Record<string, string>>;
    }
  | { kind: "tmpfs"; target: string; sizeBytes?: number; mode?: number }
>;

export type DeviceMapping = {
  readonly host: string;
  readonly container: string;
  readonly permissions: string;
};

export type Ulimit = { readonly name: string; readonly soft: number; readonly hard: number };

export type PlacementSpec = {
  /** Which scoring function: 1 is placement/rendezvous.ts as it stands. */
  readonly algorithm: 1;
  /** Higher places first. 0 unless said. */
  readonly priority: number;
  readonly constraints: readonly Constraint[];
  /** Label keys ("node.labels.zone") over whose values replicas are dealt, outermost first. */
  readonly spread: readonly string[];
  /** 0: no limit. */
  readonly maxPerNode: number;
};

/**
 * `key` is node.id, node.hostname, node.role, node.platform.os, node.platform.arch or
 * node.labels.X.
 */
export type Constraint = {
  readonly key: string;
  readonly operator: "==" | "!=";
  readonly value: string;
};

export type ResourceSpec = {
  /** Thousandths of a CPU. */
  readonly cpuLimitMilli?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsLimit?: number;
  readonly cpuReservationMilli?: number;
  readonly memoryReservationBytes?: number;
};

export type HealthSpec = {
  /** Failing it `retries` times in a row replaces the task. */
  readonly liveness?: Check;
  /** Failing it takes the task out of routes and DNS, and nothing else. */
  readonly readiness?: Check;
  /** True when the image's own HEALTHCHECK is not to be run. */
  readonly disabled: boolean;
};

export type Check = {
  readonly test: CheckTest;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Failures in a row, at least 1. */
  readonly retries: number;
  /** From the start of the task; failures within it do not count. */
  readonly startPeriodMs: number;
};

export type CheckTest = Readonly<
  | { kind: "command"; command: readonly string[]; shell: boolean }
  | { kind: "http"; port: number; path: string }
  | { kind: "tcp"; port: number }
>;

export type UpdateSpec = {
  /** How many replicas may be on their way at once; 0 means all. */
  readonly parallelism: number;
  readonly delayMs: number;
  readonly order: "start-first" | "stop-first";
  /** A new task that fails within this time counts as a failure of the update. */
  readonly monitorMs: number;
  readonly failureAction: "pause" | "continue" | "rollback";
  /** 0 to 1. */
  readonly maxFailureRatio: number;
};

export type RestartSpec = {
  readonly condition: "any" | "on-failure" | "none";
  readonly delayMs: number;
  /** 0: no limit. */
  readonly maxAttempts: number;
  readonly windowMs: number;
};
