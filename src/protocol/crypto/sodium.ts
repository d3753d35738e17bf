/**
 * libsodium, for sealing in bulk: XSalsa20-Poly1305 (NaCl's secretbox) and ChaCha20-Poly1305 (RFC
 * 8439, for DTLS records); and for X25519 (RFC 7748), which each transfer's ratchet step needs.
 *
 * A WebAssembly build, called without the package's wrappers: those allocate and copy for each call.
 * Here all goes through one area of the library's memory, in place. Keys and plaintexts are
 * overwritten there before a call returns.
 *
 * @module
 */
import { MisuseError } from "../errors.ts";
import { KEY_BYTES } from "./key_bytes.ts";

/** What sealing adds to a plaintext: a Poly1305 tag, in bytes. */
export const TAG_BYTES = 16;
const BOX_NONCE_BYTES = 24;
const RECORD_NONCE_BYTES = 12;
/** Most bytes that are sealed or opened at once, without the tag: more than any message has. */
export const MAX_BULK_BYTES = 262_144;
const NO_NONCE = new Uint8Array(0);
/** Most bytes of a record's additional data. */
export const MAX_ADDITIONAL_BYTES = 64;

/** The part of the library's module that is used. Numbers are addresses and lengths in its memory. */
interface SodiumModule {
  readonly HEAPU8: Uint8Array<ArrayBuffer>;
  readonly _sodium_init: WasmFunction;
  readonly _malloc: WasmFunction;
  readonly _crypto_secretbox_detached: WasmFunction;
  readonly _crypto_secretbox_open_detached: WasmFunction;
  readonly _crypto_aead_chacha20poly1305_ietf_encrypt_detached: WasmFunction;
  readonly _crypto_aead_chacha20poly1305_ietf_decrypt_detached: WasmFunction;
  readonly _crypto_scalarmult: WasmFunction;
}

type WasmFunction = (...numbers: number[]) => number;

const FUNCTIONS = [
  "_sodium_init",
  "_malloc",
  "_crypto_secretbox_detached",
  "_crypto_secretbox_open_detached",
  "_crypto_aead_chacha20poly1305_ietf_encrypt_detached",
  "_crypto_aead_chacha20poly1305_ietf_decrypt_detached",
  "_crypto_scalarmult",
] as const;

function isSodiumModule(module: object): module is SodiumModule {
  return Reflect.get(module, "HEAPU8") instanceof Uint8Array &&
    FUNCTIONS.every((name) => typeof Reflect.get(module, name) === "function");
}

// Offsets in our area of the library's memory. Key, nonce, tag and additional data stand together,
// so that they are overwritten at once.
const AT_NONCE = KEY_BYTES;
const AT_TAG = AT_NONCE + BOX_NONCE_BYTES;
const AT_ADDITIONAL = AT_TAG + TAG_BYTES;
const AT_DATA = AT_ADDITIONAL + MAX_ADDITIONAL_BYTES;

/** The library, loaded. All calls are synchronous. */
export class Sodium {
  readonly #module: SodiumModule;
  readonly #area: number;

  /** Reserves the area. Use {@linkcode loadSodium}. */
  constructor(module: SodiumModule) {
    this.#module = module;
    this.#area = module._malloc(AT_DATA + MAX_BULK_BYTES);
    if (this.#area === 0) throw new Error("libsodium has no memory");
  }

  /** All of the library's memory, as it is: for the test that no secret stays in it. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#module.HEAPU8;
  }

  /**
   * NaCl's secretbox.
   *
   * @param key 32 bytes.
   * @param nonce 24 bytes.
   * @param target Gets tag and ciphertext: 16 bytes more than the plaintext. May overlap it.
   * @throws {MisuseError} When a length is wrong.
   */
  sealBox(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, target: Uint8Array): void {
    const { length } = plaintext;
    expectLengths(key, nonce, BOX_NONCE_BYTES, length, target.length - TAG_BYTES);
    const [area, data] = this.#enter(key, nonce, plaintext);
    const { HEAPU8: memory } = this.#module;
    this.#module._crypto_secretbox_detached(
      data,
      area + AT_TAG,
      data,
      length,
      0, // the length's upper half
      area + AT_NONCE,
      area,
    );
    target.set(memory.subarray(area + AT_TAG, area + AT_TAG + TAG_BYTES));
    target.set(memory.subarray(data, data + length), TAG_BYTES);
    this.#leave(0);
  }

