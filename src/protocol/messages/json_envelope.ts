/**
 * The published encoding: a message is JSON, sealed, as base64 in the JSON of its envelope.
 *
 * @module
 */
import type { ConnectionBox } from "../crypto/connection_box.ts";
import { fromBase64, toBase64, toUtf8 } from "../crypto/encoding.ts";
import { ProtocolError } from "../errors.ts";
import {
  type ChunkToSeal,
  type EnvelopeCodec,
  frameTooLarge,
  type OpenedEnvelope,
  type WireFrame,
} from "./envelope.ts";
import {
  encodeEnvelope,
  MAX_FRAME_BYTES,
  parseFrame,
  type PlainFrame,
  type RatchetFields,
} from "./frame.ts";
import {
  type ChunkHeader,
  encodeInnerMessage,
  type InnerMessage,
  parseInnerText,
} from "./inner_message.ts";

/** Envelopes in the published encoding: JSON, sealed, in JSON. */
export class JsonEnvelopeCodec implements EnvelopeCodec {
  readonly #box: ConnectionBox;

  /** Seals and opens with that box, which stays the caller's. */
  constructor(box: ConnectionBox) {
    this.#box = box;
  }

  /** See {@linkcode EnvelopeCodec.seal}. */
  seal(message: InnerMessage, ratchet?: RatchetFields): string {
    const sealed = this.#box.seal(toUtf8(encodeInnerMessage(message)));
    const frame = encodeEnvelope(toBase64(sealed), ratchet);
    // All of a frame is ASCII, so its length is in bytes.
    if (frame.length <= MAX_FRAME_BYTES) return frame;
    throw frameTooLarge(frame.length);
  }

  /** See {@linkcode EnvelopeCodec.sealChunk}. */
  sealChunk(header: ChunkHeader, { ratchet, sealedBytes, sealInto }: ChunkToSeal): string {
    const chunk = new Uint8Array(sealedBytes);
    sealInto(chunk);
    return this.seal({ ...header, chunk }, ratchet);
  }

  /** See {@linkcode EnvelopeCodec.read}. */
  read(frame: WireFrame): OpenedEnvelope | PlainFrame {
    const parsed = parseFrame(frame);
    if (parsed.type !== "envelope") return parsed;
    const sealed = fromBase64(parsed.payload);
    const plaintext = sealed && this.#box.openInPlace(sealed);
    if (plaintext === undefined) {
      throw new ProtocolError("ENVELOPE_DECRYPT_FAIL", "the peer's envelope can't be opened");
    }
    return { type: "opened", message: parseInnerText(plaintext), ratchet: parsed.ratchet };
  }
}
