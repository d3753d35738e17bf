/**
 * The payload exchange of the one-shot program: the offerer sends a greeting, the answerer echoes
 * it, each checks what it got.
 *
 * @module
 */
import { PayloadError } from "../base/errors.ts";

/** The label of the one-shot program's channel. */
export const CHANNEL_LABEL = "bolt";

const GREETING_TEXT = "bolt-hello-v1";

/** The 13 bytes that travel both ways. */
export const GREETING: Uint8Array<ArrayBuffer> = new TextEncoder().encode(GREETING_TEXT);

/**
 * Checks a received message, binary or text.
 *
 * @throws {PayloadError} When it is anything but the greeting. The message does not quote it.
 */
export function checkGreeting(message: string | Uint8Array): void {
  const bytes = typeof message === "string" ? new TextEncoder().encode(message) : message;
  const same = bytes.length === GREETING.length && GREETING.every((b, i) => bytes[i] === b);
  if (same) return;
  throw new PayloadError(
    `the peer sent another payload than ${GREETING_TEXT} (${bytes.length} bytes): ` +
      "it is not a bolt daemon, or of another version",
  );
}
