/**
 * What must hold of any session's effects, whatever the peer sends and the program asks, for tests
 * only. Feed it every effect in order; it throws at the first that is out of place.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { isErrorCode } from "../errors.ts";
import type { WireFrame } from "../messages/envelope.ts";
import type { TransferId } from "../messages/transfer_id.ts";
import type { SessionEffect } from "../session/effects.ts";
import type { OfferedFile } from "../transfer/file_receiver.ts";

/** Most effects that one step may have: nothing piles up. */
const MAX_EFFECTS = 12;

/** What is known of a live transfer. */
export interface KnownTransfer {
  /** What was offered; undefined for our own offers. */
  readonly file: OfferedFile | undefined;
  /** Whether chunks flow. */
  started: boolean;
  /** Received so far. */
  bytes: number;
  /** Received so far. */
  chunks: number;
}

/** The legal history of one session. */
export class SessionModel {
  readonly #live = new Map<TransferId, KnownTransfer>();
  #established = false;
  #approved = false;
  #closed: string | undefined;
  /** Opens a frame of the session, so that its error codes can be checked. */
  readonly #read: (frame: WireFrame) => Readonly<Record<string, unknown>>;

  /** Starts with an empty history. */
  constructor(read: (frame: WireFrame) => Readonly<Record<string, unknown>>) {
    this.#read = read;
  }

  /** The code of the error that ended the session; `in order` without one. */
  get closed(): string | undefined {
    return this.#closed;
  }

  /** The transfers that were told of and are not over. */
  get live(): ReadonlyMap<TransferId, KnownTransfer> {
    return this.#live;
  }

  /** The program approves. */
  approve(): void {
    assert(this.#established);
    this.#approved = true;
  }

  /** The program offered a file. */
  offered(id: TransferId): void {
    this.#live.set(id, { file: undefined, started: false, bytes: 0, chunks: 0 });
  }

  /** Checks the effects of one step. */
  step(effects: readonly SessionEffect[]): void {
    assert(effects.length <= MAX_EFFECTS, `${effects.length} effects of one step`);
    for (const effect of effects) {
      assertEquals(this.#closed, undefined, `${effect.type} after the end`);
      this.#effect(effect);
    }
    const flowing = [...this.#live.values()].filter(({ started }) => started);
    const isIncoming = ({ file }: KnownTransfer) => file !== undefined;
    assert(flowing.filter(isIncoming).length <= 1);
    // Without offers one may flow each way.
    assert(flowing.length <= (flowing.find(isIncoming)?.file?.implied ? 2 : 1));
    assert(this.#live.size <= 2);
  }

  #effect(effect: SessionEffect): void {
    switch (effect.type) {
      case "send": {
        const said = this.#read(effect.frame);
        if (said.type === "error") {
          assert(isErrorCode(said.code) && said.code !== "CONNECTION_LOST");
        }
        return;
      }
      case "established":
        assert(!this.#established);
        this.#established = true;
        return;
      case "closed":
        assertEquals(this.#live.size, 0, "a transfer outlives its session");
        this.#closed = effect.end.error?.code ?? "in order";
        return;
      case "transfer-offered":
        assert(this.#approved, "an offer is served before approval");
        this.#live.set(effect.file.transferId, {
          file: effect.file,
          started: false,
          bytes: 0,
          chunks: 0,
        });
        return;
      case "transfer-started": {
        const known = this.#known(effect.transferId);
        assert(!known.started);
        known.started = true;
        return;
      }
      case "transfer-chunk": {
        const known = this.#known(effect.transferId);
        assert(known.started && known.file !== undefined);
        assertEquals([effect.index, effect.offset], [known.chunks, known.bytes]);
        known.chunks++;
        known.bytes += effect.data.length;
        assert(known.bytes <= known.file.size);
        assertEquals(effect.last, known.chunks === known.file.totalChunks);
        return;
      }
      case "transfer-paused":
      case "transfer-resumed":
        assert(this.#known(effect.transferId).started);
        return;
      case "transfer-ended": {
        const known = this.#known(effect.transferId);
        this.#live.delete(effect.transferId);
        assertEquals(effect.outcome === "failed", effect.error !== undefined);
        if (effect.outcome === "completed" && known.file !== undefined) {
          assertEquals(known.bytes, known.file.size, "completed without all bytes");
        }
        return;
      }
      case "transfer-ended-late":
      case "transfer-refused":
        assert(!this.#live.has(effect.transferId));
        return;
      case "app-message":
        assertEquals(effect.approved, this.#approved);
        return;
      case "round-trip":
        assert(effect.ms >= 0);
    }
  }

  #known(id: TransferId): KnownTransfer {
    const known = this.#live.get(id);
    assert(known !== undefined, "an effect of a transfer that is not live");
    return known;
  }
}
