/**
 * What people write for a peer or a transfer, and which one they mean.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { normalizePeerCode } from "../protocol/signal/peer_code.ts";
import type { DaemonClient } from "../ipc/client/client.ts";
import type { TransferState } from "../base/transfer_states.ts";
import type { PeerView, Transfer } from "../ipc/api/schemas.ts";
import { NAME_COLUMNS, quotedName } from "./output/peer_name.ts";
import { givenName, identityKey } from "../vocabulary/session_values.ts";
import { CommandError } from "./exit_codes.ts";
import { formatBytes } from "./output/units.ts";

/** Digits of an identity or transfer that tables show. */
const SHORT = 8;
/** Digits that are more than a peer code has: what is longer is meant to be an identity. */
const LONGEST_CODE = 16;
/** Fewest characters that stand for an id: fewer fit by chance. */
export const FEWEST = 4;
/** Most entries that a message lists. */
const MOST_LISTED = 5;
/** Transfers in a page when all are searched. */
const PAGE = 200;
/** Most pages that are searched for a transfer: the daemon keeps fewer. */
const MOST_PAGES = 50;

/** The first digits of an identity or a transfer id, as tables show them. */
export const shortId = (id: string): string => id.slice(0, SHORT);

/** How a file is shown to people. */
export function fileLabel({ name, size, transferId }: Transfer): string {
  return `${name}, ${formatBytes(size)} (${shortId(transferId)})`;
}

/**
 * A peer in a sentence: the name that people here gave it, or else between quotes what it calls
 * itself; and the digits that are not chosen by it.
 */
export function peerLabel(
  { identity, name, deviceName }: Pick<PeerView, "identity" | "name" | "deviceName">,
): string {
  const id = shortId(identity);
  if (name !== undefined) return `${name} (${id})`;
  if (deviceName === undefined || deviceName === "") return id;
  return `${quotedName(deviceName, NAME_COLUMNS)} (${id})`;
}

/**
 * The peer that `wanted` names: an identity, the name that people gave it, a peer code, a device
 * name, or the first 4 digits or more of an identity, in this order.
 *
 * A name that people gave is one peer's, whatever others call themselves. What two peers are called
 * names neither. A name wins over the beginning of another's identity, but not where it is as long as
 * tables show one: nobody is called that by chance.
 *
 * @throws {CommandError} PEER_NOT_FOUND
 * @throws {UsageError} When more than one is meant, or too few digits are given.
 */
export function matchPeer(wanted: string, peers: readonly PeerView[]): PeerView {
  const whole = peers.find((peer) => peer.identity === wanted.toLowerCase());
  if (whole !== undefined) return whole;
  const name = givenName.parse(wanted)?.toLowerCase();
  const named = peers.find((peer) => name !== undefined && peer.name?.toLowerCase() === name);
  if (named !== undefined) return named;
  const called = peers.filter((peer) => isCalled(wanted, peer));
  const begun = peers.filter((peer) => isPrefix(wanted, peer.identity));
  const isName = called.length > 0;
  const found = isName && wanted.length < SHORT ? called : [...new Set([...called, ...begun])];
  if (found.length > 1) {
    const labels = listed(found.map(peerLabel));
    throw new UsageError(`${wanted} may be any of ${labels}: give more of the identity`);
  }
  const [only] = found;
  if (only === undefined) {
    if (isHex(wanted) && wanted.length > LONGEST_CODE && identityKey.parse(wanted) === undefined) {
      throw new UsageError(`${wanted} has ${wanted.length} digits, and a key has 64`);
    }
    throw new CommandError(
      "PEER_NOT_FOUND",
      `No peer is known as ${wanted}; boltctl peers lists them`,
    );
  }
  if (!isName) requireEnough(wanted);
  return only;
}

/** The peer that `wanted` names among those that the daemon knows. */
export async function resolvePeer(
  client: DaemonClient,
  wanted: string,
  signal: AbortSignal,
): Promise<PeerView> {
  return matchPeer(wanted, await client.listPeers(signal));
}

