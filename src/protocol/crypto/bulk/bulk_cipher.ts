/**
 * Sealing in bulk: XSalsa20-Poly1305 (NaCl's secretbox) and ChaCha20-Poly1305 (RFC 8439, for DTLS
 * records), by the functions of this folder.
 *
 * They work in one memory, in place. Keys, what is derived from them, and plaintexts are overwritten
 * there before a call returns.
 *
 * @module
 */
import { MisuseError } from "../../errors.ts";
import { equalBytes } from "../constant_time.ts";
import { KEY_BYTES } from "../keys.ts";
import { POLY1305, POLY1305_BLOCK_BYTES, POLY1305_STATE_BYTES, WHOLE_BLOCK } from "./poly1305.ts";
import { STREAM_CIPHERS, STRIDE_BYTES } from "./stream_ciphers.ts";
import { wasmModule } from "./wasm_code.ts";

/** What sealing adds to a plaintext: a Poly1305 tag, in bytes. */
export const TAG_BYTES = 16;
/** Most bytes that are sealed or opened at once, without the tag: more than any message has. */
export const MAX_BULK_BYTES = 262_144;
/** Most bytes of a record's additional data. */
export const MAX_ADDITIONAL_BYTES = 64;

const BOX_NONCE_BYTES = 24;
const RECORD_NONCE_BYTES = 12;

// Places in the memory. Before the data stands what the stream's first bytes are for: Poly1305's key.
const STATE = 0;
const SUM = STATE + 64;
const TAG = SUM + POLY1305_STATE_BYTES;
const BLOCK = TAG + TAG_BYTES;
const ADDITIONAL = BLOCK + POLY1305_BLOCK_BYTES;
const STREAM = ADDITIONAL + MAX_ADDITIONAL_BYTES;
/** Of a box the data follows Poly1305's key, of a record the stream's whole first block. */
const BOX_DATA = STREAM + KEY_BYTES;
const RECORD_DATA = STREAM + 64;
const MEMORY_PAGES = Math.ceil((RECORD_DATA + MAX_BULK_BYTES + STRIDE_BYTES) / 65_536);

/** The words of a state beside key, nonce and counter. */
const SIGMA = new TextEncoder().encode("expand 32-byte k");
/** Salsa20's state with nothing but them: they stand on its diagonal. */
const SALSA_STATE = Uint8Array.from(
  { length: 64 },
  (_, at) => at % 20 < 4 ? SIGMA[4 * Math.floor(at / 20) + at % 20] ?? 0 : 0,
);

type WasmFunction = (...numbers: number[]) => void;

const FUNCTIONS = { ...STREAM_CIPHERS, ...POLY1305 };

type BulkExports = { readonly [name in keyof typeof FUNCTIONS]: WasmFunction } & {
  readonly memory: WebAssembly.Memory;
};

function isBulkExports(exports: object): exports is BulkExports {
  return Reflect.get(exports, "memory") instanceof WebAssembly.Memory &&
    Object.keys(FUNCTIONS).every((name) => typeof Reflect.get(exports, name) === "function");
}

/** The ciphers, ready. All calls are synchronous; targets may overlap what they are made from. */
export class BulkCipher {
  /** All of the memory, as it is: for the test that no secret stays in it. */
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly #wasm: BulkExports;

  /**
   * Compiles the functions.
   *
   * @throws {Error} Where WebAssembly's vectors are not to be had.
   */
  constructor() {
    const module = new WebAssembly.Module(wasmModule(FUNCTIONS, MEMORY_PAGES));
    const { exports } = new WebAssembly.Instance(module);
    if (!isBulkExports(exports)) throw new Error("the ciphers lack a function");
    const { buffer } = exports.memory;
    if (!(buffer instanceof ArrayBuffer)) throw new Error("the ciphers' memory is shared");
    this.#wasm = exports;
    this.memory = new Uint8Array(buffer);
  }

