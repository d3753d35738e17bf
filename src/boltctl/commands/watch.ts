/**
 * `boltctl watch`.
 *
 * @module
 */
import { isFinal } from "../../base/transfer_states.ts";
import type { ApiEvent } from "../../ipc/api/events.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { describeEvent } from "../describe_event.ts";
import { EventFeed } from "../event_feed.ts";
import { NO_VIEW, plainView, type ProgressView } from "../output/progress_view.ts";
import { allTransfers } from "../resolve.ts";

/** Shows what goes on: on the whole terminal, or in lines until the daemon stops. */
export async function watch(context: Context): Promise<void> {
  const { output, terminal, flags } = context;
  if (!terminal.canAsk || output.json || flags.has("plain")) return await watchInLines(context);
  const { watchScreen } = await import("../watch/watch_screen.ts");
  await watchScreen(context);
}

async function watchInLines(context: Context): Promise<void> {
  const { client, output, terminal, signal } = context;
  const view = output.json ? NO_VIEW : plainView(terminal);
  await using feed = await EventFeed.open(client(), { signal });
  const watched = new Watched(view);
  try {
    await watched.relist(context);
    if (watched.size === 0) view.say("No transfer is under way; waiting for one");
    for (;;) {
      const event = await feed.take();
      if (output.json) output.object(event);
      if (event.type === "gap") await watched.relist(context);
      else watched.onEvent(event);
      await terminal.flushed(signal);
      if (event.type === "daemon-stopping") return;
    }
  } finally {
    view.finish();
  }
}

/** The transfers under way; those that have ended are forgotten. */
class Watched {
  readonly #view: ProgressView;
  readonly #transfers = new Map<string, Transfer>();

  constructor(view: ProgressView) {
    this.#view = view;
  }

  get size(): number {
    return this.#transfers.size;
  }

  /** Takes the state anew. Only what has not ended is of interest, and the newest page holds it. */
  async relist({ client, signal }: Context): Promise<void> {
    for await (const transfer of allTransfers(client(), {}, signal)) {
      const known = this.#transfers.has(transfer.transferId);
      if (known || !isFinal(transfer.state)) this.#update(transfer);
    }
  }

  onEvent(event: ApiEvent): void {
    if ("transfer" in event) return this.#update(event.transfer);
    if (event.type !== "transfer-progress" && event.type !== "transfer-hashing") {
      return this.#view.say(describeEvent(event));
    }
    const known = this.#transfers.get(event.transferId);
    if (known === undefined) return;
    if (event.type === "transfer-hashing") {
      return this.#update({ ...known, state: "queued", hashed: event.hashed });
    }
    const transfer: Transfer = { ...known, state: "active", transferred: event.transferred };
    this.#update(transfer, event.bytesPerSecond);
  }

  #update(transfer: Transfer, bytesPerSecond?: number): void {
    if (isFinal(transfer.state)) this.#transfers.delete(transfer.transferId);
    else this.#transfers.set(transfer.transferId, transfer);
    this.#view.show({ transfer, ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }) });
  }
}