/**
 * The peer that `wanted` names for a decision about it. One that nothing was decided about is named by
 * 8 digits of its identity or more only: anybody can call himself bob, or come under that code.
 *
 * @throws {CommandError} PEER_NOT_FOUND
 * @throws {UsageError} When more than one is meant, or a stranger by anything but enough digits.
 */
export function matchForTrust(wanted: string, peers: readonly PeerView[]): PeerView {
  const pinned = peers.filter(({ trust }) => trust !== "none");
  const strangers = peers.filter(({ trust }) => trust === "none");
  const meant = strangers.filter(({ identity }) =>
    wanted.length >= SHORT && isPrefix(wanted, identity)
  );
  try {
    return matchPeer(wanted, [...pinned, ...meant]);
  } catch (error) {
    const called = strangers.filter((peer) =>
      isCalled(wanted, peer) || isPrefix(wanted, peer.identity)
    );
    if (!(error instanceof CommandError) || called.length === 0) throw error;
    throw new UsageError(
      `Nothing was decided about ${
        listed(called.map(peerLabel))
      } yet, and anybody can call himself ` +
        `so: type ${SHORT} digits of its identity or more (${
          listed(called.map(({ identity }) => shortId(identity)))
        }), once you know whose it is`,
    );
  }
}

/** The peer that `wanted` names for a decision, among those that the daemon knows. */
export async function resolveForTrust(
  client: DaemonClient,
  wanted: string,
  signal: AbortSignal,
): Promise<PeerView> {
  return matchForTrust(wanted, await client.listPeers(signal));
}

/**
 * The peer that `wanted` names for files to go to, as {@linkcode matchPeer} finds it: one with a
 * session or a pin where there is one. So a stranger that was refused, whatever it called itself,
 * takes nobody's name away.
 *
 * @throws {CommandError} PEER_NOT_FOUND
 * @throws {UsageError} When more than one is meant, or too few digits are given.
 */
export function matchReceiver(wanted: string, peers: readonly PeerView[]): PeerView {
  const within = peers.filter(({ connected, trust }) => connected || trust === "allow_always");
  try {
    return matchPeer(wanted, within);
  } catch (error) {
    if (error instanceof CommandError) return matchPeer(wanted, peers);
    throw error;
  }
}

/**
 * The only peer that files can go to: with an open session, or linked, also while it is away. So who
 * gets them never depends on who happens to be there.
 *
 * @throws {CommandError} PEER_NOT_CONNECTED when there is none.
 * @throws {UsageError} When there are more.
 */
export function onlyReceiver(peers: readonly PeerView[]): PeerView {
  const reachable = peers.filter(({ connected, link, trust }) =>
    connected || (link !== undefined && trust === "allow_always")
  );
  const [only] = reachable;
  if (only === undefined) {
    throw new CommandError(
      "PEER_NOT_CONNECTED",
      "No peer is connected or linked; boltctl pair opens a session, boltctl link add keeps one",
    );
  }
  if (reachable.length > 1) {
    const labels = reachable.map((peer) => `${peerLabel(peer)}${peer.connected ? "" : ", away"}`);
    throw new UsageError(
      `${reachable.length} peers are connected or linked: choose one with --to PEER, of ` +
        listed(labels),
    );
  }
  return only;
}

/**
 * The peer that files go to: the one named, or the only one there is.
 *
 * @throws {CommandError} PEER_NOT_FOUND, PEER_NOT_CONNECTED
 * @throws {UsageError} When more than one is meant.
 */
