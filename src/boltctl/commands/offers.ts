/**
 * `boltctl accept` and `boltctl reject`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { awaitEvent, EventFeed } from "../event_feed.ts";
import { CommandError } from "../exit_codes.ts";
import { followTransfers, requireCompleted } from "../follow_transfers.ts";
import { formatBytes } from "../output/units.ts";
import { allOffers, fileLabel, onlyOffer, resolveOffer, shortId } from "../resolve.ts";

/** Takes offered files and, with `--wait`, follows them to their end. */
export async function accept(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const offers = await offersToTake(context);
  const name = flags.text("name");
  const request = {
    ...(name === undefined ? {} : { name }),
    ...(flags.has("unpack") ? { unpack: true } : {}),
  };
  await using feed = flags.has("wait") ? await EventFeed.open(client(), { signal }) : undefined;
  const taken: Transfer[] = [];
  const refused: unknown[] = [];
  for (const { transferId } of offers) {
    try {
      const isFollowed = feed !== undefined;
      const accepted = await client()
        .acceptTransfer(transferId, request, ...(isFollowed ? [] : [signal]));
      taken.push(accepted);
      if (!isFollowed) {
        output.result(accepted, () => output.line(`Accepted: ${fileLabel(accepted)}`));
      }
    } catch (error) {
      refused.push(error); // one that can't be taken keeps no other from being taken
    }
  }
  if (feed !== undefined) await followReceived(context, feed, taken);
  if (refused.length > 0) throw refused[0];
}

async function followReceived(
  context: Context,
  feed: EventFeed,
  taken: readonly Transfer[],
): Promise<void> {
  const { output } = context;
  const ended = await followTransfers(context, feed, taken);
  if (output.json) ended.forEach((transfer) => output.object(transfer));
  requireCompleted(ended);
  for (const { name, size, path, unpacked } of ended) {
    const how = unpacked === true ? ", unpacked" : "";
    output.line(`Received: ${path ?? name}, ${formatBytes(size)}, hash verified${how}`);
  }
  const kept = ended.find(({ unpackFailure }) => unpackFailure !== undefined);
  if (kept?.unpackFailure === undefined) return;
  throw new CommandError(
    kept.unpackFailure.code,
    `${kept.path ?? kept.name} has arrived and stays an archive: ${kept.unpackFailure.message}`,
  );
}

async function offersToTake(context: Context): Promise<readonly Transfer[]> {
  const { client, output, args, flags, signal } = context;
  if (!flags.has("all")) {
    return [
      flags.has("wait-for-offer")
        ? await nextOffer(context)
        : await resolveOffer(client(), args[0], signal),
    ];
  }
  const other = ["name", "wait-for-offer"].find((flag) => flags.has(flag));
  if (other !== undefined) throw new UsageError(`--all does not go with --${other}`);
  if (args.length > 0) throw new UsageError("--all takes every file: leave TRANSFER out");
  const offers = await allOffers(client(), signal);
  if (offers.length === 0) output.line("No file is offered");
  return offers;
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
