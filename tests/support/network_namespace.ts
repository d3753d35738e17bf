/**
 * Network namespaces of a test's own: hosts on this machine with addresses that tests choose. They
 * need Linux, root and iproute2; tests skip, and say so, where these are not.
 *
 * @module
 */
import type { Program } from "./program.ts";

async function ip(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("ip", { args }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether this machine lets a test make namespaces. */
export async function canMakeNamespaces(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const name = `bolt-probe-${crypto.randomUUID().slice(0, 8)}`;
  try {
    await ip("netns", "add", name);
    await ip("netns", "del", name);
    return true;
  } catch {
    return false;
  }
}

/** Whether the kernel can delay and lose packets, too: the module `sch_netem`. */
export async function canEmulateNetworks(): Promise<boolean> {
  if (!await canMakeNamespaces()) return false;
  await using probe = await NetworkNamespace.make();
  return await probe.emulate("lo", "delay", "1ms").then(() => true, () => false);
}

/** A network of its own, with loopback up. Disposing it removes it and its interfaces. */
export class NetworkNamespace implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** Makes an empty one. */
  static async make(): Promise<NetworkNamespace> {
    const made = new NetworkNamespace(`bolt-${crypto.randomUUID().slice(0, 8)}`);
    await ip("netns", "add", made.name);
    await made.ip("link", "set", "lo", "up");
    return made;
  }

  /** Runs `ip` inside. */
  ip(...args: string[]): Promise<string> {
    return ip("-n", this.name, ...args);
  }

  /**
   * Joins two with a cable; each end is called `cable` and has the address, with prefix length, and
   * no other (no IPv6 link-local one).
   */
  async connect(address: string, other: NetworkNamespace, otherAddress: string): Promise<void> {
    await this.ip(
      "link",
      "add",
      "cable",
      "type",
      "veth",
      "peer",
      "name",
      "cable",
      "netns",
      other.name,
    );
    for (const [end, own] of [[this, address], [other, otherAddress]] as const) {
      await end.ip("link", "set", "cable", "addrgenmode", "none");
      await end.ip("addr", "add", own, "dev", "cable");
      await end.ip("link", "set", "cable", "up");
      await end.ip("route", "add", "default", "dev", "cable");
    }
  }

  /**
   * Has the kernel treat what leaves by an interface badly, in the words of `tc-netem(8)`; in place
   * of what it did before.
   */
  async emulate(device: string, ...netem: string[]): Promise<void> {
    const where = ["-n", this.name, "qdisc", "replace", "dev", device, "root", "netem"];
    const args = [...where, ...netem];
    const { success, stderr } = await new Deno.Command("tc", { args }).output();
    if (!success) throw new Error(`tc ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }

  /**
   * Adds an interface that leads nowhere and is the way to everywhere: whatever leaves for another
   * host is counted there, and lost.
   */
  async addWayOut(address: string): Promise<void> {
    await this.ip("link", "add", "out", "type", "veth", "peer", "name", "nowhere");
    for (const end of ["out", "nowhere"]) {
      // Without IPv6 and ARP the kernel itself sends nothing.
      await this.ip("link", "set", end, "addrgenmode", "none", "arp", "off");
    }
    await this.ip("link", "set", "nowhere", "up");
    await this.ip("addr", "add", address, "dev", "out");
    await this.ip("link", "set", "out", "up");
    await this.ip("route", "add", "default", "dev", "out");
  }

  /** How many packets have left by {@linkcode NetworkNamespace.addWayOut}. */
  async packetsOut(): Promise<number> {
    const [link] = JSON.parse(await this.ip("-j", "-s", "link", "show", "out"));
    return link.stats64.tx.packets;
  }

  /** A program that runs inside. */
  inside(program: Program): Program {
    return {
      ...program,
      command: "ip",
      args: ["netns", "exec", this.name, program.command, ...program.args],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip("netns", "del", this.name);
  }
}
