/**
 * Keys, typed by purpose so that the wrong one does not compile, and unable to print themselves.
 *
 * A secret's bytes are private to its object; {@linkcode readSecret} lets the cryptography of this
 * folder use them. A secret is zeroed when it is disposed of and refuses to be used afterwards.
 *
 * @module
 */
import { MisuseError } from "../errors.ts";
import { toHex } from "./encoding.ts";
import { KEY_BYTES } from "./key_bytes.ts";
import { parsePublicBytes, PublicBytes } from "./public_bytes.ts";
import type { RandomSource } from "./random_source.ts";
import { x25519Base } from "./x25519.ts";

/** What an X25519 keypair is for: who we are, this connection, or one step of the ratchet. */
export type KeyPairPurpose = "identity" | "ephemeral" | "ratchet";

/** What a secret is for. */
export type SecretPurpose =
  | KeyPairPurpose
  | "box"
  | "dh-output"
  | "session-nonce"
  | "identity-proof"
  | "session-root"
  | "chain"
  | "message";

const INSPECT = Symbol.for("nodejs.util.inspect.custom");

/** A public X25519 key. */
export class PublicKey<P extends KeyPairPurpose> extends PublicBytes<P> {
  /** The key of base64 text, or undefined when that is not base64 of 32 bytes. */
  static parse<P extends KeyPairPurpose>(purpose: P, text: unknown): PublicKey<P> | undefined {
    const bytes = parsePublicBytes(text);
    return bytes && new PublicKey(purpose, bytes);
  }

  /** 64 lower-case hex digits, as in the trust file. */
  get hex(): string {
    return toHex(this.bytes);
  }

  /** Byte order: negative when this key comes first, 0 when equal. */
  compare(other: PublicKey<P>): number {
    const theirs = other.bytes;
    for (const [i, byte] of this.bytes.entries()) {
      const difference = byte - (theirs[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** Reads a secret's bytes in place, without a copy. For this folder's cryptography only. */
export let readSecret: (key: SecretKey<SecretPurpose>) => Uint8Array<ArrayBuffer>;

/** 32 secret bytes with one purpose. */
export class SecretKey<P extends SecretPurpose> implements Disposable {
  /** What the key is for. */
  readonly purpose: P;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #spent = false;

  static {
    readSecret = (key) => {
      if (key.#spent) throw new MisuseError(`the ${key.purpose} key was zeroed and can't be used`);
      return key.#bytes;
    };
  }

  /**
   * Takes over the bytes of a secret.
   *
   * @param purpose What the key is for.
   * @param bytes 32 bytes; the array is taken over and will be zeroed.
   * @throws {MisuseError} When there are not 32 bytes.
   */
  constructor(purpose: P, bytes: Uint8Array<ArrayBuffer>) {
    if (bytes.length !== KEY_BYTES) {
      throw new MisuseError(`a ${purpose} key has ${KEY_BYTES} bytes, not ${bytes.length}`);
    }
    this.purpose = purpose;
    this.#bytes = bytes;
  }

  /** Whether the bytes were zeroed. */
  get spent(): boolean {
    return this.#spent;
  }

  /** Overwrites the bytes. Idempotent. */
  [Symbol.dispose](): void {
    this.#spent = true;
    this.#bytes.fill(0);
  }

  /** What it is for; never the key, so that no log shows it. */
  toString(): string {
    return `[secret ${this.purpose} key]`;
  }

  /** What it is for; never the key, so that no log shows it. */
  toJSON(): string {
    return this.toString();
  }

  /** What it is for; never the key, so that no log shows it. */
  [INSPECT](): string {
    return this.toString();
  }

  /** What it is for; never the key, so that no log shows it. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}

/** An X25519 keypair with one purpose. Disposing of it zeroes the secret half. */
export class KeyPair<P extends KeyPairPurpose> implements Disposable {
  /** The half that others may see. */
  readonly publicKey: PublicKey<P>;
  /** The half that stays here. */
  readonly secretKey: SecretKey<P>;

  /**
   * The pair of a secret.
   *
   * @param purpose What the pair is for.
   * @param secret 32 bytes; the array is taken over and will be zeroed.
   * @throws {MisuseError} When there are not 32 bytes.
   */
  constructor(purpose: P, secret: Uint8Array<ArrayBuffer>) {
    this.secretKey = new SecretKey(purpose, secret);
    this.publicKey = new PublicKey(purpose, x25519Base(secret));
  }

  /** A fresh pair. */
  static generate<P extends KeyPairPurpose>(purpose: P, random: RandomSource): KeyPair<P> {
    return new KeyPair(purpose, random(KEY_BYTES));
  }

  /** Zeroes the keys it holds. Idempotent. */
  [Symbol.dispose](): void {
    this.secretKey[Symbol.dispose]();
  }
}

/** Who the other side is, over the years. */
export type IdentityPublicKey = PublicKey<"identity">;
/** The other side's half for one connection. */
export type EphemeralPublicKey = PublicKey<"ephemeral">;
/** Who we are, over the years. */
export type IdentityKeyPair = KeyPair<"identity">;
/** Our keys for one connection. */
export type EphemeralKeyPair = KeyPair<"ephemeral">;