  /**
   * NaCl's secretbox.
   *
   * @param key 32 bytes.
   * @param nonce 24 bytes.
   * @param target Gets tag and ciphertext: 16 bytes more than the plaintext.
   * @throws {MisuseError} When a length is wrong.
   */
  sealBox(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, target: Uint8Array): void {
    const { length } = plaintext;
    expectLengths(key, nonce, BOX_NONCE_BYTES, length, target.length - TAG_BYTES);
    const { memory } = this;
    const end = BOX_DATA + length;
    this.#enterBox(key, nonce);
    memory.set(plaintext, BOX_DATA);
    this.#wasm.salsa20(STATE, STREAM, end);
    this.#tagBox(end);
    target.set(memory.subarray(TAG, TAG + TAG_BYTES));
    target.set(memory.subarray(BOX_DATA, end), TAG_BYTES);
    this.#leave(end);
  }

  /**
   * Opens NaCl's secretbox.
   *
   * @param key 32 bytes.
   * @param nonce 24 bytes.
   * @param sealed Tag and ciphertext.
   * @param target Gets the plaintext: 16 bytes less than what is sealed. Untouched when the tag does
   * not fit.
   * @returns Whether the tag fits.
   * @throws {MisuseError} When a length is wrong.
   */
  openBox(key: Uint8Array, nonce: Uint8Array, sealed: Uint8Array, target: Uint8Array): boolean {
    const length = sealed.length - TAG_BYTES;
    expectLengths(key, nonce, BOX_NONCE_BYTES, length, target.length);
    const { memory } = this;
    const end = BOX_DATA + length;
    this.#enterBox(key, nonce);
    // The tag is of the ciphertext: Poly1305's key comes first, the plaintext only if it fits.
    this.#wasm.salsa20(STATE, STREAM, BOX_DATA);
    memory.set(sealed.subarray(TAG_BYTES), BOX_DATA);
    this.#tagBox(end);
    const fits = equalBytes(memory.subarray(TAG, TAG + TAG_BYTES), sealed.subarray(0, TAG_BYTES));
    if (fits) {
      memory.fill(0, STATE + 32, STATE + 40); // the counter
      this.#wasm.salsa20(STATE, STREAM, end);
      target.set(memory.subarray(BOX_DATA, end));
    }
    this.#leave(end);
    return fits;
  }

