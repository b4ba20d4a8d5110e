import assert from "node:assert/strict";
import { test } from "node:test";
import { runsPlatform, satisfies } from "../../placement/attributes.ts";
import { candidate } from "./samples.ts";

const node = candidate("12D3KooWabc", {
  name: "Host-1",
  role: "peer",
  arch: "x64",
  labels: { zone: "Paris", Rack: "7", empty: "" },
});

// As in Swarm: keys and values without case, but for the label's own name.
const constraints: readonly [text: string, holds: boolean][] = [
  ["node.hostname == host-1", true],
  ["node.hostname == HOST-1", true],
  ["NODE.HOSTNAME == host-1", true],
  ["node.hostname != host-1", false],
  ["node.hostname == host-2", false],
  ["node.hostname != host-2", true],
  ["node.id == 12d3koowabc", true],
  ["node.role == peer", true],
  ["node.role != runner", true],
  ["node.platform.os == linux", true],
  ["node.platform.os == windows", false],
  ["node.platform.arch == x86_64", true],
  ["node.platform.arch == amd64", true],
  ["node.platform.arch == AMD64", true],
  ["node.platform.arch == arm64", false],
  ["node.platform.arch != aarch64", true],
  ["node.labels.zone == paris", true],
  ["Node.Labels.zone == paris", true],
  ["node.labels.Zone == paris", false],
  ["node.labels.Rack == 7", true],
  ["node.labels.rack == 7", false],
  ["node.labels.none == x", false],
  ["node.labels.none != x", true],
  ["node.labels.none == ", true],
  ["node.labels.empty == ", true],
  // Neither way: a node has no such property, and a slip must not let everyone through.
  ["node.shoe == 9", false],
  ["node.shoe != 9", false],
  ["engine.labels.a != b", false],
  ["constructor != x", false],
];

for (const [text, holds] of constraints) {
  test(`${text} is ${holds}`, () => {
    const [key = "", operator = "", value = ""] = text.split(" ");
    assert.equal(satisfies(node, { key, operator: operator as "==" | "!=", value }), holds);
  });
}

test("a label named like something of every object is not there", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const key = `node.labels.${name}`;
    assert.equal(satisfies(node, { key, operator: "==", value: "" }), true, name);
    assert.equal(satisfies(node, { key, operator: "!=", value: "x" }), true, name);
  }
});

const platforms: readonly [platform: string, arch: string, runs: boolean][] = [
  ["linux", "x64", true],
  ["linux/amd64", "x64", true],
  ["Linux/AMD64", "x64", true],
  ["linux/x86_64", "x64", true],
  ["linux/arm64", "x64", false],
  ["linux/arm64/v8", "aarch64", true],
  ["linux/arm64/v8", "arm64", true],
  ["windows/amd64", "x64", false],
  ["windows", "x64", false],
];

for (const [platform, arch, runs] of platforms) {
  test(`an image for ${platform} ${runs ? "runs" : "does not run"} on ${arch}`, () => {
    assert.equal(runsPlatform(candidate("n", { arch }), platform), runs);
  });
}
