/**
 * One Bolt session over one channel, as a state machine without IO.
 *
 * ```text
 * new --start--> hello --peer's HELLO--> undecided --approve--> open
 *                  |                         |                    |
 *                  +--------- error, close, deadline, loss -------+--> closed
 * ```
 *
 * The program feeds it frames and the time, and carries out the effects it gives, in order. Every
 * way out ends in one `closed` effect with all keys zeroed.
 *
 * @module
 */
import { HELLO_MS, PEER_LOST_MS, PING_MS } from "../../base/timing.ts";
import { SessionRatchet } from "../btr/session_ratchet.ts";
import { messageOf } from "../../base/errors.ts";
import { ConnectionBox } from "../crypto/connection_box.ts";
import type { EphemeralKeyPair, EphemeralPublicKey, IdentityPublicKey } from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { isErrorCode, MisuseError, ProtocolError, type WireErrorCode } from "../errors.ts";
import {
  IdentityHandshake,
  IdentityRefusedError,
  type IdentityVerdict,
  type ProofOptions,
  type RefusedStep,
} from "../identity/identity_handshake.ts";
import { PROVEN_IDENTITY } from "../identity/proven_identity.ts";
import { BinaryEnvelopeCodec } from "../messages/binary_envelope.ts";
import { BINARY_ENCODING, CAPABILITIES, type Capability } from "../messages/capabilities.ts";
import type { EnvelopeCodec, WireFrame } from "../messages/envelope.ts";
import {
  encodeErrorFrame,
  encodeHelloFrame,
  type HelloFrame,
  parseFrame,
  type RawRatchetFields,
} from "../messages/frame.ts";
import { openHello, type ReceivedHello, sealHello } from "../messages/hello.ts";
import type { ErrorMessage, FileChunk, InnerMessage } from "../messages/inner_message.ts";
import { JsonEnvelopeCodec } from "../messages/json_envelope.ts";
import { BINARY_DAEMON_DIALECT, DAEMON_DIALECT } from "../transfer/daemon_dialect.ts";
import type { Dialect } from "../transfer/dialect.ts";
import {
  DEFAULT_LIMITS,
  DEFAULT_TRANSFER_TIMING,
  type TransferLimits,
  type TransferTiming,
} from "../transfer/limits.ts";
import { TransferTable } from "../transfer/transfer_table.ts";
import type { Transfers } from "../transfer/transfers.ts";
import { WEB_DIALECT } from "../transfer/web_dialect.ts";
import type { PeerFacts, SessionEffect, SessionEnd } from "./effects.ts";
import { concludeHandshake } from "./handshake.ts";
import { KeepAlive, type KeepAliveTiming } from "./keep_alive.ts";

const DIALECTS = { daemon: DAEMON_DIALECT, web: WEB_DIALECT } as const;

/** Where a session is. */
export type SessionPhase = "new" | "hello" | "undecided" | "open" | "closed";

/** Waits of a session, in ms. */
export interface SessionTiming extends KeepAliveTiming, TransferTiming {
  /** From start to the peer's HELLO. @default {HELLO_MS} */
  readonly helloMs: number;
}

/** The waits unless others are given; their reasons are in `base/timing.ts`. */
export const DEFAULT_SESSION_TIMING: SessionTiming = {
  helloMs: HELLO_MS,
  pingMs: PING_MS,
  lostMs: PEER_LOST_MS,
  ...DEFAULT_TRANSFER_TIMING,
};

/** Whom a peer claims to be. */
export interface IdentityClaim {
  /** The identity. */
  readonly identity: IdentityPublicKey;
  /** Whether the peer has proven it. */
  readonly proven: boolean;
}

/** Why a claimed identity is not to be talked to. */
export interface RefusedClaim {
  /** The check that failed. */
  readonly step: RefusedStep;
  /** For the operator. */
  readonly reason: string;
}

