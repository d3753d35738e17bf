/**
 * A cable between two hosts (network namespaces) that loses and delays packets of any protocol: the
 * kernel hands them to this process through TUN devices. For kernels without `sch_netem`; Linux and
 * root only.
 *
 * @module
 */
import { BadLink, type LinkConditions } from "../../tests/faults/bad_link.ts";
import { NetworkNamespace } from "../../tests/support/network_namespace.ts";
import { seededRandom } from "../../tests/transport/loss.ts";

/** The largest packet of a device, in bytes, as on Ethernet. */
const MTU = 1500;
/** `O_RDWR` of `open(2)`; `TUNSETIFF`, `IFF_TUN` and `IFF_NO_PI` of `linux/if_tun.h`. */
const O_RDWR = 2;
const TUNSETIFF = 0x400454ca;
const TUN_WITHOUT_HEADER = 0x1001;
/** Bytes of an interface's name, and of the structure that holds it and the flags. */
const NAME_BYTES = 16;
const IFREQ_BYTES = 40;

const LIBC = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize", nonblocking: true },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof LIBC>;

/** Two hosts and the cable. Disposing it removes them. */
export class LossyCable implements AsyncDisposable {
  readonly #owned: AsyncDisposableStack;

  private constructor(
    readonly one: NetworkNamespace,
    readonly two: NetworkNamespace,
    owned: AsyncDisposableStack,
  ) {
    this.#owned = owned;
  }

  /**
   * Makes the hosts, with addresses 10.80.0.1 and 10.80.0.2.
   *
   * @param seed The same decides the same, of the same packets.
   */
  static async lay(conditions: LinkConditions, seed: number): Promise<LossyCable> {
    await using owned = new AsyncDisposableStack();
    const libc = owned.adopt(Deno.dlopen("libc.so.6", LIBC), (library) => library.close());
    const devices = [new TunDevice(libc), new TunDevice(libc)] as const;
    const [one, two] = [await NetworkNamespace.make(), await NetworkNamespace.make()];
    for (const [i, host] of [one, two].entries()) {
      await devices[i as 0 | 1].plugInto(host, `10.80.0.${i + 1}/24`);
    }
    const carried = [
      devices[0].carryTo(devices[1], new BadLink(conditions, seededRandom(seed))),
      devices[1].carryTo(devices[0], new BadLink(conditions, seededRandom(seed + 0x5bd1e995))),
    ];
    owned.defer(async () => {
      // A device that is gone ends the reading of it. Its host may outlive the name: the kernel keeps
      // it while it has a connection to end.
      for (const [i, host] of [one, two].entries()) await devices[i as 0 | 1].unplug(host);
      await Promise.all(carried);
      await one[Symbol.asyncDispose]();
      await two[Symbol.asyncDispose]();
      for (const device of devices) device.close();
    });
    return new LossyCable(one, two, owned.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#owned.disposeAsync();
  }
}

/** An interface whose packets this process reads and writes. */
class TunDevice {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #name = `bolt${crypto.randomUUID().slice(0, 8)}`;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#fd = libc.symbols.open(new TextEncoder().encode("/dev/net/tun\0"), O_RDWR);
    const request = new Uint8Array(IFREQ_BYTES);
    new TextEncoder().encodeInto(this.#name, request);
    new DataView(request.buffer).setUint16(NAME_BYTES, TUN_WITHOUT_HEADER, isLittleEndian());
    if (this.#fd < 0 || libc.symbols.ioctl(this.#fd, BigInt(TUNSETIFF), request) < 0) {
      throw new Error("this machine has no TUN devices, or not for this user");
    }
  }

  /** Gives it to a host, whose way to the address's network it is. */
  async plugInto(host: NetworkNamespace, address: string): Promise<void> {
    const { success } = await new Deno.Command("ip", {
      args: ["link", "set", this.#name, "netns", host.name],
    }).output();
    if (!success) throw new Error(`${this.#name} can't be moved into a namespace`);
    await host.ip("addr", "add", address, "dev", this.#name);
    await host.ip("link", "set", this.#name, "mtu", String(MTU), "up");
  }

  /** Takes it from its host: it is gone. */
  async unplug(host: NetworkNamespace): Promise<void> {
    await host.ip("link", "del", this.#name);
  }

  /** Carries what the host sends to another device, until this one is gone. */
  async carryTo(other: TunDevice, link: BadLink): Promise<void> {
    const packet = new Uint8Array(MTU);
    while (true) {
      const length = Number(await this.#libc.symbols.read(this.#fd, packet, BigInt(MTU)));
      if (length <= 0) break;
      const now = performance.now();
      for (const due of link.arrivals(length, now)) {
        other.#deliverAt(due, packet.slice(0, length), now);
      }
    }
    other.#stop();
  }

  /** Not before {@linkcode carryTo} has ended. */
  close(): void {
    this.#libc.symbols.close(this.#fd);
  }

  readonly #underWay: { readonly due: number; readonly packet: Uint8Array<ArrayBuffer> }[] = [];

  /** In the order of the calls: no packet overtakes another. */
  #deliverAt(due: number, packet: Uint8Array<ArrayBuffer>, now: number): void {
    if (this.#isOver || this.#underWay.length >= MAX_UNDER_WAY) return;
    if (due <= now && this.#underWay.length === 0) return this.#deliver(packet);
    this.#underWay.push({ due, packet });
    this.#timer ??= setTimeout(() => this.#deliverDue(), due - now);
  }

  #deliverDue(): void {
    const now = performance.now();
    const later = this.#underWay.findIndex(({ due }) => due > now);
    const due = this.#underWay.splice(0, later < 0 ? this.#underWay.length : later);
    for (const { packet } of due) this.#deliver(packet);
    const [next] = this.#underWay;
    this.#timer = next && setTimeout(() => this.#deliverDue(), next.due - now);
  }

  #deliver(packet: Uint8Array<ArrayBuffer>): void {
    this.#libc.symbols.write(this.#fd, packet, BigInt(packet.length));
  }

  #stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

/** Packets that are under way at once; what comes on top is lost, as in any network. */
const MAX_UNDER_WAY = 20_000;

const isLittleEndian = (): boolean => new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
