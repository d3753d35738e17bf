/**
 * What `boltctl watch` knows: sessions, transfers under way, and the last events. Pure.
 *
 * @module
 */
import { isFinal } from "../../base/transfer_states.ts";
import type { ApiEvent } from "../../ipc/api/events.ts";
import type { SessionView, Status, Transfer } from "../../ipc/api/schemas.ts";
import { describeEvent } from "../describe_event.ts";
import type { Progress } from "../output/progress_line.ts";

/** Events that are kept to be shown: more than any terminal has rows for. */
export const MOST_EVENTS = 500;

/** What the daemon answers when it is asked for everything. */
export interface Snapshot {
  /** The daemon at a glance. */
  readonly status: Status;
  /** All sessions, the oldest first. */
  readonly sessions: readonly SessionView[];
  /** The transfers that have not ended. */
  readonly transfers: readonly Transfer[];
}

/** An event, as it is shown. */
export interface ShownEvent {
  /** When, as the API writes times. */
  readonly time: string;
  /** What happened. */
  readonly text: string;
}

/** Which daemon is watched, and whether it is there. */
export interface WatchedDaemon {
  /** As it was at the last snapshot. */
  readonly status?: Status;
  /** Whether it is lost and waited for. */
  readonly isLost: boolean;
}

/** All that is shown. */
export class WatchModel {
  #status: Status | undefined;
  #isLost = false;
  readonly #sessions = new Map<string, SessionView>();
  readonly #transfers = new Map<string, Progress>();
  readonly #events: ShownEvent[] = [];

  /** The daemon. */
  get daemon(): WatchedDaemon {
    return {
      isLost: this.#isLost,
      ...(this.#status === undefined ? {} : { status: this.#status }),
    };
  }

  /** Sessions that have not ended, the oldest first. */
  get sessions(): readonly SessionView[] {
    return [...this.#sessions.values()];
  }

  /** Transfers that have not ended: those that flow first, then those that wait for somebody. */
  get transfers(): readonly Progress[] {
    return [...this.#transfers.values()].sort((a, b) => rank(a.transfer) - rank(b.transfer));
  }

  /** The last events, the oldest first. */
  get events(): readonly ShownEvent[] {
    return this.#events;
  }

  /** Bytes a second of all transfers of a direction that flow. */
  rate(direction: Transfer["direction"]): number {
    let sum = 0;
    for (const { transfer, bytesPerSecond } of this.#transfers.values()) {
      if (transfer.direction === direction && transfer.state === "active") {
        sum += bytesPerSecond ?? 0;
      }
    }
    return sum;
  }

  /** Takes the state anew: what is not in it has ended. */
  replace({ status, sessions, transfers }: Snapshot): void {
    this.#status = status;
    this.#sessions.clear();
    this.#transfers.clear();
    for (const session of sessions) this.#keepSession(session);
    for (const transfer of transfers) this.#keepTransfer(transfer);
  }

  /** The daemon is gone: nothing of it is open or flows any more. */
  lost(): void {
    this.#isLost = true;
    this.#sessions.clear();
    this.#transfers.clear();
  }

  /** It is there. */
  found(): void {
    this.#isLost = false;
  }

  /** Takes what happened. */
  apply(event: ApiEvent): void {
    if ("session" in event) this.#keepSession(event.session);
    if ("transfer" in event) this.#keepTransfer(event.transfer);
    if (event.type === "transfer-progress" || event.type === "transfer-hashing") {
      return this.#progress(event);
    }
    this.#events.push({ time: event.time, text: describeEvent(event) });
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }

  #progress(event: Extract<ApiEvent, { type: "transfer-progress" | "transfer-hashing" }>): void {
    const known = this.#transfers.get(event.transferId)?.transfer;
    if (known === undefined) return;
    if (event.type === "transfer-hashing") {
      return this.#keepTransfer({ ...known, state: "queued", hashed: event.hashed });
    }
    const transfer: Transfer = { ...known, state: "active", transferred: event.transferred };
    this.#keepTransfer(transfer, event.bytesPerSecond);
  }

  #keepSession(session: SessionView): void {
    const hasEnded = session.state === "closed" || session.state === "failed";
    if (hasEnded) this.#sessions.delete(session.sessionId);
    else this.#sessions.set(session.sessionId, session);
  }

  #keepTransfer(transfer: Transfer, bytesPerSecond?: number): void {
    if (isFinal(transfer.state)) this.#transfers.delete(transfer.transferId);
    else {
      const rate = bytesPerSecond === undefined ? {} : { bytesPerSecond };
      this.#transfers.set(transfer.transferId, { transfer, ...rate });
    }
  }
}

const RANKS: { readonly [state in Transfer["state"]]?: number } = {
  active: 0,
  verifying: 1,
  offered: 2,
  paused: 3,
};
const rank = ({ state }: Transfer): number => RANKS[state] ?? 4;
