/**
 * Follows transfers to their end, showing how far they are.
 *
 * @module
 */
import { CANCEL_MS } from "../base/timing.ts";
import { isFinal } from "../base/transfer_states.ts";
import { DeadlineError, InterruptedError, messageOf } from "../base/errors.ts";
import { ApiError, type DaemonClient } from "../ipc/client/client.ts";
import type { ApiEvent } from "../ipc/api/events.ts";
import type { Transfer } from "../ipc/api/schemas.ts";
import type { Context } from "./context.ts";
import type { EventFeed } from "./event_feed.ts";
import { isGone } from "./once_served.ts";
import { CommandError } from "./exit_codes.ts";
import { NO_VIEW, type ProgressView, progressView } from "./output/progress_view.ts";
import { shortId } from "./resolve.ts";

/**
 * Waits until each transfer has ended. Ctrl-C cancels those under way, and says so; at the end of
 * `--timeout` they go on, and that is said.
 *
 * @param feed Opened before the transfers were asked for.
 * @param transfers As the daemon answered. Ask it without the command's signal: an interruption in
 * between would leave transfers that nobody knows of.
 * @returns The transfers as they ended, in the order given.
 */
export async function followTransfers(
  context: Context,
  feed: EventFeed,
  transfers: readonly Transfer[],
): Promise<Transfer[]> {
  const view = context.output.json ? NO_VIEW : progressView(context.terminal);
  const followed = new Followed(context.client(), transfers, view);
  try {
    while (followed.underWay().length > 0) {
      await followed.onEvent(await feed.take(), context.signal);
      await context.terminal.flushed(context.signal);
    }
  } catch (error) {
    view.finish();
    if (error instanceof InterruptedError) await cancelAll(context, followed.underWay());
    else if (error instanceof DeadlineError) sayThatTheyGoOn(context, followed.underWay());
    throw error;
  }
  view.finish();
  return followed.all();
}

/** Throws for the first transfer that did not complete. @throws {CommandError} */
export function requireCompleted(transfers: readonly Transfer[]): void {
  for (const { state, name, failure } of transfers) {
    if (state === "completed") continue;
    const code = state === "rejected" ? "TRANSFER_REJECTED" : failure?.code ?? "TRANSFER_FAILED";
    const why = failure === undefined ? "" : `: ${failure.message}`;
    const what = state === "rejected" ? "was refused by the peer" : `ended ${state}`;
    throw new CommandError(code, `${name} ${what}${why}`);
  }
}

class Followed {
  readonly #client: DaemonClient;
  readonly #view: ProgressView;
  readonly #transfers: Map<string, Transfer>;

  constructor(client: DaemonClient, transfers: readonly Transfer[], view: ProgressView) {
    this.#client = client;
    this.#view = view;
    this.#transfers = new Map(transfers.map((transfer) => [transfer.transferId, transfer]));
    for (const transfer of transfers) view.show({ transfer });
  }

  all(): Transfer[] {
    return [...this.#transfers.values()];
  }

  underWay(): Transfer[] {
    return this.all().filter((transfer) => !isFinal(transfer.state));
  }

  async onEvent(event: ApiEvent, signal: AbortSignal): Promise<void> {
    if ("transfer" in event) this.#update(event.transfer);
    else if (event.type === "transfer-progress") {
      const known = this.#transfers.get(event.transferId);
      if (known === undefined) return;
      this.#update({ ...known, state: "active", transferred: event.transferred }, event);
    } else if (event.type === "transfer-hashing") {
      const known = this.#transfers.get(event.transferId);
      if (known !== undefined) this.#update({ ...known, state: "queued", hashed: event.hashed });
    } else if (event.type === "gap") {
      for (const { transferId } of this.underWay()) {
        try {
          this.#update(await this.#client.getTransfer(transferId, signal));
        } catch (error) {
          // Gone once more: another gap comes when it is back.
          if (!isGone(error)) throw error;
        }
      }
    }
  }

  #update(transfer: Transfer, rate?: { readonly bytesPerSecond: number }): void {
    const known = this.#transfers.get(transfer.transferId);
    if (known === undefined || isFinal(known.state)) return;
    this.#transfers.set(transfer.transferId, transfer);
    this.#view.show({ transfer, ...(rate && { bytesPerSecond: rate.bytesPerSecond }) });
  }
}

async function cancelAll(context: Context, transfers: readonly Transfer[]): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS);
  for (const { transferId, name } of transfers) {
    const said = await cancelOne(context.client(), transferId, signal);
    context.terminal.writeError(`Interrupted: ${name} (${shortId(transferId)}) ${said}\n`);
  }
}

async function cancelOne(
  client: DaemonClient,
  transferId: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    await client.cancelTransfer(transferId, signal);
    return "is cancelled";
  } catch (error) {
    // It may have ended at this very moment.
    if (error instanceof ApiError && error.code === "INVALID_STATE") return "had ended already";
    return `could not be cancelled: ${messageOf(error)}`;
  }
}

function sayThatTheyGoOn(context: Context, transfers: readonly Transfer[]): void {
  for (const { transferId, name } of transfers) {
    const id = shortId(transferId);
    context.terminal.writeError(`${name} (${id}) goes on: boltctl cancel ${id} ends it\n`);
  }
}
