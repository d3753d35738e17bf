/** What counts as the peer's acknowledgement when it leaves, and that ours does not get left behind. */
import { assertEquals, assertRejects } from "@std/assert";
import { TransportError } from "../../src/base/errors.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { dataPacket, packetWith } from "../../src/transport/testing/packets.ts";
import { chunkTypes } from "../../src/transport/testing/virtual_associations.ts";
import { writeOutgoingReset, writeParameters } from "../../src/transport/webrtc/sctp/chunks.ts";
import {
  ChunkType,
  DataFlag,
  type PacketAddress,
  type PacketWriter,
  parsePacket,
} from "../../src/transport/webrtc/sctp/packet.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import { catcher, connected } from "./harness.ts";
import { closeNotify } from "../support/leaving.ts";
import { PacketTap } from "../support/packet_tap.ts";

interface End {
  readonly channel: Channel;
  readonly packets: PacketTap;
  readonly target: PeerParts;
}

/** Two peers, a tap on the packets of each, and the library's objects. */
function between(
  use: (offerer: End, answerer: End, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const [one, other] = [catcher(), catcher()];
  const taps = [new PacketTap(), new PacketTap()] as const;
  return connected(
    { ...one.options, packetTap: taps[0].tap },
    { ...other.options, packetTap: taps[1].tap },
    (a, b, signal) =>
      use(
        { channel: a, packets: taps[0], target: one.get() },
        { channel: b, packets: taps[1], target: other.get() },
        signal,
      ),
  );
}

type Add = (writer: PacketWriter) => void;

/** Chunks with which the offerer that acknowledges nothing might leave the answerer. */
function chunksFor({ sentTsn, ackedTsn, peerFirstTsn }: PacketTap) {
  const sack = (cumulativeTsn: number): Add => (writer) =>
    writer.sack({ cumulativeTsn, window: 1024 * 1024, gaps: [], duplicates: [] });
  const control = (type: number, body: Uint8Array = new Uint8Array()): Add => (writer) =>
    writer.control({ type, flags: 0, body });
  const tsn = (value: number): Uint8Array => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value);
    return bytes;
  };
  const reset = writeOutgoingReset({
    sequence: peerFirstTsn,
    answered: 0,
    lastTsn: peerFirstTsn,
    streams: [0],
  });
  return {
    sack: sack(sentTsn),
    staleSack: sack(ackedTsn),
    reset: control(ChunkType.RECONFIG, writeParameters([reset])),
    shutdown: control(ChunkType.SHUTDOWN, tsn(sentTsn)),
    staleShutdown: control(ChunkType.SHUTDOWN, tsn(ackedTsn)),
    abort: control(ChunkType.ABORT),
  };
}

type Chunks = ReturnType<typeof chunksFor>;

/** Has a packet of these chunks come in as if the peer had sent it. */
function arrive(tap: PacketTap, chunks: readonly Add[]): void {
  tap.arrive(packetWith(tap.address, (writer) => chunks.forEach((add) => add(writer))));
}

const COUNTS: Record<string, (chunks: Chunks) => readonly Add[]> = {
  "a SACK before a reset in one packet": ({ sack, reset }) => [sack, reset],
  "a SACK before an ABORT in one packet": ({ sack, abort }) => [sack, abort],
  "the cumulative TSN of a SHUTDOWN": ({ shutdown }) => [shutdown],
  "a SACK behind a reset in one packet": ({ sack, reset }) => [reset, sack],
  "a SACK behind a SHUTDOWN in one packet": ({ sack, staleShutdown }) => [staleShutdown, sack],
};
const COUNTS_NOT: typeof COUNTS = {
  "a reset": ({ reset }) => [reset],
  "an ABORT": ({ abort }) => [abort],
  "a SHUTDOWN of a peer that has it not": ({ staleShutdown }) => [staleShutdown],
  "a reset with a SACK of what came before": ({ staleSack, reset }) => [staleSack, reset],
};

