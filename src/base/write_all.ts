/**
 * Writing all of a text to a standard stream, whatever its other end does.
 *
 * @module
 */
import { abortable } from "./deadline.ts";

/** The writing half of a standard stream. */
export interface ByteStream {
  /** Writes some of the bytes, one at least; resolves with how many. */
  write(bytes: Uint8Array): Promise<number>;
}

/** Options of {@linkcode writeAll}. */
export interface WriteOptions {
  /** Ends the wait for a reader with its reason. Bytes that were handed over may still be written. */
  readonly signal?: AbortSignal;
}

/** First and longest wait before a full stream is tried again, in milliseconds. */
const RETRY_MS = { first: 5, longest: 50 } as const;

/**
 * Writes all bytes. The event loop goes on meanwhile, for as long as nobody reads.
 *
 * A stream that another program has set to non-blocking (O_NONBLOCK belongs to the pipe, not to us)
 * refuses while it is full, and the runtime can't tell when it has room: so it is tried again.
 *
 * @throws What the stream throws, e.g. `Deno.errors.BrokenPipe`; the signal's reason.
 */
export async function writeAll(
  stream: ByteStream,
  bytes: Uint8Array,
  { signal }: WriteOptions = {},
): Promise<void> {
  let retryMs: number = RETRY_MS.first;
  for (let sent = 0; sent < bytes.length;) {
    signal?.throwIfAborted();
    try {
      const writing = stream.write(bytes.subarray(sent));
      sent += await (signal === undefined ? writing : abortable(writing, signal));
      retryMs = RETRY_MS.first;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await pause(retryMs, signal);
      retryMs = Math.min(2 * retryMs, RETRY_MS.longest);
    }
  }
}

/** Resolves after that time, or at once when the signal aborts. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