  /**
   * Opens NaCl's secretbox.
   *
   * @param key 32 bytes.
   * @param nonce 24 bytes.
   * @param sealed Tag and ciphertext.
   * @param target Gets the plaintext: 16 bytes less than what is sealed. May overlap it. Untouched
   * when the tag does not fit.
   * @returns Whether the tag fits.
   * @throws {MisuseError} When a length is wrong.
   */
  openBox(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, target: Uint8Array): boolean {
    const length = sealed.length - TAG_BYTES;
    expectLengths(key, nonce, BOX_NONCE_BYTES, length, target.length);
    const [area, data] = this.#enter(key, nonce, sealed.subarray(TAG_BYTES));
    const { HEAPU8: memory } = this.#module;
    memory.set(sealed.subarray(0, TAG_BYTES), area + AT_TAG);
    const fits = this.#openArea(length);
    if (fits) target.set(memory.subarray(data, data + length));
    this.#leave(length);
    // A refusal leaves Poly1305's key on the library's stack: one with a key of zeroes replaces it.
    if (!fits) this.#openArea(0);
    return fits;
  }

  /**
   * ChaCha20-Poly1305 (RFC 8439).
   *
   * @param key 32 bytes.
   * @param nonce 12 bytes.
   * @param additional At most {@linkcode MAX_ADDITIONAL_BYTES} that are authenticated too.
   * @param target Gets ciphertext and tag: 16 bytes more than the plaintext. May overlap it.
   * @throws {MisuseError} When a length is wrong.
   */
  sealRecord(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    plaintext: Uint8Array,
    target: Uint8Array,
  ): void {
    const { length } = plaintext;
    expectLengths(key, nonce, RECORD_NONCE_BYTES, length, target.length - TAG_BYTES);
    expectAdditional(additional);
    const [area, data] = this.#enter(key, nonce, plaintext);
    const { HEAPU8: memory } = this.#module;
    memory.set(additional, area + AT_ADDITIONAL);
    this.#module._crypto_aead_chacha20poly1305_ietf_encrypt_detached(
      data,
      area + AT_TAG,
      0, // where the tag's length goes: nowhere
      data,
      length,
      0, // the length's upper half
      area + AT_ADDITIONAL,
      additional.length,
      0, // that length's upper half
      0, // unused by this cipher
      area + AT_NONCE,
      area,
    );
    target.set(memory.subarray(data, data + length));
    target.set(memory.subarray(area + AT_TAG, area + AT_TAG + TAG_BYTES), length);
    this.#leave(0);
  }

  /**
   * Opens what {@linkcode sealRecord} sealed.
   *
   * @param key 32 bytes.
   * @param nonce 12 bytes.
   * @param additional What was authenticated too.
   * @param sealed Ciphertext and tag.
   * @param target Gets the plaintext: 16 bytes less than what is sealed. May overlap it. Untouched
   * when the tag does not fit.
   * @returns Whether the tag fits.
   * @throws {MisuseError} When a length is wrong.
   */
  openRecord(
    key: Uint8Array,
    nonce: Uint8Array,
    additional: Uint8Array,
    sealed: Uint8Array,
    target: Uint8Array,
  ): boolean {
    const length = sealed.length - TAG_BYTES;
    expectLengths(key, nonce, RECORD_NONCE_BYTES, length, target.length);
    expectAdditional(additional);
    const [area, data] = this.#enter(key, nonce, sealed.subarray(0, length));
    const { HEAPU8: memory } = this.#module;
    memory.set(sealed.subarray(length), area + AT_TAG);
    memory.set(additional, area + AT_ADDITIONAL);
    const fits = this.#module._crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      data,
      0,
      data,
      length,
      0,
      area + AT_TAG,
      area + AT_ADDITIONAL,
      additional.length,
      0,
      area + AT_NONCE,
      area,
    ) === 0;
    if (fits) target.set(memory.subarray(data, data + length));
    this.#leave(length);
    return fits;
  }

  /**
   * X25519 (RFC 7748).
   *
   * @param scalar 32 bytes.
   * @param point 32 bytes.
   * @param target Gets the product, 32 bytes; untouched when the point is of low order.
   * @returns Whether the point is of no low order, so that the product is not zero.
   * @throws {MisuseError} When a length is wrong.
   */
  scalarMult(scalar: Uint8Array, point: Uint8Array, target: Uint8Array): boolean {
    if ([scalar, point, target].some(({ length }) => length !== KEY_BYTES)) {
      throw new MisuseError(`scalar, point and product have ${KEY_BYTES} bytes each`);
    }
    const [area, data] = this.#enter(scalar, NO_NONCE, point);
    // The scalar is copied to where the product goes, and nowhere else.
    const product = data + KEY_BYTES;
    const isGood = this.#module._crypto_scalarmult(product, area, data) === 0;
    if (isGood) target.set(this.#module.HEAPU8.subarray(product, product + KEY_BYTES));
    this.#leave(2 * KEY_BYTES);
    return isGood;
  }

  /** Opens, in place, the box that is in the area. */
  #openArea(length: number): boolean {
    const area = this.#area;
    return this.#module._crypto_secretbox_open_detached(
      area + AT_DATA,
      area + AT_DATA,
      area + AT_TAG,
      length,
      0,
      area + AT_NONCE,
      area,
    ) === 0;
  }

  /** Writes what a call needs into the area: where the area is, and the data in it. */
  #enter(key: Uint8Array, nonce: Uint8Array, data: Uint8Array): readonly [number, number] {
    const { HEAPU8: memory } = this.#module;
    const area = this.#area;
    memory.set(key, area);
    memory.set(nonce, area + AT_NONCE);
    memory.set(data, area + AT_DATA);
    return [area, area + AT_DATA];
  }

  /** Overwrites the key and all that stands beside it, and so many bytes of the data. */
  #leave(dataBytes: number): void {
    this.#module.HEAPU8.fill(0, this.#area, this.#area + AT_DATA + dataBytes);
  }
}

