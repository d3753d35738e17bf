/** What counts as the peer's acknowledgement when it leaves, and that ours does not get left behind. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { TransportError } from "../../src/base/errors.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { createFastPath } from "../../src/transport/webrtc/fast/fast_path.ts";
import { packetChecksum } from "../../src/transport/webrtc/fast/crc32c.ts";
import {
  ChunkType,
  DataFlag,
  type PacketAddress,
  PacketWriter,
  parsePacket,
} from "../../src/transport/webrtc/fast/sctp_packet.ts";
import type { FastPath, FastPathTarget } from "../../src/transport/webrtc/fast_path.ts";
import { connected } from "./harness.ts";
import { closeNotify, dropUserData, editSent, sctpOf } from "../support/leaving.ts";

const WAYS: Record<string, () => FastPath> = {
  "": createFastPath,
  ", without the fast path": () => () => {},
};

/** Two peers, and the library's objects of each. */
function between(
  way: () => FastPath,
  use: (
    offerer: { channel: Channel; target: FastPathTarget },
    answerer: { channel: Channel; target: FastPathTarget },
    signal: AbortSignal,
  ) => Promise<void>,
): Promise<void> {
  const targets: FastPathTarget[] = [];
  const options = {
    fastPath: (target: FastPathTarget) => {
      targets.push(target);
      way()(target);
    },
  };
  return connected(options, options, async (a, b, signal) => {
    const [offering, answering] = targets;
    assert(offering !== undefined && answering !== undefined);
    await use({ channel: a, target: offering }, { channel: b, target: answering }, signal);
  });
}

/** Chunks with which the offerer that acknowledges nothing might leave the answerer. */
function chunksFor(answerer: FastPathTarget) {
  const { localTsn, lastSackedTsn, lastReceivedTsn, outboundStreamSeq } = sctpOf(answerer);
  const chunk = (type: number, ...words: number[]): Uint8Array => {
    const bytes = new Uint8Array(4 + 4 * words.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, type);
    view.setUint16(2, bytes.length);
    words.forEach((word, i) => view.setUint32(4 + 4 * i, word));
    return bytes;
  };
  const [all, before] = [(localTsn - 1) >>> 0, lastSackedTsn];
  const sack = (tsn: number) => chunk(ChunkType.SACK, tsn, 1024 * 1024, 0);
  // A request to reset one outgoing stream (RFC 6525, section 4.1): 18 bytes, padded.
  const [streamId = ""] = Object.keys(outboundStreamSeq);
  const stream = Number(streamId) << 16;
  return {
    sack: sack(all),
    staleSack: sack(before),
    reset: chunk(ChunkType.RECONFIG, (13 << 16) | 18, lastReceivedTsn + 1, 0, 0, stream),
    shutdown: chunk(ChunkType.SHUTDOWN, all),
    staleShutdown: chunk(ChunkType.SHUTDOWN, before),
    abort: chunk(ChunkType.ABORT),
  };
}

type Chunks = ReturnType<typeof chunksFor>;

/** Has a packet of these chunks come in as if the peer had sent it. */
function arrive(target: FastPathTarget, chunks: readonly Uint8Array[]): void {
  const { localVerificationTag: tag } = sctpOf(target);
  const to = { sourcePort: 5000, destinationPort: 5000, tag };
  target.dtlsTransports[0].dataReceiver(writePacket(to, chunks));
}

function writePacket(
  { sourcePort, destinationPort, tag }: PacketAddress,
  chunks: readonly Uint8Array[],
): Buffer {
  const packet = Buffer.concat([Buffer.alloc(12), ...chunks]);
  packet.writeUInt16BE(sourcePort, 0);
  packet.writeUInt16BE(destinationPort, 2);
  packet.writeUInt32BE(tag, 4);
  packet.writeUInt32LE(packetChecksum(packet), 8);
  return packet;
}

const COUNTS: Record<string, (chunks: Chunks) => readonly Uint8Array[]> = {
  "a SACK before a reset in one packet": ({ sack, reset }) => [sack, reset],
  "a SACK before an ABORT in one packet": ({ sack, abort }) => [sack, abort],
  "the cumulative TSN of a SHUTDOWN": ({ shutdown }) => [shutdown],
};
/** Only the fast path looks through the whole packet first. */
const COUNTS_ANYWHERE: typeof COUNTS = {
  "a SACK behind a reset in one packet": ({ sack, reset }) => [reset, sack],
  "a SACK behind a SHUTDOWN in one packet": ({ sack, staleShutdown }) => [staleShutdown, sack],
};
const COUNTS_NOT: typeof COUNTS = {
  "a reset": ({ reset }) => [reset],
  "an ABORT": ({ abort }) => [abort],
  "a SHUTDOWN of a peer that has it not": ({ staleShutdown }) => [staleShutdown],
  "a reset with a SACK of what came before": ({ staleSack, reset }) => [staleSack, reset],
};

