/**
 * `boltctl peers`.
 *
 * @module
 */
import { peerText, type PeerView } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import type { Column } from "../output/output.ts";
import { plainName } from "../output/peer_name.ts";
import { resolvePeer, shortId } from "../resolve.ts";

const NONE = peerText("");
const TRUST = { allow_always: "allowed", deny_always: "denied", none: "undecided" } as const;

const COLUMNS: readonly Column<PeerView>[] = [
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "CODE", cell: ({ peerCode }) => peerCode ?? "" },
  { title: "TRUST", cell: ({ trust }) => TRUST[trust] },
  { title: "PROVEN", cell: ({ proven }) => proven ? "yes" : "no" },
  { title: "FILES", cell: ({ autoAccept }) => autoAccept ? "accepted" : "asked" },
  { title: "SESSION", cell: ({ connected }) => connected ? "open" : "" },
  { title: "NAME", cell: ({ deviceName }) => plainName(deviceName ?? NONE), shrinks: true },
];

/** Lists the peers, or describes one. */
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
      ["device name", peer.deviceName && plainName(peer.deviceName)],
      ["peer code", peer.peerCode],
      ["trust", TRUST[peer.trust]],
      [
        "proven",
        peer.proven
          ? "yes: without proof it is not let in"
          : "no: it has not proven its identity yet",
      ],
      ["files", peer.autoAccept ? "accepted unasked" : "asked about"],
      ["session", peer.connected ? peer.sessionId ?? "open" : "none"],
    ]));
}
