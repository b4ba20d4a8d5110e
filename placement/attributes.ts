/** Properties of nodes that constraints and spread preferences name, as Swarm names them. */

import type { Constraint } from "../model/spec.ts";
import type { NodeCandidate } from "./input.ts";

const labelPrefix = "node.labels.";

/**
 * "" for a label that is not there, as in Swarm; undefined for a property that nodes do not have.
 */
export function attributeOf(node: NodeCandidate, key: string): string | undefined {
  const lower = toLower(key);
  if (lower.startsWith(labelPrefix)) return labelOf(node, key.slice(labelPrefix.length));
  switch (lower) {
    case "node.id":
      return node.node;
    case "node.hostname":
      return node.name;
    case "node.role":
      return node.role;
    case "node.platform.os":
      return node.os;
    case "node.platform.arch":
      return commonArch(node.arch);
    default:
      return undefined;
  }
}

/** The name keeps its case. One like "constructor" is a name too, which every object answers to. */
function labelOf({ labels }: NodeCandidate, name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] ?? "") : "";
}

/** Values compare without case, as in Swarm. A property that nodes do not have fits none. */
export function satisfies(node: NodeCandidate, { key, operator, value }: Constraint): boolean {
  const found = attributeOf(node, key);
  if (found === undefined) return false;
  const wanted = toLower(key) === "node.platform.arch" ? commonArch(value) : value;
  return (toLower(found) === toLower(wanted)) === (operator === "==");
}

/** "os", "os/arch" or "os/arch/variant"; the variant is left to the engine. */
export function runsPlatform(node: NodeCandidate, platform: string): boolean {
  const [os = "", arch] = toLower(platform).split("/");
  if (toLower(node.os) !== os) return false;
  return arch === undefined || commonArch(arch) === commonArch(node.arch);
}

/** One spelling for what uname, Node and Docker call differently. */
function commonArch(arch: string): string {
  const lower = toLower(arch);
  switch (lower) {
    case "x64":
    case "x86_64":
    case "x86-64":
      return "amd64";
    case "aarch64":
      return "arm64";
    default:
      return lower;
  }
}

/** ASCII only: tables of other letters change with the engine's Unicode version. */
function toLower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
