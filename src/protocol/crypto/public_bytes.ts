/**
 * 32 bytes that anyone may see, typed by what they are, so that one is not taken for another: public
 * keys and the values that prove an identity.
 *
 * @module
 */
import { equalBytes } from "./constant_time.ts";
import { fromBase64, toBase64 } from "./encoding.ts";
import { MisuseError } from "../errors.ts";

const LENGTH = 32;

/** What keys and other public values have in common. */
export abstract class PublicBytes<P extends string> {
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
    if (bytes.length !== LENGTH) {
      throw new MisuseError(`a public ${purpose} has ${LENGTH} bytes, not ${bytes.length}`);
    }
    this.purpose = purpose;
    this.#bytes = new Uint8Array(bytes);
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
  equals(other: PublicBytes<P>): boolean {
    return equalBytes(this.#bytes, other.#bytes);
  }
}

/** The 32 bytes of canonical base64 text, or undefined when that is not what it is. */
export function parsePublicBytes(text: unknown): Uint8Array | undefined {
  const bytes = typeof text === "string" && text.length === 44 ? fromBase64(text) : undefined;
  return bytes?.length === LENGTH ? bytes : undefined;
}
