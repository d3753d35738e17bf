/**
 * The other side of a one-shot run, scripted by a test: it signals over the standard streams, has a
 * channel of ours, and leaves as a daemon would not.
 *
 * @module
 */
import { encodeBundle, parseBundle } from "../../src/protocol/signal/bundle.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import { PacketTap } from "./packet_tap.ts";

/** Where a peer's bundles go to and come from: one line each. */
export interface Lines {
  /** Gives the peer a line. */
  put(line: string): Promise<void>;
  /** Takes the peer's first line. */
  take(): Promise<string>;
}

/** A scripted peer that has its channel. Disposing it leaves nothing. */
export interface ScriptedPeer extends AsyncDisposable {
  readonly channel: Channel;
  readonly target: PeerParts;
  readonly packets: PacketTap;
  /** From now on nothing goes in or out, as if the process were gone. */
  vanish(): void;
}

/** Connects as the offerer or the answerer of a run at the other end of the lines. */
export async function connectScripted(
  role: "offerer" | "answerer",
  lines: Lines,
  signal: AbortSignal,
): Promise<ScriptedPeer> {
  let isGone = false;
  let target: PeerParts | undefined;
  const packets = new PacketTap();
  const connector = createConnector({
    tap: { inbound: () => !isGone, outbound: () => !isGone },
    packetTap: packets.tap,
    inspect: (parts) => target = parts,
  });
  const channel = await (role === "offerer" ? offer() : answer());
  if (target === undefined) throw new Error("unreachable: a connection has a target");
  return {
    channel,
    target,
    packets,
    vanish: () => isGone = true,
    [Symbol.asyncDispose]: () => channel.close({ graceful: false }),
  };

  async function offer(): Promise<Channel> {
    await using offering = await connector.offer({ scope: "lan", signal });
    await lines.put(`${encodeBundle(offering.offer)}\n`);
    return await offering.connect(parseBundle(await lines.take(), "answer"), signal);
  }
  async function answer(): Promise<Channel> {
    const bundle = parseBundle(await lines.take(), "offer");
    await using answering = await connector.answer(bundle, { scope: "lan", signal });
    await lines.put(`${encodeBundle(answering.answer)}\n`);
    return await answering.connect(signal);
  }
}
