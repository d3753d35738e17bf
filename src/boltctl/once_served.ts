/**
 * Waiting for a daemon that is being started, or started again.
 *
 * @module
 */
import { BackOff } from "../base/back_off.ts";
import { Deadline } from "../base/deadline.ts";
import { sleep, systemTimer } from "../base/timer.ts";
import { CLIENT_RETRY, COMMAND_WAIT_MS } from "../base/timing.ts";
import { ApiError, DaemonUnreachableError } from "../ipc/client/client.ts";
import type { Context } from "./context.ts";

/** Whether a call failed because no daemon serves, or it is about to go. */
export function isGone(error: unknown): boolean {
  return error instanceof DaemonUnreachableError ||
    (error instanceof ApiError && error.code === "STOPPING");
}

/**
 * What a call gives, made again and again, ever more slowly, while no daemon serves: for as long as
 * `--timeout` says, a minute without it.
 *
 * @throws {DeadlineError} When none serves in time; else what the call throws.
 */
export async function onceServed<T>(
  { flags, signal }: Context,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  using deadline = flags.has("timeout")
    ? undefined
    : new Deadline(COMMAND_WAIT_MS, { parent: signal, what: "the daemon to serve" });
  const wait = deadline?.signal ?? signal;
  const waits = new BackOff(CLIENT_RETRY);
  for (;;) {
    try {
      return await call(wait);
    } catch (error) {
      if (!isGone(error)) throw error;
      await sleep(systemTimer, waits.next(), wait);
    }
  }
}
