/**
 * `boltctl peers`.
 *
 * @module
 */
import type { PeerView } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import type { Column } from "../output/output.ts";
import { resolvePeer, shortId } from "../resolve.ts";

const TRUST = { allow_always: "allowed", deny_always: "denied", none: "undecided" } as const;

const COLUMNS: readonly Column<PeerView>[] = [
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "CODE", cell: ({ peerCode }) => peerCode ?? "" },
  { title: "TRUST", cell: ({ trust }) => TRUST[trust] },
  { title: "FILES", cell: ({ autoAccept }) => autoAccept ? "accepted" : "asked" },
  { title: "SESSION", cell: ({ connected }) => connected ? "open" : "" },
  { title: "NAME", cell: ({ deviceName }) => deviceName ?? "", shrinks: true },
];

/** Lists the peers, or tells of one. */
export async function peers({ client, output, args, signal }: Context): Promise<void> {
  const [wanted] = args;
  if (wanted === undefined) {
    const known = await client().listPeers(signal);
    return output.table(known, COLUMNS, "No peer is known yet; boltctl pair opens a session");
  }
  const peer = await resolvePeer(client(), wanted, signal);
  output.result(peer, () =>
    output.pairs([
      ["identity", peer.identity],
      ["device name", peer.deviceName],
      ["peer code", peer.peerCode],
      ["trust", TRUST[peer.trust]],
      ["files", peer.autoAccept ? "accepted unasked" : "asked about"],
      ["session", peer.connected ? peer.sessionId ?? "open" : "none"],
    ]));
}
