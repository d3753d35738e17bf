/**
 * The state cookie (RFC 9260, section 5.1.3): what the answerer of an INIT needs to remember, which
 * the other side keeps for it. Only what we have made ourselves is believed.
 *
 * @module
 */
import { createHmac } from "node:crypto";
import { equalBytes } from "../../../protocol/crypto/constant_time.ts";
import { viewOf } from "./packet.ts";

/** What a cookie remembers. Tags and TSNs have 32 bits. */
export interface Cookie {
  /** When it was made, on the association's clock, in milliseconds. */
  readonly madeAt: number;
  /** The tag that our INIT ACK gave. */
  readonly localTag: number;
  /** The tag that the peer's INIT gave. */
  readonly peerTag: number;
  /** The peer's first TSN. */
  readonly peerTsn: number;
  /** The peer's receive window, in bytes. */
  readonly peerWindow: number;
  /** Whether the peer can reset streams. */
  readonly canReset: boolean;
  /** Whether it passes over padding. */
  readonly canPad: boolean;
  /** Whether it takes packets without a checksum. */
  readonly takesZeroChecksum: boolean;
  /** Tags of the association that there was; 0 for none (section 5.2.2). */
  readonly localTieTag: number;
  /** See {@linkcode Cookie.localTieTag}. */
  readonly peerTieTag: number;
}

const STATE_BYTES = 36;
const MAC_BYTES = 32;
const CAN_RESET = 1;
const CAN_PAD = 2;
const TAKES_ZERO_CHECKSUM = 4;

/** Makes cookies and knows its own again. */
export class CookieJar {
  readonly #key: Uint8Array;

  /**
   * Makes one.
   *
   * @param key 32 random bytes.
   */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Writes a cookie. */
  seal(cookie: Cookie): Uint8Array {
    const bytes = new Uint8Array(STATE_BYTES + MAC_BYTES);
    const view = viewOf(bytes);
    view.setFloat64(0, cookie.madeAt);
    view.setUint32(8, cookie.localTag);
    view.setUint32(12, cookie.peerTag);
    view.setUint32(16, cookie.peerTsn);
    view.setUint32(20, cookie.peerWindow);
    const abilities = (cookie.canReset ? CAN_RESET : 0) | (cookie.canPad ? CAN_PAD : 0) |
      (cookie.takesZeroChecksum ? TAKES_ZERO_CHECKSUM : 0);
    view.setUint32(24, abilities);
    view.setUint32(28, cookie.localTieTag);
    view.setUint32(32, cookie.peerTieTag);
    bytes.set(this.#mac(bytes), STATE_BYTES);
    return bytes;
  }

  /** Reads a cookie; undefined for one that is not ours, or was changed. */
  open(bytes: Uint8Array): Cookie | undefined {
    if (bytes.length !== STATE_BYTES + MAC_BYTES) return undefined;
    if (!equalBytes(bytes.subarray(STATE_BYTES), this.#mac(bytes))) return undefined;
    const view = viewOf(bytes);
    return {
      madeAt: view.getFloat64(0),
      localTag: view.getUint32(8),
      peerTag: view.getUint32(12),
      peerTsn: view.getUint32(16),
      peerWindow: view.getUint32(20),
      canReset: (view.getUint32(24) & CAN_RESET) !== 0,
      canPad: (view.getUint32(24) & CAN_PAD) !== 0,
      takesZeroChecksum: (view.getUint32(24) & TAKES_ZERO_CHECKSUM) !== 0,
      localTieTag: view.getUint32(28),
      peerTieTag: view.getUint32(32),
    };
  }

  #mac(bytes: Uint8Array): Uint8Array {
    return createHmac("sha256", this.#key).update(bytes.subarray(0, STATE_BYTES)).digest();
  }
}
