/**
 * From an order to a container that runs: image, network, create, start. A door.
 *
 * The container's name is the task's, so that an order that is carried out twice, after a daemon
 * died in the middle of the first time, makes one container.
 */

import type { ContainerWorkload } from "../../model/spec.ts";
import type { StartOrder } from "../../ports.ts";
import { containerOptions } from "./container-options.ts";
import type { DockerDaemon } from "./daemon.ts";
import { Images } from "./images.ts";
import { containerName } from "./labels.ts";
import { BridgeNetwork } from "./network.ts";
import { DockerRefusal } from "./refusals.ts";

export class Launcher {
  readonly #daemon: DockerDaemon;
  readonly #images: Images;
  readonly #network: BridgeNetwork;

  constructor(daemon: DockerDaemon, nodeName: string) {
    this.#daemon = daemon;
    this.#images = new Images(daemon, nodeName);
    this.#network = new BridgeNetwork(daemon);
  }

  /** Gives up between two steps when the signal says so. */
  async launch(
    order: StartOrder,
    workload: ContainerWorkload,
    createdAtMs: number,
    onCreated: (container: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#images.provide(workload);
    if (signal.aborted) return;
    const isBridged = (workload.networkMode ?? "bridge") === "bridge";
    if (isBridged && order.subnet !== "") await this.#network.provide(order);
    if (signal.aborted) return;
    const { container, isFresh } = await this.#create(order, workload, createdAtMs);
    onCreated(container);
    if (isFresh && !signal.aborted) await this.startContainer(container);
  }

  async startContainer(container: string): Promise<void> {
    const { api } = this.#daemon;
    try {
      await this.#daemon.ask((abortSignal) => api.getContainer(container).start({ abortSignal }));
    } catch (error) {
      const runsAlready = error instanceof DockerRefusal && error.status === 304;
      if (!runsAlready) throw error;
    }
  }

  /** With its anonymous volumes, running or not. That it is gone already is as good. */
  async removeContainer(container: string): Promise<void> {
    const { api } = this.#daemon;
    const options = { v: true, force: true };
    try {
      await this.#daemon.ask((abortSignal) =>
        api.getContainer(container).remove({ ...options, abortSignal } as typeof options),
      );
    } catch (error) {
      const isGone = error instanceof DockerRefusal && [404, 409].includes(error.status);
      if (!isGone) throw error;
    }
  }

  async #create(
    order: StartOrder,
    workload: ContainerWorkload,
    createdAtMs: number,
  ): Promise<{ container: string; isFresh: boolean }> {
    const { api } = this.#daemon;
    const name = containerName(order.task);
    const options = {
      // dockerode would put all of it into the address as well.
      _query: { name, ...(workload.platform === undefined ? {} : { platform: workload.platform }) },
      _body: containerOptions(order, workload, createdAtMs),
    };
    try {
      const created = await this.#daemon.ask((abortSignal) =>
        api.createContainer({ ...options, abortSignal } as object),
      );
      return { container: created.id, isFresh: true };
    } catch (error) {
      if (!(error instanceof DockerRefusal) || error.status !== 409) throw error;
      const known = await this.#daemon.ask((abortSignal) =>
        api.getContainer(name).inspect({ abortSignal }),
      );
      if (known.Config.Labels?.["shoal.task"] !== order.task) throw error;
      // One that has run is not started again: tasks are replaced.
      return { container: known.Id, isFresh: known.State.Status === "created" };
    }
  }
}
