/**
 * Offer, answer and candidates with ephemeral keys (schema web_v1) over the rendezvous server.
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import { normalizePeerCode, type PeerCode } from "../../protocol/signal/peer_code.ts";
import {
  encodeWebSignal,
  parseWebSignal,
  type WebDescription,
  type WebSignal,
} from "../../protocol/signal/web_payload.ts";
import type { RendezvousClient } from "./rendezvous_client.ts";
import { RetryDelay } from "./retry_delay.ts";

/** Candidates that may come before the connection can take them. */
const MAX_EARLY_CANDIDATES = 64;
/** Ignored signals that are logged one by one. */
const MAX_IGNORED_LOGGED = 100;

/** What the handshake needs to know. */
export interface WebHandshakeOptions {
  /** Our own code. */
  readonly self: PeerCode;
  /** The only peer that is listened to. */
  readonly remote: PeerCode;
  /** Told of retries and ignored signals. */
  readonly log: Log;
}

/** The exchange of web_v1 signals with one peer over a registered client. */
export class WebHandshake {
  readonly #client: RendezvousClient;
  readonly #options: WebHandshakeOptions;
  readonly #candidates: string[] = [];
  #ignored = 0;

  /** Uses a client that is registered. */
  constructor(client: RendezvousClient, options: WebHandshakeOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Candidates of the peer that came before its description was applied. */
  get earlyCandidates(): readonly string[] {
    return this.#candidates;
  }

  /**
   * Offerer: sends the offer, again while the peer is not registered, until its answer.
   *
   * @throws {SignalError} What the client throws; or the signal's reason.
   */
  async offer(
    description: Omit<WebDescription, "from" | "to" | "type">,
    signal: AbortSignal,
  ): Promise<WebDescription> {
    const { remote, log } = this.#options;
    const offer = this.#encode({ ...description, type: "offer" });
    const retry = new RetryDelay();
    this.#client.send(offer);
    for (;;) {
      const inbound = await this.#next(signal);
      if (inbound === "peer-not-found") {
        log.info(`offer retry: peer '${remote}' not found`, { next_ms: retry.next });
        await retry.wait(signal);
        this.#client.send(offer);
      } else if (this.#isWanted(inbound, "answer")) return inbound;
    }
  }

  /**
   * Answerer: waits for the peer's offer.
   *
   * @throws {SignalError} What the client throws; or the signal's reason.
   */
  async receiveOffer(signal: AbortSignal): Promise<WebDescription> {
    for (;;) {
      const inbound = await this.#next(signal);
      if (inbound !== "peer-not-found" && this.#isWanted(inbound, "offer")) return inbound;
    }
  }

  /** Answerer: sends the answer. */
  sendAnswer(description: Omit<WebDescription, "from" | "to" | "type">): void {
    this.#client.send(this.#encode({ ...description, type: "answer" }));
  }

  /**
   * Passes candidates on as they come, until the signal ends it. Ends quietly also when the server
   * does: the peers have what they need of it.
   */
  async trickle(onCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const inbound = await this.#next(signal);
        if (inbound === "peer-not-found") continue;
        if (inbound.type !== "ice-candidate") this.#ignore("unexpected-msg-type");
        else if (inbound.candidate !== "") onCandidate(inbound.candidate);
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof SignalError)) throw error;
    }
  }

  #encode(description: Omit<WebDescription, "from" | "to">): unknown {
    const { self: from, remote: to } = this.#options;
    return encodeWebSignal({ ...description, from, to });
  }

  #isWanted(inbound: WebSignal, kind: SdpType): inbound is WebDescription {
    if (inbound.type === kind) return true;
    if (inbound.type !== "ice-candidate") this.#ignore("unexpected-msg-type");
    else if (this.#candidates.length >= MAX_EARLY_CANDIDATES) this.#ignore("too-many-candidates");
    else if (inbound.candidate !== "") this.#candidates.push(inbound.candidate);
    return false;
  }

  /** The next signal from the peer that is one of the schema, and for us. */
  async #next(signal: AbortSignal): Promise<WebSignal | "peer-not-found"> {
    const { remote } = this.#options;
    for (;;) {
      const inbound = await this.#client.receive(signal);
      if (inbound.type === "peer-not-found") return inbound.type;
      if (normalizePeerCode(inbound.from) !== remote) {
        this.#ignore("unexpected-peer");
        continue;
      }
      const parsed = parse(inbound.payload);
      if (parsed === undefined) this.#ignore("malformed-payload");
      else if (!this.#isBetweenUs(parsed)) {
        this.#ignore("peer-mismatch");
      } else return parsed;
    }
  }

  /** Every place in a signal that names a peer has to name the right one. */
  #isBetweenUs(signal: WebSignal): boolean {
    const { self, remote } = this.#options;
    const senders = [signal.from, ...signal.type === "ice-candidate" ? [] : [signal.peerCode]];
    return senders.every((code) => normalizePeerCode(code) === remote) &&
      normalizePeerCode(signal.to) === self;
  }

  #ignore(reason: string): void {
    if (++this.#ignored <= MAX_IGNORED_LOGGED) {
      this.#options.log.info("ignoring signal", { reason });
    }
  }
}

function parse(payload: unknown): WebSignal | undefined {
  try {
    return parseWebSignal(payload);
  } catch (error) {
    if (error instanceof SignalError) return undefined;
    throw error;
  }
}
