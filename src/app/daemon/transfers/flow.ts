/**
 * Whether the chunks of one transfer may flow: nobody holds it, and it has a slot.
 *
 * On the wire there is one pause of ours, whatever its reason. So the peer's limits on silence are
 * those of a pause, for as long as we hold it back.
 *
 * @module
 */
import { abortable } from "../../../base/deadline.ts";
import { StorageError } from "../../../base/errors.ts";
import { PAUSE_RENEWAL_MS, TURN_BACK_OFF } from "../../../base/timing.ts";
import type { WaitingFor } from "../../../ipc/api/schemas.ts";
import type { Slot, Slots } from "./slots.ts";

/** Who holds a transfer: an application of ours (undecided or paused), our disk, or the peer. */
export type Holder = "decision" | "user" | "disk" | "peer";

/** Turns without a byte moved after which the next begins with a back-off. */
const IDLE_TURNS = 2;

/** Bytes that may still come in after we asked for a pause: what a sender may have under way. */
export const MAX_AFTER_PAUSE = 32 * 1024 * 1024;

/** A change of a transfer that was accepted, and its event. */
export type FlowChange =
  /** Bytes flow. */
  | {
    readonly state: "active";
    readonly waitingFor: undefined;
    readonly event: "transfer-started" | "transfer-resumed";
  }
  /** It waits for this. */
  | {
    readonly state: "paused";
    readonly waitingFor: WaitingFor;
    readonly event: "transfer-paused";
  };

/** Options of a {@linkcode Flow}. */
export interface FlowOptions {
  /** Who may work now. */
  readonly slots: Slots;
  /** Identity key of the peer. */
  readonly peer: string;
  /** Higher goes first; among equal ones peers take turns. */
  readonly priority: number;
  /** Sends our pause, or its end, to the peer. */
  readonly sendPaused: (paused: boolean) => void;
  /** Called when it begins to flow, stops, or waits for something else. */
  readonly onChange: (change: FlowChange) => void;
  /** After how many milliseconds of waiting our pause is sent again. @default {PAUSE_RENEWAL_MS} */
  readonly renewMs?: number;
  /** From 0 to 1, another each time. @default {Math.random} */
  readonly jitter?: () => number;
}

/** Whether one transfer may flow. Disposing it, at the transfer's end, gives the slot back. */
export class Flow implements Disposable {
  readonly #options: FlowOptions;
  readonly #holders = new Set<Holder>();
  #slot: Slot | undefined;
  #isStarted = false;
  #isOver = false;
  #isPaused = false;
  /** Bytes that moved since the slot was granted. */
  #movedInTurn = 0;
  /** Turns in a row in which nothing moved, as the peer had no turn of its own. */
  #idleTurns = 0;
  #backOff: ReturnType<typeof setTimeout> | undefined;
  #hasFlowed = false;
  #reported: WaitingFor | "nothing" | undefined;
  #cameAfterPause = 0;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  /** Nobody holds it, and it has no slot. */
  constructor(options: FlowOptions) {
    this.#options = options;
  }

  /** Whether both sides have agreed on the transfer, and it has not ended. */
  get isLive(): boolean {
    return this.#isStarted && !this.#isOver;
  }

