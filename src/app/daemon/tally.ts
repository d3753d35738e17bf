/**
 * What the daemon counts for `/metrics`: how transfers and sessions ended, bytes, refusals.
 *
 * Every series exists from the start with 0, its labels out of the lists here: nothing that a peer
 * chooses can make one.
 *
 * @module
 */
import { FINAL_STATES } from "../../base/transfer_states.ts";
import type { Counter, Labels, MetricsRegistry } from "../../ipc/server/metrics.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";

const DIRECTIONS = ["outgoing", "incoming"] as const;

/**
 * How a session, or the attempt at one, ended: closed by this side or by the peer in order; its
 * connection was lost; its peer was not let in; or signaling, connecting or the protocol failed.
 */
export const SESSION_ENDS = ["local", "remote", "lost", "refused", "failed"] as const;
/** See {@linkcode SESSION_ENDS}. */
export type CountedSessionEnd = typeof SESSION_ENDS[number];

/** Codes of refusals: of peers that were not let in, and of incoming files that were not taken. */
export const REFUSAL_CODES = [
  "KEY_MISMATCH",
  "IDENTITY_REFUSED",
  "PAIRING_EXPIRED",
  "PEER_DENIED",
  "ACCESS_DENIED",
  "DISK_FULL",
  "INBOX_CHANGED",
  "LIMIT_EXCEEDED",
  "NAME_REFUSED",
  "NAME_TAKEN",
  "TRANSFER_REJECTED",
] as const;

/** The counters. */
export class Tally {
  readonly #transfers = new Map<string, Counter>();
  readonly #bytes = new Map<string, Counter>();
  readonly #sessions = new Map<string, Counter>();
  readonly #opened = new Map<boolean, Counter>();
  readonly #refusals = new Map<string, Counter>();
  readonly #linkAttempts: Counter;
  readonly #linkRefusals: Counter;

  /** Registers all series with 0, so that a scrape sees them from the start. */
  constructor(metrics: MetricsRegistry) {
    const counted = (name: string, help: string) => (labels: Labels) =>
      metrics.counter(name, help, labels);
    const transfers = counted("bolt_transfers_total", "Transfers that ended.");
    const bytes = counted("bolt_bytes_total", "Bytes of files that were sent or received.");
    const opened = counted("bolt_sessions_opened_total", "Sessions that were opened.");
    const ends = counted("bolt_sessions_ended_total", "Sessions, or attempts at one, that ended.");
    const refusals = counted("bolt_refusals_total", "Peers and incoming files that were refused.");
    for (const direction of DIRECTIONS) {
      for (const state of FINAL_STATES) {
        this.#transfers.set(`${direction} ${state}`, transfers({ direction, state }));
      }
      this.#bytes.set(direction, bytes({ direction }));
    }
    for (const proven of [true, false]) {
      this.#opened.set(proven, opened({ proven: String(proven) }));
    }
    for (const end of SESSION_ENDS) this.#sessions.set(end, ends({ end }));
    this.#linkAttempts = metrics.counter(
      "bolt_link_attempts_total",
      "Attempts of links to connect.",
    );
    this.#linkRefusals = metrics.counter(
      "bolt_link_refusals_total",
      "Attempts of links in which who came was refused.",
    );
    for (const code of REFUSAL_CODES) this.#refusals.set(code, refusals({ code }));
  }

  /** Bytes of a file were sent, or received and written. */
  moved(direction: Transfer["direction"], bytes: number): void {
    this.#bytes.get(direction)?.add(Math.max(0, bytes));
  }

  /** A transfer has ended. */
  transferEnded({ direction, state, failure }: Transfer): void {
    this.#transfers.get(`${direction} ${state}`)?.add();
    if (direction !== "incoming") return;
    if (failure !== undefined && this.#refusals.has(failure.code)) this.refused(failure.code);
    else if (state === "rejected") this.refused("TRANSFER_REJECTED");
  }

  /** A session was opened, with a peer that has proven its identity or not. */
  sessionOpened(proven: boolean): void {
    this.#opened.get(proven)?.add();
  }

  /** A session, or the attempt at one, has ended. */
  sessionEnded(end: CountedSessionEnd): void {
    this.#sessions.get(end)?.add();
  }

  /** A link makes an attempt to connect. */
  linkAttempted(): void {
    this.#linkAttempts.add();
  }

  /** Who came at an attempt of a link was refused. */
  linkRefused(): void {
    this.#linkRefusals.add();
  }

  /** A peer was not let in, or a file not taken; codes that are not in the list are no refusals. */
  refused(code: string): void {
    this.#refusals.get(code)?.add();
  }
}
