/**
 * `boltctl send`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { isFinal } from "../../base/transfer_states.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import {
  archiveName,
  byteRate,
  expireDuration,
  idempotencyKey,
} from "../../vocabulary/transfer_values.ts";
import { feedOverRestarts } from "../event_feed.ts";
import { followTransfers, requireCompleted } from "../follow_transfers.ts";
import { isUnconfirmed } from "../output/confirmation.ts";
import { leftOut } from "../output/left_out.ts";
import { fileLabel, peerLabel, resolveReceiver } from "../resolve.ts";

/** Queues files and, with `--wait`, follows them to their end. */
export async function send(context: Context): Promise<void> {
  const { client, output, args, flags, signal, absolutePath } = context;
  if (args.includes("-")) {
    throw new UsageError(
      "boltctl send takes files by name, not from standard input: save it to a file first " +
        "(./- is a file of that name)",
    );
  }
  const peer = await resolveReceiver(client(), flags.text("to"), signal);
  const expireSecs = flags.value("expire", expireDuration);
  const rateLimit = flags.value("rate-limit", byteRate);
  const as = flags.value("as", archiveName);
  const key = flags.value("idempotency-key", idempotencyKey);
  const request = {
    identity: peer.identity,
    paths: args.map(absolutePath),
    ...(as === undefined ? {} : { as }),
    priority: flags.integer("priority") ?? 0,
    ...(expireSecs === undefined ? {} : { expireSecs }),
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
  if (!flags.has("wait")) {
    const queued = await client().send(request, signal);
    for (const transfer of queued) {
      output.result(
        transfer,
        () => {
          const { state, waitingFor } = transfer;
          const away = waitingFor === "peer" ? ", which is away" : "";
          // Only what was asked for with the same key before can have ended.
          const said = isFinal(state) ? `Sent before, and ${state}, for` : "Queued for";
          output.line(`${said} ${peerLabel(peer)}${away}: ${fileLabel(transfer)}`);
          tellSkipped(context, transfer);
        },
      );
    }
    return;
  }
  await using feed = await feedOverRestarts(context);
  const queued = await client().send(request);
  for (const transfer of queued) tellSkipped(context, transfer);
  const ended = await followTransfers(context, feed, queued);
  if (output.json) ended.forEach((transfer) => output.object(transfer));
  requireCompleted(ended);
  for (const transfer of ended) {
    const sent = isUnconfirmed(transfer) ? "Sent, not confirmed, to" : "Sent to";
    output.line(`${sent} ${peerLabel(peer)}: ${fileLabel(transfer)}`);
  }
}

/** What an archive leaves out, in one sentence. */
function tellSkipped({ output }: Context, transfer: Transfer): void {
  const names = leftOut(transfer);
  if (names !== undefined) output.line(`Not in ${transfer.name}: ${names}`);
}
