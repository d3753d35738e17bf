/**
 * The registrations of one daemon: one for each server and code, shared by all that uses it.
 *
 * @module
 */
import type { Log } from "../../log/log.ts";
import type { PeerCode } from "../../protocol/signal/peer_code.ts";
import { type Pace, REAL_PACE } from "./pace.ts";
import { type Party, Registration, type Watcher } from "./registration.ts";
import { RendezvousClient } from "./rendezvous_client.ts";

/** Where, and as whom. */
export interface Place {
  /** The server's WebSocket URL. */
  readonly url: string;
  /** Our code there. */
  readonly self: PeerCode;
}

/** Options of {@linkcode Registrations}. */
export interface RegistrationsOptions {
  /** Shown to others at the servers. */
  readonly deviceName: string;
  /** Told of what was ignored, lost and regained. */
  readonly log: Log;
  /** Timers and randomness. @default {REAL_PACE} */
  readonly pace?: Pace;
}

/** All registrations. One begins with its first user and ends with its last. */
export class Registrations implements AsyncDisposable {
  readonly #options: Required<RegistrationsOptions>;
  readonly #registrations = new Map<string, Registration>();
  /** Those that are being left: a server may not give our code again before. */
  readonly #leaving = new Map<string, Promise<void>>();

  /** Begins with none. */
  constructor(options: RegistrationsOptions) {
    this.#options = { pace: REAL_PACE, ...options };
  }

  /**
   * Begins an exchange with a peer, registered at the first attempt or not at all.
   *
   * @throws {SignalError} As {@linkcode RendezvousClient.register}; or the signal's reason.
   */
  async join(place: Place, party: Party, signal: AbortSignal): Promise<RendezvousClient> {
    const { log, pace } = this.#options;
    const registration = this.#at(place);
    const onLeft = () => this.#release(place, registration);
    return await RendezvousClient.join(registration, { ...party, log, pace, onLeft }, signal);
  }

  /** Has us registered from now on, and a peer there watched. What is returned ends that. */
  watch(place: Place, watcher: Watcher): () => Promise<void> {
    const registration = this.#at(place);
    const end = registration.watch(watcher);
    return () => {
      end();
      return this.#release(place, registration);
    };
  }

  /** Tries now to register wherever that is waited for. */
  hurry(): void {
    for (const registration of this.#registrations.values()) registration.hurry();
  }

  #at(place: Place): Registration {
    const key = keyOf(place);
    const found = this.#registrations.get(key);
    if (found !== undefined && !found.hasFailed) return found;
    const after = this.#leaving.get(key);
    const registration = new Registration({
      ...this.#options,
      ...place,
      ...(after === undefined ? {} : { after }),
    });
    this.#registrations.set(key, registration);
    return registration;
  }

  /** Leaves, when nobody uses it any more. */
  async #release(place: Place, registration: Registration): Promise<void> {
    if (registration.isUsed) return;
    const key = keyOf(place);
    if (this.#registrations.get(key) === registration) this.#registrations.delete(key);
    const leaving = registration[Symbol.asyncDispose]();
    this.#leaving.set(key, leaving);
    try {
      await leaving;
    } finally {
      if (this.#leaving.get(key) === leaving) this.#leaving.delete(key);
    }
  }

  /** Leaves all servers. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#registrations.values()];
    this.#registrations.clear();
    await Promise.all([
      ...all.map((registration) => registration[Symbol.asyncDispose]()),
      ...this.#leaving.values(),
    ]);
  }
}

const keyOf = ({ url, self }: Place): string => `${self} ${url}`;
