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

/** How its identity is known to be its own, and is asked for from then on. */
function proofOf({ proven, trustedByKey }: PeerView): string {
  if (trustedByKey) return proven ? "proven, key typed" : "key typed";
  return proven ? "proven" : "none";
}

const COLUMNS: readonly Column<PeerView>[] = [
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "CODE", cell: ({ peerCode }) => peerCode ?? "" },
  { title: "NAME", cell: ({ name }) => name ?? "" },
  { title: "TRUST", cell: ({ trust }) => TRUST[trust] },
  { title: "PROOF", cell: proofOf },
  { title: "FILES", cell: ({ autoAccept }) => autoAccept ? "accepted" : "asked" },
  { title: "SESSION", cell: ({ connected }) => connected ? "open" : "" },
  { title: "DEVICE", cell: ({ deviceName }) => deviceName ?? "", shrinks: true },
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
      ["name", peer.name],
      ["device name", peer.deviceName],
      ["peer code", peer.peerCode],
      ["trust", TRUST[peer.trust]],
      ["proof", proofOf(peer)],
      ["files", peer.autoAccept ? "accepted unasked" : "asked about"],
      ["session", peer.connected ? peer.sessionId ?? "open" : "none"],
    ]));
}
