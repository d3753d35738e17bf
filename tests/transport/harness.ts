/**
 * What the transport's tests share: two peers in one process, and a hand on their sockets.
 *
 * @module
 */
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { NetworkScope } from "../../src/protocol/network_scope/scope.ts";
import type { Channel, ChannelEnd } from "../../src/transport/channel.ts";
import type { TransportChoice } from "../../src/transport/connector.ts";
import { type ConnectorOptions, createConnector } from "../../src/transport/webrtc/connector.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";

/** Only IPv4 loopback, so that every path of a test is known. */
export const LOOPBACK_ONLY: ConnectorOptions = { interfaces: () => [{ address: "127.0.0.1" }] };

/** A pair of peers that are connected, or failed to be. */
export interface Meeting {
  readonly offerer: PromiseSettledResult<Channel>;
  readonly answerer: PromiseSettledResult<Channel>;
}

/** Options of {@linkcode meet}. */
export interface MeetOptions {
  /** Deadline of all, in milliseconds. @default {20000} */
  readonly ms?: number;
  /** Scopes of offerer and answerer. @default {["lan", "lan"]} */
  readonly scopes?: readonly [NetworkScope, NetworkScope];
  /** What may carry the connection, of offerer and answerer. @default {["udp", "udp"]} */
  readonly transports?: readonly [TransportChoice, TransportChoice];
}

/** Has an offerer and an answerer meet; whatever came of it is closed after `use`. */
export async function meet(
  offererOptions: ConnectorOptions,
  answererOptions: ConnectorOptions,
  use: (meeting: Meeting, signal: AbortSignal) => Promise<void>,
  { ms = 20_000, scopes = ["lan", "lan"], transports: [ours, theirs] = ["udp", "udp"] }:
    MeetOptions = {},
): Promise<void> {
  using deadline = new Deadline(ms, { what: "the meeting" });
  const { signal } = deadline;
  const [offererScope, answererScope] = scopes;
  await using offering = await createConnector({ ...LOOPBACK_ONLY, ...offererOptions })
    .offer({ scope: offererScope, transport: ours, signal });
  await using answering = await createConnector({ ...LOOPBACK_ONLY, ...answererOptions })
    .answer(offering.offer, { scope: answererScope, transport: theirs, signal });
  const [offerer, answerer] = await Promise.allSettled([
    offering.connect(answering.answer, signal),
    answering.connect(signal),
  ]);
  try {
    await use({ offerer, answerer }, signal);
  } finally {
    for (const end of [offerer, answerer]) {
      if (end.status === "fulfilled") await end.value.close({ graceful: false });
    }
  }
}

/** As {@linkcode meet}, for peers that must have connected. */
export function connected(
  offererOptions: ConnectorOptions,
  answererOptions: ConnectorOptions,
  use: (offerer: Channel, answerer: Channel, signal: AbortSignal) => Promise<void>,
  options?: MeetOptions,
): Promise<void> {
  return meet(offererOptions, answererOptions, async ({ offerer, answerer }, signal) => {
    if (offerer.status === "rejected") throw offerer.reason;
    if (answerer.status === "rejected") throw answerer.reason;
    await use(offerer.value, answerer.value, signal);
  }, options);
}

/** Catches the parts of a connection, which is put together as the programs' are. */
export function catcher(): { readonly options: ConnectorOptions; get(): PeerParts } {
  let caught: PeerParts | undefined;
  return {
    options: { inspect: (parts) => caught = parts },
    get() {
      if (caught === undefined) throw new Error("nothing has been caught yet");
      return caught;
    },
  };
}

/** Has a datagram arrive at a peer's first socket, from wherever the test says. */
export function inject(
  target: PeerParts,
  data: Uint8Array,
  [address, port]: readonly [string, number],
): void {
  const [socket] = target.sockets();
  if (socket === undefined) throw new Error("there is no socket");
  socket.receive(data, [address, port]);
}

const USE_CANDIDATE = [0, 0x25, 0, 0];

/** Whether a datagram is a STUN binding request (RFC 8489, section 5). */
export function isRequest(data: Uint8Array): boolean {
  return data[0] === 0 && data[1] === 1;
}

/** Whether it is one with USE-CANDIDATE (RFC 8445, section 16.1). */
export function isNomination(data: Uint8Array): boolean {
  const isAttribute = (i: number) => USE_CANDIDATE.every((byte, j) => data[i + j] === byte);
  return isRequest(data) && data.some((_, i) => i % 4 === 0 && isAttribute(i));
}

/** Where a peer's nominated pair ends. */
export function remoteOf(target: PeerParts): readonly [string, number] {
  const nominated = target.connection.nominated;
  if (nominated === undefined) throw new Error("no pair is nominated");
  return nominated.remoteAddr;
}

/** How a channel ended, within the test's time. */
export function ended(channel: Channel, signal: AbortSignal): Promise<ChannelEnd> {
  return abortable(channel.closed, signal);
}

/** Fails unless a message goes each way. */
export async function assertAlive(a: Channel, b: Channel, signal: AbortSignal): Promise<void> {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    await from.send("still here", { signal });
    const message = await to.receive({ signal });
    if (message !== "still here") throw new Error(`received ${message}`);
  }
}
