/**
 * SCTP packets as bytes (RFC 9260, section 3): the common header, the chunks of user data and their
 * acknowledgements, and a check that a packet is made of whole chunks before anything reads it. What
 * other chunks hold is in `chunks.ts`.
 *
 * @module
 */
import { TransportError } from "../../../base/errors.ts";
import { packetChecksum } from "./crc32c.ts";

/** Bytes of the common header: ports, verification tag, checksum. */
export const COMMON_HEADER_BYTES = 12;
/** Bytes of a DATA chunk before its user data. */
export const DATA_HEADER_BYTES = 16;
/** Bytes of a SACK chunk before its gap blocks. */
const SACK_HEADER_BYTES = 16;
/** Bytes of a SHUTDOWN chunk, and the least of a FORWARD-TSN: header and cumulative TSN. */
const CUMULATIVE_TSN_BYTES = 8;
/** Bytes of a chunk's type, flags and length. */
export const CHUNK_HEADER_BYTES = 4;
/** Gap blocks that one SACK reports at most, so that it fits in any path's packet. */
const MAX_GAP_BLOCKS = 200;
/** Duplicate TSNs that one SACK reports at most. */
const MAX_DUPLICATES = 16;

/**
 * Chunk types (RFC 9260, section 3.2; RECONFIG: RFC 6525; PAD: RFC 4820; FORWARD_TSN: RFC 3758). The
 * two highest bits of one that is not known here say what to do with it.
 */
export const ChunkType = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  HEARTBEAT_ACK: 5,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  ERROR: 9,
  COOKIE_ECHO: 10,
  COOKIE_ACK: 11,
  SHUTDOWN_COMPLETE: 14,
  RECONFIG: 130,
  PAD: 132,
  FORWARD_TSN: 192,
} as const;

/** A flag of ABORT and SHUTDOWN COMPLETE: the packet bears its sender's own tag (section 8.5.1). */
export const REFLECTED_TAG = 1;

/** Flags of a DATA chunk; IMMEDIATE asks for a SACK without delay (RFC 7053). */
export const DataFlag = { LAST: 1, FIRST: 2, UNORDERED: 4, IMMEDIATE: 8 } as const;

/** A DATA chunk. `payload` may be a view into the packet. */
export interface DataChunk {
  /** Transmission sequence number. */
  readonly tsn: number;
  /** Of {@linkcode DataFlag}. */
  readonly flags: number;
  /** Stream identifier, 16 bits. */
  readonly streamId: number;
  /** Stream sequence number, 16 bits. */
  readonly ssn: number;
  /** Payload protocol identifier. */
  readonly ppid: number;
  /** User data, never empty. */
  readonly payload: Uint8Array;
}

/** A run of TSNs, first and last included, as distances from the cumulative TSN. */
export interface GapBlock {
  /** Of the first TSN, from the cumulative one (RFC 9260, section 3.3.4). */
  readonly start: number;
  /** Of the last TSN, from the cumulative one. */
  readonly end: number;
}

/** A SACK chunk. */
export interface Sack {
  /** The TSN up to which everything has come. */
  readonly cumulativeTsn: number;
  /** Receive window that is left, in bytes. */
  readonly window: number;
  /** What came beyond, nearest first. */
  readonly gaps: readonly GapBlock[];
  /** TSNs that came more than once. */
  readonly duplicates: readonly number[];
}

/** A view of the same bytes. */
export const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A length with its padding (section 3.2). */
export const padded = (length: number): number => (length + 3) & ~3;

/** What the chunks of a packet are: nothing but DATA and SACK, or something else too. */
export type PacketKind = "data" | "control";

/** A chunk that is neither DATA nor SACK. */
export interface ControlChunk {
  /** See {@linkcode ChunkType}. */
  readonly type: number;
  /** What they mean depends on the type. */
  readonly flags: number;
  /** What follows its header, without padding: a view into the packet. */
  readonly body: Uint8Array;
}

/** Takes what a packet holds, in order; what it does not name is passed over. */
export interface PacketVisitor {
  /** Takes a DATA chunk; its payload is a view into the packet. */
  data?(chunk: DataChunk): void;
  /** Takes a SACK chunk. */
  sack?(sack: Sack): void;
  /** Takes any other chunk. When it returns false the rest of the packet is passed over. */
  control?(chunk: ControlChunk): boolean;
}

/** A packet made of whole chunks. */
export class Packet {
  /** What its chunks are. */
  readonly kind: PacketKind;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /** For {@linkcode parsePacket}. */
  constructor(kind: PacketKind, bytes: Uint8Array, view: DataView) {
    this.kind = kind;
    this.#bytes = bytes;
    this.#view = view;
  }

  /** The verification tag. */
  get tag(): number {
    return this.#view.getUint32(4);
  }

