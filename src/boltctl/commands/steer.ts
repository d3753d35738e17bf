/**
 * `boltctl cancel`, `boltctl pause` and `boltctl resume`.
 *
 * @module
 */
import type { DaemonClient } from "../../ipc/client/client.ts";
import type { Transfer } from "../../ipc/api/schemas.ts";
import type { Context, RunCommand } from "../context.ts";
import { resolveTransfer, shortId } from "../resolve.ts";

type Operation = (client: DaemonClient, id: string, signal: AbortSignal) => Promise<Transfer>;

/** Ends transfers. */
export const cancel: RunCommand = steer(
  "Cancelled",
  (client, id, signal) => client.cancelTransfer(id, signal),
);
/** Holds transfers. */
export const pause: RunCommand = steer(
  "Paused",
  (client, id, signal) => client.pauseTransfer(id, signal),
);
/** Lets held transfers go on. */
export const resume: RunCommand = steer(
  "Resumed",
  (client, id, signal) => client.resumeTransfer(id, signal),
);

/** All transfers are found before the first is touched, so that a typo changes nothing. */
function steer(done: string, operation: Operation): RunCommand {
  return async ({ client, output, args, signal }: Context) => {
    const found: Transfer[] = [];
    for (const wanted of args) found.push(await resolveTransfer(client(), wanted, signal));
    for (const { transferId } of found) {
      const transfer = await operation(client(), transferId, signal);
      const line = `${done}: ${transfer.name} (${shortId(transferId)})`;
      output.result(transfer, () => output.line(line));
    }
  };
}
