/**
 * Links between daemons under test.
 *
 * @module
 */
import type { LinkRequest, LinkView } from "../../src/ipc/api/schemas.ts";
import type { DaemonUnderTest } from "./daemon.ts";

/** Longest that a link takes to do anything: its longest wait, and time for slow machines. */
export const WITHIN_MS = 120_000;

/** The identity of a daemon. */
export const identityOf = async ({ client }: DaemonUnderTest): Promise<string> =>
  (await client.status()).identity;

/** What both ends of a link are told, each end by its own name, which is its peer code too. */
export function linkBetween(
  url: string,
  offerer: { readonly name: string; readonly identity: string },
  answerer: { readonly name: string; readonly identity: string },
): { readonly offerer: LinkRequest; readonly answerer: LinkRequest } {
  const common = { rendezvousUrl: url, room: "r", session: "s", phaseTimeoutSecs: 20 };
  return {
    offerer: {
      ...{ ...common, name: answerer.name, identity: answerer.identity },
      ...{ role: "offerer", peerId: offerer.name, to: answerer.name },
    },
    answerer: {
      ...{ ...common, name: offerer.name, identity: offerer.identity },
      ...{ role: "answerer", peerId: answerer.name, expectPeer: offerer.name },
    },
  };
}

/** Trusts the key of a link by its name, and adds the link. */
export async function addLink({ client }: DaemonUnderTest, link: LinkRequest): Promise<LinkView> {
  const { identity, name } = link;
  await client.trust(identity, { decision: "allow_always", name });
  return await client.addLink(link);
}

/** The link of a name, when an event says that it fits. */
export async function linkThat(
  daemon: DaemonUnderTest,
  name: string,
  fits: (link: LinkView) => boolean,
): Promise<LinkView> {
  const isIt = ({ link }: { link: LinkView }) => link.name === name && fits(link);
  return (await daemon.event("link-changed", isIt, WITHIN_MS)).link;
}

/** The session of the link of a name, when it is connected, in another one than `before`. */
export async function connected(
  daemon: DaemonUnderTest,
  name: string,
  before?: string,
): Promise<string> {
  const { sessionId = "" } = await linkThat(
    daemon,
    name,
    ({ state, sessionId }) => state === "connected" && sessionId !== before,
  );
  return sessionId;
}

/**
 * Links two daemons, each by the other's key, and has bob take what alice sends.
 *
 * @returns Their identities.
 */
export async function linkBoth(
  url: string,
  alice: DaemonUnderTest,
  bob: DaemonUnderTest,
): Promise<readonly [alice: string, bob: string]> {
  const [a, b] = [await identityOf(alice), await identityOf(bob)];
  const told = linkBetween(url, { name: "alice", identity: a }, { name: "bob", identity: b });
  await addLink(alice, told.offerer);
  await addLink(bob, told.answerer);
  await bob.client.setAutoAccept(a, { enabled: true });
  return [a, b];
}
