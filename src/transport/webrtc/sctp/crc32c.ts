/**
 * CRC32c, the checksum of SCTP packets (RFC 9260 appendix A), eight bytes a step ("slicing by 8").
 *
 * @module
 */

/** The Castagnoli polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

/** Eight tables of 256 in one array: table k holds a byte's effect k bytes further on. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256] as number;
    tables[at] = (before >>> 8) ^ (tables[before & 255] as number);
  }
  return tables;
}

/** The CRC32c of all of `bytes`, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  return ~update(-1, bytes, 0, bytes.length) >>> 0;
}

/** The CRC32c of an SCTP packet with its checksum field (bytes 8 to 11) taken as zero. */
export function packetChecksum(packet: Uint8Array): number {
  const header = update(-1, packet, 0, 8);
  return ~update(update(header, ZERO_FIELD, 0, 4), packet, 12, packet.length) >>> 0;
}

const ZERO_FIELD = new Uint8Array(4);

function update(crc: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (; at + 8 <= to; at += 8) {
    // Indices are in range by the loop's bound and the masks.
    crc ^= (bytes[at] as number) | ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    crc = (TABLES[1792 + (crc & 255)] as number) ^
      (TABLES[1536 + ((crc >>> 8) & 255)] as number) ^
      (TABLES[1280 + ((crc >>> 16) & 255)] as number) ^
      (TABLES[1024 + (crc >>> 24)] as number) ^
      (TABLES[768 + (bytes[at + 4] as number)] as number) ^
      (TABLES[512 + (bytes[at + 5] as number)] as number) ^
      (TABLES[256 + (bytes[at + 6] as number)] as number) ^
      (TABLES[bytes[at + 7] as number] as number);
  }
  for (; at < to; at++) {
    crc = (crc >>> 8) ^ (TABLES[(crc ^ (bytes[at] as number)) & 255] as number);
  }
  return crc;
}
