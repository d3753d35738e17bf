/**
 * Randomness, handed in: the core draws none of its own.
 *
 * @module
 */

/**
 * Gives `length` fresh bytes from a cryptographic generator. Each call's array is the caller's own:
 * keys are made in it and zeroed in it.
 */
export type RandomSource = (length: number) => Uint8Array<ArrayBuffer>;

/**
 * A uniform whole number from 0 to `bound` - 1, without the bias of a plain remainder.
 *
 * @param random Where the bytes come from.
 * @param bound 1 to 256.
 */
export function randomBelow(random: RandomSource, bound: number): number {
  const fair = 256 - 256 % bound;
  for (;;) {
    for (const byte of random(16)) {
      if (byte < fair) return byte % bound;
    }
  }
}
