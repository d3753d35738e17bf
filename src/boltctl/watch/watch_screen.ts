/**
 * `boltctl watch` on a whole terminal: events change what is known, and what is known is drawn.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { InterruptedError } from "../../base/errors.ts";
import { sleep } from "../../base/timer.ts";
import { SCREEN_REDRAW_MS } from "../../base/timing.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { EventFeed } from "../event_feed.ts";
import { isGone } from "../once_served.ts";
import { allTransfers } from "../resolve.ts";
import { layout } from "./layout.ts";
import { WatchModel } from "./model.ts";
import { WholeScreen } from "./whole_screen.ts";

/** States of a transfer that has not ended, as the API lists them. */
const LIVE_STATES = ["active", "verifying", "offered", "paused", "queued"] as const;

/** Shows all until somebody presses q; over restarts of the daemon. */
export async function watchScreen(context: Context): Promise<void> {
  const model = new WatchModel();
  const change = new Change();
  // A daemon that isn't there is told before the terminal is taken.
  await using feed = await EventFeed.open(context.client({ reconnectMs: Infinity }), {
    signal: context.signal,
    onLost: () => {
      model.lost();
      change.happened();
    },
    onOpen: () => {
      model.found();
      change.happened();
    },
  });
  await takeSnapshot(model, context, context.signal);
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  using screen = new WholeScreen(context.terminal, () => change.happened());
  const parts = [
    follow(feed, model, change, { ...context, signal }),
    drawEachChange(screen, model, change, { ...context, signal }),
    untilQuit({ ...context, signal }),
  ];
  try {
    await Promise.race(parts);
  } finally {
    stop.abort();
    await Promise.allSettled(parts); // the first that ended has told why
  }
}

/** Takes events as they come. Ends with an error only. */
async function follow(
  feed: EventFeed,
  model: WatchModel,
  change: Change,
  context: Context,
): Promise<never> {
  for (;;) {
    const event = await abortable(feed.peek(), context.signal);
    await feed.take();
    if (event.type === "gap") await takeSnapshot(model, context, context.signal);
    model.apply(event);
    change.happened();
  }
}

/** Asks the daemon for everything. When it goes meanwhile, a gap tells so once it is back. */
async function takeSnapshot(
  model: WatchModel,
  { client }: Context,
  signal: AbortSignal,
): Promise<void> {
  try {
    const transfers: Transfer[] = [];
    for (const state of LIVE_STATES) {
      for await (const transfer of allTransfers(client(), { state }, signal)) {
        transfers.push(transfer);
      }
    }
    const [status, sessions] = await Promise.all([
      client().status(signal),
      client().listSessions(signal),
    ]);
    model.replace({ status, sessions, transfers });
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Draws at once, and after each change, at most one frame each `SCREEN_REDRAW_MS`. */
async function drawEachChange(
  screen: WholeScreen,
  model: WatchModel,
  change: Change,
  { terminal, clock, signal }: Context,
): Promise<never> {
  for (;;) {
    const next = change.next();
    const size = screen.size();
    screen.draw(layout(model, size), size);
    // A terminal that reads slowly is shown fewer frames, and never an old one.
    await terminal.flushed(signal);
    await abortable(next, signal);
    await sleep(clock.after, SCREEN_REDRAW_MS, signal);
  }
}

/** Resolves at q, or when the terminal is gone. @throws {InterruptedError} At Ctrl-C. */
async function untilQuit({ terminal, signal }: Context): Promise<void> {
  for (;;) {
    const keys = await terminal.readKeys(signal);
    if (keys === undefined || /^[qQ]/.test(keys)) return;
    if (keys.includes("\x03")) throw new InterruptedError("Interrupted by Ctrl-C");
  }
}

/** Something that changes now and then, for one who waits. */
class Change {
  #next = Promise.withResolvers<void>();

  /** Resolves at the next change from now on. */
  next(): Promise<void> {
    return this.#next.promise;
  }

  happened(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers<void>();
  }
}
