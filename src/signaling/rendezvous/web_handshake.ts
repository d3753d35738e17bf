/**
 * Offer, answer and candidates with ephemeral keys (schema web_v1) over the rendezvous server.
 *
 * @module
 */
import { messageOf, SignalError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import { normalizePeerCode, type PeerCodes } from "../../protocol/signal/peer_code.ts";
import {
  encodeWebSignal,
  parseWebSignal,
  type WebDescription,
  type WebSignal,
} from "../../protocol/signal/web_payload.ts";
import type { InboundSignal, RendezvousClient } from "./rendezvous_client.ts";
import { type Saying, sayUntil } from "./say_until.ts";

/** Candidates that may come before the connection can take them. */
const MAX_EARLY_CANDIDATES = 64;

/** What the handshake needs to know. */
export interface WebHandshakeOptions extends Pick<PeerCodes, "self" | "remote"> {
  /** When an offer is said again that is not answered. */
  readonly offerAgain: Saying["again"];
  /** Told of retries. */
  readonly log: Log;
}

/** Our own offer or answer, before it is addressed. */
export type OwnDescription = Omit<WebDescription, "from" | "to" | "type">;

/** The exchange of web_v1 signals with one peer over a registered client. */
export class WebHandshake {
  readonly #client: RendezvousClient;
  readonly #options: WebHandshakeOptions;
  readonly #candidates: string[] = [];
  #answer: { readonly payload: unknown; said: boolean } | undefined;
  #offered: string | undefined;

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
   * Offerer: sends the offer until its answer; again while the peer is not registered, when the
   * server's connection was lost, and as the options say.
   *
   * @throws {SignalError} What the client throws; or the signal's reason.
   */
  async offer(description: OwnDescription, signal: AbortSignal): Promise<WebDescription> {
    const { remote, log, offerAgain: again } = this.#options;
    const payload = this.#encode({ ...description, type: "offer" });
    const saying = { name: "offer", payload, again };
    return await sayUntil(this.#client, saying, { remote, log, signal }, (inbound) => {
      const found = this.#read(inbound);
      return found !== undefined && this.#isWanted(found, "answer", inbound) ? found : undefined;
    });
  }

  /**
   * Answerer: waits for the peer's offer.
   *
   * @throws {SignalError} What the client throws; or the signal's reason.
   */
  async receiveOffer(signal: AbortSignal): Promise<WebDescription> {
    for (;;) {
      const inbound = await this.#client.receive(signal);
      if (inbound.type !== "signal") continue;
      const found = this.#read(inbound);
      if (found === undefined || !this.#isWanted(found, "offer", inbound)) continue;
      this.#offered = identityOf(found);
      return found;
    }
  }

  /** Answerer: sends the answer, and from now on to every offer that repeats the one before it. */
  sendAnswer(description: OwnDescription): void {
    const payload = this.#encode({ ...description, type: "answer" });
    this.#client.answerAgain((inbound) => {
      const signal = this.#parse(inbound);
      const isRepeated = typeof signal === "object" && signal.type === "offer" &&
        identityOf(signal) === this.#offered;
      return isRepeated ? payload : undefined;
    });
    this.#answer = { payload, said: this.#client.send(payload) };
  }

  /**
   * Passes candidates on as they come, until the signal ends it. Ends quietly also when the server
   * does: the peers may have what they need of it.
   */
  async trickle(onCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void> {
    const { remote, log } = this.#options;
    const { payload, said } = this.#answer ?? { payload: undefined, said: true };
    const hear = (inbound: InboundSignal) => {
      const found = this.#read(inbound);
      if (found === undefined) return;
      if (found.type !== "ice-candidate") this.#client.ignore(inbound, "unexpected-msg-type");
      else if (found.candidate !== "") onCandidate(found.candidate);
    };
    try {
      if (payload === undefined) {
        for (;;) {
          const inbound = await this.#client.receive(signal);
          if (inbound.type === "signal") hear(inbound);
        }
      }
      const saying = { name: "answer", payload, again: "undelivered", said } as const;
      await sayUntil(this.#client, saying, { remote, log, signal }, hear);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof SignalError)) throw error;
      log.debug("signaling ended early", { reason: messageOf(error) });
    }
  }

  #encode(description: Omit<WebDescription, "from" | "to">): unknown {
    const { self: from, remote: to } = this.#options;
    return encodeWebSignal({ ...description, from, to });
  }

  #isWanted(signal: WebSignal, kind: SdpType, inbound: InboundSignal): signal is WebDescription {
    if (signal.type === kind) return true;
    const isFull = this.#candidates.length >= MAX_EARLY_CANDIDATES;
    if (signal.type !== "ice-candidate") this.#client.ignore(inbound, "unexpected-msg-type", kind);
    else if (isFull) this.#client.ignore(inbound, "too-many-candidates");
    else if (signal.candidate !== "") this.#candidates.push(signal.candidate);
    return false;
  }

  /** The signal, if it is one of the schema, from the peer and for us; others are logged. */
  #read(inbound: InboundSignal): WebSignal | undefined {
    const found = this.#parse(inbound);
    if (typeof found === "object") return found;
    this.#client.ignore(inbound, found);
    return undefined;
  }

  /** The signal, or why it is none for us. */
  #parse({ from, payload }: InboundSignal): WebSignal | string {
    if (normalizePeerCode(from) !== this.#options.remote) return "unexpected-peer";
    const parsed = parse(payload);
    if (parsed === undefined) return "malformed-payload";
    return this.#isBetweenUs(parsed) ? parsed : "peer-mismatch";
  }

  /** Every place in a signal that names a peer has to name the right one. */
  #isBetweenUs(signal: WebSignal): boolean {
    const { self, remote } = this.#options;
    const senders = [signal.from, ...signal.type === "ice-candidate" ? [] : [signal.peerCode]];
    return senders.every((code) => normalizePeerCode(code) === remote) &&
      normalizePeerCode(signal.to) === self;
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

/** What makes an offer the same as another. */
function identityOf({ sdp, publicKey }: WebDescription): string {
  return `${publicKey.base64} ${sdp}`;
}
