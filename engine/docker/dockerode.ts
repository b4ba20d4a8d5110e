/**
 * dockerode, without what it loads for transports that are never used here: SSH to a daemon
 * elsewhere, and gRPC for BuildKit. Both come with the first `require` whether wanted or not, and
 * cost an agent some 20 MB; on a local socket nothing calls them. A door.
 */

import { createRequire } from "node:module";
import type Dockerode from "dockerode";

const require = createRequire(import.meta.url);

/** Packages that dockerode loads and that nothing here ever calls. */
const unused = ["ssh2", "@grpc/grpc-js", "@grpc/proto-loader"];

/** Loaded with the first client: an agent without Docker has none. */
export function newDockerode(options: Dockerode.DockerOptions): Dockerode {
  for (const name of unused) {
    const filename = require.resolve(name);
    const empty = { id: filename, filename, loaded: true, exports: {} };
    require.cache[filename] ??= empty as unknown as NodeJS.Module;
  }
  const Client = require("dockerode") as typeof Dockerode;
  return new Client(options);
}
