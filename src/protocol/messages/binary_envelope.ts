/**
 * The binary encoding, between two daemons that both have it: the same messages under the same seals,
 * without base64, and chunks without JSON. docs/PROTOCOL.md describes it.
 *
 * ```text
 * envelope   0x01 || nonce(24) || box(plain)
 * plain      0x00 || UTF-8 JSON                 any message but a chunk
 *            0x01 || chunk's header || chunk
 * ```
 *
 * @module
 */
import type { ConnectionBox } from "../crypto/connection_box.ts";
import { fromBase64, toBase64, toHex, toUtf8 } from "../crypto/encoding.ts";
import { KEY_BYTES } from "../crypto/key_bytes.ts";
import { SEAL_OVERHEAD_BYTES } from "../crypto/sealing.ts";
import { MisuseError, ProtocolError } from "../errors.ts";
import {
  type ChunkToSeal,
  type EnvelopeCodec,
  frameTooLarge,
  NO_RATCHET_FIELDS,
  type OpenedEnvelope,
  type WireFrame,
} from "./envelope.ts";
import { MAX_FRAME_BYTES, parseFrame, type PlainFrame, type RatchetFields } from "./frame.ts";
import {
  checkPlace,
  type ChunkHeader,
  encodeInnerMessage,
  type FileChunk,
  type InnerMessage,
  parseInnerText,
} from "./inner_message.ts";
import { parseTransferId, TRANSFER_ID_BYTES, transferIdBytes } from "./transfer_id.ts";

/** First byte of an envelope. No text begins with it. */
const ENVELOPE = 0x01;
/** Bytes of an envelope before what is sealed, and after it. */
const ENVELOPE_OVERHEAD_BYTES = 1 + SEAL_OVERHEAD_BYTES;

/** Most chunks that a header can count. */
const MAX_CHUNKS = 0xffff_ffff;

/** First byte of what is sealed. */
const KIND = { json: 0x00, chunk: 0x01 } as const;

/** A chunk's flags; another is none. */
const FLAGS = {
  /** The chunk is ratcheted: its chain index follows. */
  ratcheted: 0x01,
  /** Of the ratcheted the first: generation and key follow, too. */
  first: 0x02,
} as const;

/** Offsets in a chunk's plaintext. Numbers are big-endian. */
const AT = {
  transferId: 1,
  chunkIndex: 1 + TRANSFER_ID_BYTES,
  totalChunks: 5 + TRANSFER_ID_BYTES,
  flags: 9 + TRANSFER_ID_BYTES,
  chainIndex: 10 + TRANSFER_ID_BYTES,
  generation: 14 + TRANSFER_ID_BYTES,
  publicKey: 18 + TRANSFER_ID_BYTES,
} as const;

/** Bytes before the chunk, by the flags that are allowed. */
const HEADER_BYTES: ReadonlyMap<number, number> = new Map([
  [0, AT.chainIndex],
  [FLAGS.ratcheted, AT.generation],
  [FLAGS.ratcheted | FLAGS.first, AT.publicKey + KEY_BYTES],
]);

/** Envelopes in the binary encoding, sealed and opened in place. */
export class BinaryEnvelopeCodec implements EnvelopeCodec {
  readonly #box: ConnectionBox;

  /** Seals and opens with that box, which stays the caller's. */
  constructor(box: ConnectionBox) {
    this.#box = box;
  }

  /** See {@linkcode EnvelopeCodec.seal}. */
  seal(message: Exclude<InnerMessage, FileChunk>): Uint8Array<ArrayBuffer> {
    const json = toUtf8(encodeInnerMessage(message));
    return this.#envelope(1 + json.length, (plain) => {
      plain[0] = KIND.json;
      plain.set(json, 1);
    });
  }

  /** See {@linkcode EnvelopeCodec.sealChunk}. */
  sealChunk(header: ChunkHeader, chunk: ChunkToSeal): Uint8Array<ArrayBuffer> {
    const flags = flagsOf(chunk.ratchet);
    const headerBytes = HEADER_BYTES.get(flags) ?? 0;
    return this.#envelope(headerBytes + chunk.sealedBytes, (plain) => {
      writeHeader(plain, header, flags, chunk.ratchet);
      chunk.sealInto(plain.subarray(headerBytes));
    });
  }

  /** See {@linkcode EnvelopeCodec.read}. */
  read(frame: WireFrame): OpenedEnvelope | PlainFrame {
    if (typeof frame === "string") {
      const parsed = parseFrame(frame);
      return parsed.type === "envelope" ? { type: "bad-envelope" } : parsed;
    }
    const { length } = frame;
    if (frame[0] !== ENVELOPE || length < ENVELOPE_OVERHEAD_BYTES || length > MAX_FRAME_BYTES) {
      return { type: "bad-envelope" };
    }
    const plain = this.#box.openInPlace(frame.subarray(1));
    if (plain === undefined) {
      throw new ProtocolError("ENVELOPE_DECRYPT_FAIL", "the peer's envelope can't be opened");
    }
    return parsePlain(plain);
  }

  /** An envelope around so many bytes, which are written and sealed in place. */
  #envelope(
    plainBytes: number,
    write: (plain: Uint8Array<ArrayBuffer>) => void,
  ): Uint8Array<ArrayBuffer> {
    const bytes = ENVELOPE_OVERHEAD_BYTES + plainBytes;
    if (bytes > MAX_FRAME_BYTES) throw frameTooLarge(bytes);
    const frame = new Uint8Array(bytes);
    frame[0] = ENVELOPE;
    write(frame.subarray(ENVELOPE_OVERHEAD_BYTES));
    this.#box.sealInPlace(frame.subarray(1));
    return frame;
  }
}

