/**
 * Whose signal files are taken: who writes the peer's file is the peer.
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import type { SignalOwner } from "../../vocabulary/session_values.ts";
import { nameBeside } from "./replace.ts";

/** Judges the owners of the files that one exchange reads. */
export class OwnerCheck {
  readonly #allowed: SignalOwner;
  readonly #besides: string;
  readonly #warn: (message: string) => void;
  #warned = false;

  /**
   * Makes a check for one exchange.
   *
   * @param allowed Whose files are taken.
   * @param besides A file is made next to this path for a moment, to see who owns what we make: to
   * ask the system would take another permission.
   * @param warn Told once of a foreign owner.
   */
  constructor(allowed: SignalOwner, besides: string, warn: (message: string) => void) {
    this.#allowed = allowed;
    this.#besides = besides;
    this.#warn = warn;
  }

  /**
   * Judges a file by the number of its owner.
   *
   * @throws {SignalError} SIGNAL_FILE when it is not to be taken.
   */
  async check(path: string, uid: number | null): Promise<void> {
    if (uid === 0 || (this.#allowed === "any" && (uid === null || this.#warned))) return;
    if (uid === null) throw refusal(`this system does not tell who owns ${path}`);
    const own = await this.#ownUid();
    if (uid === own) return;
    const we = own === undefined ? "" : `, this program runs as user ${own}`;
    if (this.#allowed === "own") throw refusal(`${path} belongs to user ${uid}${we}`);
    this.#warned = true;
    this.#warn(`${path} belongs to user ${uid}${we}: whoever writes it is the peer`);
  }

  /** The number of our user; undefined where no file can be made. */
  async #ownUid(): Promise<number | undefined> {
    const probe = nameBeside(this.#besides);
    try {
      using file = await Deno.open(probe, { write: true, createNew: true, mode: 0o600 });
      return (await file.stat()).uid ?? undefined;
    } catch {
      return undefined;
    } finally {
      await Deno.remove(probe).catch(() => {}); // it may never have been made
    }
  }
}

function refusal(why: string): SignalError {
  const advice = "--signal-owner own (signalOwner) takes only files of its user and of root";
  return new SignalError("SIGNAL_FILE", `${why}: ${advice}`);
}
