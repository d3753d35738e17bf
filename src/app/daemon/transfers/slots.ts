/**
 * Who may work now: at most so many at once, higher priority first, each peer in its turn.
 *
 * A slot is held by what moves. What waits for somebody's decision, or is paused, asks for none; a
 * holder that moves nothing has to give way as soon as others wait.
 *
 * @module
 */
import { systemTimer, type Timer } from "../../../base/timer.ts";
import { SLOT_IDLE_MS } from "../../../base/timing.ts";

/** A holder must move that many bytes in every {@linkcode SLOT_IDLE_MS} while others wait. */
export const LEAST_BYTES = 64 * 1024;

/** Who asks for a slot. */
export interface SlotRequest {
  /** Identity key of the peer: turns go round among peers. */
  readonly peer: string;
  /** Higher goes first; among equal ones peers take turns. */
  readonly priority: number;
  /** Told when the slot is there, unless {@linkcode Slots.claim} gave it at once. */
  readonly onGranted: () => void;
  /**
   * Told that the slot is gone, since nothing moved and another waits. Without it the slot is
   * kept until it is given back.
   */
  readonly onRevoked?: () => void;
}

/** A place among those who work or wait. Disposing it gives it back. */
export interface Slot extends Disposable {
  /** Whether the work may go on. */
  readonly held: boolean;
  /** Bytes have moved. */
  moved(bytes: number): void;
}

/** Options of {@linkcode Slots}. */
export interface SlotsOptions {
  /** Most slots that are held at once. */
  readonly limit: number;
  /** Looks for idle holders. @default {systemTimer} */
  readonly after?: Timer;
}

class Claim implements Slot {
  state: "waiting" | "held" | "over" = "waiting";
  /** Bytes since the last look. */
  bytes = 0;
  /** Granted since the last look: it has not had its time yet. */
  isFresh = true;

  constructor(readonly request: SlotRequest, readonly slots: Slots) {}

  get held(): boolean {
    return this.state === "held";
  }

  moved(bytes: number): void {
    this.bytes += bytes;
  }

  [Symbol.dispose](): void {
    this.slots.giveBack(this);
  }
}

/** The waiting claims of one priority: peers in the order of their turns, each with its own queue. */
type Ring = Map<string, Claim[]>;

/** So many places to work, and the queue for them. */
export class Slots {
  readonly #limit: number;
  readonly #after: Timer;
  readonly #rings = new Map<number, Ring>();
  readonly #holders = new Set<Claim>();
  #waiting = 0;
  #stopLooking: (() => void) | undefined;

  /** All slots are free. */
  constructor({ limit, after = systemTimer }: SlotsOptions) {
    this.#limit = limit;
    this.#after = after;
  }

  /** Slots that are held. */
  get held(): number {
    return this.#holders.size;
  }

  /** Claims that wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes a free slot at once, or a place in the queue. */
  claim(request: SlotRequest): Slot {
    const claim = new Claim(request, this);
    if (this.#holders.size < this.#limit) this.#hold(claim);
    else this.#enqueue(claim);
    this.#watch();
    return claim;
  }

  /**
   * Ends a claim, whatever its state.
   * @internal
   */
  giveBack(claim: Claim): void {
    const { state } = claim;
    claim.state = "over";
    if (state === "waiting") this.#dequeue(claim);
    if (state === "held") this.#release(claim);
    this.#watch();
  }

  #hold(claim: Claim): void {
    claim.state = "held";
    claim.isFresh = true;
    claim.bytes = 0;
    this.#holders.add(claim);
  }

  #release(claim: Claim): void {
    this.#holders.delete(claim);
    if (this.#holders.size >= this.#limit) return;
    const next = this.#next();
    if (next === undefined) return;
    this.#hold(next);
    next.request.onGranted();
  }

  /** Takes the next out of its queue; its peer goes to the end of the ring. */
  #next(): Claim | undefined {
    if (this.#waiting === 0) return undefined;
    const priority = Math.max(...this.#rings.keys());
    const ring = this.#rings.get(priority);
    const [first] = ring ?? [];
    const [peer, claims] = first ?? [];
    const claim = claims?.[0];
    if (ring === undefined || peer === undefined || claim === undefined) return undefined;
    this.#dequeue(claim);
    const left = ring.get(peer);
    if (left !== undefined) {
      ring.delete(peer);
      ring.set(peer, left);
    }
    return claim;
  }

  #enqueue(claim: Claim): void {
    const { priority, peer } = claim.request;
    const ring = this.#rings.get(priority) ?? new Map<string, Claim[]>();
    this.#rings.set(priority, ring);
    const claims = ring.get(peer) ?? [];
    ring.set(peer, claims);
    claims.push(claim);
    this.#waiting++;
  }

  #dequeue(claim: Claim): void {
    const { priority, peer } = claim.request;
    const ring = this.#rings.get(priority);
    const claims = ring?.get(peer) ?? [];
    const at = claims.indexOf(claim);
    if (at < 0) return;
    claims.splice(at, 1);
    this.#waiting--;
    if (claims.length === 0) ring?.delete(peer);
    if (ring?.size === 0) this.#rings.delete(priority);
  }

  /** Looks at the holders only while somebody waits. */
  #watch(): void {
    if (this.#waiting === 0) {
      this.#stopLooking?.();
      this.#stopLooking = undefined;
      return;
    }
    if (this.#stopLooking !== undefined) return;
    for (const holder of this.#holders) [holder.isFresh, holder.bytes] = [false, 0];
    this.#stopLooking = this.#after(SLOT_IDLE_MS, () => this.#look());
  }

  #look(): void {
    this.#stopLooking = undefined;
    for (const holder of [...this.#holders]) {
      const { isFresh, bytes, request } = holder;
      [holder.isFresh, holder.bytes] = [false, 0];
      if (isFresh || bytes >= LEAST_BYTES || request.onRevoked === undefined) continue;
      if (holder.state !== "held" || this.#waiting === 0) continue;
      holder.state = "over";
      // First to whoever waits, even with a lower priority: else it would be taken back at once.
      this.#release(holder);
      request.onRevoked();
    }
    this.#watch();
  }
}
