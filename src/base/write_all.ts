/**
 * Writing all of a text to a standard stream, whatever its other end does.
 *
 * @module
 */
import { BackOff } from "./back_off.ts";
import { abortable } from "./deadline.ts";
import { sleep, systemTimer } from "./timer.ts";
import { STREAM_RETRY } from "./timing.ts";

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

/**
 * Writes all bytes. The event loop goes on meanwhile, for as long as nobody reads.
 *
 * A stream that another program has set to non-blocking (O_NONBLOCK belongs to the pipe, not to us)
 * refuses while it is full, and the runtime does not report when there is space again: so it is
 * tried again.
 *
 * @throws What the stream throws, e.g. `Deno.errors.BrokenPipe`; the signal's reason.
 */
export async function writeAll(
  stream: ByteStream,
  bytes: Uint8Array,
  { signal }: WriteOptions = {},
): Promise<void> {
  const waits = new BackOff(STREAM_RETRY);
  for (let sent = 0; sent < bytes.length;) {
    signal?.throwIfAborted();
    try {
      const writing = stream.write(bytes.subarray(sent));
      sent += await (signal === undefined ? writing : abortable(writing, signal));
      waits.reset();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      await sleep(systemTimer, waits.next(), signal);
    }
  }
}
