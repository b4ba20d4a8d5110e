/**
 * Makes dist/agent.js and dist/probe-worker.js of the sources, each in one piece, by rename, so
 * that an agent that starts meanwhile reads the old one or the new one. bin/with-node runs this
 * when a source is newer. Ends with exit code 1 where the checkout cannot be written. A door.
 */

import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
/** CommonJS packages call `require` for Node's own modules; an ES module has to make one. */
const banner =
  'import { createRequire as makeRequire } from "node:module";' +
  "const require = makeRequire(import.meta.url);";

/**
 * Parts of packages that come along and that nothing here calls: zod's messages in fifty languages
 * (its English ones are named), and dns2's DNS over HTTPS, which loads Node's HTTP/2.
 */
const unused: Plugin = {
  name: "unused",
  setup({ onLoad }) {
    const languages = /\/zod\/v4\/locales\/index\.js$/;
    onLoad({ filter: languages }, () => ({ contents: "export {};" }));
    const overHttps = /\/dns2\/(?:client\/(?:doh|google)|server\/doh)\.js$/;
    onLoad({ filter: overHttps }, () => ({ contents: "module.exports = {};" }));
  },
};

/**
 * Node's own modules come by `require`: an `import` reads every property of theirs, which loads
 * what they load only when it is asked for; of node:http that is a whole client for WebSockets.
 */
const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[a-z:_/0-9]+$/ }, ({ path, kind }) => {
      if (!isBuiltin(path) || kind !== "import-statement") return undefined;
      return { path, namespace: "builtin" };
    });
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

async function main(): Promise<void> {
  mkdirSync(dist, { recursive: true });
  const fresh = mkdtempSync(join(dist, "new-"));
  try {
    await build({
      absWorkingDir: root,
      entryPoints: { agent: "node/main.ts", "probe-worker": "link/probe-worker.ts" },
      outdir: fresh,
      bundle: true,
      platform: "node",
      target: "node24",
      format: "esm",
      // Names stay, so that an error's stack tells where it was; white space is memory.
      minifySyntax: true,
      minifyWhitespace: true,
      plugins: [unused, lazyBuiltins],
      banner: { js: banner },
      logLevel: "error",
    });
    for (const file of ["probe-worker.js", "agent.js"]) {
      renameSync(join(fresh, file), join(dist, file));
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  console.error(`shoal: agents run from the sources: ${String(error)}`);
  process.exitCode = 1;
});
