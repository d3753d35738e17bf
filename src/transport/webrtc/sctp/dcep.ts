/**
 * The data channel establishment protocol (RFC 8832) and the kinds of messages of a data channel
 * (RFC 8831, section 8).
 *
 * @module
 */
import { viewOf } from "./packet.ts";

/** Payload protocol identifiers (RFC 8831, section 8). */
export const Ppid = {
  CONTROL: 50,
  TEXT: 51,
  BINARY: 53,
  TEXT_EMPTY: 56,
  BINARY_EMPTY: 57,
} as const;

const OPEN = 3;
const ACK = 2;
/** An ordered and reliable channel (RFC 8832, section 5.1). */
const ORDERED_RELIABLE = 0;
const OPEN_BYTES = 12;
const utf8 = new TextDecoder();

/** A message of the protocol. */
export type ControlMessage =
  | { readonly kind: "open"; readonly label: string; readonly isOrderedReliable: boolean }
  | { readonly kind: "ack" };

/** Reads a message; undefined for none that there is. */
export function readControlMessage(bytes: Uint8Array): ControlMessage | undefined {
  if (bytes[0] === ACK) return { kind: "ack" };
  if (bytes[0] !== OPEN || bytes.length < OPEN_BYTES) return undefined;
  const labelLength = viewOf(bytes).getUint16(8);
  if (OPEN_BYTES + labelLength > bytes.length) return undefined;
  const label = utf8.decode(bytes.subarray(OPEN_BYTES, OPEN_BYTES + labelLength));
  return { kind: "open", label, isOrderedReliable: bytes[1] === ORDERED_RELIABLE };
}

/** A request to open an ordered and reliable channel. */
export function writeOpen(label: string): Uint8Array {
  const text = new TextEncoder().encode(label);
  const bytes = new Uint8Array(OPEN_BYTES + text.length);
  const view = viewOf(bytes);
  view.setUint8(0, OPEN);
  view.setUint8(1, ORDERED_RELIABLE);
  view.setUint16(8, text.length);
  bytes.set(text, OPEN_BYTES);
  return bytes;
}

/** The answer to one. */
export function writeAck(): Uint8Array {
  return Uint8Array.of(ACK);
}
