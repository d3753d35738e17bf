/**
 * Hello, ack, offer and answer between two daemons over the rendezvous server.
 *
 * @module
 */
import { messageOf } from "../../base/errors.ts";
import { RESEND_MS } from "../../base/timing.ts";
import type { Log } from "../../log/log.ts";
import type { SignalBundle } from "../../protocol/signal/bundle.ts";
import {
  type DaemonSignal,
  type DaemonSignalType,
  encodeAckSignal,
  encodeBundleSignal,
  encodeHelloSignal,
  judgeSignal,
  type SignalContext,
} from "../../protocol/signal/daemon_payload.ts";
import type { InboundSignal, RendezvousClient } from "./rendezvous_client.ts";
import { sayUntil } from "./say_until.ts";

/** What the handshake needs to know. */
export interface DaemonHandshakeOptions {
  /** What both sides have to agree on. */
  readonly context: SignalContext;
  /** Told to the peer in the hello. */
  readonly phaseTimeoutSecs: number;
  /** Told of retries. */
  readonly log: Log;
}

/** The exchange of daemon signals with one peer over a registered client. */
export class DaemonHandshake {
  readonly #client: RendezvousClient;
  readonly #options: DaemonHandshakeOptions;
  #offered: string | undefined;
  #answer: { readonly payload: unknown; readonly said: boolean } | undefined;

  /** Uses a client that is registered. */
  constructor(client: RendezvousClient, options: DaemonHandshakeOptions) {
    this.#client = client;
    this.#options = options;
  }

  /**
   * Offerer: says hello until its ack; again while the peer is not registered, when the server's
   * connection was lost, and when there is no answer.
   *
   * @throws {SignalError} What {@linkcode judgeSignal} and the client throw; or the signal's reason.
   */
  async hello(signal: AbortSignal): Promise<void> {
    const { context, phaseTimeoutSecs, log } = this.#options;
    const payload = encodeHelloSignal(context, phaseTimeoutSecs);
    await this.#say("hello", payload, signal, (inbound) => this.#judge(inbound, "ack"));
    log.info("hello/ack complete", { peer: context.remote });
  }

  /**
   * Answerer: waits for the peer's hello and acknowledges it, and from then on every hello that
   * repeats it.
   *
   * @throws {SignalError} As {@linkcode DaemonHandshake.hello}.
   */
  async acknowledge(signal: AbortSignal): Promise<void> {
    const { context, log } = this.#options;
    await this.#expect("hello", signal);
    const ack = encodeAckSignal(context);
    this.#client.send(ack);
    this.#client.answerBy(({ from, payload }) =>
      judgeSignal(from, payload, "hello", context).accepted ? ack : undefined
    );
    log.info("hello/ack complete", { peer: context.remote });
  }

  /**
   * Offerer: sends the offer until its answer, again as {@linkcode DaemonHandshake.hello}.
   *
   * @throws {SignalError} As {@linkcode DaemonHandshake.hello}.
   */
  async offer(bundle: SignalBundle, signal: AbortSignal): Promise<SignalBundle> {
    const { context, log } = this.#options;
    const payload = encodeBundleSignal(context, bundle);
    const answered = this.#say("offer", payload, signal, (inbound) => {
      const accepted = this.#judge(inbound, "answer");
      return accepted !== undefined && "bundle" in accepted ? accepted.bundle : undefined;
    });
    log.info("offer sent", { peer: context.remote });
    return await answered;
  }

  /**
   * Answerer: waits for the peer's offer.
   *
   * @throws {SignalError} As {@linkcode DaemonHandshake.hello}.
   */
  async receiveOffer(signal: AbortSignal): Promise<SignalBundle> {
    for (;;) {
      const accepted = await this.#expect("offer", signal);
      if (!("bundle" in accepted)) continue;
      this.#offered = JSON.stringify(accepted.bundle);
      return accepted.bundle;
    }
  }

  /** Answerer: sends the answer, and from now on to every offer that repeats the one before it. */
  sendAnswer(answer: SignalBundle): void {
    const { context, log } = this.#options;
    const payload = encodeBundleSignal(context, answer);
    this.#client.answerBy((inbound) => {
      const verdict = judgeSignal(inbound.from, inbound.payload, "offer", context);
      const isRepeated = verdict.accepted && "bundle" in verdict.signal &&
        JSON.stringify(verdict.signal.bundle) === this.#offered;
      return isRepeated ? payload : undefined;
    });
    this.#answer = { payload, said: this.#client.send(payload) };
    log.info("answer sent", { peer: context.remote });
  }

  /**
   * Answerer: says the answer again when it has surely not arrived, until the signal ends it. Ends
   * quietly also when the server does: the peer may have the answer.
   */
  async keepAnswering(signal: AbortSignal): Promise<void> {
    if (this.#answer === undefined) return;
    const { context: { remote }, log } = this.#options;
    const saying = { name: "answer", again: "undelivered", ...this.#answer } as const;
    try {
      await sayUntil(this.#client, saying, { remote, log, signal }, (inbound) => {
        this.#client.ignore(inbound, "unexpected-msg-type");
        return undefined;
      });
    } catch (error) {
      if (!signal.aborted) log.debug("signaling ended early", { reason: messageOf(error) });
    }
  }

  #say<T>(
    name: string,
    payload: unknown,
    signal: AbortSignal,
    answer: (inbound: InboundSignal) => T | undefined,
  ): Promise<T> {
    const { context: { remote }, log } = this.#options;
    const saying = { name, payload, again: RESEND_MS };
    return sayUntil(this.#client, saying, { remote, log, signal }, answer);
  }

  /** The accepted signal; that the peer has gone meanwhile is logged and waited out. */
  async #expect(type: DaemonSignalType, signal: AbortSignal): Promise<DaemonSignal> {
    const { context: { remote }, log } = this.#options;
    for (;;) {
      const inbound = await this.#client.receive(signal);
      if (inbound.type === "peer-not-found") {
        log.warn("the peer is not registered any more", { peer: remote });
      }
      const accepted = inbound.type === "signal" ? this.#judge(inbound, type) : undefined;
      if (accepted !== undefined) return accepted;
    }
  }

  #judge(inbound: InboundSignal, expected: DaemonSignalType): DaemonSignal | undefined {
    const verdict = judgeSignal(inbound.from, inbound.payload, expected, this.#options.context);
    if (verdict.accepted) return verdict.signal;
    this.#client.ignore(inbound, verdict.reason, expected);
    return undefined;
  }
}
