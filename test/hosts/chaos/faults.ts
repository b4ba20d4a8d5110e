/** Carries out the faults of a plan on the test bed, and undoes them. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../host.ts";
import type { BedMesh } from "../mesh.ts";
import type { Fault } from "./plan.ts";

/** What the agent with the false clock reads its error from, in seconds, once a second. */
const clockFile = "/etc/shoal-clock";
const library = "faketime/libfaketimeMT.so.1";

export class Faults {
  readonly #mesh: BedMesh;

  constructor(mesh: BedMesh) {
    this.#mesh = mesh;
  }

  /** Starts its agent anew with a library of Debian's that lies about the time; at first not. */
  async falsifyClock(host: Host): Promise<void> {
    await this.#mesh.killAgent(host);
    await setClock(host, 0);
    await this.#mesh.startAgent(host, {
      LD_PRELOAD: findLibrary(),
      FAKETIME_TIMESTAMP_FILE: clockFile,
      FAKETIME_CACHE_DURATION: "1",
      DONT_FAKE_MONOTONIC: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    });
  }

  async begin(fault: Fault): Promise<void> {
    const { bed } = this.#mesh;
    const { lan } = bed;
    switch (fault.kind) {
      case "cut":
        return await lan.cut(fault.from, fault.to);
      case "one-way":
        return await lan.cutOneWay(fault.from, fault.to);
      case "split": {
        const numbers = bed.hosts.map(({ number }) => number);
        const others = numbers.filter((number) => !fault.pair.includes(number));
        for (const host of fault.pair) for (const other of others) await lan.cut(host, other);
        return;
      }
      case "cable":
        return await lan.setCable(fault.host, "down");
      case "slow":
        return await lan.slow(fault.host, fault.kbits);
      case "loss":
        return await lan.lose(fault.host, fault.percent);
      case "kill-agent":
        return await this.#mesh.killAgent(bed.host(fault.host));
      case "freeze-agent":
        return this.#mesh.setAgentFrozen(bed.host(fault.host), true);
      case "freeze-host":
        return bed.host(fault.host).group.setFrozen(true);
      case "power":
        return await bed.host(fault.host).cutPower();
      case "disk":
        return await bed.host(fault.host).fillDisk();
      case "engine":
        return await bed.host(fault.host).killEngine();
      case "clock":
        return await setClock(bed.host(fault.host), fault.byMs);
    }
  }

  /** The network is healed as a whole, with the first fault that was one of its. */
  async end(fault: Fault): Promise<void> {
    const { bed } = this.#mesh;
    switch (fault.kind) {
      case "cut":
      case "one-way":
      case "split":
      case "cable":
      case "slow":
      case "loss":
        return await bed.lan.heal();
      case "kill-agent":
        return await this.#mesh.startAgent(bed.host(fault.host));
      case "freeze-agent":
        return this.#mesh.setAgentFrozen(bed.host(fault.host), false);
      case "freeze-host":
        return bed.host(fault.host).group.setFrozen(false);
      case "power":
        return await this.#mesh.startAgent(await bed.reboot(fault.host));
      case "disk":
        return await bed.host(fault.host).freeDisk();
      case "engine": {
        const host = bed.host(fault.host);
        await host.startEngine();
        return await host.engineReady();
      }
      case "clock":
        return await setClock(bed.host(fault.host), 0);
    }
  }
}

async function setClock(host: Host, byMs: number): Promise<void> {
  const sign = byMs < 0 ? "-" : "+";
  // By another name first: the library must not read half a number.
  const write = `cat >${clockFile}.new && mv ${clockFile}.new ${clockFile}`;
  await host.exec(["sh", "-c", write], { input: `${sign}${Math.abs(byMs) / 1_000}\n` });
}

/** In the folder of this machine's architecture. */
function findLibrary(): string {
  const found = readdirSync("/usr/lib")
    .filter((name) => name.endsWith("-linux-gnu"))
    .map((name) => join("/usr/lib", name, library))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error("Debian's package faketime is missing");
  return found;
}
