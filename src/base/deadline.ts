/**
 * Deadlines: one AbortSignal that ends when its parent does or when time is up.
 *
 * @module
 */
import { DeadlineError } from "./errors.ts";
import { LONGEST_TIMER_MS } from "./timing.ts";

/** Options of a {@linkcode Deadline}. */
export interface DeadlineOptions {
  /** Ends this deadline's signal early, with the same reason. */
  readonly parent?: AbortSignal;
  /** What was waited for, for the message: "phase timeout expired: waiting for {what}". */
  readonly what: string;
}

/**
 * An AbortSignal that aborts with a {@linkcode DeadlineError} when `ms` have passed, or with the
 * parent's reason when the parent aborts. Dispose it when what it bounds has ended.
 */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #parent: AbortSignal | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #endsAt: number;
  readonly #message: string;

  /**
   * Starts the time.
   *
   * @param ms Milliseconds from now.
   * @param options The parent signal and the name of the wait.
   */
  constructor(ms: number, options: DeadlineOptions) {
    this.#endsAt = performance.now() + ms;
    this.#message = `phase timeout expired: waiting for ${options.what} (after ${ms / 1000} s)`;
    this.#parent = options.parent;
    if (this.#parent?.aborted) this.#controller.abort(this.#parent.reason);
    else {
      this.#parent?.addEventListener("abort", this.#onParent);
      this.#arm();
    }
  }

  /** Aborts when time is up or the parent aborts. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stops the timer; the signal stays as it is. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#parent?.removeEventListener("abort", this.#onParent);
  }

  readonly #onParent = (): void => {
    clearTimeout(this.#timer);
    this.#controller.abort(this.#parent?.reason);
  };

  #arm(): void {
    const left = this.#endsAt - performance.now();
    this.#timer = setTimeout(() => {
      if (this.#endsAt - performance.now() > 1) this.#arm();
      else this.#controller.abort(new DeadlineError(this.#message));
    }, Math.min(Math.max(left, 0), LONGEST_TIMER_MS));
  }
}

/**
 * The outcome of `promise`, or the signal's reason as a rejection, whichever comes first. The
 * promise itself is not cancelled; a later rejection of it is not left unhandled.
 */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  // The signal goes first, so that one that has aborted already wins over a settled promise.
  return Promise.race([aborted, promise])
    .finally(() => signal.removeEventListener("abort", onAbort));
}
