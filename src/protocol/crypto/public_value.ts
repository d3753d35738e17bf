/**
 * 32 public bytes, typed by what they are, so that one is not taken for another.
 *
 * @module
 */
import { equalBytes } from "./constant_time.ts";
import { fromBase64, toBase64 } from "./encoding.ts";
import { KEY_BYTES } from "./keys.ts";
import { MisuseError } from "../errors.ts";

/** What the bytes are; each is defined in `identity/proven_identity.ts`. */
export type PublicValuePurpose =
  | "commitment"
  | "session-nonce"
  | "certificate-digest"
  | "transcript"
  | "identity-proof";

/** 32 bytes with one purpose. They may be printed. */
export class PublicValue<P extends PublicValuePurpose> {
  /** What the bytes are. */
  readonly purpose: P;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /**
   * Wraps bytes.
   *
   * @param purpose What the bytes are.
   * @param bytes 32 bytes; copied.
   * @throws {MisuseError} When there are not 32 bytes.
   */
  constructor(purpose: P, bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) {
      throw new MisuseError(`a ${purpose} has ${KEY_BYTES} bytes, not ${bytes.length}`);
    }
    this.purpose = purpose;
    this.#bytes = new Uint8Array(bytes);
  }

  /** The value of canonical base64 text, or undefined when that is not base64 of 32 bytes. */
  static parse<P extends PublicValuePurpose>(
    purpose: P,
    text: unknown,
  ): PublicValue<P> | undefined {
    const bytes = typeof text === "string" && text.length === 44 ? fromBase64(text) : undefined;
    return bytes?.length === KEY_BYTES ? new PublicValue(purpose, bytes) : undefined;
  }

  /** A copy of the 32 bytes. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice();
  }

  /** Base64, as on the wire: 44 characters. */
  get base64(): string {
    return toBase64(this.#bytes);
  }

  /** Whether both are the same bytes; the time taken does not tell how alike they are. */
  equals(other: PublicValue<P>): boolean {
    return equalBytes(this.#bytes, other.#bytes);
  }
}