for (const [name, make] of Object.entries(COUNTS)) {
  Deno.test(`${name} acknowledges what was sent, before it ends the channel`, async () => {
    await between(async (offerer, answerer, signal) => {
      void offerer.packets.dropUserData();
      await answerer.channel.send("echo", { signal });
      const drained = answerer.channel.drained({ signal });
      arrive(answerer.packets, make(chunksFor(answerer.packets)));
      await drained;
      assertEquals((await answerer.channel.closed).by, "remote");
    });
  });
}

for (const [name, make] of Object.entries(COUNTS_NOT)) {
  Deno.test(`${name} acknowledges nothing: the channel ends undrained`, async () => {
    await between(async (offerer, answerer, signal) => {
      await offerer.channel.send("hello", { signal });
      await answerer.channel.receive({ signal });
      void offerer.packets.dropUserData();
      await answerer.channel.send("echo", { signal });
      const drained = answerer.channel.drained({ signal });
      arrive(answerer.packets, make(chunksFor(answerer.packets)));
      const error = await assertRejects(() => drained, TransportError);
      assertEquals(error.code, "CHANNEL_CLOSED");
    });
  });
}

Deno.test("a DTLS close_notify acknowledges nothing: the channel ends undrained", async () => {
  await between(async (offerer, answerer, signal) => {
    void offerer.packets.dropUserData();
    await answerer.channel.send("echo", { signal });
    const drained = answerer.channel.drained({ signal });
    closeNotify(offerer.target);
    const error = await assertRejects(() => drained, TransportError);
    assertEquals(error.code, "CHANNEL_CLOSED");
  });
});

for (const graceful of [true, false]) {
  const how = graceful ? "in order" : "at once";
  Deno.test(`who closes ${how} when it has a message has acknowledged it`, async () => {
    // Often, as what overtakes what is a matter of turns.
    for (let i = 0; i < 5; i++) {
      await between(async (offerer, answerer, signal) => {
        await answerer.channel.send("echo", { signal });
        const drained = answerer.channel.drained({ signal });
        await offerer.channel.receive({ signal });
        await Promise.all([drained, offerer.channel.close({ graceful, signal })]);
      });
    }
  });
}

Deno.test("the chunk that ends what is queued asks for its acknowledgement at once", async () => {
  await between(async (offerer, answerer, signal) => {
    const flags: number[] = [];
    answerer.packets.editSent((packet) => {
      parsePacket(packet)?.visit({ data: (chunk) => flags.push(chunk.flags) });
      return packet;
    });
    await answerer.channel.send(new Uint8Array(3000), { signal });
    await offerer.channel.receive({ signal });
    await answerer.channel.drained({ signal });
    const asks = flags.map((flag) => (flag & DataFlag.IMMEDIATE) !== 0);
    assertEquals(asks, [false, false, true]);
  });
});

for (const [chunk, graceful] of [["RECONFIG", true], ["ABORT", false]] as const) {
  Deno.test(`a delayed SACK goes in one packet with the ${chunk} that ends the channel`, async () => {
    await between(async (offerer, answerer, signal) => {
      // A sender that asks for nothing: its peer delays the SACK.
      answerer.packets.editSent(withoutRequest);
      const chunks: number[][] = [];
      offerer.packets.editSent((packet) => {
        chunks.push(chunkTypes(packet));
        return packet;
      });
      await answerer.channel.send("echo", { signal });
      await offerer.channel.receive({ signal });
      assertEquals(chunks, [], "nothing has been acknowledged yet");
      const drained = answerer.channel.drained({ signal });
      await Promise.all([drained, offerer.channel.close({ graceful, signal })]);
      assertEquals([chunks[0]?.[0], chunks[0]?.at(-1)], [ChunkType.SACK, ChunkType[chunk]]);
    });
  });
}

/** A packet whose DATA chunk does not ask for a SACK at once; any other packet as it is. */
function withoutRequest(packet: Uint8Array): Uint8Array {
  let bare = packet;
  parsePacket(packet)?.visit({
    data: (chunk) => {
      const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
      const to: PacketAddress = {
        sourcePort: view.getUint16(0),
        destinationPort: view.getUint16(2),
        tag: view.getUint32(4),
      };
      bare = dataPacket(to, chunk, chunk.flags & ~DataFlag.IMMEDIATE);
    },
  });
  return bare;
}