function expectLengths(
  key: Uint8Array,
  nonce: Uint8Array,
  nonceBytes: number,
  plaintextBytes: number,
  targetBytes: number,
): void {
  if (key.length !== KEY_BYTES || nonce.length !== nonceBytes) {
    throw new MisuseError(`a key has ${KEY_BYTES} bytes and a nonce ${nonceBytes}`);
  }
  if (plaintextBytes < 0 || plaintextBytes > MAX_BULK_BYTES || targetBytes !== plaintextBytes) {
    throw new MisuseError(
      `${plaintextBytes} bytes can't be sealed or opened in ${targetBytes}: ` +
        `0 to ${MAX_BULK_BYTES} at once, and the tag`,
    );
  }
}

function expectAdditional({ length }: Uint8Array): void {
  if (length <= MAX_ADDITIONAL_BYTES) return;
  throw new MisuseError(`a record has ${MAX_ADDITIONAL_BYTES} additional bytes at most`);
}

let loaded: Sodium | undefined;
let loading: Promise<Sodium> | undefined;

/** The library, or undefined while {@linkcode loadSodium} has not been called and come to its end. */
export function sodium(): Sodium | undefined {
  return loaded;
}

/**
 * Loads the library, once; some 5 MiB of memory and 15 ms. To be awaited before the first session,
 * and not at the program's start.
 *
 * @throws {Error} When WebAssembly can't be used, or the package is not what it was.
 */
export function loadSodium(): Promise<Sodium> {
  return loading ??= load();
}

async function load(): Promise<Sodium> {
  const { default: fill }: { readonly default: unknown } = await import("libsodium");
  const module = {};
  if (typeof fill !== "function") throw new Error("libsodium has changed: it is no function");
  await Reflect.apply(fill, undefined, [module]);
  if (!isSodiumModule(module)) throw new Error("libsodium has changed: a function is missing");
  if (module._sodium_init() < 0) throw new Error("libsodium can't be used here");
  return loaded = new Sodium(module);
}