  /** What it waits for; undefined while it flows, and before and after its life. */
  get waitingFor(): WaitingFor | undefined {
    if (!this.isLive) return undefined;
    if (this.#holders.has("decision")) return "decision";
    if (this.#holders.has("user")) return "resume";
    if (this.#holders.has("peer")) return "peer-resume";
    return this.#slot?.held === true && this.#backOff === undefined ? undefined : "slot";
  }

  /**
   * Resolves when it has a slot, before the transfer begins: for a peer that can't be held at its
   * beginning.
   */
  async slotFirst(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#slot = this.#claim(resolve);
    if (!this.#slot.held) await abortable(promise, signal);
  }

  /** Both sides have agreed: chunks flow from here on. */
  start(): void {
    this.#isStarted = true;
    this.#update();
  }

  /** Somebody holds it, or lets go. */
  hold(by: Holder, held: boolean): void {
    if (held) this.#holders.add(by);
    else this.#holders.delete(by);
    this.#update();
  }

  /** Bytes were sent. */
  sent(bytes: number): void {
    this.#moved(bytes);
  }

  /**
   * Bytes have come.
   *
   * @throws {StorageError} QUEUE_FULL when the peer goes on though it was asked to pause.
   */
  received(bytes: number): void {
    this.#moved(bytes);
    if (!this.#isPaused) return;
    this.#cameAfterPause += bytes;
    if (this.#cameAfterPause <= MAX_AFTER_PAUSE) return;
    throw new StorageError("QUEUE_FULL", "the peer went on sending after it was asked to pause");
  }

  /** The transfer has ended. Idempotent. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#renewal);
    this.#giveBack();
  }

  #moved(bytes: number): void {
    this.#movedInTurn += bytes;
    this.#slot?.moved(bytes);
  }

  /** Takes, or gives back, the slot as the holders ask for, and sends the peer our pause. */
  #update(): void {
    if (!this.isLive) return;
    if (this.#holders.has("decision") || this.#holders.has("user")) this.#giveBack();
    else if (!this.#holders.has("peer")) this.#slot ??= this.#claim();
    // The place in the queue stays: at its turn our pause ends, and the peer may see that.
    else if (this.#slot?.held === true) this.#giveBack();
    this.#sendPause();
    this.#report();
  }

  #report(): void {
    const { waitingFor } = this;
    // Undecided, it is still an offer. What our disk holds up for a moment is not reported.
    if (waitingFor === "decision" || this.#reported === (waitingFor ?? "nothing")) return;
    this.#reported = waitingFor ?? "nothing";
    const { onChange } = this.#options;
    if (waitingFor !== undefined) {
      return onChange({ state: "paused", waitingFor, event: "transfer-paused" });
    }
    const event = this.#hasFlowed ? "transfer-resumed" : "transfer-started";
    this.#hasFlowed = true;
    onChange({ state: "active", waitingFor, event });
  }

  #claim(then: () => void = () => {}): Slot {
    const { slots, peer, priority } = this.#options;
    this.#movedInTurn = 0;
    return slots.claim({
      peer,
      priority,
      onGranted: () => {
        this.#movedInTurn = 0;
        this.#backOffAfterIdleTurns();
        then();
        this.#update();
      },
      onRevoked: () => {
        this.#giveBack();
        this.#update();
      },
    });
  }

  /**
   * Two daemons that give each other way in step would go on with that forever: each has a slot for
   * what the other has none for. So after turns in which nothing moved it waits for a moment
   * with its slot, another each time, before it says so.
   */
  #backOffAfterIdleTurns(): void {
    if (this.#idleTurns < IDLE_TURNS) return;
    const { jitter = Math.random } = this.#options;
    const longest = Math.min(
      TURN_BACK_OFF.longestMs,
      2 ** this.#idleTurns * TURN_BACK_OFF.firstMs,
    );
    this.#backOff = setTimeout(() => {
      this.#backOff = undefined;
      this.#update();
    }, jitter() * longest);
  }

  #giveBack(): void {
    clearTimeout(this.#backOff);
    this.#backOff = undefined;
    const slot = this.#slot;
    this.#slot = undefined;
    if (slot?.held === true) {
      this.#idleTurns = this.#movedInTurn > 0 ? 0 : this.#idleTurns + 1;
    }
    slot?.[Symbol.dispose]();
  }

  #sendPause(): void {
    const isOurs = this.#holders.has("decision") || this.#holders.has("user") ||
      this.#holders.has("disk");
    const waits = this.#backOff !== undefined || this.#slot?.held === false;
    const paused = isOurs || waits;
    clearTimeout(this.#renewal);
    if (waits || this.#holders.has("disk")) {
      this.#renewal = setTimeout(() => this.#renew(), this.#options.renewMs ?? PAUSE_RENEWAL_MS);
    }
    if (paused === this.#isPaused) return;
    this.#isPaused = paused;
    this.#cameAfterPause = 0;
    this.#options.sendPaused(paused);
  }

  #renew(): void {
    this.#cameAfterPause = 0;
    this.#options.sendPaused(false);
    this.#options.sendPaused(true);
    this.#sendPause();
  }
}
