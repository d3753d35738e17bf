/**
 * `boltctl sessions` and `boltctl disconnect`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { PeerView, SessionView } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../exit_codes.ts";
import type { Column } from "../output/output.ts";
import { quotedName } from "../output/peer_name.ts";
import { FEWEST, matchReceiver, peerLabel, shortId } from "../resolve.ts";

/** Columns of a name where no terminal cuts it. */
const LONGEST_NAME = 64;

const PROVEN = { true: "yes", false: "no" } as const;

const COLUMNS: readonly Column<SessionView>[] = [
  { title: "SESSION", cell: ({ sessionId }) => shortId(sessionId) },
  { title: "STATE", cell: ({ state }) => state },
  { title: "PEER", cell: ({ identity }) => identity === undefined ? "" : shortId(identity) },
  { title: "PROVEN", cell: ({ proven }) => proven === undefined ? "" : PROVEN[`${proven}`] },
  { title: "BY", cell: ({ path, signal }) => path?.transport ?? signal },
  { title: "SINCE", cell: ({ createdAt, openedAt, endedAt }) => endedAt ?? openedAt ?? createdAt },
  { title: "NAME", cell: nameOf, shrinks: true },
  { title: "WHY", cell: ({ failure }) => failure?.code ?? "", shrinks: true },
];

/** What people here call the peer, or else between quotes what it calls itself. */
function nameOf({ name, deviceName }: SessionView): string {
  return name ?? (deviceName ? quotedName(deviceName, LONGEST_NAME) : "");
}

/** Lists the sessions. */
export async function sessions({ client, output, signal }: Context): Promise<void> {
  const listed = await client().listSessions(signal);
  output.table(listed, COLUMNS, "There is no session; boltctl pair opens one");
}

/** Ends a session, or all with a peer; says so of those that a link makes again. */
export async function disconnect({ client, output, args, signal }: Context): Promise<void> {
  const wanted = args[0] ?? "";
  const live = (await client().listSessions(signal)).filter(isLive);
  const ending = matchSessions(wanted, live, await client().listPeers(signal));
  const links = await client().listLinks(signal);
  for (const { sessionId } of ending) {
    const session = await client().closeSession(sessionId, signal);
    const who = session.identity === undefined
      ? ""
      : ` with ${peerLabel({ ...session, identity: session.identity })}`;
    output.result(
      session,
      () => output.line(`Session ${shortId(sessionId)}${who} is ${session.state}`),
    );
  }
  for (const link of links) {
    const isIts = ending.some(({ sessionId }) => sessionId === link.sessionId);
    if (!isIts || link.state === "paused") continue;
    output.line(`The link ${link.name} opens another one; boltctl link pause keeps it from that`);
  }
}

const isLive = ({ state }: SessionView): boolean => state !== "closed" && state !== "failed";

/**
 * The session whose id is, or begins with, `wanted`; else those with the peer that it names.
 *
 * @throws {CommandError} PEER_NOT_CONNECTED, PEER_NOT_FOUND
 * @throws {UsageError} When more than one is meant.
 */
function matchSessions(
  wanted: string,
  live: readonly SessionView[],
  peers: readonly PeerView[],
): readonly SessionView[] {
  const whole = live.find(({ sessionId }) => sessionId === wanted);
  if (whole !== undefined) return [whole];
  const begun = wanted.length < FEWEST
    ? []
    : live.filter(({ sessionId }) => sessionId.startsWith(wanted.toLowerCase()));
  const named = peerNamed(wanted, peers, begun.length > 0);
  const withPeer = live.filter(({ identity }) =>
    identity !== undefined && identity === named?.identity
  );
  if (begun.length > 1 || (begun.length === 1 && named !== undefined)) {
    throw new UsageError(`${wanted} may be more than one: give more of the id of session or peer`);
  }
  const ending = begun.length === 1 ? begun : withPeer;
  if (ending.length > 0 || named === undefined) return ending;
  throw new CommandError("PEER_NOT_CONNECTED", `No session with ${peerLabel(named)} is open`);
}

/** The peer; undefined where nobody is called so, and it need not be one. */
function peerNamed(
  wanted: string,
  peers: readonly PeerView[],
  mayBeNobody: boolean,
): PeerView | undefined {
  try {
    return matchReceiver(wanted, peers);
  } catch (error) {
    if (mayBeNobody && error instanceof CommandError) return undefined;
    throw error;
  }
}