function flagsOf(ratchet: RatchetFields | undefined): number {
  if (ratchet === undefined) return 0;
  return ratchet.publicKey === undefined ? FLAGS.ratcheted : FLAGS.ratcheted | FLAGS.first;
}

function writeHeader(
  plain: Uint8Array<ArrayBuffer>,
  { transferId, chunkIndex, totalChunks }: ChunkHeader,
  flags: number,
  ratchet: RatchetFields | undefined,
): void {
  if (totalChunks > MAX_CHUNKS) throw new MisuseError(`a file has ${MAX_CHUNKS} chunks at most`);
  const view = viewOf(plain);
  plain[0] = KIND.chunk;
  plain.set(transferIdBytes(transferId), AT.transferId);
  view.setUint32(AT.chunkIndex, chunkIndex);
  view.setUint32(AT.totalChunks, totalChunks);
  plain[AT.flags] = flags;
  if (ratchet === undefined) return;
  view.setUint32(AT.chainIndex, ratchet.chainIndex);
  if (ratchet.publicKey === undefined) return;
  const publicKey = fromBase64(ratchet.publicKey);
  if (publicKey?.length !== KEY_BYTES || ratchet.generation === undefined) {
    throw new MisuseError("a first chunk has a ratchet key and its generation");
  }
  view.setUint32(AT.generation, ratchet.generation);
  plain.set(publicKey, AT.publicKey);
}

/**
 * Parses what was sealed.
 *
 * @param plain A chunk's bytes become a view of it.
 * @throws {ProtocolError} INVALID_MESSAGE for what is no message, and the codes of
 * `parseInnerMessage`.
 */
export function parsePlain(plain: Uint8Array<ArrayBuffer>): OpenedEnvelope {
  switch (plain[0]) {
    case KIND.json:
      return parseJson(plain.subarray(1));
    case KIND.chunk:
      return parseChunk(plain);
    default:
      throw new ProtocolError("INVALID_MESSAGE", "the peer's envelope holds no known kind");
  }
}

function parseJson(text: Uint8Array): OpenedEnvelope {
  const message = parseInnerText(text);
  if (message.type !== "file-chunk") return opened(message);
  throw new ProtocolError("INVALID_MESSAGE", "the peer's chunk is not in binary");
}

function parseChunk(plain: Uint8Array<ArrayBuffer>): OpenedEnvelope {
  const flags = plain[AT.flags];
  const headerBytes = flags === undefined ? undefined : HEADER_BYTES.get(flags);
  if (flags === undefined || headerBytes === undefined || plain.length < headerBytes) {
    throw new ProtocolError("INVALID_MESSAGE", "the peer's chunk has no valid header");
  }
  const view = viewOf(plain);
  const transferId = parseTransferId(toHex(plain.subarray(AT.transferId, AT.chunkIndex)));
  if (transferId === undefined) throw new Error("16 bytes are a transfer id");
  const header: ChunkHeader = {
    type: "file-chunk",
    transferId,
    chunkIndex: view.getUint32(AT.chunkIndex),
    totalChunks: view.getUint32(AT.totalChunks),
  };
  checkPlace(header);
  const message = { ...header, chunk: plain.subarray(headerBytes) };
  if (flags === 0) return opened(message);
  const isFirst = (flags & FLAGS.first) !== 0;
  return opened(message, {
    chainIndex: view.getUint32(AT.chainIndex),
    generation: isFirst ? view.getUint32(AT.generation) : undefined,
    publicKey: isFirst ? toBase64(plain.subarray(AT.publicKey, headerBytes)) : undefined,
  });
}

const opened = (message: InnerMessage, ratchet = NO_RATCHET_FIELDS): OpenedEnvelope => ({
  type: "opened",
  message,
  ratchet,
});

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBuffer>): DataView =>
  new DataView(buffer, byteOffset, byteLength);
