/**
 * A LAN for the pages: each machine in a network namespace of its own, and the rendezvous server of
 * their examples at its address there.
 *
 * @module
 */
import { NetworkNamespace } from "../support/network_namespace.ts";
import { fromFileUrl } from "../support/paths.ts";
import { type Program, Run } from "../support/program.ts";

const SERVER_ADDRESS = "192.168.1.10";
const PORT = 3001;
/** The first machine's is the next one. */
const FIRST_HOST = 20;

/** A machine's way out when it is slow, in the words of `tc-tbf(8)`. */
export const SLOW = ["tbf", "rate", "2mbit", "burst", "16kb", "limit", "64kb"] as const;
/** Bytes that take so long then that a file can be held, or its daemon killed, before their end. */
export const LONG = 4_000_000;

const SERVER: Program = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--allow-net"],
    fromFileUrl(new URL("../../scripts/rendezvous/main.ts", import.meta.url)),
  ],
};

/** The LAN. Disposing it ends the server and removes the namespaces: its machines go before it. */
export class Lan implements AsyncDisposable {
  /** Where the server is. */
  readonly url = `ws://${SERVER_ADDRESS}:${PORT}`;
  readonly #bridge: NetworkNamespace;
  readonly #owned: AsyncDisposableStack;
  readonly #hosts = new Map<string, NetworkNamespace>();
  #server: Run | undefined;

  private constructor(bridge: NetworkNamespace, owned: AsyncDisposableStack) {
    this.#bridge = bridge;
    this.#owned = owned;
  }

  /** Makes one with a server and no machines. */
  static async make(): Promise<Lan> {
    await using stack = new AsyncDisposableStack();
    const bridge = stack.use(await NetworkNamespace.make());
    await bridge.ip("link", "add", "lan", "type", "bridge");
    await bridge.ip("addr", "add", `${SERVER_ADDRESS}/24`, "dev", "lan");
    await bridge.ip("link", "set", "lan", "up");
    const lan = new Lan(bridge, stack.move());
    await lan.startServer();
    return lan;
  }

  /** The shell of a machine, on a host of its own. */
  async shellOf(machine: string): Promise<Program> {
    return (await this.#host(machine)).inside({ command: "sh", args: [] });
  }

  /** Has little leave a machine a second, until {@linkcode Lan.release}. */
  async slow(machine: string): Promise<void> {
    await (await this.#host(machine)).shape(machine, ...SLOW);
  }

  /** Lets what a machine sends go as fast as it can. */
  async release(machine: string): Promise<void> {
    await (await this.#host(machine)).shape(machine, "pfifo");
  }

  /** Starts the server. */
  async startServer(): Promise<void> {
    const where = ["--host", SERVER_ADDRESS, "--port", String(PORT), "--behaviour", "replace"];
    this.#server = new Run(this.#bridge.inside(SERVER), where);
    await this.#server.said("listening");
  }

  /** Kills the server. */
  async killServer(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#server = undefined;
  }

  async #host(machine: string): Promise<NetworkNamespace> {
    const known = this.#hosts.get(machine);
    if (known !== undefined) return known;
    const host = this.#owned.use(await NetworkNamespace.make());
    const address = SERVER_ADDRESS.replace(/\d+$/, String(FIRST_HOST + this.#hosts.size));
    this.#hosts.set(machine, host);
    await host.lay(machine, [`${address}/24`], this.#bridge, []);
    await host.ip("route", "add", "default", "via", SERVER_ADDRESS);
    await this.#bridge.ip("link", "set", machine, "master", "lan");
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killServer();
    await this.#owned.disposeAsync();
  }
}
