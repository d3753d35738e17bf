/**
 * A repeatable random source, for tests only.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { RandomSource } from "../crypto/random_source.ts";

/** Bytes that depend on the seed alone: SHA-256 of seed and counter. */
export function seededRandom(seed: string | number): RandomSource {
  let counter = 0;
  return (length) => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 32) {
      const block = createHash("sha256").update(`${seed}/${counter++}`).digest();
      bytes.set(block.subarray(0, length - at), at);
    }
    return bytes;
  };
}
