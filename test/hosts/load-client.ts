/**
 * Constant load from the operator's machine: a new connection for every request, to each address
 * in turn, until standard input ends. Bounded in time whatever happens.
 *
 *   load-client.ts INTERVAL_MS URL...
 *
 * Prints a JSON line per answer: {"atMs", "url", "text"} or {"atMs", "url", "error", "open"},
 * where `open` says whether a connection had been made when it failed.
 */

import { request } from "node:http";

const [interval, ...urls] = process.argv.slice(2) as [string, ...string[]];
/** Longer than any connect retry of ours; a request that takes longer has failed. */
const requestMsMax = 8_000;
const runMsMax = 180_000;

let next = 0;
let inFlight = 0;
let ending = false;

const timer = setInterval(() => {
  const url = urls[next++ % urls.length] as string;
  inFlight++;
  ask(url);
}, Number(interval));

function ask(url: string): void {
  const atMs = Date.now();
  let open = false;
  const done = (outcome: object): void => {
    console.log(JSON.stringify({ atMs, tookMs: Date.now() - atMs, url, ...outcome }));
    inFlight--;
    if (ending && inFlight === 0) process.exit();
  };
  const asked = request(url, { agent: false, timeout: requestMsMax });
  asked.once("socket", (socket) => socket.once("connect", () => (open = true)));
  asked.once("timeout", () => asked.destroy(new Error("no answer")));
  asked.once("error", (error) => done({ error: error.message, open }));
  asked.once("response", (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (text += chunk));
    response.once("error", (error) => done({ error: error.message, open }));
    response.once("end", () => done({ text: text.trim() }));
  });
  asked.end();
}

function finish(): void {
  clearInterval(timer);
  ending = true;
  if (inFlight === 0) process.exit();
}

process.stdin.resume();
process.stdin.once("end", finish);
setTimeout(finish, runMsMax).unref();