export async function resolveReceiver(
  client: DaemonClient,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<PeerView> {
  const peers = await client.listPeers(signal);
  return wanted === undefined ? onlyReceiver(peers) : matchReceiver(wanted, peers);
}

/**
 * The transfer whose id is, or begins with, `wanted`: at least 4 digits.
 *
 * @throws {CommandError} TRANSFER_NOT_FOUND
 * @throws {UsageError} When more than one begins so, or too few digits are given.
 */
export async function resolveTransfer(
  client: DaemonClient,
  wanted: string,
  signal: AbortSignal,
): Promise<Transfer> {
  if (/^[0-9a-f]{32}$/i.test(wanted)) return await client.getTransfer(wanted.toLowerCase(), signal);
  if (isHex(wanted)) requireEnough(wanted);
  const found: Transfer[] = [];
  for await (const transfer of allTransfers(client, {}, signal)) {
    if (isPrefix(wanted, transfer.transferId)) found.push(transfer);
  }
  const [only] = found;
  if (only === undefined) {
    throw new CommandError(
      "TRANSFER_NOT_FOUND",
      `No transfer begins with ${wanted}; boltctl transfers lists them`,
    );
  }
  if (found.length > 1) {
    const ids = found.map(({ transferId, name }) => `${transferId} (${name})`);
    throw new UsageError(`${wanted} may be any of ${listed(ids)}: give more of it`);
  }
  return only;
}

/**
 * The offered file that is decided about: the one named, or the only one that waits.
 *
 * @throws {CommandError} TRANSFER_NOT_FOUND
 * @throws {UsageError} When more than one is meant.
 */
export async function resolveOffer(
  client: DaemonClient,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<Transfer> {
  if (wanted !== undefined) return await resolveTransfer(client, wanted, signal);
  const only = await onlyOffer(client, signal);
  if (only !== undefined) return only;
  throw new CommandError(
    "TRANSFER_NOT_FOUND",
    "No file is offered; boltctl accept --wait-for-offer waits for one",
  );
}

/**
 * The only file that is offered to us; undefined when there is none.
 *
 * @throws {UsageError} When there are more.
 */
export async function onlyOffer(
  client: DaemonClient,
  signal: AbortSignal,
): Promise<Transfer | undefined> {
  const waiting = await allOffers(client, signal);
  if (waiting.length <= 1) return waiting[0];
  const ids = waiting.map(({ transferId, name }) => `${shortId(transferId)} (${name})`);
  throw new UsageError(`${waiting.length} files are offered: name one, of ${listed(ids)}`);
}

/** The files that are offered to us, newest first. */
export async function allOffers(client: DaemonClient, signal: AbortSignal): Promise<Transfer[]> {
  const query = { direction: "incoming", state: "offered" } as const;
  const offers = await Array.fromAsync(allTransfers(client, query, signal));
  return offers.filter(({ direction, state }) =>
    direction === query.direction && state === query.state
  );
}

/** Every transfer that the daemon lists, newest first. */
export async function* allTransfers(
  client: DaemonClient,
  query: { readonly state?: TransferState; readonly direction?: Transfer["direction"] },
  signal: AbortSignal,
): AsyncGenerator<Transfer> {
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const { transfers, nextCursor } = await client.listTransfers(
      { ...query, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) },
      signal,
    );
    yield* transfers;
    if (nextCursor === undefined) return;
    cursor = nextCursor;
  }
}

function isCalled(wanted: string, { peerCode, deviceName }: PeerView): boolean {
  const code = normalizePeerCode(wanted);
  return (code !== undefined && peerCode === code) || deviceName === wanted;
}

const isHex = (text: string): boolean => /^[0-9a-f]+$/i.test(text);
const isPrefix = (wanted: string, id: string): boolean =>
  isHex(wanted) && id.startsWith(wanted.toLowerCase());

function requireEnough(wanted: string): void {
  if (wanted.length >= FEWEST) return;
  throw new UsageError(
    `${wanted} is too short to stand for an id: give at least ${FEWEST} of its digits`,
  );
}

const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(", ")
    : `${names.slice(0, MOST_LISTED).join(", ")} and ${names.length - MOST_LISTED} more`;
