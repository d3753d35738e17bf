/**
 * What a daemon tells, kept so that a test can wait for it without missing any.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { DaemonClient } from "../../src/ipc/client/client.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";

/** How long an event may take on a slow machine before the test says what came instead. */
const EVENT_MS = 60_000;

/** Events of one name. */
export type EventOf<T extends ApiEvent["type"]> = Extract<ApiEvent, { type: T }>;

/** The event stream of a daemon. Disposing it ends the listening. */
export class HeardEvents implements AsyncDisposable {
  readonly #events: ApiEvent[] = [];
  readonly #listening = new AbortController();
  readonly #open = Promise.withResolvers<void>();
  readonly #listened: Promise<void>;
  #wake = Promise.withResolvers<void>();

  private constructor(client: DaemonClient) {
    this.#listened = this.#listen(client);
  }

  /** Begins to listen; what happens after it resolves is not missed. */
  static async of(client: DaemonClient): Promise<HeardEvents> {
    const heard = new HeardEvents(client);
    await heard.#open.promise;
    return heard;
  }

  /** All so far. */
  get all(): readonly ApiEvent[] {
    return this.#events;
  }

  /** The first event, past ones too, that fits; it may take `withinMs` milliseconds. */
  async first<T extends ApiEvent["type"]>(
    type: T,
    fits: (event: EventOf<T>) => boolean = () => true,
    withinMs = EVENT_MS,
  ): Promise<EventOf<T>> {
    const isIt = (event: ApiEvent): event is EventOf<T> =>
      event.type === type && fits(event as EventOf<T>);
    return await this.find(`the event ${type}`, isIt, withinMs);
  }

  /**
   * The first event of any name, past ones too, that fits.
   *
   * @param what Names it in the error.
   * @param ms How long it may take.
   */
  async find<T extends ApiEvent>(
    what: string,
    fits: (event: ApiEvent) => event is T,
    ms = EVENT_MS,
  ): Promise<T> {
    using deadline = new Deadline(ms, { what });
    for (let seen = 0;;) {
      const event = this.#events[seen];
      if (event === undefined) {
        if (this.#listening.signal.aborted || deadline.signal.aborted) {
          const heard = this.#events.map((one) => JSON.stringify(one)).join("\n");
          throw new Error(`${what} did not come; heard:\n${heard}`);
        }
        await abortable(this.#wake.promise, deadline.signal).catch(() => {}); // told above
      } else {
        seen++;
        if (fits(event)) return event;
      }
    }
  }

  async #listen(client: DaemonClient): Promise<void> {
    const { signal } = this.#listening;
    try {
      for await (const event of client.events({ signal, onOpen: () => this.#open.resolve() })) {
        this.#events.push(event);
        this.#wake.resolve();
        this.#wake = Promise.withResolvers<void>();
      }
    } catch {
      // The daemon stopped, or was killed; tests see that otherwise.
    } finally {
      this.#listening.abort();
      this.#open.resolve();
      this.#wake.resolve();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listening.abort();
    await this.#listened;
  }
}
