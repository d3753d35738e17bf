/**
 * In which blocks of the record of arrivals a peer's file may be: so that a peer which asks for files
 * that never came has no block read. Pure.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** What a file is looked for by. */
export interface ArrivalKey {
  /** Id of the transfer that brought it: of the peer's choice. */
  readonly transferId: string;
  /** Identity key of the peer. */
  readonly peer: string;
}

/** Four bytes a file, which nobody who does not know the salt can make collide. */
export class ArrivalIndex {
  readonly #salt: Uint8Array;
  /** By the first number of the block, ascending. */
  readonly #blocks = new Map<number, Uint32Array>();

  /** Begins empty. @param salt Bytes that no peer knows. */
  constructor(salt: Uint8Array) {
    this.#salt = salt;
  }

  /** Takes a block in, in place of what it had before; later ones come later. */
  put(first: number, files: readonly ArrivalKey[]): void {
    this.#blocks.set(first, Uint32Array.from(files, (file) => this.#print(file)));
  }

  /** Forgets a block. */
  delete(first: number): void {
    this.#blocks.delete(first);
  }

  /** The blocks that may have this file, the newest first. */
  blocksOf(key: ArrivalKey): readonly number[] {
    const print = this.#print(key);
    return [...this.#blocks]
      .filter(([, prints]) => prints.includes(print))
      .map(([first]) => first)
      .toSorted((a, b) => b - a);
  }

  #print({ peer, transferId }: ArrivalKey): number {
    const hash = createHash("sha256").update(this.#salt).update(`${peer} ${transferId}`).digest();
    return hash.readUInt32LE(0);
  }
}
