/**
 * The connection to one Docker daemon, for ever: up while its event stream is open, down when a
 * request or the stream fails, then tried again with backoff. A door.
 *
 * Nothing hangs on a daemon that hangs: every request has a deadline, and one that passes takes
 * the connection down. Who waits for it to come back waits in `up`.
 */

import { Agent } from "node:http";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type Dockerode from "dockerode";
import { LineSplitter } from "../log-lines.ts";
import { newDockerode } from "./dockerode.ts";
import { DockerGone, DockerRefusal, daemonWords } from "./refusals.ts";

/** A daemon under load takes seconds to start a container; a minute is a hang. */
const deadlineMs = 60_000;
/** A listing or a ping is quick, or the daemon is stuck. */
export const quickDeadlineMs = 10_000;
const backoffMs = { first: 250, most: 5_000 };

export type ContainerEvent = { readonly id: string; readonly action: string };

export type DaemonListener = {
  /** Connected, the events are flowing. What it throws takes the connection down again. */
  onUp(): Promise<void>;
  onDown(detail: string): void;
  onEvent(event: ContainerEvent): void;
};

export class DockerDaemon {
  readonly api: Dockerode;
  readonly #listener: DaemonListener;
  readonly #closing = new AbortController();
  #socketPath: string;
  #stream: AbortController | undefined;
  #waiting: (() => void)[] = [];
  /** Requests under way, as the way to fail them: dockerode forgets one that is cut short. */
  readonly #asked = new Set<(error: Error) => void>();
  #isUp = false;
  /** Why the connection was given up, when it was not the stream itself that ended. */
  #cause: string | undefined;

  constructor(socketPath: string, listener: DaemonListener) {
    this.#socketPath = socketPath;
    this.#listener = listener;
    // A fresh connection each: a pooled one to a daemon that was restarted fails its first request.
    // `host` is named because DOCKER_HOST would win over the socket otherwise.
    const agent = new Agent({ keepAlive: false });
    this.api = newDockerode({
      socketPath,
      host: undefined,
      agent,
    } as Dockerode.DockerOptions);
  }

  /** Labels that the containers have whose events are wanted. */
  open(labels: readonly string[]): void {
    void this.#stayConnected(labels);
  }

  close(): void {
    this.#closing.abort();
    this.#stream?.abort();
    this.#isUp = false;
  }

  /** Resolves at once, or when the daemon is back; rejects with DockerGone when it is given up. */
  async up(signal: AbortSignal): Promise<void> {
    while (!this.#isUp) {
      if (signal.aborted || this.#closing.signal.aborted) throw new DockerGone("no longer wanted");
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#closing.signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
    }
  }

  /** One request. Throws DockerRefusal for an answer that is a no, DockerGone for none. */
  async ask<Answer>(
    request: (abortSignal: AbortSignal) => Promise<Answer>,
    limitMs: number = deadlineMs,
  ): Promise<Answer> {
    const stop = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no answer in ${limitMs} ms`)), limitMs);
    this.#asked.add(reject);
    try {
      const answer = request(stop.signal);
      // An abort after the deadline fails it as well, when nobody listens any more.
      answer.catch(() => {});
      return await Promise.race([answer, late]);
    } catch (error) {
      stop.abort();
      throw this.#judge(error);
    } finally {
      clearTimeout(timer);
      this.#asked.delete(reject);
    }
  }

  #judge(error: unknown): Error {
    const { statusCode, message } = error as { statusCode?: number; message?: string };
    const words = daemonWords(message ?? String(error));
    if (statusCode !== undefined) return new DockerRefusal(statusCode, words);
    this.#giveUp(words);
    return new DockerGone(words);
  }

  #giveUp(cause: string): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#cause = cause;
    this.#stream?.abort();
  }

  async #stayConnected(labels: readonly string[]): Promise<void> {
    let pauseMs = backoffMs.first;
    while (!this.#closing.signal.aborted) {
      let detail: string;
      try {
        await this.#connectOnce(labels, () => {
          pauseMs = backoffMs.first;
        });
        detail = this.#cause ?? "it closed the connection";
      } catch (error) {
        detail = this.#cause ?? (error instanceof Error ? error.message : String(error));
      }
      this.#isUp = false;
      for (const reject of this.#asked) reject(new Error(detail));
      this.#cause = undefined;
      if (this.#closing.signal.aborted) return;
      this.#listener.onDown(`${detail} (${this.#socketPath})`);
      await sleep(pauseMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, backoffMs.most);
    }
  }

  /** Returns when the connection has ended. */
  async #connectOnce(labels: readonly string[], onConnected: () => void): Promise<void> {
    await this.ask(() => this.api.ping(), quickDeadlineMs);
    const stop = new AbortController();
    this.#stream = stop;
    const filters = { type: ["container"], label: [...labels] };
    try {
      const events = (await this.ask(
        () => this.api.getEvents({ filters, abortSignal: stop.signal } as object),
        quickDeadlineMs,
      )) as Readable;
      const ended = this.#readEvents(events, stop.signal);
      this.#isUp = true;
      onConnected();
      for (const resolve of this.#waiting.splice(0)) resolve();
      await Promise.race([this.#listener.onUp(), ended]);
      await ended;
    } finally {
      stop.abort();
    }
  }

  async #readEvents(events: Readable, signal: AbortSignal): Promise<void> {
    const lines = new LineSplitter();
    signal.addEventListener("abort", () => events.destroy(), { once: true });
    try {
      for await (const piece of events) {
        for (const line of lines.push(piece as Uint8Array)) {
          const event = parseEvent(line);
          if (event !== undefined) this.#listener.onEvent(event);
        }
      }
    } catch {
      // Its end, however it came, is all there is to know.
    }
  }
}

function parseEvent(line: string): ContainerEvent | undefined {
  try {
    const { Action, Actor } = JSON.parse(line) as { Action?: string; Actor?: { ID?: string } };
    if (typeof Action !== "string" || typeof Actor?.ID !== "string") return undefined;
    return { id: Actor.ID, action: Action };
  } catch {
    return undefined;
  }
}