/** What a session is made of. */
export interface SessionOptions {
  /** Who we are. */
  readonly identity: IdentityPublicKey;
  /** Our fresh keys for this connection; the session takes them over and zeroes them. */
  readonly ephemeral: EphemeralKeyPair;
  /** The peer's half, as signaling brought it. */
  readonly remoteEphemeral: EphemeralPublicKey;
  /** Where nonces, ratchet keys and transfer ids come from. */
  readonly random: RandomSource;
  /** What kind of peer: which dialect it speaks. @default {"daemon"} */
  readonly peerKind?: "daemon" | "web";
  /**
   * What proves our identity and checks the peer's; its nonce is taken over and zeroed.
   * @default {none: the published HELLO, in which identities are claimed only}
   */
  readonly proof?: ProofOptions;
  /**
   * Why a claimed identity is not to be talked to; undefined when it may be. Asked before anything
   * is told of the peer.
   * @default {all may be}
   */
  readonly refuse?: (claim: IdentityClaim) => RefusedClaim | undefined;
  /** What we can do besides envelopes. @default {all that is registered} */
  readonly capabilities?: readonly Capability[];
  /** Bounds of transfers. @default {DEFAULT_LIMITS} */
  readonly limits?: Partial<TransferLimits>;
  /** Waits. @default {DEFAULT_SESSION_TIMING} */
  readonly timing?: Partial<SessionTiming>;
}

/** An approved session: its transfers, and what approval brought forth. */
export interface Approved {
  /** The session's transfers, to be used from now on. */
  readonly transfers: Transfers;
  /** What is to be carried out now. */
  readonly effects: readonly SessionEffect[];
}

/** A ping, and what is to be carried out now. */
export interface Asked {
  /** The ping's moment, in ms; no other ping of the session has it. */
  readonly askedMs: number;
  /** What is to be carried out now. */
  readonly effects: readonly SessionEffect[];
}

/** How much of a peer's error text is passed on. */
const MAX_REASON_LENGTH = 200;

/** One session. Times are in ms on one clock that never goes back. */
export class Session implements Disposable {
  readonly #options: SessionOptions;
  readonly #capabilities: readonly Capability[];
  readonly #timing: SessionTiming;
  readonly #box: ConnectionBox;
  readonly #identity: IdentityHandshake | undefined;
  #phase: SessionPhase = "new";
  #helloDeadline: number | undefined;
  #peer: PeerFacts | undefined;
  #dialect: Dialect;
  /** How messages are written; chosen by the HELLOs. */
  #envelopes: EnvelopeCodec;
  #ratchet: SessionRatchet | undefined;
  #table: TransferTable | undefined;
  #keepAlive: KeepAlive | undefined;
  #lastPingMs: number | undefined;
  /** The peer's first envelope opened, so it has concluded the handshake as well. */
  #peerConcluded = false;
  #effects: SessionEffect[] = [];

  /**
   * Agrees on the connection's box key; nothing is sent before {@linkcode start}.
   *
   * @throws {ProtocolError} PROTOCOL_VIOLATION when the peer's ephemeral key is our own or weak, or
   * its commitment is our own.
   */
  constructor(options: SessionOptions) {
    this.#options = options;
    const { capabilities = CAPABILITIES, peerKind = "daemon" } = options;
    this.#dialect = DIALECTS[peerKind];
    const { without } = this.#dialect;
    this.#capabilities = [...new Set<Capability>(["bolt.profile-envelope-v1", ...capabilities])]
      .filter((one) => !without.has(one));
    this.#timing = { ...DEFAULT_SESSION_TIMING, ...options.timing };
    try {
      this.#box = new ConnectionBox(options.ephemeral, options.remoteEphemeral, options.random);
      this.#identity = options.proof && new IdentityHandshake(options.proof, options);
    } catch (error) {
      options.ephemeral[Symbol.dispose]();
      options.proof?.nonce[Symbol.dispose]();
      throw error;
    }
    this.#envelopes = new JsonEnvelopeCodec(this.#box);
  }

  /** How the peer speaks of transfers. The HELLOs may choose another of its kind. */
  get dialect(): Dialect {
    return this.#dialect;
  }

  /** Where the session is. */
  get phase(): SessionPhase {
    return this.#phase;
  }

  /** What the handshake found; undefined before it is done. */
  get peer(): PeerFacts | undefined {
    return this.#peer;
  }