  /**
   * ChaCha20-Poly1305.
   *
   * @param key 32 bytes.
   * @param nonce 12 bytes.
   * @param additional At most {@linkcode MAX_ADDITIONAL_BYTES} that are authenticated too.
   * @param target Gets ciphertext and tag: 16 bytes more than the plaintext.
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
    const { memory } = this;
    const end = RECORD_DATA + length;
    this.#enterRecord(key, nonce, additional);
    memory.set(plaintext, RECORD_DATA);
    this.#wasm.chacha20(STATE, STREAM, end);
    this.#tagRecord(additional.length, end);
    target.set(memory.subarray(RECORD_DATA, end));
    target.set(memory.subarray(TAG, TAG + TAG_BYTES), length);
    this.#leave(end);
  }

  /**
   * Opens what {@linkcode sealRecord} sealed.
   *
   * @param key 32 bytes.
   * @param nonce 12 bytes.
   * @param additional What was authenticated too.
   * @param sealed Ciphertext and tag.
   * @param target Gets the plaintext: 16 bytes less than what is sealed. Untouched when the tag does
   * not fit.
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
    const { memory } = this;
    const end = RECORD_DATA + length;
    this.#enterRecord(key, nonce, additional);
    this.#wasm.chacha20(STATE, STREAM, RECORD_DATA);
    memory.set(sealed.subarray(0, length), RECORD_DATA);
    this.#tagRecord(additional.length, end);
    const fits = equalBytes(memory.subarray(TAG, TAG + TAG_BYTES), sealed.subarray(length));
    if (fits) {
      memory.fill(0, STATE + 48, STATE + 52); // the counter
      this.#wasm.chacha20(STATE, STREAM, end);
      target.set(memory.subarray(RECORD_DATA, end));
    }
    this.#leave(end);
    return fits;
  }

  /** Salsa20's state, under the key that HSalsa20 makes of key and nonce. */
  #enterBox(key: Uint8Array, nonce: Uint8Array): void {
    const { memory } = this;
    memory.set(SALSA_STATE, STATE);
    memory.set(key.subarray(0, 16), STATE + 4);
    memory.set(nonce.subarray(0, 16), STATE + 24);
    memory.set(key.subarray(16), STATE + 44);
    this.#wasm.hsalsa20(STATE, STREAM, 0);
    memory.copyWithin(STATE + 4, STREAM, STREAM + 16);
    memory.copyWithin(STATE + 44, STREAM + 16, STREAM + 32);
    memory.set(nonce.subarray(16), STATE + 24);
    memory.fill(0, STATE + 32, STATE + 40);
    memory.fill(0, STREAM, BOX_DATA);
  }

  #enterRecord(key: Uint8Array, nonce: Uint8Array, additional: Uint8Array): void {
    if (additional.length > MAX_ADDITIONAL_BYTES) {
      throw new MisuseError(`a record has ${MAX_ADDITIONAL_BYTES} additional bytes at most`);
    }
    const { memory } = this;
    memory.set(SIGMA, STATE);
    memory.set(key, STATE + 16);
    memory.fill(0, STATE + 48, STATE + 52);
    memory.set(nonce, STATE + 52);
    memory.set(additional, ADDITIONAL);
  }

  /** The tag of a box's ciphertext: its last block is marked where it ends. */
  #tagBox(end: number): void {
    const { memory } = this;
    const whole = end - (end - BOX_DATA) % POLY1305_BLOCK_BYTES;
    this.#wasm.poly1305Start(SUM, STREAM, 0);
    if (whole > BOX_DATA) this.#wasm.poly1305Blocks(SUM, BOX_DATA, whole, WHOLE_BLOCK);
    if (end > whole) {
      memory.copyWithin(BLOCK, whole, end);
      memory[BLOCK + end - whole] = 1;
      memory.fill(0, BLOCK + end - whole + 1, BLOCK + POLY1305_BLOCK_BYTES);
      this.#wasm.poly1305Blocks(SUM, BLOCK, BLOCK + POLY1305_BLOCK_BYTES, 0);
    }
    this.#wasm.poly1305Finish(SUM, STREAM, TAG);
  }

  /** The tag of additional data and ciphertext, each filled up with zeroes, and their lengths. */
  #tagRecord(additionalBytes: number, end: number): void {
    this.#wasm.poly1305Start(SUM, STREAM, 0);
    this.#sumPadded(ADDITIONAL, additionalBytes);
    this.#sumPadded(RECORD_DATA, end - RECORD_DATA);
    const lengths = new DataView(this.memory.buffer, BLOCK, POLY1305_BLOCK_BYTES);
    lengths.setUint32(0, additionalBytes, true);
    lengths.setUint32(4, 0);
    lengths.setUint32(8, end - RECORD_DATA, true);
    lengths.setUint32(12, 0);
    this.#wasm.poly1305Blocks(SUM, BLOCK, BLOCK + POLY1305_BLOCK_BYTES, WHOLE_BLOCK);
    this.#wasm.poly1305Finish(SUM, STREAM, TAG);
  }

  #sumPadded(from: number, bytes: number): void {
    if (bytes === 0) return;
    const end = from + Math.ceil(bytes / POLY1305_BLOCK_BYTES) * POLY1305_BLOCK_BYTES;
    this.memory.fill(0, from + bytes, end);
    this.#wasm.poly1305Blocks(SUM, from, end, WHOLE_BLOCK);
  }

  /** Overwrites all that a call has used, and what the stream has written past the end. */
  #leave(end: number): void {
    this.memory.fill(0, STATE, end + STRIDE_BYTES);
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

let known: BulkCipher | undefined;
let isTried = false;

/**
 * The ciphers, compiled at the first call: some 10 ms. Undefined where WebAssembly's vectors are not
 * to be had.
 */
export function bulkCipher(): BulkCipher | undefined {
  if (!isTried) {
    isTried = true;
    try {
      known = new BulkCipher();
    } catch (error) {
      if (!(error instanceof WebAssembly.CompileError)) throw error;
    }
  }
  return known;
}

/** Whether {@linkcode bulkCipher} was called: a program that seals nothing compiles nothing. */
export const isBulkCipherMade = (): boolean => isTried;
