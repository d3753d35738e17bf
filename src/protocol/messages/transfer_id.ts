/**
 * The id of a transfer: 16 random bytes, 32 hex digits on the wire.
 *
 * @module
 */
import { toHex } from "../crypto/encoding.ts";
import type { RandomSource } from "../crypto/random_source.ts";

/** Length of a transfer id, in bytes. */
export const TRANSFER_ID_BYTES = 16;

/** 32 hex digits that were checked: a string that only this module makes. */
export type TransferId = string & { readonly __brand: "TransferId" };

/** Something that is about one transfer. */
export interface OfTransfer {
  /** The transfer's id; its sender chose it. */
  readonly transferId: TransferId;
}

const PATTERN = /^[0-9a-f]{32}$/i;

/**
 * The id of 32 hex digits, or undefined for anything else. The spelling is kept as it came: the peer
 * that chose the id must find its own letters in every answer.
 */
export function parseTransferId(value: unknown): TransferId | undefined {
  return typeof value === "string" && PATTERN.test(value) ? value as TransferId : undefined;
}

/** A fresh id. */
export function generateTransferId(random: RandomSource): TransferId {
  return toHex(random(TRANSFER_ID_BYTES)) as TransferId;
}

/** The 16 bytes of an id. */
export function transferIdBytes(id: TransferId): Uint8Array {
  return Uint8Array.fromHex(id);
}
