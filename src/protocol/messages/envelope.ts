/**
 * How the messages of a session are written on its channel once both HELLOs are done: an interface,
 * which `json_envelope.ts` (as published) and `binary_envelope.ts` implement.
 *
 * @module
 */
import { MisuseError } from "../errors.ts";
import {
  MAX_FRAME_BYTES,
  type PlainFrame,
  type RatchetFields,
  type RawRatchetFields,
} from "./frame.ts";
import type { ChunkHeader, FileChunk, InnerMessage } from "./inner_message.ts";

/** A message on the channel: text, or bytes. */
export type WireFrame = string | Uint8Array<ArrayBuffer>;

/** An envelope that was opened. */
export interface OpenedEnvelope {
  /** Tag of the union. */
  readonly type: "opened";
  /** What it holds. */
  readonly message: InnerMessage;
  /** What it says of the ratchet, unchecked. */
  readonly ratchet: RawRatchetFields;
}

/** A chunk on its way out, sealed where it is to stand in its message. */
export interface ChunkToSeal {
  /** What is to be said of the ratchet. */
  readonly ratchet: RatchetFields | undefined;
  /** Bytes of the chunk once it is sealed. */
  readonly sealedBytes: number;
  /** Seals it into exactly so many bytes. To be called once. */
  readonly sealInto: (target: Uint8Array<ArrayBuffer>) => void;
}

/** Writes and reads what travels after both HELLOs. */
export interface EnvelopeCodec {
  /**
   * The frame of any message but a chunk.
   *
   * @throws {MisuseError} When it is larger than a channel takes.
   */
  seal(message: Exclude<InnerMessage, FileChunk>): WireFrame;
  /**
   * The frame of a chunk.
   *
   * @throws {MisuseError} When it is larger than a channel takes.
   */
  sealChunk(header: ChunkHeader, chunk: ChunkToSeal): WireFrame;
  /**
   * Reads a frame: opened when it is an envelope.
   *
   * @param frame Bytes may be overwritten.
   * @throws {ProtocolError} ENVELOPE_DECRYPT_FAIL when the seal does not fit, PROTOCOL_VIOLATION when
   * it is our own, sent back, INVALID_MESSAGE when what was sealed is no message, and the codes of
   * `parseInnerMessage`.
   */
  read(frame: WireFrame): OpenedEnvelope | PlainFrame;
}

/** What an envelope says of the ratchet that says nothing of it. */
export const NO_RATCHET_FIELDS: RawRatchetFields = {
  chainIndex: undefined,
  publicKey: undefined,
  generation: undefined,
};

/** The error for a frame that no channel takes. */
export function frameTooLarge(bytes: number): MisuseError {
  return new MisuseError(`a message may have ${MAX_FRAME_BYTES} bytes, not ${bytes}`);
}
