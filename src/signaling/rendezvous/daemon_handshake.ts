/**
 * Hello, ack, offer and answer between two daemons over the rendezvous server.
 *
 * @module
 */
import type { Log } from "../../log/log.ts";
import type { SdpType, SignalBundle } from "../../protocol/signal/bundle.ts";
import {
  type DaemonSignal,
  type DaemonSignalType,
  encodeAck,
  encodeBundleSignal,
  encodeHello,
  judgeSignal,
  type SignalContext,
} from "../../protocol/signal/daemon_payload.ts";
import type { RendezvousClient } from "./rendezvous_client.ts";
import { RetryDelay } from "./retry_delay.ts";

/** Ignored signals that are logged one by one; more are counted in silence. */
const MAX_IGNORED_LOGGED = 100;

/** What the handshake needs to know. */
export interface DaemonHandshakeOptions {
  /** What both sides have to agree on. */
  readonly context: SignalContext;
  /** Told to the peer in the hello. */
  readonly phaseTimeoutSecs: number;
  /** Told of retries and ignored signals. */
  readonly log: Log;
}

/** The exchange of daemon signals with one peer over a registered client. */
export class DaemonHandshake {
  readonly #client: RendezvousClient;
  readonly #options: DaemonHandshakeOptions;
  #ignored = 0;

  /** Uses a client that is registered. */
  constructor(client: RendezvousClient, options: DaemonHandshakeOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Offerer: says hello, again while the peer is not registered, until its ack.
   *
   * @throws {SignalError} What {@linkcode judgeSignal} and the client throw; or the signal's reason.
   */
  async hello(signal: AbortSignal): Promise<void> {
    const { context, phaseTimeoutSecs, log } = this.#options;
    const hello = encodeHello(context, phaseTimeoutSecs);
    const retry = new RetryDelay();
    this.#client.send(hello);
    while (await this.#expect("ack", signal) === "peer-not-found") {
      log.info(`hello retry: peer '${context.remote}' not found`, { next_ms: retry.next });
      await retry.wait(signal);
      this.#client.send(hello);
    }
    log.info("hello/ack complete", { peer: context.remote });
  }

  /**
   * Answerer: waits for the peer's hello and acknowledges it.
   *
   * @throws {SignalError} As {@linkcode DaemonHandshake.hello}.
   */
  async acknowledge(signal: AbortSignal): Promise<void> {
    const { context, log } = this.#options;
    await this.#expectSignal("hello", signal);
    this.#client.send(encodeAck(context));
    log.info("hello/ack complete", { peer: context.remote });
  }

  /** Sends an offer or answer. */
  sendBundle(bundle: SignalBundle): void {
    this.#client.send(encodeBundleSignal(this.#options.context, bundle));
  }

  /**
   * Waits for the peer's offer or answer.
   *
   * @throws {SignalError} As {@linkcode DaemonHandshake.hello}.
   */
  async receiveBundle(kind: SdpType, signal: AbortSignal): Promise<SignalBundle> {
    for (;;) {
      const accepted = await this.#expectSignal(kind, signal);
      if ("bundle" in accepted) return accepted.bundle;
    }
  }

  /** The accepted signal; that the peer has gone meanwhile is logged and waited out. */
  async #expectSignal(type: DaemonSignalType, signal: AbortSignal): Promise<DaemonSignal> {
    for (;;) {
      const outcome = await this.#expect(type, signal);
      if (outcome !== "peer-not-found") return outcome;
      this.#options.log.warn("the peer is not registered any more", {
        peer: this.#options.context.remote,
      });
    }
  }

  async #expect(
    type: DaemonSignalType,
    signal: AbortSignal,
  ): Promise<DaemonSignal | "peer-not-found"> {
    for (;;) {
      const inbound = await this.#client.receive(signal);
      if (inbound.type === "peer-not-found") return inbound.type;
      const verdict = judgeSignal(inbound.from, inbound.payload, type, this.#options.context);
      if (verdict.accepted) return verdict.signal;
      if (++this.#ignored > MAX_IGNORED_LOGGED) continue;
      const from = inbound.from.slice(0, 64);
      this.#options.log.info("ignoring signal", { reason: verdict.reason, from, expected: type });
    }
  }
}
