/**
 * The node's own bridge network for the containers of one mesh, made when the first container
 * needs it. A door.
 *
 * A node's subnet may change (two nodes claimed the same). A network that still has containers is
 * used as it is, for they would lose their addresses; one that has none is made anew.
 */

import type Dockerode from "dockerode";
import type { StartOrder } from "../../ports.ts";
import { networkName } from "./container-options.ts";
import type { DockerDaemon } from "./daemon.ts";
import { DockerRefusal } from "./refusals.ts";

type Wanted = Pick<StartOrder, "mesh" | "subnet">;

export class BridgeNetwork {
  readonly #daemon: DockerDaemon;
  /** One at a time: Docker lets two networks have one name. */
  #last: Promise<void> = Promise.resolve();

  constructor(daemon: DockerDaemon) {
    this.#daemon = daemon;
  }

  async provide(wanted: Wanted): Promise<void> {
    const mine = this.#last.then(() => this.#provide(wanted));
    this.#last = mine.catch(() => {});
    await mine;
  }

  async #provide(wanted: Wanted): Promise<void> {
    const { api } = this.#daemon;
    const network = api.getNetwork(networkName(wanted.mesh));
    const known: Dockerode.NetworkInspectInfo | undefined = await this.#daemon
      .ask(() => network.inspect())
      .catch(nothingThere);
    if (known !== undefined) {
      const subnets = known.IPAM?.Config?.map(({ Subnet }) => Subnet) ?? [];
      const isInUse = Object.keys(known.Containers ?? {}).length > 0;
      if (isInUse || subnets.includes(wanted.subnet)) return;
      await this.#daemon.ask((abortSignal) => network.remove({ abortSignal })).catch(nothingThere);
    }
    await this.#daemon.ask((abortSignal) =>
      api.createNetwork({ ...networkOptions(wanted), abortSignal }),
    );
  }
}

export function networkOptions({ mesh, subnet }: Wanted): Dockerode.NetworkCreateOptions {
  const name = networkName(mesh);
  return {
    Name: name,
    CheckDuplicate: true,
    Driver: "bridge",
    IPAM: { Driver: "default", Config: [{ Subnet: subnet, Gateway: firstAddress(subnet) }] },
    // The interface bears the network's name, so that the data path finds it.
    Options: { "com.docker.network.bridge.name": name },
    Labels: { "shoal.mesh": mesh },
  };
}

/** "10.210.7.0/24" → "10.210.7.1". */
function firstAddress(subnet: string): string {
  const [network = ""] = subnet.split("/");
  const parts = network.split(".");
  return [...parts.slice(0, 3), Number(parts[3]) + 1].join(".");
}

function nothingThere(error: unknown): undefined {
  if (error instanceof DockerRefusal && error.status === 404) return undefined;
  throw error;
}
