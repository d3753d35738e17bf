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
import {
  encodeConsentAccepted,
  encodeConsentDeclined,
  encodeConsentRequest,
  parseConsent,
  type ShownDevice,
  type WebConsent,
} from "../../protocol/signal/web_consent.ts";
import type { InboundSignal, RendezvousClient } from "./rendezvous_client.ts";
import { type Saying, sayUntil } from "./say_until.ts";

/** Candidates that may come before the connection can take them. */
const MAX_EARLY_CANDIDATES = 64;

/** Requests for a connection that are declined. What is said costs our share of the server's rate. */
export const MAX_DECLINED = 16;

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
  /** The peer's request for a connection is accepted; all others are declined. */
  #accepts = false;
  #declined = 0;

  /** Uses a client that is registered. Requests for a connection are declined from now on. */
  constructor(client: RendezvousClient, options: WebHandshakeOptions) {
    this.#client = client;
    this.#options = options;
    client.answerBy((inbound) => this.#answerRequest(inbound));
  }

  /** Candidates of the peer that came before its description was applied. */
  get earlyCandidates(): readonly string[] {
    return this.#candidates;
  }

  /**
   * Offerer: asks the peer for a connection, as web applications do, and waits until its people have
   * accepted it.
   *
   * @throws {SignalError} PEER_DECLINED; what the client throws; or the signal's reason.
   */
  async requestConsent(device: ShownDevice, signal: AbortSignal): Promise<void> {
    const { self: from, remote: to, remote, log } = this.#options;
    const payload = encodeConsentRequest({ from, to }, device);
    // Not said twice without need: its people would be asked again.
    const saying = { name: "connection_request", payload, again: "reconnected" } as const;
    await sayUntil(this.#client, saying, { remote, log, signal }, (inbound) => {
      const found = this.#read(inbound);
      if (found?.type === "connection_declined") throw this.#declinedBy(found.reason);
      if (found?.type === "connection_accepted") return found;
      if (found !== undefined) this.#client.ignore(inbound, "unexpected-msg-type", "consent");
    });
  }

  /** Answerer: from now on, and until its offer is here, the peer's request is accepted. */
  acceptRequests(): void {
    this.#accepts = true;
  }

  /**
   * Offerer: sends the offer until its answer; again while the peer is not registered, when the
   * server's connection was lost, and as the options say.
   *
   * @throws {SignalError} PEER_DECLINED; what the client throws; or the signal's reason.
   */
  async offer(description: OwnDescription, signal: AbortSignal): Promise<WebDescription> {
    const { remote, log, offerAgain: again } = this.#options;
    // Those of an attempt before lead nowhere.
    this.#candidates.length = 0;
    const payload = this.#encode({ ...description, type: "offer" });
    const saying = { name: "offer", payload, again };
    return await sayUntil(this.#client, saying, { remote, log, signal }, (inbound) => {
      const found = this.#read(inbound);
      if (found?.type === "connection_declined") throw this.#declinedBy(found.reason);
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
      this.#accepts = false;
      this.#offered = identityOf(found);
      return found;
    }
  }

  /** Answerer: sends the answer, and from now on to every offer that repeats the one before it. */
  sendAnswer(description: OwnDescription): void {
    const payload = this.#encode({ ...description, type: "answer" });
    this.#client.answerBy((inbound) => {
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

  /** The answer to a request for a connection; undefined for another signal. */
  #answerRequest(inbound: InboundSignal): unknown {
    const { self: from, remote } = this.#options;
    const request = parsed(() => parseConsent(inbound.payload));
    if (request?.type !== "connection_request") return undefined;
    const to = normalizePeerCode(inbound.from);
    // Whoever speaks for somebody else, or to somebody else, is not answered.
    const isMeant = to !== undefined && normalizePeerCode(request.from) === to &&
      normalizePeerCode(request.to) === from;
    if (!isMeant) return undefined;
    if (to === remote && this.#accepts) return encodeConsentAccepted({ from, to });
    return ++this.#declined <= MAX_DECLINED ? encodeConsentDeclined({ from, to }) : undefined;
  }

  #declinedBy(reason: string): SignalError {
    const why = reason === "" ? "" : `: ${JSON.stringify(reason)}`;
    return new SignalError(
      "PEER_DECLINED",
      `peer '${this.#options.remote}' declined the connection${why}`,
    );
  }

  #isWanted(
    signal: WebSignal | WebConsent,
    kind: SdpType,
    inbound: InboundSignal,
  ): signal is WebDescription {
    if (signal.type === kind) return true;
    const isFull = this.#candidates.length >= MAX_EARLY_CANDIDATES;
    if (signal.type !== "ice-candidate") this.#client.ignore(inbound, "unexpected-msg-type", kind);
    else if (isFull) this.#client.ignore(inbound, "too-many-candidates");
    else if (signal.candidate !== "") this.#candidates.push(signal.candidate);
    return false;
  }

  /** The signal, if it is one of the schema, from the peer and for us; others are logged. */
  #read(inbound: InboundSignal): WebSignal | WebConsent | undefined {
    const found = this.#parse(inbound);
    if (typeof found === "object") return found;
    this.#client.ignore(inbound, found);
    return undefined;
  }

  /** The signal, or why it is none for us. */
  #parse({ from, payload }: InboundSignal): WebSignal | WebConsent | string {
    if (normalizePeerCode(from) !== this.#options.remote) return "unexpected-peer";
    const found = parsed(() => parseConsent(payload) ?? parseWebSignal(payload));
    if (found === undefined) return "malformed-payload";
    return this.#isBetweenUs(found) ? found : "peer-mismatch";
  }

  /** Every place in a signal that names a peer has to name the right one. */
  #isBetweenUs(signal: WebSignal | WebConsent): boolean {
    const { self, remote } = this.#options;
    const senders = [signal.from, ..."peerCode" in signal ? [signal.peerCode] : []];
    return senders.every((code) => normalizePeerCode(code) === remote) &&
      normalizePeerCode(signal.to) === self;
  }
}

/** What a parser gives; undefined for what it refuses. */
function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SignalError) return undefined;
    throw error;
  }
}

/** What makes an offer the same as another. */
function identityOf({ sdp, publicKey }: WebDescription): string {
  return `${publicKey.base64} ${sdp}`;
}
