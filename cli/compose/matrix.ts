/** docs/compose.md, printed from the table of keys, so that it cannot say anything else. */

import { keys } from "./key-check.ts";
import type { Key } from "./keys.ts";

const introduction = `# Compose files

\`shoal deploy\` takes Compose files as they are. This page lists every key of the Compose
specification and what becomes of it. It is printed from \`cli/compose/keys.ts\`, and a test holds
the two equal.

- **yes**: means what the specification says.
- **partly**: some values are refused or ignored, each with its own message.
- **ignored**: a warning; the service means the same without it.
- **refused**: an error, since leaving it out would change what the service means.

A key that is in no list is an error too, with the nearest known one named. Keys that begin with
\`x-\` are yours. All mistakes of all files are reported at once, with file and line, and nothing is
deployed while there is one.

## What to know

- **Stack.** The command's word, else \`name\`, else the name of the file's directory.
- **Variables.** \`$NAME\`, \`\${NAME:-default}\`, \`\${NAME:?message}\`, \`\${NAME:+other}\` and their forms
  without a colon, from the shell and from \`.env\` beside the first file; the shell wins. A variable
  that is not set and has no default is blank, with a warning. \`$$\` is a dollar sign.
- **Several files** (\`-f\` again and again) are merged as Compose merges them, \`!reset\` and
  \`!override\` included. Services with \`profiles\` are left out unless \`--profile\` names one.
- **Replicas.** Without \`deploy.replicas\` and \`scale\`, what \`shoal service scale\` said last stays.
- **Ports.** A port without a published one gets a number from 30000 to 32767 that depends on stack,
  service and port alone, and a warning says which. Every node publishes on all its addresses.
- **Volumes** are local to a node and named \`stack_volume\`, unless \`name\` or \`external\` says
  otherwise. A service that writes to one stays with its node (\`x-shoal.isolation: stay\`); volumes
  of network file systems do not hold it back.
- **Bind mounts** name a path on whichever node runs the replica. A relative one begins at the
  directory of the first file.
- **Updates** start the new task first, unless the service has ports of mode \`host\`, the host's
  network, or one replica with a volume. Otherwise Swarm's defaults: parallelism 1, monitor 5 s,
  failure action \`pause\`.
- **Networks.** The mesh has one, and names are answered everywhere: \`service\` from within its stack,
  \`service.stack\` from anywhere, with the addresses of healthy replicas. Until there is an overlay
  network, a container reaches those on its own host by these addresses, and those on other hosts by
  their published ports, which every host has.
- **Roles.** \`node.role == manager\` reads as \`node.role == peer\`; asking for workers rules nothing
  out, since a mesh has no managers to keep free.
- **Health.** \`healthcheck\` is liveness: failing it replaces the task, and before the first success
  there is no traffic. \`x-shoal.health.readiness\` only takes a task out of traffic; both know
  \`http\`, \`tcp\` and \`command\`.
- **Processes.** With \`x-shoal.engine: process\` there is no image: \`command\` runs on the host, and
  keys that need a container are refused. It gets \`PORT\` (for its first target port) and
  \`PORT_80\` and so on for each, which win over \`environment\`, and \`SHOAL_NODE\`, \`SHOAL_SERVICE\`,
  \`SHOAL_SLOT\`, \`SHOAL_TASK\`.
`;

const sections: readonly (readonly [title: string, prefix: RegExp])[] = [
  ["The file", /^(name|version|include|models|services|services\.\*)$/],
  ["Services", /^services\.\*\.(?!deploy\.|healthcheck\.|volumes\[|networks\.|x-shoal)/],
  ["Services: healthcheck", /^services\.\*\.healthcheck\./],
  ["Services: deploy", /^services\.\*\.deploy\./],
  ["Services: volumes in the long form", /^services\.\*\.volumes\[/],
  ["Services: networks as a map", /^services\.\*\.networks\./],
  ["Services: x-shoal", /^services\.\*\.x-shoal/],
  ["Networks", /^networks/],
  ["Volumes", /^volumes/],
  ["Configs and secrets", /^(configs|secrets)/],
];

export function printMatrix(): string {
  const parts = sections.map(([title, prefix]) => {
    const rows = keys.filter(({ path }) => prefix.test(path) && !path.endsWith(".**"));
    return `\n## ${title}\n\n| Key | Standing | Note |\n|---|---|---|\n${rows.map(row).join("")}`;
  });
  return introduction + parts.join("");
}

/** Names chosen by the file are shown as NAME; the section says whose keys these are. */
function row({ path, standing, note }: Key): string {
  const shown = path.replace(/^services\.\*\./, "").replaceAll("*", "NAME");
  return `| \`${shown}\` | ${standing} | ${note.replaceAll("|", "\\|")} |\n`;
}
