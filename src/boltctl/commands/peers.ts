/**
 * `boltctl peers`.
 *
 * @module
 */
import type { PeerView } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { linkStateInFull, linkStateInShort } from "../output/link_state.ts";
import type { Column } from "../output/output.ts";
import { plainName, quotedName } from "../output/peer_name.ts";
import { ruleText } from "../output/rule_text.ts";
import { formatAgo } from "../output/units.ts";
import { resolvePeer, shortId } from "../resolve.ts";

/** Columns of a name where no terminal cuts it. */
const LONGEST_NAME = 64;
const TRUST = { allow_always: "allowed", deny_always: "denied", none: "undecided" } as const;

const PROVEN = {
  proven: { short: "yes", long: "yes: without proof it is not let in" },
  mustProve: {
    short: "not yet",
    long: "not yet: its key was typed, and without proof it is not let in",
  },
  claimed: { short: "no", long: "no: it may only claim this identity" },
} as const;

const provenState = ({ proven, trustedByKey }: PeerView): keyof typeof PROVEN =>
  proven ? "proven" : trustedByKey ? "mustProve" : "claimed";

const FILES = {
  accepted: { short: "accepted", long: "accepted unasked" },
  byRule: { short: "by rule", long: "accepted unasked" },
  resting: { short: "asked", long: "asked about, until it has proven its identity" },
  asked: { short: "asked", long: "asked about" },
} as const;

/** Auto-accept counts where the peer proves itself. */
const filesOf = (peer: PeerView): keyof typeof FILES =>
  !peer.autoAccept
    ? "asked"
    : provenState(peer) === "claimed"
    ? "resting"
    : peer.acceptRule === undefined
    ? "accepted"
    : "byRule";

/** What people here call it, or else between quotes what it calls itself. */
const nameOf = ({ name, deviceName }: PeerView): string =>
  name ?? (deviceName === undefined ? "" : quotedName(deviceName, LONGEST_NAME));

/** Whether a session is open; where one is to be, how its link is. */
const sessionOf = ({ connected, link }: PeerView, now: number): string =>
  connected ? "open" : link === undefined ? "" : linkStateInShort(link, now);

/** When a session with it was last open; `now` where one is. */
function seenOf({ connected, lastSeenAt }: PeerView, now: number): string | undefined {
  if (connected) return "now";
  if (lastSeenAt === undefined) return undefined;
  return formatAgo((now - Date.parse(lastSeenAt)) / 1000);
}

const columns = (now: number): readonly Column<PeerView>[] => [
  { title: "PEER", cell: ({ identity }) => shortId(identity) },
  { title: "CODE", cell: ({ peerCode }) => peerCode ?? "", shrinks: true },
  { title: "TRUST", cell: ({ trust }) => TRUST[trust] },
  { title: "PROVEN", cell: (peer) => PROVEN[provenState(peer)].short },
  { title: "FILES", cell: (peer) => FILES[filesOf(peer)].short },
  { title: "SESSION", cell: (peer) => sessionOf(peer, now) },
  { title: "SEEN", cell: (peer) => seenOf(peer, now) ?? "" },
  { title: "NAME", cell: nameOf, shrinks: true },
];

/** Lists the peers, or describes one. */
export async function peers({ client, output, args, signal, clock }: Context): Promise<void> {
  const [wanted] = args;
  if (wanted === undefined) {
    const known = await client().listPeers(signal);
    return output.table(
      known,
      columns(clock.now()),
      "No peer is known yet; boltctl pair opens a session",
    );
  }
  const peer = await resolvePeer(client(), wanted, signal);
  output.result(peer, () =>
    output.pairs([
      ["identity", peer.identity],
      ["name", peer.name],
      ["device name", peer.deviceName && plainName(peer.deviceName)],
      ["peer code", peer.peerCode],
      ["trust", TRUST[peer.trust]],
      ["proven", PROVEN[provenState(peer)].long],
      ["files", FILES[filesOf(peer)].long],
      ["link", peer.link && `${peer.link.name}, ${linkStateInFull(peer.link, clock.now())}`],
      ["rule", peer.acceptRule && ruleText(peer.acceptRule)],
      [
        "last seen",
        peer.lastSeenAt === undefined
          ? undefined
          : `${peer.lastSeenAt}, ${seenOf(peer, clock.now())}`,
      ],
      ["session", peer.connected ? peer.sessionId ?? "open" : "none"],
    ]));
}
