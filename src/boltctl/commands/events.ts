/**
 * `boltctl events`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Context } from "../context.ts";
import { describeEvent } from "../describe_event.ts";
import { feedOverRestarts } from "../event_feed.ts";

/** Prints events until there are enough, over restarts of the daemon. */
export async function events(context: Context): Promise<void> {
  const { output, terminal, flags, signal } = context;
  const lastEventId = flags.text("after");
  if (lastEventId !== undefined && !/^[0-9a-z]{1,32}-[0-9]{1,16}$/.test(lastEventId)) {
    throw new UsageError("--after takes an event's id, as boltctl events --json shows it");
  }
  const most = flags.integer("count") ?? Infinity;
  await using feed = await feedOverRestarts(
    context,
    lastEventId === undefined ? {} : { lastEventId },
  );
  for (let count = 1;; count++) {
    const event = await feed.take();
    output.result(
      event,
      () => output.line(`${event.time}  ${event.type}  ${describeEvent(event)}`),
    );
    await terminal.flushed(signal);
    if (count >= most) return;
  }
}
