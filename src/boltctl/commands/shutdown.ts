/**
 * `boltctl shutdown`.
 *
 * @module
 */
import { DaemonUnreachableError } from "../../ipc/client.ts";
import type { Context } from "../context.ts";
import { EventFeed } from "../event_feed.ts";

/** Milliseconds after the end of the events in which a daemon that is still there would answer. */
const GONE_MS = 250;

/** Stops the daemon and, with `--wait`, returns when it has gone. */
export async function shutdown(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const request = { force: flags.has("force") };
  if (!flags.has("wait")) {
    await client().shutdown(request, signal);
    return output.result({ state: "stopping" }, () => output.line("The daemon is stopping"));
  }
  await using feed = await EventFeed.open(client({ reconnectMs: GONE_MS }), { signal });
  await client().shutdown(request, signal);
  await gone(feed);
  output.result({ state: "stopped" }, () => output.line("The daemon has stopped"));
}

/** Waits until the events have ended and no daemon takes their place. */
async function gone(feed: EventFeed): Promise<void> {
  try {
    for (;;) await feed.take();
  } catch (error) {
    if (!(error instanceof DaemonUnreachableError)) throw error;
  }
}
