/**
 * The public values that are no keys.
 *
 * @module
 */
import { parsePublicBytes, PublicBytes } from "./public_bytes.ts";

/** What the bytes are; each is defined in `identity/proven_identity.ts`. */
export type PublicValuePurpose =
  | "commitment"
  | "session-nonce"
  | "certificate-digest"
  | "transcript"
  | "identity-proof";

/** 32 bytes with one purpose. They may be printed. */
export class PublicValue<P extends PublicValuePurpose> extends PublicBytes<P> {
  /** The value of canonical base64 text, or undefined when that is not base64 of 32 bytes. */
  static parse<P extends PublicValuePurpose>(
    purpose: P,
    text: unknown,
  ): PublicValue<P> | undefined {
    const bytes = parsePublicBytes(text);
    return bytes && new PublicValue(purpose, bytes);
  }
}
