/**
 * A peer learns of our end from the end of the channel: a browser tells its page of that at once, and
 * of a connection that just ends only after seconds of silence.
 */
import { assert, assertEquals } from "@std/assert";
import type { Channel } from "../../src/transport/channel.ts";
import { ChunkType, parsePacket } from "../../src/transport/webrtc/sctp/packet.ts";
import { PacketTap } from "../support/packet_tap.ts";
import { connected } from "./harness.ts";

const ENDS: ReadonlySet<number> = new Set([
  ChunkType.RECONFIG,
  ChunkType.SHUTDOWN,
  ChunkType.SHUTDOWN_ACK,
  ChunkType.SHUTDOWN_COMPLETE,
  ChunkType.ABORT,
]);

/** What the one that closes has sent so far. */
interface Watch {
  /** Chunks that end something, in order. */
  readonly ends: readonly number[];
  /** The windows that it granted, in bytes. */
  readonly windows: readonly number[];
  /** Resolves when it grants none. */
  readonly full: Promise<void>;
}

/** Two peers, the chunks with which the first ends, and a watch on the window that it grants. */
function between(
  first: "offerer" | "answerer",
  use: (closing: Channel, other: Channel, watch: Watch) => Promise<void>,
): Promise<void> {
  const tap = new PacketTap();
  const [ends, windows]: [number[], number[]] = [[], []];
  const full = Promise.withResolvers<void>();
  tap.editSent((packet) => {
    parsePacket(packet)?.visit({
      sack: ({ window }) => {
        windows.push(window);
        if (window < 1000) full.resolve();
      },
      control: ({ type }) => {
        if (ENDS.has(type)) ends.push(type);
        return true;
      },
    });
    return packet;
  });
  const options = { packetTap: tap.tap };
  const [ofOfferer, ofAnswerer] = first === "offerer" ? [options, {}] : [{}, options];
  return connected(ofOfferer, ofAnswerer, async (offerer, answerer) => {
    const [closing, other] = first === "offerer" ? [offerer, answerer] : [answerer, offerer];
    await use(closing, other, { ends, windows, full: full.promise });
  });
}

for (const first of ["offerer", "answerer"] as const) {
  Deno.test(`the ${first} ends the channel before the association, and the other knows then`, () =>
    between(first, async (closing, other, { ends }) => {
      await Promise.all([closing.send("a"), other.send("b")]);
      let before: readonly number[] | undefined;
      other.closed.then(() => before = [...ends]);
      await closing.close();
      assertEquals(await other.closed, { by: "remote" });
      assertEquals(before?.filter((type) => type !== ChunkType.RECONFIG), []);
      assertEquals(ends[0], ChunkType.RECONFIG);
      assert(!ends.includes(ChunkType.ABORT));
    }));
}

Deno.test("a peer that has more to say than was read is let say it, so that it can end the channel", () =>
  between("answerer", async (closing, other, { ends, windows, full }) => {
    const said = (async () => {
      for (;;) await other.send(new Uint8Array(100_000));
    })().catch(() => {});
    await full;
    const before = windows.length;
    await closing.close();
    assertEquals(await other.closed, { by: "remote" });
    // A browser ends its side of a channel when it has sent the message that it had begun.
    const [widest] = windows.slice(before).toSorted((a, b) => b - a);
    assert(widest !== undefined && widest > 64 * 1024, `granted ${widest} bytes at most`);
    assert(ends.includes(ChunkType.SHUTDOWN) && !ends.includes(ChunkType.ABORT), `${ends}`);
    await said;
  }));
