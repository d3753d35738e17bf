/**
 * X25519 (RFC 7748), by libsodium once it is loaded, else by tweetnacl, which takes some 25 times as
 * long.
 *
 * @module
 */
import nacl from "tweetnacl";
import { KEY_BYTES } from "./key_bytes.ts";
import { sodium } from "./sodium.ts";

/** The base point (RFC 7748, section 4.1). */
const BASE_POINT = new Uint8Array(KEY_BYTES);
BASE_POINT[0] = 9;

/**
 * The scalar times the point; all zeroes when the point is of low order.
 *
 * @param scalar 32 bytes.
 * @param point 32 bytes.
 */
export function x25519(scalar: Uint8Array, point: Uint8Array): Uint8Array<ArrayBuffer> {
  const library = sodium();
  if (library === undefined) return new Uint8Array(nacl.scalarMult(scalar, point));
  const product = new Uint8Array(KEY_BYTES);
  library.scalarMult(scalar, point, product);
  return product;
}

/** The public key of a secret one: the scalar times the base point. */
export function x25519Base(scalar: Uint8Array): Uint8Array<ArrayBuffer> {
  if (sodium() === undefined) return new Uint8Array(nacl.scalarMult.base(scalar));
  return x25519(scalar, BASE_POINT);
}
