/**
 * What a session asks of, and reports to, the program around the core. Effects are carried out in
 * order.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import type { BtrMode } from "../btr/negotiate.ts";
import type { EphemeralPublicKey, IdentityPublicKey } from "../crypto/keys.ts";
import type { ProtocolError } from "../errors.ts";
import type { Capability } from "../messages/capabilities.ts";
import type { TransferEffect } from "../transfer/effects.ts";

/** What the handshake found out about the peer: all that trust is decided on. */
export interface PeerFacts {
  /** Who the peer claims to be; who it is, when that is proven. */
  readonly identity: IdentityPublicKey;
  /** Whether the peer has proven that it holds the identity's key. */
  readonly proven: boolean;
  /** Its half of this connection's keys. */
  readonly ephemeral: EphemeralPublicKey;
  /**
   * Six upper-case hex digits to compare with the peer's. In a session that is not proven they can be
   * forged by who relays the signals.
   */
  readonly sas: string;
  /** What both sides can do. Never changes again. */
  readonly capabilities: ReadonlySet<Capability>;
  /** Whether files that were lost can go on: both sides have that extension, and this is proven. */
  readonly resumes: boolean;
  /** Whether chunks are ratcheted. */
  readonly btr: BtrMode;
  /** `[BTR_DOWNGRADE]` when one side only can ratchet; to be logged as a warning. */
  readonly btrLogToken?: string;
}

/** Both HELLOs are done: decide on trust, then `approve` or `fail` the session. */
export interface EstablishedEffect extends Tagged<"established"> {
  /** All that trust is decided on. */
  readonly peer: PeerFacts;
}

/** A text from the peer's application. */
export interface AppMessageEffect extends Tagged<"app-message"> {
  /** As the peer wrote it: hostile until it is escaped. */
  readonly text: string;
  /** Whether the session was approved when it came. */
  readonly approved: boolean;
}

/** A ping was answered. */
export interface RoundTripEffect extends Tagged<"round-trip"> {
  /** When it was asked, in ms. */
  readonly askedMs: number;
  /** How long it took, in ms. */
  readonly ms: number;
}

/** How a session ended. */
export interface SessionEnd {
  /** We closed it; the peer did, by closing or by an error; or the protocol or the path broke. */
  readonly by: "local" | "remote" | "failure";
  /** Absent when it was closed in order. */
  readonly error?: ProtocolError;
  /**
   * Our nonce had left in HELLO and the peer had not proven itself: who stands between may know what
   * code we would have shown, so this was one of his tries. Absent otherwise.
   */
  readonly nonceLeft?: true;
}

/** The session is over and its keys are zeroed: let the last frames go, then close the channel. */
export interface ClosedEffect extends Tagged<"closed"> {
  /** Which side ended it, and why. */
  readonly end: SessionEnd;
}

/** Everything that a session asks or reports. */
export type SessionEffect =
  | TransferEffect
  | EstablishedEffect
  | AppMessageEffect
  | RoundTripEffect
  | ClosedEffect;
