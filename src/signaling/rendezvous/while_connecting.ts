/**
 * Signaling that goes on while the connection is being made.
 *
 * @module
 */

/**
 * Connects while `serve` listens to the peer's signals; ends it when that is done.
 *
 * @param serve Runs until its signal aborts; never rejects.
 */
export async function whileConnecting<T>(
  serve: (signal: AbortSignal) => Promise<void>,
  connect: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const serving = serve(done.signal);
  try {
    return await connect();
  } finally {
    done.abort();
    await serving;
  }
}