  /** Type of the first chunk. */
  get firstType(): number {
    return this.#view.getUint8(COMMON_HEADER_BYTES);
  }

  /** Flags of the first chunk. */
  get firstFlags(): number {
    return this.#view.getUint8(COMMON_HEADER_BYTES + 1);
  }

  /** Whether the first chunk is the only one. */
  get isSingle(): boolean {
    return COMMON_HEADER_BYTES + padded(this.#view.getUint16(14)) >= this.#bytes.length;
  }

  /**
   * Whether the packet's checksum is right, or none was made: we say that DTLS checks for us. Not so
   * what may come before that is agreed on (RFC 9653, section 5.3).
   */
  hasValidChecksum(): boolean {
    const checksum = this.#view.getUint32(8, true);
    if (checksum === 0 && !CHECKED_ALWAYS.has(this.firstType)) return true;
    return checksum === packetChecksum(this.#bytes);
  }

  /** Shows the chunks to a visitor that names them. */
  visit(visitor: PacketVisitor): void {
    const view = this.#view;
    for (let at = COMMON_HEADER_BYTES; at < this.#bytes.length;) {
      const type = view.getUint8(at);
      const length = view.getUint16(at + 2);
      if (type === ChunkType.DATA) visitor.data?.(readData(this.#bytes, view, at, length));
      else if (type === ChunkType.SACK) visitor.sack?.(readSack(view, at));
      else if (visitor.control !== undefined) {
        const body = this.#bytes.subarray(at + CHUNK_HEADER_BYTES, at + length);
        if (!visitor.control({ type, flags: view.getUint8(at + 1), body })) return;
      }
      at += padded(length);
    }
  }
}

/** A packet, when all of its chunks are whole; else undefined. Checks neither checksum nor tag. */
export function parsePacket(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < COMMON_HEADER_BYTES + CHUNK_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  let kind: PacketKind = "data";
  let at = COMMON_HEADER_BYTES;
  while (at < bytes.length) {
    if (at + CHUNK_HEADER_BYTES > bytes.length) return undefined;
    const type = view.getUint8(at);
    const length = view.getUint16(at + 2);
    if (length < CHUNK_HEADER_BYTES || at + length > bytes.length) return undefined;
    if (!isWholeChunk(view, type, at, length)) return undefined;
    if (type !== ChunkType.DATA && type !== ChunkType.SACK) kind = "control";
    at += padded(length);
  }
  return new Packet(kind, bytes, view);
}

/** DTLS has proven that the peer wrote it, so it is no damage on the way: the session ends. */
export function notSctpError(): TransportError {
  return new TransportError("CHANNEL_LOST", "the peer sent a packet that is not SCTP");
}

function isWholeChunk(view: DataView, type: number, at: number, length: number): boolean {
  // A DATA chunk without user data is a protocol violation (RFC 9260 section 6.2).
  if (type === ChunkType.DATA) return length > DATA_HEADER_BYTES;
  if (type === ChunkType.SACK) return isWholeSack(view, at, length);
  if (type === ChunkType.SHUTDOWN) return length === CUMULATIVE_TSN_BYTES;
  if (type === ChunkType.FORWARD_TSN) return length >= CUMULATIVE_TSN_BYTES;
  return !hasParameters(type) || hasWholeParameters(view, at, length);
}

function isWholeSack(view: DataView, at: number, length: number): boolean {
  if (length < SACK_HEADER_BYTES) return false;
  return length === SACK_HEADER_BYTES + 4 * (view.getUint16(at + 12) + view.getUint16(at + 14));
}

/** Bytes between a chunk's header and its parameters, of the chunk types that have any. */
const PARAMETERS_AFTER = new Map([[1, 16], [2, 16], [4, 0], [5, 0], [6, 0], [9, 0], [130, 0]]);

const hasParameters = (type: number): boolean => PARAMETERS_AFTER.has(type);

function hasWholeParameters(view: DataView, chunkAt: number, length: number): boolean {
  const fixed = PARAMETERS_AFTER.get(view.getUint8(chunkAt)) ?? 0;
  let at = chunkAt + CHUNK_HEADER_BYTES + fixed;
  const end = chunkAt + length;
  if (at > end) return false;
  while (at < end) {
    if (at + 4 > end) return false;
    const size = view.getUint16(at + 2);
    if (size < 4 || at + size > end) return false;
    at += padded(size);
  }
  return true;
}

function readData(packet: Uint8Array, view: DataView, at: number, length: number): DataChunk {
  return {
    flags: view.getUint8(at + 1),
    tsn: view.getUint32(at + 4),
    streamId: view.getUint16(at + 8),
    ssn: view.getUint16(at + 10),
    ppid: view.getUint32(at + 12),
    payload: packet.subarray(at + DATA_HEADER_BYTES, at + length),
  };
}

const NONE: readonly never[] = [];

function readSack(view: DataView, at: number): Sack {
  const gapCount = view.getUint16(at + 12);
  const gaps: GapBlock[] | typeof NONE = gapCount === 0
    ? NONE
    : Array.from({ length: gapCount }, (_, i) => {
      const block = at + SACK_HEADER_BYTES + 4 * i;
      return { start: view.getUint16(block), end: view.getUint16(block + 2) };
    });
  return {
    cumulativeTsn: view.getUint32(at + 4),
    window: view.getUint32(at + 8),
    gaps,
    // Which TSNs came twice is of no use to this sender.
    duplicates: NONE,
  };
}

/** Chunks whose packets have their checksum, whatever was agreed on. */
const CHECKED_ALWAYS: ReadonlySet<number> = new Set([ChunkType.INIT, ChunkType.COOKIE_ECHO]);

/** Where the packets of an association go from and to. */
export interface PacketAddress {
  /** Our SCTP port. */
  readonly sourcePort: number;
  /** The peer's SCTP port. */
  readonly destinationPort: number;
  /** The peer's verification tag. */
  readonly tag: number;
  /** Whether the peer takes packets without a checksum. @default {false} */
  readonly takesZeroChecksum?: boolean;
}

/** Writes packets, one after the other, into one scratch array. */
export class PacketWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #end = COMMON_HEADER_BYTES;

  /**
   * Makes the scratch array.
   *
   * @param capacity Bytes of the largest packet.
   */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(padded(capacity));
    this.#view = viewOf(this.#bytes);
  }

  /** Whether no chunk has been added since the last packet. */
  get isEmpty(): boolean {
    return this.#end === COMMON_HEADER_BYTES;
  }

  /** Bytes of the packet so far. */
  get length(): number {
    return this.#end;
  }

  /** Adds a DATA chunk. */
  data(chunk: DataChunk, flags: number): void {
    const { payload } = chunk;
    const at = this.#chunk(ChunkType.DATA, flags, DATA_HEADER_BYTES + payload.length);
    const view = this.#view;
    view.setUint32(at + 4, chunk.tsn);
    view.setUint16(at + 8, chunk.streamId);
    view.setUint16(at + 10, chunk.ssn);
    view.setUint32(at + 12, chunk.ppid);
    this.#bytes.set(payload, at + DATA_HEADER_BYTES);
  }

  /** Adds a SACK chunk, with as many gap blocks and duplicates as a packet has room for. */
  sack(sack: Sack): void {
    const gaps = Math.min(sack.gaps.length, MAX_GAP_BLOCKS);
    const duplicates = Math.min(sack.duplicates.length, MAX_DUPLICATES);
    const length = SACK_HEADER_BYTES + 4 * (gaps + duplicates);
    let at = this.#chunk(ChunkType.SACK, 0, length);
    const view = this.#view;
    view.setUint32(at + 4, sack.cumulativeTsn);
    view.setUint32(at + 8, sack.window);
    view.setUint16(at + 12, gaps);
    view.setUint16(at + 14, duplicates);
    at += SACK_HEADER_BYTES;
    for (let i = 0; i < gaps; i++, at += 4) {
      view.setUint16(at, sack.gaps[i]?.start ?? 0);
      view.setUint16(at + 2, sack.gaps[i]?.end ?? 0);
    }
    for (let i = 0; i < duplicates; i++, at += 4) view.setUint32(at, sack.duplicates[i] ?? 0);
  }

  /** Adds any other chunk. */
  control({ type, flags, body }: ControlChunk): void {
    const at = this.#chunk(type, flags, CHUNK_HEADER_BYTES + body.length);
    this.#bytes.set(body, at + CHUNK_HEADER_BYTES);
  }

  /** The packet, which is valid until the next chunk is added. */
  end(to: PacketAddress): Uint8Array {
    const packet = this.#bytes.subarray(0, this.#end);
    const view = this.#view;
    view.setUint16(0, to.sourcePort);
    view.setUint16(2, to.destinationPort);
    view.setUint32(4, to.tag);
    const isChecked = to.takesZeroChecksum !== true ||
      CHECKED_ALWAYS.has(packet[COMMON_HEADER_BYTES] ?? 0);
    view.setUint32(8, 0);
    if (isChecked) view.setUint32(8, packetChecksum(packet), true);
    this.#end = COMMON_HEADER_BYTES;
    return packet;
  }

  /** Begins a chunk, its padding filled with zeros; where it begins. */
  #chunk(type: number, flags: number, length: number): number {
    const at = this.#end;
    this.#end = at + padded(length);
    if (this.#end > this.#bytes.length) throw new RangeError("a packet has no room for a chunk");
    this.#bytes.fill(0, at + length, this.#end);
    this.#view.setUint8(at, type);
    this.#view.setUint8(at + 1, flags);
    this.#view.setUint16(at + 2, length);
    return at;
  }
}
