/**
 * Runs in a host's network and says, a line each, when a container with a label first answers
 * HTTP at its own address. The same eyes for Shoal and for Swarm.
 *
 *   serving-watch.ts SOCKET LABEL PORT        LABEL is "name" or "name=value"
 *
 * Prints "ready", then {"atMs": Unix ms, "container": id, "text": answer}.
 */

import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How often a started container is asked, ms: the error of every figure made from this. */
const askMs = 10;
/** One answer takes a millisecond; a container that takes this long is not serving. */
const answerMs = 1_000;

const [socketPath, label, port] = process.argv.slice(2) as [string, string, string];
const seen = new Set<string>();
const filters = { label: [label], event: ["start"], type: ["container"] };
const events = await open(`/events?filters=${encodeURIComponent(JSON.stringify(filters))}`);
console.log("ready");
for (const id of await running()) void watch(id);
// The host may lose its power any time; then there is nothing left to say.
events.once("error", () => process.exit());
for await (const line of createInterface({ input: events })) void watch(JSON.parse(line).id);

async function watch(id: string): Promise<void> {
  if (seen.has(id)) return;
  seen.add(id);
  for (;;) {
    try {
      const address = await addressOf(id);
      if (address === undefined) return;
      const text = await ask(address);
      console.log(JSON.stringify({ atMs: Date.now(), container: id, text }));
      return;
    } catch {
      await sleep(askMs);
    }
  }
}

async function running(): Promise<string[]> {
  const query = encodeURIComponent(JSON.stringify({ label: [label] }));
  const list = JSON.parse(await textOf(await open(`/containers/json?filters=${query}`)));
  return (list as { Id: string }[]).map(({ Id }) => Id);
}

/** Undefined when it has ended; throws while it has no address. */
async function addressOf(id: string): Promise<string | undefined> {
  const container = JSON.parse(await textOf(await open(`/containers/${id}/json`)));
  if (container.State?.Running !== true) return undefined;
  const networks: { IPAddress: string }[] = Object.values(container.NetworkSettings.Networks);
  const address = networks.find(({ IPAddress }) => IPAddress !== "")?.IPAddress;
  if (address === undefined) throw new Error("no address yet");
  return address;
}

function ask(host: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path: "/", timeout: answerMs, agent: false });
    asked.once("timeout", () => asked.destroy(new Error("no answer")));
    asked.once("error", reject);
    asked.once("response", (response) => {
      if (response.statusCode === 200) resolve(textOf(response));
      else reject(new Error(`status ${response.statusCode}`));
    });
    asked.end();
  });
}

function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false });
    asked.once("error", reject);
    asked.once("response", resolve);
    asked.end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}
