import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  FRAME_HEADER_BYTES,
  FrameError,
  FrameReader,
  MAX_DTLS_FRAME,
  MAX_STUN_FRAME,
  writeFrameHeader,
} from "./framing.ts";

const STUN = 0;
const DTLS = 23;

function framed(...frames: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + 2 + length, 0));
  let at = 0;
  for (const frame of frames) {
    writeFrameHeader(bytes, at, frame.length);
    bytes.set(frame, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + frame.length;
  }
  return bytes;
}

const frameOf = (first: number, length: number) => new Uint8Array(length).fill(first, 0, 1);

/** A reader, what it has taken, and a way to feed it. */
function reading(capacity: number) {
  const frames: Uint8Array[] = [];
  const reader = new FrameReader({ capacity, onFrame: (frame) => frames.push(frame.slice()) });
  const feed = (bytes: Uint8Array, atOnce = Infinity) => {
    for (let at = 0; at < bytes.length;) {
      const { room } = reader;
      assert(room.length > 0, "there is always room");
      const part = bytes.subarray(at, at + Math.min(room.length, atOnce));
      room.set(part);
      reader.take(part.length);
      at += part.length;
    }
  };
  return { reader, frames, feed };
}

Deno.test("frames come out as they went in, wherever the stream is cut", () => {
  const frame = fc.tuple(fc.constantFrom(STUN, 3, 20, DTLS, 63), fc.uint8Array({ maxLength: 300 }))
    .map(([first, rest]) => Uint8Array.of(first, ...rest));
  fc.assert(fc.property(
    fc.array(frame, { maxLength: 20 }),
    fc.integer({ min: 1, max: 700 }),
    (sent, atOnce) => {
      const { frames, feed, reader } = reading(512);
      feed(framed(...sent), atOnce);
      assertEquals(frames, sent);
      assertEquals(reader.held, 0);
    },
  ));
});

Deno.test("frames of no bytes are passed over", () => {
  const { frames, feed } = reading(64);
  const empty = new Uint8Array();
  feed(framed(empty, empty, frameOf(STUN, 4), empty));
  assertEquals(frames, [frameOf(STUN, 4)]);
});

for (
  const [kind, first, most] of [["STUN", 3, MAX_STUN_FRAME], ["DTLS", 20, MAX_DTLS_FRAME]] as const
) {
  Deno.test(`a ${kind} frame has at most its ${most} bytes, known by its first one`, () => {
    const { frames, feed } = reading(2 * MAX_DTLS_FRAME);
    feed(framed(frameOf(first, most)));
    assertEquals(frames.length, 1);
    assertThrows(() => feed(framed(frameOf(first, most + 1)).subarray(0, 3)), FrameError);
  });
}

Deno.test("a frame of an unknown kind ends the stream at its first byte", () => {
  for (const first of [4, 19, 64, 128, 255]) {
    const { feed } = reading(64);
    assertThrows(() => feed(framed(frameOf(first, 2)).subarray(0, 3)), FrameError, "kind");
  }
});

Deno.test("a length that no kind may have ends the stream before its first byte", () => {
  const { feed } = reading(64);
  assertThrows(() => feed(Uint8Array.of(255, 255)), FrameError, "too long");
});

Deno.test("a reader that grows while bytes are under way to where it said takes them all the same", () => {
  const { reader, frames } = reading(100);
  const stream = framed(frameOf(STUN, 30), frameOf(DTLS, 400));
  const { room } = reader;
  reader.grow(1000);
  room.set(stream.subarray(0, 40));
  reader.take(40);
  reader.room.set(stream.subarray(40));
  reader.take(stream.length - 40);
  assertEquals(frames, [frameOf(STUN, 30), frameOf(DTLS, 400)]);
});

Deno.test("a frame is no longer than the room there is, and a reader that has grown takes more", () => {
  const small = reading(100);
  assertThrows(() => small.feed(framed(frameOf(DTLS, 99)).subarray(0, 50)), FrameError);
  const { reader, feed, frames } = reading(100);
  feed(framed(frameOf(DTLS, 98)).subarray(0, 50));
  reader.grow(MAX_DTLS_FRAME + FRAME_HEADER_BYTES);
  assertEquals([reader.held, reader.capacity], [50, MAX_DTLS_FRAME + FRAME_HEADER_BYTES]);
  feed(framed(frameOf(DTLS, 98)).subarray(50));
  feed(framed(frameOf(DTLS, MAX_DTLS_FRAME)));
  assertEquals(frames.map(({ length }) => length), [98, MAX_DTLS_FRAME]);
});
