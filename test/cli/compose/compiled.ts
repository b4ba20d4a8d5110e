/** Compiles Compose text as tests write it, and shows problems as short lines. */

import { type Compiled, compile } from "../../../cli/compose/compile.ts";
import type { ComposeSource } from "../../../cli/compose/source.ts";
import { isWarning, type Problem } from "../../../model/problem.ts";
import type { ServiceSpec } from "../../../model/spec.ts";

type Options = Partial<Omit<ComposeSource, "files" | "readText">> & {
  /** Files beside the first one, by absolute path. */
  readonly disk?: Readonly<Record<string, string>>;
};

export function compileText(texts: string | readonly string[], options: Options = {}): Compiled {
  const list = typeof texts === "string" ? [texts] : texts;
  const files = list.map((text, index) => {
    return { path: index === 0 ? "compose.yaml" : `compose.${index}.yaml`, text };
  });
  const { disk = {}, ...rest } = options;
  const readText = (path: string): string | undefined => disk[path];
  return compile({ files, directory: "/srv/shop", env: {}, readText, ...rest });
}

/** The spec of one service; fails when something is more than a warning. */
export function specOf(text: string, name = "web", options: Options = {}): ServiceSpec {
  const { documents, problems } = compileText(text, options);
  const errors = problems.filter((problem) => !isWarning(problem));
  if (errors.length > 0) throw new Error(errors.map(show).join("\n"));
  for (const document of documents) {
    if (document.kind === "service" && document.spec.service.endsWith(`/${name}`)) {
      return document.spec;
    }
  }
  throw new Error(`no service ${name}`);
}

/** "7 key-unknown services.web.imge": line, code, path. */
export function show(problem: Problem): string {
  const line = "line" in problem ? `${problem.line} ` : "";
  const path = "path" in problem ? ` ${problem.path}` : "";
  return `${line}${problem.code}${path}`;
}

/** One service called web with these lines. */
export function web(...lines: string[]): string {
  return ["services:", "  web:", "    image: nginx", ...lines.map((line) => `    ${line}`)].join(
    "\n",
  );
}

/** Three services that use most of what Compose has. */
export const shop = `
name: shop
x-logging: &logging
  logging: { driver: json-file, options: { max-size: 10m } }
x-env: &env
  TZ: \${TZ:-UTC}

services:
  front:
    <<: *logging
    image: registry.example:5000/shop/front:\${VERSION:?say which}
    ports: ["80:8080", "443:8443/tcp", "9000-9001:9000-9001/udp"]
    environment: { <<: *env, API: "http://api:3000", DEBUG: false, NOTHING: }
    depends_on:
      api: { condition: service_healthy }
    healthcheck:
      test: ["CMD-SHELL", "curl -f http://localhost:8080/ || exit 1"]
      interval: 10s
      timeout: 2s
      retries: 5
      start_period: 30s
    deploy:
      replicas: 4
      labels: ["tier=front"]
      update_config: { parallelism: 2, delay: 5s, failure_action: rollback, order: start-first }
      restart_policy: { condition: on-failure, max_attempts: 3, window: 2m }
      placement:
        constraints: ["node.labels.zone == a", node.role != manager]
        preferences: [{ spread: node.labels.rack }]
      resources:
        limits: { cpus: "0.5", memory: 128M }
        reservations: { memory: 64M }
  api:
    <<: *logging
    image: shop/api
    command: node server.js --name 'the api'
    expose: [3000]
    env_file: [api.env]
    stop_grace_period: 1m
    cap_drop: [ALL]
    read_only: true
    tmpfs: /tmp:size=64m,mode=1777
    ulimits: { nofile: { soft: 1024, hard: 2048 }, nproc: 64 }
  db:
    image: postgres:16
    restart: unless-stopped
    volumes:
      - data:/var/lib/postgresql/data
      - ./init:/docker-entrypoint-initdb.d:ro
volumes:
  data:
`;
