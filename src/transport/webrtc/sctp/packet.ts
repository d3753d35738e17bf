/**
 * SCTP packets as bytes: the common header, DATA, SACK and FORWARD-TSN chunks (RFC 9260 section 3,
 * RFC 3758), and a check that a packet is made of whole chunks before anything reads it.
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
/** Bytes of a SHUTDOWN chunk: its header and the cumulative TSN. */
const SHUTDOWN_BYTES = 8;
/** Bytes of a chunk's type, flags and length. */
const CHUNK_HEADER_BYTES = 4;
/** Gap blocks that one SACK reports at most, so that it fits in any path's packet. */
const MAX_GAP_BLOCKS = 240;
/** Duplicate TSNs that one SACK reports at most. */
const MAX_DUPLICATES = 16;

/** Chunk types that this path knows. */
export const ChunkType = {
  DATA: 0,
  SACK: 3,
  ABORT: 6,
  SHUTDOWN: 7,
  RECONFIG: 130,
  FORWARD_TSN: 192,
} as const;

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

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const padded = (length: number): number => (length + 3) & ~3;

/** What the chunks of a packet are: nothing but DATA and SACK, or something else too. */
export type PacketKind = "data" | "control";

/** Takes what a packet holds, in order; what it does not name is passed over. */
export interface PacketVisitor {
  /** Takes a DATA chunk; its payload is a view into the packet. */
  data?(chunk: DataChunk): void;
  /** Takes a SACK chunk. */
  sack?(sack: Sack): void;
  /** Takes the TSN up to which the sender of a SHUTDOWN chunk has everything. */
  shutdown?(cumulativeTsn: number): void;
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

  /** Whether the packet's checksum is right. */
  hasValidChecksum(): boolean {
    return this.#view.getUint32(8, true) === packetChecksum(this.#bytes);
  }

  /** Shows the chunks to a visitor that names them. */
  visit(visitor: PacketVisitor): void {
    const view = this.#view;
    for (let at = COMMON_HEADER_BYTES; at < this.#bytes.length;) {
      const type = view.getUint8(at);
      const length = view.getUint16(at + 2);
      if (type === ChunkType.DATA) visitor.data?.(readData(this.#bytes, view, at, length));
      else if (type === ChunkType.SACK) visitor.sack?.(readSack(view, at));
      else if (type === ChunkType.SHUTDOWN) visitor.shutdown?.(view.getUint32(at + 4));
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
  if (type === ChunkType.SHUTDOWN) return length === SHUTDOWN_BYTES;
  return !hasParameters(type) || hasWholeParameters(view, at, length);
}

function isWholeSack(view: DataView, at: number, length: number): boolean {
  if (length < SACK_HEADER_BYTES) return false;
  return length === SACK_HEADER_BYTES + 4 * (view.getUint16(at + 12) + view.getUint16(at + 14));
}

/** Bytes between a chunk's header and its parameters, of the chunk types that have any. */
const PARAMETERS_AFTER = new Map([[1, 16], [2, 16], [4, 0], [5, 0], [6, 0], [9, 0], [130, 0]]);

const hasParameters = (type: number): boolean => PARAMETERS_AFTER.has(type);

/** The library loops for ever over a parameter of length 0, so those never get to it. */
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

/** Where the packets of an association go from and to. */
export interface PacketAddress {
  /** Our SCTP port. */
  readonly sourcePort: number;
  /** The peer's SCTP port. */
  readonly destinationPort: number;
  /** The peer's verification tag. */
  readonly tag: number;
}

/** Writes packets into one scratch array: what it returns is valid until the next. */
export class PacketWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  /**
   * Makes the scratch array.
   *
   * @param capacity Bytes of the largest packet.
   */
  constructor(capacity: number) {
    this.#bytes = new Uint8Array(padded(capacity));
    this.#view = viewOf(this.#bytes);
  }

  /** A packet with one DATA chunk. */
  data(to: PacketAddress, chunk: DataChunk, flags: number): Uint8Array {
    const length = DATA_HEADER_BYTES + chunk.payload.length;
    this.#chunkHeader(ChunkType.DATA, flags, length);
    this.#view.setUint32(16, chunk.tsn);
    this.#view.setUint16(20, chunk.streamId);
    this.#view.setUint16(22, chunk.ssn);
    this.#view.setUint32(24, chunk.ppid);
    this.#bytes.set(chunk.payload, 28);
    return this.#finish(to, length);
  }

  /** A packet with one SACK chunk: as many gap blocks and duplicates as fit. */
  sack(to: PacketAddress, sack: Sack): Uint8Array {
    return this.#finish(to, this.#writeSack(sack));
  }

  /**
   * A packet with a SACK chunk and another one behind it: whoever gets the one gets the other.
   *
   * @param chunk Whole, with its padding; short enough for both to fit.
   */
  sackWith(to: PacketAddress, sack: Sack, chunk: Uint8Array): Uint8Array {
    const length = this.#writeSack(sack);
    this.#bytes.set(chunk, COMMON_HEADER_BYTES + length);
    return this.#finish(to, length + chunk.length);
  }

  /** Returns its length, a multiple of four. */
  #writeSack(sack: Sack): number {
    const gaps = Math.min(sack.gaps.length, MAX_GAP_BLOCKS);
    const duplicates = Math.min(sack.duplicates.length, MAX_DUPLICATES);
    const length = SACK_HEADER_BYTES + 4 * (gaps + duplicates);
    this.#chunkHeader(ChunkType.SACK, 0, length);
    this.#view.setUint32(16, sack.cumulativeTsn);
    this.#view.setUint32(20, sack.window);
    this.#view.setUint16(24, gaps);
    this.#view.setUint16(26, duplicates);
    let at = 28;
    for (const { start, end } of sack.gaps.slice(0, gaps)) {
      this.#view.setUint16(at, start);
      this.#view.setUint16(at + 2, end);
      at += 4;
    }
    for (const tsn of sack.duplicates.slice(0, duplicates)) {
      this.#view.setUint32(at, tsn);
      at += 4;
    }
    return length;
  }

  #chunkHeader(type: number, flags: number, length: number): void {
    this.#view.setUint8(12, type);
    this.#view.setUint8(13, flags);
    this.#view.setUint16(14, length);
  }

  #finish(to: PacketAddress, length: number): Uint8Array {
    const end = COMMON_HEADER_BYTES + padded(length);
    this.#bytes.fill(0, COMMON_HEADER_BYTES + length, end);
    this.#view.setUint16(0, to.sourcePort);
    this.#view.setUint16(2, to.destinationPort);
    this.#view.setUint32(4, to.tag);
    const packet = this.#bytes.subarray(0, end);
    this.#view.setUint32(8, packetChecksum(packet), true);
    return packet;
  }
}
