/**
 * `boltctl transfers`.
 *
 * @module
 */
import type { Transfer } from "../../ipc/api/schemas.ts";
import { leftOut } from "../output/left_out.ts";
import { direction } from "../../vocabulary/transfer_values.ts";
import { transferState } from "../command_table.ts";
import type { Context } from "../context.ts";
import type { Column } from "../output/output.ts";
import { isUnconfirmed, NOT_CONFIRMED } from "../output/confirmation.ts";
import { percentOf } from "../output/progress_line.ts";
import { formatBytes } from "../output/units.ts";
import { waitsFor } from "../output/waits_for.ts";
import { allTransfers, resolveTransfer, shortId } from "../resolve.ts";

/** Transfers that are listed unless `--limit` says otherwise. */
const DEFAULT_LIMIT = 50;

const COLUMNS: readonly Column<Transfer>[] = [
  { title: "TRANSFER", cell: ({ transferId }) => shortId(transferId) },
  { title: "WAY", cell: ({ direction }) => direction === "outgoing" ? "out" : "in" },
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "STATE", cell: stateOf },
  { title: "DONE", cell: (transfer) => `${percentOf(transfer)} %`, align: "right" },
  { title: "SIZE", cell: ({ size }) => formatBytes(size), align: "right" },
  { title: "NAME", cell: ({ name }) => name, shrinks: true },
];

/** Whether the peer has confirmed a file that was sent. */
const CONFIRMED = {
  true: "yes: the peer has it",
  false: "no: all was sent, and this peer could not confirm it",
} as const;

/** Lists transfers, or describes one. */
export async function transfers(context: Context): Promise<void> {
  const { client, output, args, signal } = context;
  const [wanted] = args;
  if (wanted === undefined) {
    return output.table(await listed(context), COLUMNS, "There are no such transfers");
  }
  const transfer = await resolveTransfer(client(), wanted, signal);
  const { failure } = transfer;
  output.result(transfer, () =>
    output.pairs([
      ["transfer", transfer.transferId],
      ["on the wire", transfer.protocolTransferId],
      ["name", transfer.name],
      ["way", transfer.direction],
      ["state", transfer.state],
      [
        "confirmed",
        transfer.confirmed === undefined ? undefined : CONFIRMED[`${transfer.confirmed}`],
      ],
      ["waits for", waitsFor(transfer)],
      ["failure", failure === undefined ? undefined : `${failure.message} (${failure.code})`],
      ["done", `${percentOf(transfer)} %, ${transfer.transferred} of ${transfer.size} bytes`],
      ["earlier", earlier(transfer)],
      ["kept", transfer.keptBytes === undefined ? undefined : `${transfer.keptBytes} bytes`],
      ["peer", transfer.identity],
      ["path", transfer.path],
      ["made of", transfer.path === undefined ? transfer.archive?.paths.join(", ") : undefined],
      ["left out", leftOut(transfer)],
      ["unpacked", unpacking(transfer)],
      ["SHA-256", transfer.fileHash],
      ["priority", String(transfer.priority)],
      ["created", transfer.createdAt],
      ["changed", transfer.updatedAt],
    ]));
}

/** What became of an archive that was to be unpacked. */
function unpacking({ unpacked, unpackFailure }: Transfer): string | undefined {
  if (unpackFailure !== undefined) return `no: ${unpackFailure.message} (${unpackFailure.code})`;
  return unpacked === true ? "yes" : undefined;
}

/** What came in earlier tries: of a file that is sent the peer says so, and it was not sent now. */
function earlier({ resumedFrom, direction }: Transfer): string | undefined {
  if (resumedFrom === undefined) return undefined;
  const whose = direction === "outgoing" ? ", as the peer says" : "";
  return `${resumedFrom} bytes${whose}`;
}

/** The state, and what it waits for where that does not follow from state and way. */
function stateOf(transfer: Transfer): string {
  const { state, waitingFor } = transfer;
  if (isUnconfirmed(transfer)) return NOT_CONFIRMED;
  return waitingFor === undefined || state === "offered" ? state : `${state} (${waitingFor})`;
}

async function listed({ client, flags, signal }: Context): Promise<Transfer[]> {
  const state = flags.value("state", transferState);
  const way = flags.value("direction", direction);
  const limit = flags.integer("limit") ?? DEFAULT_LIMIT;
  const query = {
    ...(state === undefined ? {} : { state }),
    ...(way === undefined ? {} : { direction: way }),
  };
  const found: Transfer[] = [];
  for await (const transfer of allTransfers(client(), query, signal)) {
    if (found.length === limit) break;
    found.push(transfer);
  }
  return found;
}
