/**
 * dockerode, without what it loads for things never done here: SSH to a daemon elsewhere, gRPC for
 * BuildKit, archives of what is to be built. All come with the first `require` whether wanted or
 * not and cost an agent some 20 MB; without them it is 2. A door.
 */

import { createRequire } from "node:module";
import type Dockerode from "dockerode";

const require = createRequire(import.meta.url);

/** Packages that dockerode loads and that nothing here ever calls. */
const unused = ["ssh2", "@grpc/grpc-js", "@grpc/proto-loader", "tar-fs", "@balena/dockerignore"];

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
