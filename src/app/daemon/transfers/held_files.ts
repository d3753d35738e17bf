/**
 * The files of peers that send without an offer, as far as they have come whole and are nowhere but
 * in memory: they wait for a decision, or for the disk. How many may, of one peer and of all.
 *
 * @module
 */

const MIB = 1024 * 1024;

/** How many files, and bytes of them, may wait. */
export const HELD_FILES = {
  ofPeer: { files: 32, bytes: 4 * MIB },
  ofAll: { files: 128, bytes: 8 * MIB },
} as const;

interface Held {
  readonly identity: string;
  readonly bytes: number;
}

/** The files that wait. */
export class HeldFiles {
  readonly #held = new Set<Held>();

  /**
   * Holds a file of a peer.
   *
   * @returns To be disposed when it waits no longer; undefined when there is no room for it.
   */
  hold(identity: string, bytes: number): Disposable | undefined {
    const file = { identity, bytes };
    const all = [...this.#held, file];
    const ofPeer = all.filter((held) => held.identity === identity);
    if (!fits(ofPeer, HELD_FILES.ofPeer) || !fits(all, HELD_FILES.ofAll)) return undefined;
    this.#held.add(file);
    return { [Symbol.dispose]: () => void this.#held.delete(file) };
  }
}

function fits(
  held: readonly Held[],
  { files, bytes }: { readonly files: number; readonly bytes: number },
): boolean {
  return held.length <= files && held.reduce((sum, file) => sum + file.bytes, 0) <= bytes;
}
