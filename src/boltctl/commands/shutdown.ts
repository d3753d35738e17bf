/**
 * `boltctl shutdown`.
 *
 * @module
 */
import { DaemonUnreachableError } from "../../ipc/client/client.ts";
import type { ApiEvent } from "../../ipc/api/events.ts";
import type { Context } from "../context.ts";
import { describeEvent } from "../describe_event.ts";
import { EventFeed } from "../event_feed.ts";
import { CommandError, ReportedFailure } from "../exit_codes.ts";

/** Milliseconds after the end of the events in which a daemon that is still there would answer. */
const GONE_MS = 250;

/** Stops the daemon and, with `--wait`, returns when it has gone, in order or not. */
export async function shutdown(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const request = { force: flags.has("force") };
  if (!flags.has("wait")) {
    await client().shutdown(request, signal);
    return output.result({ state: "stopping" }, () => output.line("The daemon is stopping"));
  }
  await using feed = await EventFeed.open(client({ reconnectMs: GONE_MS }), { signal });
  await client().shutdown(request, signal);
  const end = await lastWordOf(feed);
  if (end === undefined) {
    throw new CommandError(
      "DAEMON_LOST",
      "The daemon has gone without a word on how: its log and its exit code may tell",
    );
  }
  const { graceful, transfersLeft } = end;
  output.result(
    { state: "stopped", graceful, transfersLeft },
    () => output.line(describeEvent(end)),
  );
  // Who asked for force has got it.
  if (!graceful && !request.force) throw new ReportedFailure();
}

type Stopped = Extract<ApiEvent, { type: "daemon-stopped" }>;

/** Waits until the events have ended and no daemon takes their place; gives how it ended. */
async function lastWordOf(feed: EventFeed): Promise<Stopped | undefined> {
  let last: Stopped | undefined;
  try {
    for (;;) {
      const event = await feed.take();
      if (event.type === "daemon-stopped") last = event;
    }
  } catch (error) {
    if (!(error instanceof DaemonUnreachableError)) throw error;
    return last;
  }
}
