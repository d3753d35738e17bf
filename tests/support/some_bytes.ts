/**
 * Content of files, made alike by tests and by the page of a web client.
 *
 * @module
 */

/** Bytes that are not all alike, and can be made again. */
export function someBytes(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = ((i + seed) * 2654435761) >>> 13;
  return bytes;
}
