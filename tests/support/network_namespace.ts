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

/** Whether the kernel has, for {@linkcode NetworkNamespace.shape}, a discipline in these words. */
export async function canShape(...discipline: string[]): Promise<boolean> {
  if (!await canMakeNamespaces()) return false;
  await using probe = await NetworkNamespace.make();
  return await probe.shape("lo", ...discipline).then(() => true, () => false);
}

/** The program, run in a namespace. */
export function inNamespace(name: string, program: Program): Program {
  const args = ["netns", "exec", name, program.command, ...program.args];
  return { ...program, command: "ip", args };
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
   * Joins two with a cable that is their way to everywhere; each end is called `cable` and has the
   * address, with prefix length, and no other (no IPv6 link-local one).
   */
  async connect(address: string, other: NetworkNamespace, otherAddress: string): Promise<void> {
    await this.lay("cable", [address], other, [otherAddress]);
    for (const end of [this, other]) await end.ip("route", "add", "default", "dev", "cable");
  }

  /** Lays a cable to another; both ends have its name, and these addresses with prefix length. */
  async lay(
    cable: string,
    addresses: readonly string[],
    other: NetworkNamespace,
    otherAddresses: readonly string[],
  ): Promise<void> {
    const peer = ["peer", "name", cable, "netns", other.name];
    await this.ip("link", "add", cable, "type", "veth", ...peer);
    for (const [end, all] of [[this, addresses], [other, otherAddresses]] as const) {
      await end.ip("link", "set", cable, "addrgenmode", "none");
      for (const address of all) {
        // Nobody else has it: it can be used at once.
        const unasked = address.includes(":") ? ["nodad"] : [];
        await end.ip("addr", "add", address, "dev", cable, ...unasked);
      }
      await end.ip("link", "set", cable, "up");
    }
  }

  /**
   * Has the kernel treat what leaves by an interface so, in place of what it did before: the words
   * of `tc-netem(8)` or `tc-tbf(8)`, with theirs first.
   */
  async shape(device: string, ...discipline: string[]): Promise<void> {
    const where = ["-n", this.name, "qdisc", "replace", "dev", device, "root"];
    const args = [...where, ...discipline];
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
    return inNamespace(this.name, program);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip("netns", "del", this.name);
  }
}
