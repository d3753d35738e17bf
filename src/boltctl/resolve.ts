/**
 * What people write for a peer or a transfer, and which one they mean.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { normalizePeerCode } from "../protocol/signal/peer_code.ts";
import type { DaemonClient } from "../ipc/client.ts";
import type { Peer, Transfer, TransferState } from "../ipc/schemas.ts";
import { CommandError } from "./exit_codes.ts";

/** Digits of an identity or transfer that tables show. */
const SHORT = 8;
/** Most entries that a message lists. */
const MOST_LISTED = 5;
/** Transfers in a page when all are searched. */
const PAGE = 200;
/** Most pages that are searched for a transfer: the daemon keeps fewer. */
const MOST_PAGES = 50;

/** The first digits of an identity or a transfer id, as tables show them. */
export const shortId = (id: string): string => id.slice(0, SHORT);

/** How a peer is told to people: its name, and the digits that are not chosen by it. */
export function peerLabel(peer: Pick<Peer, "identity" | "deviceName">): string {
  const id = shortId(peer.identity);
  return peer.deviceName === undefined ? id : `${peer.deviceName} (${id})`;
}

/**
 * The peer that `wanted` names: an identity or the beginning of one, a peer code, or a device name.
 *
 * A name that a peer chose never wins over an identity or a code, and one that two peers have names
 * neither.
 *
 * @throws {CommandError} PEER_NOT_FOUND
 * @throws {UsageError} When more than one is meant.
 */
export function matchPeer(wanted: string, peers: readonly Peer[]): Peer {
  const code = normalizePeerCode(wanted);
  const ways: readonly ((peer: Peer) => boolean)[] = [
    (peer) => isPrefix(wanted, peer.identity),
    (peer) => code !== undefined && peer.peerCode === code,
    (peer) => peer.deviceName === wanted,
  ];
  const found = peers.filter((peer) => ways.some((matches) => matches(peer)));
  const [only] = found;
  if (only === undefined) {
    throw new CommandError(
      "PEER_NOT_FOUND",
      `No peer is known as ${wanted}; boltctl peers lists them`,
    );
  }
  if (found.length > 1) {
    throw new UsageError(
      `${wanted} may be any of ${listed(found.map(peerLabel))}: give more of the identity`,
    );
  }
  return only;
}

/** The peer that `wanted` names among those that the daemon knows. */
export async function resolvePeer(
  client: DaemonClient,
  wanted: string,
  signal: AbortSignal,
): Promise<Peer> {
  return matchPeer(wanted, await client.listPeers(signal));
}

/**
 * The peer that files go to: the one named, or the only one with an open session.
 *
 * @throws {CommandError} PEER_NOT_FOUND, PEER_NOT_CONNECTED
 * @throws {UsageError} When more than one is meant.
 */
export async function resolveReceiver(
  client: DaemonClient,
  wanted: string | undefined,
  signal: AbortSignal,
): Promise<Peer> {
  const peers = await client.listPeers(signal);
  if (wanted !== undefined) return matchPeer(wanted, peers);
  const connected = peers.filter((peer) => peer.connected);
  const [only] = connected;
  if (only === undefined) {
    throw new CommandError(
      "PEER_NOT_CONNECTED",
      "No peer is connected; boltctl pair opens a session",
    );
  }
  if (connected.length > 1) {
    throw new UsageError(
      `${connected.length} peers are connected: choose one with --to PEER, of ` +
        listed(connected.map(peerLabel)),
    );
  }
  return only;
}

/**
 * The transfer whose id is, or begins with, `wanted`.
 *
 * @throws {CommandError} TRANSFER_NOT_FOUND
 * @throws {UsageError} When more than one begins so.
 */
export async function resolveTransfer(
  client: DaemonClient,
  wanted: string,
  signal: AbortSignal,
): Promise<Transfer> {
  if (/^[0-9a-f]{32}$/.test(wanted)) return await client.getTransfer(wanted, signal);
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
  const query = { direction: "incoming", state: "offered" } as const;
  const offers = await Array.fromAsync(allTransfers(client, query, signal));
  const waiting = offers.filter(({ direction, state }) =>
    direction === query.direction && state === query.state
  );
  const [only] = waiting;
  if (only === undefined) {
    throw new CommandError("TRANSFER_NOT_FOUND", "No file is offered; boltctl transfers lists all");
  }
  if (waiting.length > 1) {
    const ids = waiting.map(({ transferId, name }) => `${shortId(transferId)} (${name})`);
    throw new UsageError(`${waiting.length} files are offered: name one, of ${listed(ids)}`);
  }
  return only;
}

/** Every transfer that the daemon tells of, newest first. */
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

const isPrefix = (wanted: string, id: string): boolean =>
  /^[0-9a-f]+$/i.test(wanted) && id.startsWith(wanted.toLowerCase());

const listed = (names: readonly string[]): string =>
  names.length <= MOST_LISTED
    ? names.join(", ")
    : `${names.slice(0, MOST_LISTED).join(", ")} and ${names.length - MOST_LISTED} more`;
