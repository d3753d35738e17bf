/**
 * A registered client of the rendezvous server: relays signals to and from one peer.
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import {
  encodePing,
  encodeRegister,
  encodeSignal,
  isPeerNotFound,
  parseServerMessage,
  PING_INTERVAL_MS,
  type ServerMessage,
} from "../../protocol/rendezvous/server_message.ts";
import { normalizePeerCode, type PeerCode } from "../../protocol/signal/peer_code.ts";
import { RendezvousSocket } from "./rendezvous_socket.ts";

/** What {@linkcode RendezvousClient.register} needs. */
export interface RegisterOptions {
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Our own code. */
  readonly self: PeerCode;
  /** The peer to talk to. */
  readonly remote: PeerCode;
  /** Shown to others at the server. */
  readonly deviceName: string;
  /** Ends the registration with its reason. */
  readonly signal: AbortSignal;
  /** Told of what was ignored. */
  readonly log: Log;
}

/** What the server may bring for us. */
export type Inbound =
  | { readonly type: "signal"; readonly from: string; readonly payload: unknown }
  | { readonly type: "peer-not-found" };

/** A connection that the server has confirmed. Dispose it to leave. */
export class RendezvousClient implements AsyncDisposable {
  readonly #socket: RendezvousSocket;
  readonly #remote: PeerCode;
  readonly #log: Log;
  readonly #pings: ReturnType<typeof setInterval>;
  #remoteDeviceName = "";

  private constructor(socket: RendezvousSocket, options: RegisterOptions) {
    this.#socket = socket;
    this.#remote = options.remote;
    this.#log = options.log;
    this.#pings = setInterval(() => this.#ping(), PING_INTERVAL_MS);
  }

  /**
   * Connects and registers.
   *
   * @throws {SignalError} RENDEZVOUS_UNREACHABLE, RENDEZVOUS_REFUSED (a taken code), RENDEZVOUS_CLOSED,
   * RENDEZVOUS_HOSTILE; or the signal's reason.
   */
  static async register(options: RegisterOptions): Promise<RendezvousClient> {
    const socket = await RendezvousSocket.open(options.url, options.signal);
    const client = new RendezvousClient(socket, options);
    try {
      socket.send(encodeRegister(options.self, options.deviceName));
      for (;;) {
        const message = await client.#next(options.signal);
        if (message.type === "error") throw refused(message.message);
        if (message.type === "peers") return client;
      }
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the peer calls itself at the server: hostile text, empty while it is not registered. */
  get remoteDeviceName(): string {
    return this.#remoteDeviceName;
  }

  /** Has the server relay a payload to the peer. */
  send(payload: unknown): void {
    this.#socket.send(encodeSignal(this.#remote, payload));
  }

  /**
   * The next signal for us, from whomever, or the news that the peer is not registered.
   *
   * @throws {SignalError} As {@linkcode RendezvousClient.register}; or the signal's reason.
   */
  async receive(signal: AbortSignal): Promise<Inbound> {
    for (;;) {
      const message = await this.#next(signal);
      if (message.type === "signal") return message;
      if (message.type !== "error") continue;
      if (isPeerNotFound(message.message, this.#remote)) return { type: "peer-not-found" };
      throw refused(message.message);
    }
  }

  async #next(signal: AbortSignal): Promise<ServerMessage> {
    for (;;) {
      const message = parseServerMessage(await this.#socket.receive(signal));
      if (message === undefined) {
        throw new SignalError(
          "RENDEZVOUS_HOSTILE",
          "the rendezvous server sent a malformed message: check --rendezvous-url",
        );
      }
      if (message !== "unknown") {
        this.#notice(message);
        return message;
      }
      this.#log.debug("a message of an unknown type was ignored");
    }
  }

  #notice(message: ServerMessage): void {
    const peers = message.type === "peers"
      ? message.peers
      : message.type === "peer_joined"
      ? [message.peer]
      : [];
    for (const { peerCode, deviceName } of peers) {
      if (normalizePeerCode(peerCode) === this.#remote) this.#remoteDeviceName = deviceName;
    }
  }

  #ping(): void {
    try {
      this.#socket.send(encodePing());
    } catch {
      // The connection ended; whoever receives from it is told.
    }
  }

  /** Leaves the server; what was sent goes first. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#pings);
    await this.#socket[Symbol.asyncDispose]();
  }
}

function refused(message: string): SignalError {
  const shown = JSON.stringify(message.slice(0, 200));
  return new SignalError("RENDEZVOUS_REFUSED", `the rendezvous server refused: ${shown}`);
}
