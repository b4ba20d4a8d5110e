import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DockerRefusal,
  daemonWords,
  pullProblem,
  refusalOf,
} from "../../engine/docker/refusals.ts";
import type { ContainerWorkload } from "../../model/spec.ts";

const workload: ContainerWorkload = {
  kind: "container",
  image: "shop:1",
  env: {},
  containerLabels: {},
  mounts: [],
};

// The words of Docker 20.10 to 28, as they were met.
const starts: [message: string, code: string, detail: object][] = [
  [
    "driver failed programming external connectivity on endpoint web (1f2e): " +
      "Bind for 0.0.0.0:8080 failed: port is already allocated",
    "port-in-use",
    { port: 8080, protocol: "tcp" },
  ],
  [
    "driver failed programming external connectivity on endpoint web (1f2e): " +
      "Error starting userland proxy: listen tcp4 0.0.0.0:8080: bind: address already in use",
    "port-in-use",
    { port: 8080, protocol: "tcp" },
  ],
  [
    "failed to set up container networking: driver failed programming external connectivity on " +
      "endpoint web: failed to bind host port for 0.0.0.0:53:172.17.0.2:53/udp: " +
      "address already in use",
    "port-in-use",
    { protocol: "udp" },
  ],
  [
    "Error starting userland proxy: listen udp4 0.0.0.0:5353: bind: address already in use",
    "port-in-use",
    { port: 5353, protocol: "udp" },
  ],
  [
    "OCI runtime create failed: container_linux.go:380: starting container " +
      'process caused: exec: "serve": executable file not found in $PATH: unknown',
    "command-not-found",
    { command: "serve" },
  ],
  [
    "failed to create task for container: failed to create shim task: " +
      "OCI runtime create failed: runc create failed: unable to start " +
      'container process: exec: "/bin/serve": stat /bin/serve: no such file or directory: unknown',
    "command-not-found",
    { command: "/bin/serve" },
  ],
  ["No such image: shop:1", "image-not-found", { image: "shop:1" }],
  ['invalid mount config for type "tmpfs"', "engine-refused", { engine: "docker" }],
];

for (const [message, code, detail] of starts) {
  test(`"${message.slice(0, 60)}…" is ${code}`, () => {
    const problem = refusalOf(new DockerRefusal(500, message), { node: "first", workload });
    assert.equal(problem.code, code);
    assert.deepEqual({ ...problem, ...detail }, problem);
    assert.equal((problem as { node?: string }).node, "first");
  });
}

const pulls: [message: string, code: string][] = [
  ["manifest for shop:2 not found: manifest unknown: manifest unknown", "image-not-found"],
  [
    "pull access denied for shop, repository does not exist or may require 'docker login'",
    "image-not-found",
  ],
  ["invalid reference format: repository name must be lowercase", "image-not-found"],
  ["no matching manifest for linux/arm64/v8 in the manifest list entries", "image-not-found"],
  [
    'Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host',
    "image-pull-failed",
  ],
  ["toomanyrequests: You have reached your pull rate limit", "image-pull-failed"],
  ["write /var/lib/docker/tmp/GetImageBlob1: no space left on device", "image-pull-failed"],
];

for (const [message, code] of pulls) {
  test(`a pull that says "${message.slice(0, 60)}…" is ${code}`, () => {
    assert.equal(pullProblem(message, "shop:2", "first").code, code);
  });
}

test("dockerode's own words around the daemon's are taken off", () => {
  const wrapped = "(HTTP code 404) no such container - No such image: shop:1 ";
  assert.equal(daemonWords(wrapped), "No such image: shop:1");
  assert.equal(daemonWords("connect ENOENT /run/docker.sock"), "connect ENOENT /run/docker.sock");
});
