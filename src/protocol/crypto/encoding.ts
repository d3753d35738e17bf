/**
 * Bytes as text: base64 and hex, strictly, and UTF-8.
 *
 * @module
 */

/** Base64 (RFC 4648 section 4) with padding. */
export function toBase64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/**
 * The bytes of canonical base64, or undefined for anything else: another alphabet, white space,
 * absent or wrong padding, bits left over after the last byte.
 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0) return undefined;
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
  // The platform's decoder skips white space, which then shows as bytes that are not there.
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return bytes.length === text.length / 4 * 3 - padding ? bytes : undefined;
}

/** Bytes as lower-case hex digits, two for each byte. */
export function toHex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** The bytes of hex in either case, or undefined when it is not hex of whole bytes. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromHex(text);
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text. */
export function toUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes, or undefined when they are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
