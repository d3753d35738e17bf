/**
 * `boltctl send`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { isFinal } from "../../base/transfer_states.ts";
import type { Context } from "../context.ts";
import { expireDuration, idempotencyKey } from "../../vocabulary/transfer_values.ts";
import { feedOverRestarts } from "../event_feed.ts";
import { followTransfers, requireCompleted } from "../follow_transfers.ts";
import { isUnconfirmed } from "../output/confirmation.ts";
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
  const key = flags.value("idempotency-key", idempotencyKey);
  const request = {
    identity: peer.identity,
    paths: args.map(absolutePath),
    priority: flags.integer("priority") ?? 0,
    ...(expireSecs === undefined ? {} : { expireSecs }),
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
        },
      );
    }
    return;
  }
  await using feed = await feedOverRestarts(context);
  const queued = await client().send(request);
  const ended = await followTransfers(context, feed, queued);
  if (output.json) ended.forEach((transfer) => output.object(transfer));
  requireCompleted(ended);
  for (const transfer of ended) {
    const sent = isUnconfirmed(transfer) ? "Sent, not confirmed, to" : "Sent to";
    output.line(`${sent} ${peerLabel(peer)}: ${fileLabel(transfer)}`);
  }
}
