/**
 * What writer and reader of tar archives share (POSIX.1-2017, pax interchange format). Pure.
 *
 * @module
 */

/** Everything in a tar is a multiple of this, in bytes. */
export const BLOCK_BYTES = 512;
/** The end of an archive: two blocks of zeros. */
export const END_BYTES: number = 2 * BLOCK_BYTES;

/** Bytes from the end of a body of so many bytes to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - size % BLOCK_BYTES) % BLOCK_BYTES;
}

/** Where the fields of a header stand: offset and length, in bytes. */
export const FIELDS = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 6],
  version: [263, 2],
  prefix: [345, 155],
} as const satisfies { readonly [field: string]: readonly [offset: number, length: number] };

/** The name of a field. */
export type FieldName = keyof typeof FIELDS;

/** The bytes of a field. */
export function fieldOf(header: Uint8Array, name: FieldName): Uint8Array {
  const [offset, length] = FIELDS[name];
  return header.subarray(offset, offset + length);
}

/** The sum over a header's bytes, its own field counted as blanks. */
export function checksumOf(header: Uint8Array): number {
  const [offset, length] = FIELDS.checksum;
  let sum = length * 0x20;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    if (i < offset || i >= offset + length) sum += header[i] ?? 0;
  }
  return sum;
}
