/**
 * The network between the hosts: a bridge in a network namespace of its own, a cable to each
 * host, scissors, and bad cables. Cuts are silent, as a failing switch is: nobody gets a reset.
 */

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { attempt, run } from "./shell.ts";

/** The hosts' addresses are `prefix`.1 and up. It stands in namespaces only. */
const prefix = "10.99.0";
/** The bridge's own address, where nothing listens: look-ups of names fail at once, not late. */
export const gateway = `${prefix}.254`;
/** The operator's machine, which is on the network and in no mesh. */
const clientNumber = 250;
/** What a slow link keeps waiting at the most: a home router's bad day. */
const slowQueueMs = 400;

export class Lan {
  /** Starts every name of this bed, so that two checkouts do not meet. */
  readonly #tag: string;

  constructor(tag: string) {
    this.#tag = tag;
  }

  /** The namespace of host n, of "client" or of the "lan" itself. */
  namespace(of: number | "client" | "lan"): string {
    return `${this.#tag}-${of}`;
  }

  address(n: number): string {
    return `${prefix}.${n}`;
  }

  async up(): Promise<void> {
    const lan = this.namespace("lan");
    await run(["ip", "netns", "add", lan]);
    await this.inside("lan", [
      // Bridged frames must not visit this namespace's own packet filters. The files are there
      // only where the kernel's module is.
      "for f in iptables ip6tables arptables; do " +
        "echo 0 2>/dev/null >/proc/sys/net/bridge/bridge-nf-call-$f || :; done",
      "ip link set lo up",
      "ip link add br0 type bridge forward_delay 0 mcast_snooping 0",
      `ip addr add ${gateway}/24 dev br0`,
      "ip link set br0 up",
      "nft add table bridge cuts",
      "nft 'add set bridge cuts pairs { type ether_addr . ether_addr; }'",
      "nft 'add chain bridge cuts forward { type filter hook forward priority 0; }'",
      "nft 'add rule bridge cuts forward ether saddr . ether daddr @pairs drop'",
      // Only IP: hosts still find each other's cards, or a minute later it would be both ways.
      "nft 'add set bridge cuts lanes { type ether_addr . ether_addr; }'",
      "nft 'add rule bridge cuts forward ether type ip ether saddr . ether daddr @lanes drop'",
      // Percent of frames to lose, by the host they come from or go to.
      "nft 'add chain bridge cuts lossy'",
      "nft 'add rule bridge cuts forward jump lossy'",
    ]);
    await this.plug("client", this.address(clientNumber));
  }

  async down(): Promise<void> {
    const { stdout } = await attempt(["ip", "netns", "list"]);
    for (const line of stdout.split("\n")) {
      const name = line.split(" ")[0] as string;
      if (name.startsWith(`${this.#tag}-`)) await attempt(["ip", "netns", "del", name]);
    }
  }

  isUp(): boolean {
    return existsSync(`/run/netns/${this.namespace("lan")}`);
  }

  /** A namespace with a cable to the bridge. */
  async plug(of: number | "client", address: string): Promise<void> {
    const namespace = this.namespace(of);
    await run(["ip", "netns", "add", namespace]);
    const lan = this.namespace("lan");
    const cable = ["name", `sw${of}`, "netns", lan, "type", "veth"];
    await run(["ip", "link", "add", ...cable, "peer", "name", "eth0", "netns", namespace]);
    await this.inside("lan", [`ip link set sw${of} master br0 up`]);
    await this.inside(of, [
      "ip link set lo up",
      `ip link set eth0 address ${macOf(of)}`,
      "ip link set eth0 up",
      `ip addr add ${address}/24 dev eth0`,
      `ip route add default via ${gateway}`,
      // A new namespace copies this from the machine. With 0, dockerd switches it on itself, and
      // then sets the FORWARD policy to DROP, as on a fresh machine.
      "echo 0 >/proc/sys/net/ipv4/ip_forward",
    ]);
  }

