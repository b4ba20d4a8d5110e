/**
 * Looks at containers, one after the other, so that what is seen later is also told later: those
 * that an event named, or all of the node's. A door.
 */

import type Dockerode from "dockerode";
import { type DockerDaemon, quickDeadlineMs } from "./daemon.ts";
import { DockerRefusal } from "./refusals.ts";

export type SurveyListener = {
  /** Labels of the containers that are listed. */
  readonly filter: () => readonly string[];
  /** Container ids that must be in a listing, or are gone. */
  readonly known: () => readonly string[];
  /** Nothing about it is new since `onInspected` told this state. */
  readonly isKnown: (container: string, state: string) => boolean;
  readonly onInspected: (info: Dockerode.ContainerInspectInfo, state: string) => void;
  readonly onGone: (container: string) => void;
  /** After each batch. */
  readonly onRound: () => void;
};

export class Survey {
  readonly #daemon: DockerDaemon;
  readonly #listener: SurveyListener;
  readonly #wanted = new Set<string>();
  #allWanted = false;
  #work: Promise<void> | undefined;

  constructor(daemon: DockerDaemon, listener: SurveyListener) {
    this.#daemon = daemon;
    this.#listener = listener;
  }

  look(container: string): void {
    this.#wanted.add(container);
    this.#begin();
  }

  lookAtAll(): void {
    this.#allWanted = true;
    this.#begin();
  }

  /** The same, for those who wait for it. Throws when the daemon does not answer. */
  async all(): Promise<void> {
    await this.#work?.catch(() => {});
    this.#allWanted = true;
    await this.#start();
  }

  /** A daemon that is gone has its own way of being noticed, and all is looked at afterwards. */
  #begin(): void {
    if (this.#work === undefined) void this.#start().catch(() => {});
  }

  #start(): Promise<void> {
    this.#work ??= this.#run().finally(() => {
      this.#work = undefined;
    });
    return this.#work;
  }

  async #run(): Promise<void> {
    while (this.#allWanted || this.#wanted.size > 0) {
      if (this.#allWanted) {
        this.#allWanted = false;
        await this.#list();
      }
      const batch = [...this.#wanted];
      this.#wanted.clear();
      for (const container of batch) await this.#inspect(container);
      this.#listener.onRound();
    }
  }

  async #list(): Promise<void> {
    const { filter, known, isKnown, onGone } = this.#listener;
    // Taken before the listing: what is created meanwhile may or may not be in it.
    const expected = known();
    const options = { all: true, filters: { label: [...filter()] } };
    const { api } = this.#daemon;
    const list = await this.#daemon.ask(
      (abortSignal) => api.listContainers({ ...options, abortSignal } as typeof options),
      quickDeadlineMs,
    );
    if (!isListing(list)) throw new Error("the daemon's listing makes no sense");
    const present = new Set(list.map(({ Id }) => Id));
    for (const { Id, State, Status } of list) {
      if (!isKnown(Id, stateOf(State, Status))) this.#wanted.add(Id);
    }
    for (const container of expected) if (!present.has(container)) onGone(container);
  }

  async #inspect(container: string): Promise<void> {
    const { api } = this.#daemon;
    try {
      const info = await this.#daemon.ask(
        (abortSignal) => api.getContainer(container).inspect({ abortSignal }),
        quickDeadlineMs,
      );
      const health = info.State.Health?.Status;
      this.#listener.onInspected(info, `${info.State.Status} ${health ?? "none"}`);
    } catch (error) {
      if (!(error instanceof DockerRefusal)) throw error;
      if (error.status === 404) this.#listener.onGone(container);
    }
  }
}

/** dockerode hands on whatever came. */
function isListing(list: unknown): boolean {
  return Array.isArray(list) && list.every((one) => typeof one?.Id === "string");
}

/** A listing has health only in its words: "Up 3 seconds (health: starting)". */
function stateOf(state: string, words: string): string {
  const health = /\((?:health: )?(healthy|unhealthy|starting)\)/.exec(words)?.[1];
  return `${state} ${health ?? "none"}`;
}
