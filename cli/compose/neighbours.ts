/**
 * What a service says of others: networks, links, order of start. In the mesh every service
 * reaches every other by name, so most of it is harmless to ignore; names and isolation are not.
 */

import type { Field } from "./field.ts";

export function checkNeighbours(name: string, service: Field): void {
  checkOrder(service.get("depends_on"));
  checkNetworks(name, service.get("networks"));
  for (const link of service.get("links").items()) {
    const [target = "", alias = target] = (link.word() ?? "").split(":");
    if (alias === target) link.ignored(`${target} is reached by its name from everywhere`);
    else link.unsupported(`the name "${alias}" for ${target}: use "${target}"`);
  }
}

function checkOrder(dependsOn: Field): void {
  if (!dependsOn.isPresent) return;
  const names =
    dependsOn.tree?.kind === "map" ? dependsOn.entries().map(([name]) => name) : dependsOn.texts();
  if (names === undefined || names.length === 0) return;
  dependsOn.ignored(
    `the order of start is not kept: it must cope while ${names.join(", ")} starts`,
  );
}

function checkNetworks(name: string, networks: Field): void {
  if (networks.tree?.kind !== "map") return;
  for (const [, network] of networks.entries()) {
    const aliases = network.get("aliases");
    const others = aliases.items().filter((alias) => alias.word() !== name);
    for (const alias of others) {
      alias.unsupported(`a second name ("${alias.word() ?? ""}"): it is reached as "${name}" only`);
    }
  }
}

const flatDrivers: readonly string[] = ["", "bridge", "overlay", "default"];

/** Top-level `networks`: one warning for what they no longer keep apart. */
export function checkTopNetworks(networks: Field): void {
  if (!networks.isPresent) return;
  const named = networks.entries().filter(([name]) => name !== "default");
  for (const [, network] of networks.entries()) {
    const driver = network.get("driver");
    if (!flatDrivers.includes(driver.word() ?? "")) {
      driver.unsupported(`"${driver.word()}": the mesh has one network of its own`);
    }
  }
  if (named.length === 0) return;
  networks.ignored("every service of the mesh can reach every other: nothing is kept apart");
}