for (const [suffix, way] of Object.entries(WAYS)) {
  for (
    const [name, make] of Object.entries(suffix === "" ? { ...COUNTS, ...COUNTS_ANYWHERE } : COUNTS)
  ) {
    Deno.test(`${name} acknowledges what was sent, before it ends the channel${suffix}`, async () => {
      await between(way, async (offerer, answerer, signal) => {
        void dropUserData(offerer.target);
        await answerer.channel.send("echo", { signal });
        const drained = answerer.channel.drained({ signal });
        arrive(answerer.target, make(chunksFor(answerer.target)));
        await drained;
        assertEquals((await answerer.channel.closed).by, "remote");
      });
    });
  }
  for (const [name, make] of Object.entries(COUNTS_NOT)) {
    Deno.test(`${name} acknowledges nothing: the channel ends undrained${suffix}`, async () => {
      await between(way, async (offerer, answerer, signal) => {
        await offerer.channel.send("hello", { signal });
        await answerer.channel.receive({ signal });
        void dropUserData(offerer.target);
        await answerer.channel.send("echo", { signal });
        const drained = answerer.channel.drained({ signal });
        arrive(answerer.target, make(chunksFor(answerer.target)));
        const error = await assertRejects(() => drained, TransportError);
        assertEquals(error.code, "CHANNEL_CLOSED");
      });
    });
  }
  Deno.test(`a DTLS close_notify acknowledges nothing: the channel ends undrained${suffix}`, async () => {
    await between(way, async (offerer, answerer, signal) => {
      void dropUserData(offerer.target);
      await answerer.channel.send("echo", { signal });
      const drained = answerer.channel.drained({ signal });
      await closeNotify(offerer.target);
      const error = await assertRejects(() => drained, TransportError);
      assertEquals(error.code, "CHANNEL_CLOSED");
    });
  });
  // Without the fast path the library's last datagram may stay in the runtime with the socket.
  for (const graceful of suffix === "" ? [true, false] : [true]) {
    const how = graceful ? "in order" : "at once";
    Deno.test(`who closes ${how} when it has a message has acknowledged it${suffix}`, async () => {
      // Often, as what overtakes what is a matter of turns.
      for (let i = 0; i < 5; i++) {
        await between(way, async (offerer, answerer, signal) => {
          await answerer.channel.send("echo", { signal });
          const drained = answerer.channel.drained({ signal });
          await offerer.channel.receive({ signal });
          await Promise.all([drained, offerer.channel.close({ graceful, signal })]);
        });
      }
    });
  }
  Deno.test(`the chunk that ends what is queued asks for its acknowledgement at once${suffix}`, async () => {
    await between(way, async (offerer, answerer, signal) => {
      const flags: number[] = [];
      editSent(answerer.target, (packet) => {
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
}

for (const [chunk, graceful] of [["RECONFIG", true], ["ABORT", false]] as const) {
  Deno.test(`a delayed SACK goes in one packet with the ${chunk} that ends the channel`, async () => {
    await between(createFastPath, async (offerer, answerer, signal) => {
      // A sender that asks for nothing: its peer delays the SACK.
      editSent(answerer.target, withoutRequest);
      const chunks: number[][] = [];
      editSent(offerer.target, (packet) => {
        chunks.push(typesOf(packet));
        return packet;
      });
      await answerer.channel.send("echo", { signal });
      await offerer.channel.receive({ signal });
      assertEquals(chunks, [], "nothing has been acknowledged yet");
      const drained = answerer.channel.drained({ signal });
      await Promise.all([drained, offerer.channel.close({ graceful, signal })]);
      assertEquals(chunks[0], [ChunkType.SACK, ChunkType[chunk]]);
    });
  });
}

/** A packet whose DATA chunk does not ask for a SACK at once; any other packet as it is. */
function withoutRequest(packet: Buffer): Buffer {
  let bare = packet;
  parsePacket(packet)?.visit({
    data: (chunk) => {
      const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
      const to = {
        sourcePort: view.getUint16(0),
        destinationPort: view.getUint16(2),
        tag: view.getUint32(4),
      };
      bare = Buffer.from(
        new PacketWriter(1200).data(to, chunk, chunk.flags & ~DataFlag.IMMEDIATE),
      );
    },
  });
  return bare;
}

function typesOf(packet: Uint8Array): number[] {
  const types: number[] = [];
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  for (let at = 12; at < packet.length; at += (view.getUint16(at + 2) + 3) & ~3) {
    types.push(view.getUint8(at));
  }
  return types;
}
