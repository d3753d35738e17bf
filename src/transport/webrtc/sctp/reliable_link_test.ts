/** Two associations on a link that loses nothing, in virtual time: as over TCP. */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import fc from "fast-check";
import { RELIABLE_SACK_DELAY_MS } from "../../../base/timing.ts";
import {
  chunksOf,
  chunkTypes,
  VirtualAssociations,
  type VirtualAssociationsOptions,
  type VirtualEnd,
} from "../../testing/virtual_associations.ts";
import { ChunkType } from "./packet.ts";
import { RECEIVE_WINDOW } from "./receive_window.ts";
import { TIMED_WINDOW } from "./timed_window.ts";

const PACKET = 2 ** 14;
/** What a full packet carries: less the common header, and that of a DATA chunk. */
const PAYLOAD = 16_356;

const { INIT, INIT_ACK, COOKIE_ECHO } = ChunkType;
/** What comes before anything is agreed on. */
const SETUP: ReadonlySet<number> = new Set([INIT, INIT_ACK, COOKIE_ECHO]);

const reliable = (options: VirtualAssociationsOptions = {}) =>
  new VirtualAssociations({
    delayMs: 10,
    ...options,
    core: { isReliable: true, basePacket: PACKET, largerPackets: [], ...options.core },
  }).connect();

/** User data in each packet that an end has sent. */
const sizes = (end: VirtualEnd) =>
  end.sent.flatMap(({ packet }) => chunksOf(packet).data.map(({ payload }) => payload.length));
const sacks = (end: VirtualEnd) =>
  end.sent.filter(({ packet }) => chunkTypes(packet).includes(ChunkType.SACK)).length;

Deno.test("a message is cut evenly over large packets", () => {
  const link = reliable();
  const before = sizes(link.a).length;
  link.a.send(new Uint8Array(65_600).fill(1));
  link.run(link.now + 1000, () => link.a.acknowledged === 1);
  const cut = sizes(link.a).slice(before);
  assertEquals(cut, [13_120, 13_120, 13_120, 13_120, 13_120]);
  link.a.send(new Uint8Array(PAYLOAD).fill(1));
  link.run(link.now + 1000, () => link.a.acknowledged === 2);
  assertEquals(sizes(link.a).at(-1), PAYLOAD);
  assertEquals(link.a.sent.at(-1)?.packet.length, PACKET);
});

/** A link whose window has opened. */
function open(): VirtualAssociations {
  const link = reliable();
  for (let i = 0; i < 64; i++) link.a.send(new Uint8Array(64_000).fill(4));
  link.run(link.now + 10_000, () => link.a.acknowledged === 64);
  assertEquals(link.a.acknowledged, 64);
  return link;
}

Deno.test("the window opens within a few round trips", () => {
  const link = reliable();
  const began = link.now;
  for (let i = 0; i < 60; i++) link.a.send(new Uint8Array(64_000).fill(2));
  link.run(link.now + 1000, () => link.a.acknowledged === 60);
  // 128, 256, 512 KiB and 1 MiB, then 1.5 a round trip of 20 ms; the last waits for its SACK.
  assertLess(link.now - began, 8 * 20 + RELIABLE_SACK_DELAY_MS);
});

Deno.test("all that there is goes out at once, and is acknowledged each 256 KiB", () => {
  const link = open();
  const [packets, before, known] = [link.a.sent.length, sacks(link.b), link.a.acknowledged];
  const message = new Uint8Array(64_000).fill(2);
  for (let i = 0; i < 16; i++) link.a.send(message);
  // In the same turn: no burst is bounded, and no window has to open.
  assertEquals(link.a.sent.length - packets, 16 * 4);
  link.run(link.now + 1000, () => link.a.acknowledged === known + 16);
  assertEquals(sacks(link.b) - before, Math.ceil(16 * 64_000 / (256 * 1024)));
});

Deno.test("from its first packet on, what is under way on a slow path is some seconds of it", () => {
  const [bytesPerSecond, seconds] = [24_000, 120];
  let free = 0;
  let longest = 0;
  const passes = (packet: Uint8Array, now: number, from: "a" | "b") => {
    if (from === "b") return true;
    free = Math.max(now, free) + 1000 * packet.length / bytesPerSecond;
    longest = Math.max(longest, free - now);
    return true;
  };
  const link = reliable({ delayMs: 50, bytesPerSecond, passes });
  for (let i = 0; i < 64; i++) link.a.send(new Uint8Array(64_000).fill(4));
  link.run(link.now + 1000 * seconds);
  assertLess(longest, 6500);
  const arrived = link.b.received.length * 64_000;
  assertGreater(arrived, 0.9 * seconds * bytesPerSecond, "the path is not idle");
});

