/**
 * Sealing messages into frames and opening them, with the connection's one box key.
 *
 * @module
 */
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../crypto/encoding.ts";
import type { EphemeralKeyPair, EphemeralPublicKey, SecretKey } from "../crypto/keys.ts";
import { NonceSequence } from "../crypto/nonce_sequence.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { boxKey, open, sealWithNonce } from "../crypto/sealing.ts";
import { MisuseError, ProtocolError } from "../errors.ts";
import { parseJsonObject } from "../json.ts";
import { encodeEnvelope, MAX_FRAME_BYTES, type RatchetFields } from "../messages/frame.ts";
import { encodeHello, type Hello, parseHello, type ReceivedHello } from "../messages/hello.ts";
import {
  encodeInnerMessage,
  type InnerMessage,
  parseInnerMessage,
} from "../messages/inner_message.ts";

/** Seals and opens the frames of one connection. Disposing of it zeroes the box key. */
export class EnvelopeCodec implements Disposable {
  /** The connection's box key. */
  readonly key: SecretKey<"box">;
  readonly #nonces: NonceSequence;

  /**
   * Agrees on the box key, once.
   *
   * @throws {ProtocolError} PROTOCOL_VIOLATION when the peer's half is our own or of low order.
   */
  constructor(ours: EphemeralKeyPair, theirs: EphemeralPublicKey, random: RandomSource) {
    const key = ours.publicKey.equals(theirs) ? undefined : boxKey(ours, theirs);
    if (key === undefined) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer's ephemeral key can't be used");
    }
    this.key = key;
    this.#nonces = new NonceSequence(random);
  }

  /** The payload of our HELLO's frame. */
  sealHello(hello: Hello): string {
    return this.#seal(encodeHello(hello));
  }

  /**
   * Opens the payload of the peer's HELLO.
   *
   * @throws {ProtocolError} HELLO_DECRYPT_FAIL, PROTOCOL_VIOLATION when it is our own, sent back, and
   * the codes of `parseHello`.
   */
  openHello(payload: string): ReceivedHello {
    const plaintext = this.#open(payload);
    if (plaintext !== undefined) return parseHello(plaintext);
    throw new ProtocolError("HELLO_DECRYPT_FAIL", "the peer's HELLO can't be opened");
  }

  /**
   * The frame of an inner message.
   *
   * @throws {MisuseError} When it is larger than a channel takes.
   */
  seal(message: InnerMessage, ratchet?: RatchetFields): string {
    const frame = encodeEnvelope(this.#seal(toUtf8(encodeInnerMessage(message))), ratchet);
    // All of a frame is ASCII, so its length is in bytes.
    if (frame.length <= MAX_FRAME_BYTES) return frame;
    throw new MisuseError(`a message may have ${MAX_FRAME_BYTES} bytes, not ${frame.length}`);
  }

  /**
   * Opens the payload of an envelope.
   *
   * @throws {ProtocolError} ENVELOPE_DECRYPT_FAIL when the seal does not fit, PROTOCOL_VIOLATION when
   * it is our own, sent back, INVALID_MESSAGE when no JSON object was sealed, and the codes of
   * `parseInnerMessage`.
   */
  open(payload: string): InnerMessage {
    const plaintext = this.#open(payload);
    if (plaintext === undefined) {
      throw new ProtocolError("ENVELOPE_DECRYPT_FAIL", "the peer's envelope can't be opened");
    }
    const text = fromUtf8(plaintext);
    const object = text === undefined ? undefined : parseJsonObject(text);
    if (object !== undefined) return parseInnerMessage(object);
    throw new ProtocolError("INVALID_MESSAGE", "the peer's envelope holds no JSON object");
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.key[Symbol.dispose]();
  }

  #seal(plaintext: Uint8Array): string {
    return toBase64(sealWithNonce(this.key, plaintext, this.#nonces.next()));
  }

  #open(payload: string): Uint8Array | undefined {
    const sealed = fromBase64(payload);
    if (sealed === undefined) return undefined;
    if (this.#nonces.sealed(sealed)) {
      throw new ProtocolError("PROTOCOL_VIOLATION", "the peer sent our own message back");
    }
    return open(this.key, sealed);
  }
}
