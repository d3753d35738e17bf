/**
 * How an association comes up: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK (RFC 9260, section 5). Pure:
 * chunks, time and randomness in, chunks and the peer's parameters out.
 *
 * Either side may begin, also both at once (section 5.2.1). An INIT of a peer that is connected is
 * answered without any effect on what there is (section 5.2.2); only its cookie shows that the peer
 * has begun anew.
 *
 * @module
 */
import { SCTP_COOKIE_MS } from "../../../base/timing.ts";
import {
  ErrorCause,
  type Init,
  OUR_EXTENSIONS,
  type Parameter,
  ParameterType,
  readInit,
  readParameters,
  writeInit,
  writeParameters,
} from "./chunks.ts";
import { type Cookie, CookieJar } from "./cookie.ts";
import { ChunkType, type ControlChunk, viewOf } from "./packet.ts";
import type { RetransmissionTimeout } from "./retransmission_timeout.ts";

/** What the peer has said of itself. */
export interface PeerParameters {
  /** Verification tag of what we send. */
  readonly tag: number;
  /** Its first TSN. */
  readonly initialTsn: number;
  /** Its receive window, in bytes. */
  readonly window: number;
  /** Whether it can reset streams. */
  readonly canReset: boolean;
  /** Whether it passes over padding. */
  readonly canPad: boolean;
  /** Whether it takes packets without a checksum. */
  readonly takesZeroChecksum: boolean;
}

/** Options of a {@linkcode Handshake}. */
export interface HandshakeOptions {
  /** Our first TSN. */
  readonly initialTsn: number;
  /** Our receive window at the beginning, in bytes. */
  readonly window: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Random bytes, as many. */
  readonly random: (bytes: number) => Uint8Array;
  /** Of the association: how long to wait for an answer, and what answers say of the round trip. */
  readonly timeout: RetransmissionTimeout;
  /** Sends a packet with one chunk. */
  readonly send: (chunk: ControlChunk, tag: number) => void;
  /** Told once that the association is up. */
  readonly onEstablished: (peer: PeerParameters) => void;
  /** Told that the peer has begun anew: it has nothing of the association any more. */
  readonly onRestart: () => void;
}

/** Any number: one stream is used. Foreign stacks want as many as they number channels. */
const STREAMS = 65_535;
const TAG_BYTES = 4;
const KEY_BYTES = 32;

/** One side of setting an association up. */
export class Handshake {
  /** The tag that the peer's packets must have. */
  readonly tag: number;
  readonly #options: HandshakeOptions;
  readonly #cookies: CookieJar;
  /** What waits for an answer, to be sent again (T1). */
  #pending: { readonly chunk: ControlChunk; readonly tag: number } | undefined;
  #pendingSince = 0;
  #isRepeated = false;
  #deadline: number | undefined;
  #peer: PeerParameters | undefined;
  /** What an INIT ACK has said, until the peer has taken its cookie. */
  #offered: PeerParameters | undefined;

  /** Waits for the peer's INIT. */
  constructor(options: HandshakeOptions) {
    this.#options = options;
    this.#cookies = new CookieJar(options.random(KEY_BYTES));
    this.tag = this.#newTag();
  }

  /** What is known of the peer, once the association is up. */
  get peer(): PeerParameters | undefined {
    return this.#peer;
  }

