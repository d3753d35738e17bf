/**
 * The binary encoding written and read a second time, as docs/PROTOCOL.md has it and by hex digits:
 * for tests only, which are not to believe the first.
 *
 * @module
 */
import type { RatchetFields } from "../messages/frame.ts";

/** A message as JSON has it. */
export type RawMessage = Readonly<Record<string, unknown>>;

const u32 = (value: number): string => value.toString(16).padStart(8, "0");

const isU32 = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32;

/** What is sealed for a message, chunks too. What no chunk can say is written as JSON. */
export function rawPlain(inner: unknown, ratchet?: RatchetFields): Uint8Array<ArrayBuffer> {
  const chunk = typeof inner === "string" ? undefined : chunkHex(inner, ratchet);
  if (chunk !== undefined) return Uint8Array.fromHex(chunk);
  const text = typeof inner === "string" ? inner : JSON.stringify(inner);
  return new Uint8Array([0, ...new TextEncoder().encode(text)]);
}

function chunkHex(inner: unknown, ratchet?: RatchetFields): string | undefined {
  if (typeof inner !== "object" || inner === null) return undefined;
  const message: RawMessage = { ...inner };
  const { type, transferId, chunkIndex, totalChunks, chunk } = message;
  if (
    type !== "file-chunk" || typeof transferId !== "string" || typeof chunk !== "string" ||
    !isU32(chunkIndex) || !isU32(totalChunks) || !isBase64(chunk)
  ) return undefined;
  const place = transferId + u32(chunkIndex) + u32(totalChunks);
  return `01${place}${ratchetHex(ratchet)}${Uint8Array.fromBase64(chunk).toHex()}`;
}

function ratchetHex(ratchet: RatchetFields | undefined): string {
  if (ratchet === undefined) return "00";
  const { chainIndex, publicKey, generation = 0 } = ratchet;
  if (publicKey === undefined) return `01${u32(chainIndex)}`;
  return `03${u32(chainIndex)}${u32(generation)}${Uint8Array.fromBase64(publicKey).toHex()}`;
}

function isBase64(text: string): boolean {
  try {
    return Uint8Array.fromBase64(text).toBase64() === text;
  } catch {
    return false;
  }
}

/** A message that was sealed, as JSON has it; of a chunk what the encoding has. */
export function readRawPlain(plain: Uint8Array): RawMessage {
  if (plain[0] === 0) return JSON.parse(new TextDecoder().decode(plain.subarray(1)));
  const hex = plain.toHex();
  const [, kind, transferId, chunkIndex = "", totalChunks = "", flags, rest = ""] =
    /^(..)(.{32})(.{8})(.{8})(..)(.*)$/.exec(hex) ?? [];
  if (kind !== "01" || flags === undefined) throw new Error(`no binary message: ${hex}`);
  const ratchetDigits = { "00": 0, "01": 8, "03": 80 }[flags];
  if (ratchetDigits === undefined) throw new Error(`no flags of a chunk: ${flags}`);
  return {
    type: "file-chunk",
    transferId,
    chunkIndex: parseInt(chunkIndex, 16),
    totalChunks: parseInt(totalChunks, 16),
    flags,
    ratchet: rest.slice(0, ratchetDigits),
    chunk: rest.slice(ratchetDigits),
  };
}
