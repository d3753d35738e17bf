/**
 * Parts of a daemon for the unit tests beside it.
 *
 * @module
 */
import { EventHub } from "../../../ipc/server/event_hub.ts";
import type { DaemonEvent } from "../../../ipc/api/events.ts";
import type { Fields, Log } from "../../../log/log.ts";

/** A log that keeps its lines: level, message, pairs as JSON. */
export function memoryLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const at = (level: string) => (message: string, fields?: Fields) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { lines, error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}

/** A hub that keeps what was published. */
export class MemoryEvents extends EventHub {
  /** All, in order. */
  readonly published: DaemonEvent[] = [];

  /** Keeps the event, then does what a hub does. */
  override publish(event: DaemonEvent): string {
    this.published.push(event);
    return super.publish(event);
  }

  /** The names of all. */
  get types(): DaemonEvent["type"][] {
    return this.published.map(({ type }) => type);
  }
}

/** A clock and timers that a test moves. */
export class HandClock {
  /** Milliseconds since 1970. */
  time = 0;
  readonly #timers = new Set<{ readonly at: number; readonly then: () => void }>();

  /** Gives {@linkcode HandClock.time}. */
  readonly now = (): number => this.time;

  /** Calls `then` when that time has come, unless what it returns is called before. */
  readonly after = (ms: number, then: () => void): () => void => {
    const timer = { at: this.time + ms, then };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.time += ms;
    for (const timer of this.#timers) {
      if (timer.at > this.time) continue;
      this.#timers.delete(timer);
      timer.then();
    }
  }
}
