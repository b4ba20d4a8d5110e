/** Logs as many lines as it is told, then ends: `logging-process.ts LINES`. */

import { openLog } from "../../node/log.ts";

const log = openLog();
for (let line = 0; line < Number(process.argv[2]); line++) {
  log.info(`event-${line}`, { text: "x".repeat(900) });
}
process.exit(3);
