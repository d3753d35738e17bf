/**
 * SHA-256, streaming: one chunk in memory at a time.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { equalBytes } from "./constant_time.ts";
import { fromHex, toHex } from "./encoding.ts";

/** A SHA-256 digest. */
export class FileHash {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The hash of 64 hex digits, or undefined for anything else. */
  static parse(text: unknown): FileHash | undefined {
    const bytes = typeof text === "string" && text.length === 64 ? fromHex(text) : undefined;
    return bytes === undefined ? undefined : new FileHash(bytes);
  }

  /** The digest of all that was fed to a hasher; used by {@linkcode Sha256}. */
  static of(digest: Uint8Array): FileHash {
    return new FileHash(digest);
  }

  /** 64 lower-case hex digits. */
  get hex(): string {
    return toHex(this.#bytes);
  }

  /** Whether both are the same hash. */
  equals(other: FileHash): boolean {
    return equalBytes(this.#bytes, other.#bytes);
  }

  /** The hex, as on the wire. */
  toString(): string {
    return this.hex;
  }
}

/** A running SHA-256. */
export class Sha256 {
  readonly #hash: Hash;

  /** Of nothing so far. */
  constructor(hash: Hash = createHash("sha256")) {
    this.#hash = hash;
  }

  /** Feeds the next bytes. */
  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** Another of all that was fed so far; they go on apart. */
  fork(): Sha256 {
    return new Sha256(this.#hash.copy());
  }

  /** The hash of all that was fed so far; more may follow. */
  digest(): FileHash {
    return FileHash.of(new Uint8Array(this.#hash.copy().digest()));
  }
}

/** The SHA-256 of one byte string: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