  /** When {@linkcode tick} is to be called next: one timer is enough. Undefined: no need. */
  get nextDeadline(): number | undefined {
    const deadlines = [
      this.#helloDeadline,
      this.#keepAlive?.nextDeadline,
      this.#table?.nextDeadline,
    ].filter((deadline) => deadline !== undefined);
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  /**
   * The channel is open: sends our HELLO.
   *
   * @throws {MisuseError} When it was started before.
   */
  start(now: number): readonly SessionEffect[] {
    this.#expectPhase("new");
    this.#phase = "hello";
    this.#helloDeadline = now + this.#timing.helloMs;
    this.#sendHello();
    return this.#drain();
  }

  /**
   * A message came. Whatever the peer sent, this gives effects and does not throw; after the end it
   * gives none.
   *
   * @param message A text frame, or a binary one, which may be overwritten.
   * @throws {MisuseError} When the session was not started.
   */
  receive(message: WireFrame, now: number): readonly SessionEffect[] {
    if (this.#phase === "closed") return [];
    if (this.#phase === "new") throw new MisuseError("start the session before it receives");
    try {
      if (this.#phase === "hello") this.#beforeHello(message, now);
      else this.#afterHello(message, now);
    } catch (error) {
      this.#collect();
      if (error instanceof ProtocolError) this.#onError(error);
      // A fault of ours: the peer gets no error, but whoever waits for an end is released.
      else this.#lose(`the session failed: ${messageOf(error)}`);
    }
    return this.#drain();
  }

  /** Time has passed: carries out what is due. */
  tick(now: number): readonly SessionEffect[] {
    if (this.#helloDeadline !== undefined && now >= this.#helloDeadline) {
      const seconds = this.#timing.helloMs / 1000;
      this.#lose(`the peer's HELLO did not come within ${seconds} s`);
    }
    this.#table?.tick(now);
    this.#collect();
    const due = this.#keepAlive?.due(now);
    if (due === "ping") this.#sendPing(now);
    if (due === "lost") this.#lose(`the peer was silent for ${this.#timing.lostMs / 1000} s`);
    return this.#drain();
  }

  /**
   * The program trusts the peer: transfers may begin, and an offer that was held is reported.
   *
   * @throws {MisuseError} When the handshake is not done or the decision was made.
   */
  approve(now: number): Approved {
    this.#expectPhase("undecided");
    const table = this.#table;
    if (table === undefined) throw new MisuseError("the handshake is not done");
    this.#phase = "open";
    table.approve(now);
    return { transfers: table, effects: this.#drain() };
  }

  /**
   * Sends a text to the peer's application.
   *
   * @throws {MisuseError} When the session is not open, or the text is too large for a frame.
   */
  sendAppMessage(text: string): readonly SessionEffect[] {
    this.#expectPhase("open");
    this.#sendInner({ type: "app_message", text });
    return this.#drain();
  }

  /**
   * Asks the peer for an answer, which comes after all that it has to say to what it was sent
   * before: a `round-trip` with this `askedMs`.
   *
   * @throws {MisuseError} When the session is not open, or the peer answers no pings.
   */
  ping(now: number): Asked {
    this.#expectPhase("open");
    if (this.#keepAlive === undefined) throw new MisuseError("the peer answers no pings");
    const askedMs = this.#sendPing(now);
    return { askedMs, effects: this.#drain() };
  }

  /**
   * Ends the session for a reason that the peer is sent, such as KEY_MISMATCH when another identity
   * is pinned.
   */
  fail(code: WireErrorCode, message: string): readonly SessionEffect[] {
    if (this.#phase !== "closed") this.#endWith(new ProtocolError(code, message));
    return this.#drain();
  }

  /** Cancels what is in transfer; the session stays as it is. */
  cancelTransfers(message: string): readonly SessionEffect[] {
    this.#table?.cancelAll(message);
    return this.#drain();
  }

  /** Ends the session in order: what is in transfer is cancelled first. */
  close(message = "the session was closed"): readonly SessionEffect[] {
    if (this.#phase === "closed") return [];
    this.#table?.cancelAll(message);
    this.#collect();
    this.#end({ by: "local" });
    return this.#drain();
  }

  /**
   * The channel is gone; nothing can be sent.
   *
   * @param problem What went wrong; absent when the peer closed it in order.
   */
  disconnected(problem?: string): readonly SessionEffect[] {
    if (this.#phase === "closed") return [];
    if (problem === undefined) this.#end({ by: "remote" });
    else this.#lose(problem);
    return this.#drain();
  }

  /** Zeroes all keys and sends nothing. Use {@linkcode close} to end in order. */
  [Symbol.dispose](): void {
    this.#phase = "closed";
    this.#helloDeadline = undefined;
    this.#keepAlive = undefined;
    this.#table = undefined;
    this.#ratchet?.[Symbol.dispose]();
    this.#box[Symbol.dispose]();
    this.#options.ephemeral[Symbol.dispose]();
    this.#options.proof?.nonce[Symbol.dispose]();
  }

  /** Sealed first, then proven: the proof covers all of it. */
  #sendHello(): void {
    const { identity } = this.#options;
    const nonce = this.#identity?.nonce;
    const payload = sealHello(this.#box, {
      identity,
      capabilities: this.#identity === undefined
        ? this.#capabilities
        : [...this.#capabilities, PROVEN_IDENTITY],
      ...(nonce === undefined ? {} : { sessionNonce: nonce.base64 }),
    });
    this.#send(encodeHelloFrame(payload, this.#identity?.prove(payload)?.base64));
  }

  #beforeHello(message: WireFrame, now: number): void {
    const frame = parseFrame(message);
    switch (frame.type) {
      case "hello":
        return this.#conclude(frame, now);
      case "error":
        return this.#onPlainError(frame.code, frame.message);
      case "unreadable":
        throw new ProtocolError("HELLO_PARSE_ERROR", "the peer's first frame is not a HELLO");
      default:
        throw new ProtocolError("INVALID_STATE", "the peer sent a message before its HELLO");
    }
  }

  #afterHello(message: WireFrame, now: number): void {
    const frame = this.#envelopes.read(message);
    switch (frame.type) {
      case "opened":
        this.#peerConcluded = true;
        this.#keepAlive?.heard(now);
        return this.#onInner(frame.message, frame.ratchet, now);
      case "hello":
        throw new ProtocolError("DUPLICATE_HELLO", "the peer sent a second HELLO");
      case "error":
        // Terminal errors about envelopes stay plain; so does all until the peer has our HELLO.
        if (!this.#peerConcluded || String(frame.code).startsWith("ENVELOPE_")) {
          return this.#onPlainError(frame.code, frame.message);
        }
        break;
      case "bad-envelope":
      case "unreadable":
        throw new ProtocolError("ENVELOPE_INVALID", "the peer sent a malformed envelope");
      case "other":
        break;
    }
    throw new ProtocolError("ENVELOPE_REQUIRED", "the peer sent a message outside an envelope");
  }

  #conclude(frame: HelloFrame, now: number): void {
    const { identity, ephemeral, remoteEphemeral, random, limits } = this.#options;
    const local = { identity, ephemeral: ephemeral.publicKey, capabilities: this.#capabilities };
    const peer = concludeHandshake(
      local,
      openHello(this.#box, frame.payload),
      remoteEphemeral,
      (hello) => this.#verify(frame, hello),
    );
    if (peer.capabilities.has(BINARY_ENCODING)) {
      this.#envelopes = new BinaryEnvelopeCodec(this.#box);
      this.#dialect = BINARY_DAEMON_DIALECT;
    }
    if (peer.btr === "FULL_BTR") this.#ratchet = new SessionRatchet(ephemeral, remoteEphemeral);
    this.#table = new TransferTable({
      envelopes: this.#envelopes,
      keys: { ratchet: this.#ratchet, box: this.#box.key, random },
      dialect: this.dialect,
      fileHash: peer.capabilities.has("bolt.file-hash"),
      yields: ephemeral.publicKey.compare(remoteEphemeral) < 0,
      limits: { ...DEFAULT_LIMITS, ...limits },
      timing: this.#timing,
    });
    if (this.dialect.answersPings) this.#keepAlive = new KeepAlive(this.#timing, now);
    this.#helloDeadline = undefined;
    this.#peer = peer;
    this.#phase = "undecided";
    this.#effects.push({ type: "established", peer });
  }

  #verify(frame: HelloFrame, hello: ReceivedHello): IdentityVerdict {
    const { identity } = hello;
    const verdict = this.#identity?.verify({
      ...hello,
      payload: frame.payload,
      identityProof: frame.identityProof,
      repeatsKeys: frame.repeatsKeys || hello.repeatsKeys,
    }) ?? { proven: false };
    const { proven } = verdict;
    const refused = this.#options.refuse?.({ identity, proven });
    if (refused === undefined) return verdict;
    throw new IdentityRefusedError(identity, refused.step, refused.reason);
  }

  #onInner(message: InnerMessage, ratchet: RawRatchetFields, now: number): void {
    switch (message.type) {
      case "ping":
        return this.#sendInner({ type: "pong", tsMs: Math.trunc(now), replyToMs: message.tsMs });
      case "pong":
        if (this.#lastPingMs !== undefined && message.replyToMs <= this.#lastPingMs) {
          const { replyToMs: askedMs } = message;
          this.#effects.push({ type: "round-trip", askedMs, ms: Math.max(0, now - askedMs) });
        }
        return;
      case "app_message": {
        const approved = this.#phase === "open";
        this.#effects.push({ type: "app-message", text: message.text, approved });
        return;
      }
      case "error":
        if (this.#table?.receiveError(message) !== true) this.#onRemoteError(message);
        return this.#collect();
      default:
        this.#table?.receive(message, ratchet, now);
        return this.#collect();
    }
  }

  #onPlainError(code: unknown, message: unknown): void {
    if (!isErrorCode(code)) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer's error has an unregistered code");
    }
    const text = typeof message === "string" ? message : "";
    this.#onRemoteError({ type: "error", code, message: text });
  }

  #onRemoteError({ code, message }: ErrorMessage): void {
    const reason = message === "" ? "" : `: ${message.slice(0, MAX_REASON_LENGTH)}`;
    const error = new ProtocolError(code, `the peer ended the session with ${code}${reason}`);
    this.#end({ by: "remote", error });
  }

  /** An error of the peer's making ends its transfer or the session. */
  #onError(error: ProtocolError): void {
    const { transferId } = error;
    if (error.action === "disconnect" || transferId === undefined) return this.#endWith(error);
    this.#table?.refuseInbound(transferId, error);
    this.#collect();
  }

