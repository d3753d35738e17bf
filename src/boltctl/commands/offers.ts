/**
 * `boltctl accept` and `boltctl reject`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { awaitEvent, EventFeed } from "../event_feed.ts";
import { followTransfers, requireCompleted } from "../follow_transfers.ts";
import { formatBytes } from "../output/units.ts";
import { fileLabel, onlyOffer, resolveOffer, shortId } from "../resolve.ts";

/** Takes an offered file and, with `--wait`, follows it to its end. */
export async function accept(context: Context): Promise<void> {
  const { client, output, args, flags, signal } = context;
  const offer = flags.has("wait-for-offer")
    ? await nextOffer(context)
    : await resolveOffer(client(), args[0], signal);
  const name = flags.text("name");
  const request = name === undefined ? {} : { name };
  if (!flags.has("wait")) {
    const accepted = await client().acceptTransfer(offer.transferId, request, signal);
    return output.result(accepted, () => output.line(`Accepted: ${fileLabel(accepted)}`));
  }
  await using feed = await EventFeed.open(client(), { signal });
  const accepted = await client().acceptTransfer(offer.transferId, request);
  const ended = await followTransfers(context, feed, [accepted]);
  if (output.json) ended.forEach((transfer) => output.object(transfer));
  requireCompleted(ended);
  for (const { name, size, path } of ended) {
    output.line(`Received: ${path ?? name}, ${formatBytes(size)}, hash verified`);
  }
}

/** The only file that is offered; where there is none, the next. */
async function nextOffer(context: Context): Promise<Transfer> {
  const { client, output, args, signal } = context;
  if (args.length > 0) {
    throw new UsageError("--wait-for-offer takes whichever file is offered: leave TRANSFER out");
  }
  await using feed = await EventFeed.open(client(), { signal });
  const offered = await onlyOffer(client(), signal);
  if (offered !== undefined) return offered;
  output.line("No file is offered; waiting for an offer (Ctrl-C gives up)");
  return await awaitEvent(context, feed, "an offer", async (event) => {
    // What was lost may have been the offer.
    if (event.type === "gap") return await onlyOffer(client(), signal);
    if (event.type !== "transfer-offered") return undefined;
    return event.transfer.direction === "incoming" ? event.transfer : undefined;
  });
}

/** Refuses an offered file. */
export async function reject({ client, output, args, signal }: Context): Promise<void> {
  const offer = await resolveOffer(client(), args[0], signal);
  const rejected = await client().rejectTransfer(offer.transferId, signal);
  const what = `${rejected.name} (${shortId(rejected.transferId)})`;
  output.result(rejected, () => output.line(`Rejected: ${what}`));
}