  /** The cable is pulled without a word, then everything that the kernel knew of it is gone. */
  async unplug(of: number): Promise<void> {
    await attempt(this.#enter("lan", `ip link del sw${of}`));
    await attempt(["ip", "netns", "del", this.namespace(of)]);
    await rm(`/run/netns/${this.namespace(of)}`, { force: true });
  }

  /** Both ways, between two hosts. */
  async cut(a: number, b: number): Promise<void> {
    await this.inside("lan", [`nft 'add element bridge cuts pairs { ${pairs(a, b)} }'`]);
  }

  /** What one host sends to another is lost; the way back works. */
  async cutOneWay(from: number, to: number): Promise<void> {
    const lane = `${macOf(from)} . ${macOf(to)}`;
    await this.inside("lan", [`nft 'add element bridge cuts lanes { ${lane} }'`]);
  }

  /** Loses so many percent of the frames that a host sends, and as many of those sent to it. */
  async lose(n: number, percent: number): Promise<void> {
    const rule = (side: string) =>
      `nft 'add rule bridge cuts lossy ether ${side} ${macOf(n)} numgen random mod 100 < ${percent} drop'`;
    await this.inside("lan", [rule("saddr"), rule("daddr")]);
  }

  /** So many kbit/s each way; what does not fit waits in a short queue, and then is lost. */
  async slow(n: number, kbits: number): Promise<void> {
    const shape = `root tbf rate ${kbits}kbit burst 16kb latency ${slowQueueMs}ms`;
    await this.inside("lan", [`tc qdisc replace dev sw${n} ${shape}`]);
    await this.inside(n, [`tc qdisc replace dev eth0 ${shape}`]);
  }

  /** One pair, or all there are: every cable, every pair, every loss and every slow link. */
  async heal(a?: number, b?: number): Promise<void> {
    if (a !== undefined && b !== undefined) {
      await this.inside("lan", [`nft 'delete element bridge cuts pairs { ${pairs(a, b)} }'`]);
      return;
    }
    await this.inside("lan", [
      "nft flush set bridge cuts pairs",
      "nft flush set bridge cuts lanes",
      "nft flush chain bridge cuts lossy",
      "ip -o link show type veth | sed -n 's/^[0-9]*: \\(sw[^@:]*\\).*/\\1/p' | " +
        "while read -r cable; do ip link set $cable up; " +
        "tc qdisc del dev $cable root 2>/dev/null || :; " +
        `nsenter --net=/run/netns/${this.#tag}-\${cable#sw} ` +
        "tc qdisc del dev eth0 root 2>/dev/null || :; done",
    ]);
  }

  /** One host's cable out of the switch, or in again. */
  async setCable(n: number, state: "up" | "down"): Promise<void> {
    await this.inside("lan", [`ip link set sw${n} ${state}`]);
  }

  /** As DHCP does after a bad day: the old address is gone before the new one is there. */
  async readdress(n: number, from: string, to: string): Promise<void> {
    await this.inside(n, [
      `ip addr del ${from}/24 dev eth0`,
      `ip addr add ${to}/24 dev eth0`,
      `ip route replace default via ${gateway}`,
    ]);
  }

  /** Shell lines in a namespace; the first that fails ends it. */
  async inside(of: number | "client" | "lan", lines: readonly string[]): Promise<string> {
    return await run(this.#enter(of, `set -e; ${lines.join("; ")}`));
  }

  /** nsenter, not `ip netns exec`: that one mounts a sysfs without the cgroup tree. */
  #enter(of: number | "client" | "lan", script: string): string[] {
    return ["nsenter", `--net=/run/netns/${this.namespace(of)}`, "sh", "-c", script];
  }
}

function macOf(of: number | "client"): string {
  const number = of === "client" ? clientNumber : of;
  return `02:99:00:00:00:${number.toString(16).padStart(2, "0")}`;
}

function pairs(a: number, b: number): string {
  return `${macOf(a)} . ${macOf(b)}, ${macOf(b)} . ${macOf(a)}`;
}
