/**
 * The daemon's events from a moment on: opened before something is asked for, so that nothing of
 * what follows is missed.
 *
 * @module
 */
import { abortable, Deadline } from "../base/deadline.ts";
import { COMMAND_WAIT_MS } from "../base/timing.ts";
import type { DaemonClient } from "../ipc/client/client.ts";
import type { ApiEvent } from "../ipc/api/events.ts";
import type { Context } from "./context.ts";

/** Options of {@linkcode EventFeed.open}. */
export interface EventFeedOptions {
  /** Ends the feed: what waits throws its reason. */
  readonly signal: AbortSignal;
  /** Begin after this event instead of now. */
  readonly lastEventId?: string;
  /** Called each time that the daemon is lost, and waited for. */
  readonly onLost?: () => void;
  /** Called each time that the daemon is there, the first time too. */
  readonly onOpen?: () => void;
}

/** An open stream of events. Disposing it closes the stream. */
export class EventFeed implements AsyncDisposable {
  readonly #events: AsyncGenerator<ApiEvent, never, void>;
  readonly #stop: AbortController;
  readonly #detach: () => void;
  #next: Promise<IteratorResult<ApiEvent, never>>;

  private constructor(client: DaemonClient, options: EventFeedOptions, onOpen: () => void) {
    const { signal, ...rest } = options;
    this.#stop = new AbortController();
    const onAbort = () => this.#stop.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    this.#detach = () => signal.removeEventListener("abort", onAbort);
    this.#events = client.events({ ...rest, signal: this.#stop.signal, onOpen });
    this.#next = this.#ask();
  }

  /** Opens a feed; resolves when nothing that happens from now on is missed. */
  static async open(client: DaemonClient, options: EventFeedOptions): Promise<EventFeed> {
    const opened = Promise.withResolvers<void>();
    const feed = new EventFeed(client, options, () => {
      opened.resolve();
      options.onOpen?.();
    });
    try {
      await Promise.race([opened.promise, feed.#next]);
      return feed;
    } catch (error) {
      await feed[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The event that {@linkcode EventFeed.take} will give; may be waited for many times. */
  async peek(): Promise<ApiEvent> {
    return (await this.#next).value;
  }

  /** The next event. */
  async take(): Promise<ApiEvent> {
    const event = await this.peek();
    this.#next = this.#ask();
    return event;
  }

  /** Every further event. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ApiEvent, never, void> {
    for (;;) yield await this.take();
  }

  #ask(): Promise<IteratorResult<ApiEvent, never>> {
    const next = this.#events.next();
    next.catch(() => {}); // reported to whoever waits; nobody may wait any more
    return next;
  }

  /** Closes the stream. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#detach();
    this.#stop.abort();
    await this.#next.catch(() => {});
  }
}

/**
 * Opens a feed that goes on when the daemon has been started again, however long that takes. People
 * are told on stderr that it is waited for; programs are told of the gap.
 */
export async function feedOverRestarts(
  { client, output, terminal, signal }: Context,
  options: Pick<EventFeedOptions, "lastEventId"> = {},
): Promise<EventFeed> {
  return await EventFeed.open(client({ reconnectMs: Infinity }), {
    ...options,
    signal,
    onLost: () => {
      if (!output.json) terminal.writeError("The daemon is gone; waiting for it (Ctrl-C ends)\n");
    },
  });
}

/**
 * The first that `find` finds in an event: as long as `--timeout` says, a minute without it.
 *
 * @param what What is waited for, e.g. `an offer`.
 * @throws {DeadlineError} When it does not come in time.
 */
export async function awaitEvent<T>(
  { flags, signal }: Context,
  feed: EventFeed,
  what: string,
  find: (event: ApiEvent) => Promise<T | undefined>,
): Promise<T> {
  using deadline = flags.has("timeout")
    ? undefined
    : new Deadline(COMMAND_WAIT_MS, { parent: signal, what });
  for (;;) {
    const event = await abortable(feed.peek(), deadline?.signal ?? signal);
    await feed.take();
    const found = await find(event);
    if (found !== undefined) return found;
  }
}