  /** When {@linkcode Handshake.onDeadline} is due. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Begins: sends an INIT. */
  start(): void {
    if (this.#peer !== undefined || this.#pending !== undefined) return;
    const chunk = { type: ChunkType.INIT, flags: 0, body: this.#ourInit(this.tag, []) };
    this.#await({ chunk, tag: 0 });
  }

  /** Ends it: nothing is sent again. */
  stop(): void {
    this.#pending = this.#deadline = undefined;
  }

  /** T1 has run out: what waits for an answer is sent again (section 5.1). */
  onDeadline(): void {
    if (this.#pending === undefined) return;
    this.#options.timeout.onTimeout();
    this.#isRepeated = true;
    this.#sendPending();
  }

  /** A packet with nothing but an INIT has come. */
  onInit(body: Uint8Array): void {
    const init = readInit(body);
    if (init === undefined) return;
    const ours = this.#peer;
    // Who is connected answers with another tag: the association that there is stays (5.2.2).
    const localTag = ours === undefined ? this.tag : this.#newTag();
    const cookie = this.#cookies.seal({
      madeAt: this.#options.now(),
      localTag,
      peerTag: init.tag,
      peerTsn: init.initialTsn,
      peerWindow: init.window,
      canReset: init.canReset,
      canPad: init.canPad,
      takesZeroChecksum: init.takesZeroChecksum,
      localTieTag: ours === undefined ? 0 : this.tag,
      peerTieTag: ours?.tag ?? 0,
    });
    const parameters: Parameter[] = [{ type: ParameterType.STATE_COOKIE, value: cookie }];
    if (init.unrecognized.length > 0) {
      const value = writeParameters(init.unrecognized.slice(0, 8));
      parameters.push({ type: ParameterType.UNRECOGNIZED, value: value.subarray(0, 256) });
    }
    const answer = this.#ourInit(localTag, parameters);
    this.#options.send({ type: ChunkType.INIT_ACK, flags: 0, body: answer }, init.tag);
  }

  /** An INIT ACK has come; one that was not waited for changes nothing. */
  onInitAck(body: Uint8Array): void {
    if (this.#pending?.chunk.type !== ChunkType.INIT) return;
    const init = readInit(body);
    if (init?.cookie === undefined) return;
    this.#measure();
    this.#offered = peerOf(init);
    const chunk = { type: ChunkType.COOKIE_ECHO, flags: 0, body: init.cookie };
    this.#await({ chunk, tag: init.tag });
  }

  /**
   * A packet that begins with a COOKIE ECHO has come: whatever its tag, the cookie decides (section
   * 5.2.4). Returns whether the rest of the packet counts.
   */
  onCookieEcho(body: Uint8Array, packetTag: number): boolean {
    const cookie = this.#cookies.open(body);
    if (cookie === undefined || cookie.localTag !== packetTag) return false;
    const isLocal = cookie.localTag === this.tag;
    // The cookie of an association that there is may be old: its answer was lost (section 5.2.4, D).
    const isAgain = isLocal && cookie.peerTag === this.#peer?.tag;
    if (!isAgain && this.#isStale(cookie)) return false;
    if (!isLocal) {
      // A: the peer began anew. C: a cookie of an attempt that another has overtaken.
      const isRestart = this.#peer !== undefined && cookie.localTieTag === this.tag &&
        cookie.peerTieTag === this.#peer.tag && cookie.peerTag !== this.#peer.tag;
      if (isRestart) this.#options.onRestart();
      return false;
    }
    if (this.#peer !== undefined && !isAgain) return false;
    // B and D: both have begun, or the peer alone.
    this.#options.send(
      { type: ChunkType.COOKIE_ACK, flags: 0, body: new Uint8Array() },
      cookie.peerTag,
    );
    if (this.#peer === undefined) {
      this.#establish({
        tag: cookie.peerTag,
        initialTsn: cookie.peerTsn,
        window: cookie.peerWindow,
        canReset: cookie.canReset,
        canPad: cookie.canPad,
        takesZeroChecksum: cookie.takesZeroChecksum,
      });
    }
    return true;
  }

  /** A COOKIE ACK has come. */
  onCookieAck(): void {
    if (this.#pending?.chunk.type !== ChunkType.COOKIE_ECHO || this.#offered === undefined) return;
    this.#measure();
    this.#establish(this.#offered);
  }

  /** An ERROR has come: when the cookie was too old for the peer another is asked for. */
  onError(body: Uint8Array): void {
    if (this.#pending?.chunk.type !== ChunkType.COOKIE_ECHO) return;
    for (const { type } of readParameters(body)) {
      if (type !== ErrorCause.STALE_COOKIE) continue;
      this.stop();
      return this.start();
    }
  }

  #establish(peer: PeerParameters): void {
    this.stop();
    this.#peer = peer;
    this.#options.onEstablished(peer);
  }

  #isStale(cookie: Cookie): boolean {
    const staleFor = this.#options.now() - cookie.madeAt - SCTP_COOKIE_MS;
    if (staleFor <= 0) return false;
    const value = new Uint8Array(4);
    viewOf(value).setUint32(0, Math.min(staleFor * 1000, 2 ** 32 - 1)); // microseconds
    const body = writeParameters([{ type: ErrorCause.STALE_COOKIE, value }]);
    this.#options.send({ type: ChunkType.ERROR, flags: 0, body }, cookie.peerTag);
    return true;
  }

  #await(pending: { readonly chunk: ControlChunk; readonly tag: number }): void {
    this.#pending = pending;
    this.#pendingSince = this.#options.now();
    this.#isRepeated = false;
    this.#sendPending();
  }

  #sendPending(): void {
    if (this.#pending === undefined) return;
    this.#deadline = this.#options.now() + this.#options.timeout.ms;
    this.#options.send(this.#pending.chunk, this.#pending.tag);
  }

  /** Karn's rule: what was sent twice says nothing of the round trip. */
  #measure(): void {
    if (this.#isRepeated) return;
    this.#options.timeout.onRoundTrip(this.#options.now() - this.#pendingSince);
  }

  #ourInit(tag: number, parameters: readonly Parameter[]): Uint8Array {
    const { window, initialTsn } = this.#options;
    const streams = { outboundStreams: STREAMS, inboundStreams: STREAMS };
    return writeInit({ tag, window, initialTsn, ...streams }, [...OUR_EXTENSIONS, ...parameters]);
  }

  /** Random, and not 0. */
  #newTag(): number {
    return viewOf(this.#options.random(TAG_BYTES)).getUint32(0) || 1;
  }
}

function peerOf(init: Init): PeerParameters {
  const { tag, initialTsn, window, canReset, canPad, takesZeroChecksum } = init;
  return { tag, initialTsn, window, canReset, canPad, takesZeroChecksum };
}