Deno.test("nothing of the data is handed to a link that takes no more, and all when it does again", () => {
  let isFull = false;
  const link = reliable({ core: { isWritable: () => !isFull } });
  const before = sizes(link.a).length;
  link.b.send("asked");
  isFull = true;
  for (let i = 0; i < 4; i++) link.a.send(new Uint8Array(16_000).fill(3));
  link.run(link.now + 5000);
  // The peer is answered all the same.
  assertEquals([link.b.acknowledged, sizes(link.a).length], [1, before]);
  isFull = false;
  link.a.core.flush();
  link.run(link.now + 5000, () => link.a.acknowledged === 4);
  assertEquals(link.a.acknowledged, 4);
});

Deno.test("a lone message is acknowledged after 50 ms, and nothing is sent again meanwhile", () => {
  const link = reliable({ delayMs: 1 });
  const began = link.now;
  const sent = link.a.sent.length;
  link.a.send("one");
  link.run(link.now + 1000, () => link.a.acknowledged === 1);
  assertGreater(link.now - began, RELIABLE_SACK_DELAY_MS - 1);
  assertLess(link.now - began, RELIABLE_SACK_DELAY_MS + 10);
  assertEquals(link.a.sent.length, sent + 1);
});

Deno.test("however late the acknowledgement, nothing is sent again", () => {
  const link = reliable({ delayMs: 9000 });
  const sent = sizes(link.a).length;
  for (let i = 0; i < 4; i++) link.a.send(new Uint8Array(16_000).fill(3));
  link.run(link.now + 60_000, () => link.a.acknowledged === 4);
  assertEquals(sizes(link.a).length - sent, 4);
});

Deno.test("whatever the messages and however they are read, all arrive, once and in order", () => {
  const scenario = fc.record({
    lengths: fc.array(
      fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 260_000 })),
      {
        minLength: 1,
        maxLength: 40,
      },
    ),
    most: fc.constantFrom(20_000, 70_000, RECEIVE_WINDOW.most),
  });
  fc.assert(
    fc.property(scenario, ({ lengths: drawn, most }) => {
      // No window is smaller than a message.
      const lengths = drawn.map((length) => Math.min(length, most));
      const link = reliable({ core: { window: { first: most, most }, maxMessageBytes: 262_144 } });
      for (const length of lengths) link.a.send(new Uint8Array(length).fill(length & 255));
      link.run(link.now + 600_000, () => link.a.acknowledged === lengths.length);
      assertEquals(link.b.received.map((content) => content.length), lengths);
      assertEquals([link.a.error, link.b.error], [undefined, undefined]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("thousands of little messages are no more than the peer has room for", () => {
  const link = reliable();
  for (let i = 0; i < 20_000; i++) link.a.send("x");
  link.run(link.now + 60_000, () => link.a.acknowledged === 20_000);
  assertEquals([link.b.received.length, link.b.error], [20_000, undefined]);
});

Deno.test("what is under way has a bound, whoever does not acknowledge", () => {
  const link = open();
  const before = sizes(link.a).length;
  for (let i = 0; i < 100; i++) link.a.send(new Uint8Array(64_000).fill(4));
  const underWay = sizes(link.a).slice(before).reduce((sum, length) => sum + length, 0);
  assert(underWay > TIMED_WINDOW.most - 2 * PACKET && underWay <= TIMED_WINDOW.most, `${underWay}`);
});

Deno.test("no checksum is made for who takes packets without, once that is agreed on", () => {
  const link = reliable();
  const checksums = (end: VirtualEnd) =>
    end.sent.map(({ packet }) => ({
      type: packet[12] ?? 0,
      isZero: packet.subarray(8, 12).every((byte) => byte === 0),
    }));
  link.a.send("one");
  link.run(link.now + 1000, () => link.a.acknowledged === 1);
  for (const end of [link.a, link.b]) {
    const all = checksums(end);
    // Before the peer has said that it takes them, and wherever a cookie is opened.
    for (const { type, isZero } of all) if (SETUP.has(type)) assertEquals(isZero, false, `${type}`);
    assertEquals(all.at(-1)?.isZero, true);
  }
});