  /** Tells the peer, as far as that goes, and ends. */
  #endWith(error: ProtocolError): void {
    const { code, messageForPeer: message } = error;
    if (code !== "CONNECTION_LOST" && this.#phase !== "new") {
      const plain = this.#peer === undefined || code.startsWith("ENVELOPE_");
      if (plain) this.#send(encodeErrorFrame(code, message));
      else this.#sendInner({ type: "error", code, message });
    }
    this.#end({ by: "failure", error });
  }

  #lose(message: string): void {
    this.#end({ by: "failure", error: new ProtocolError("CONNECTION_LOST", message) });
  }

  #end(end: SessionEnd): void {
    this.#table?.close(end.by === "remote" ? "remote" : "local", end.error);
    this.#collect();
    const nonceLeft = this.#phase === "hello" && this.#identity?.isOffered === true;
    this[Symbol.dispose]();
    this.#effects.push({ type: "closed", end: nonceLeft ? { ...end, nonceLeft: true } : end });
  }

  #expectPhase(phase: SessionPhase): void {
    if (this.#phase === phase) return;
    throw new MisuseError(`the session is ${this.#phase}, and must be ${phase}`);
  }

  /** No two have the same moment: an answer to the one is none to the other. */
  #sendPing(now: number): number {
    this.#lastPingMs = Math.max(Math.trunc(now), (this.#lastPingMs ?? -1) + 1);
    this.#sendInner({ type: "ping", tsMs: this.#lastPingMs });
    return this.#lastPingMs;
  }

  #sendInner(message: Exclude<InnerMessage, FileChunk>): void {
    this.#send(this.#envelopes.seal(message));
  }

  #send(frame: WireFrame): void {
    this.#effects.push({ type: "send", frame });
  }

  /** Takes over what the transfers want done. */
  #collect(): void {
    if (this.#table !== undefined) this.#effects.push(...this.#table.drain());
  }

  #drain(): readonly SessionEffect[] {
    this.#collect();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
