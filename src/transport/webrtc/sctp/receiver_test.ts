import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DataChunk, DataFlag } from "./packet.ts";
import { type ReceiveBreach, type ReceivedMessage, SctpReceiver } from "./receiver.ts";
import { ReceiveWindow } from "./receive_window.ts";
import { tsnAdd } from "./tsn.ts";

const { FIRST, LAST, IMMEDIATE } = DataFlag;
const WHOLE = FIRST | LAST;

function chunk(tsn: number, flags: number, payload: Uint8Array | number = 1): DataChunk {
  const bytes = typeof payload === "number" ? new Uint8Array(payload).fill(tsn) : payload;
  return { tsn, flags, streamId: 1, ssn: 0, ppid: 53, payload: bytes };
}

function receiverAt(initialTsn: number, bytes?: number) {
  const messages: ReceivedMessage[] = [];
  const breaches: ReceiveBreach[] = [];
  const clock = { now: 1000 };
  const window = new ReceiveWindow(bytes === undefined ? {} : { first: bytes, most: bytes });
  const receiver = new SctpReceiver({
    initialTsn,
    window,
    now: () => clock.now,
    deliver: (message) => messages.push({ ...message, bytes: message.bytes.slice() }),
    onBreach: (breach) => breaches.push(breach),
  });
  return { receiver, window, messages, breaches, clock };
}

/** Cuts messages into chunks, as a sender does. */
function chunksOf(messages: readonly Uint8Array[], fragment: number, tsn: number): DataChunk[] {
  return messages.flatMap((message) => {
    const count = Math.ceil(message.length / fragment);
    return Array.from({ length: count }, (_, i) =>
      chunk(
        0,
        (i === 0 ? FIRST : 0) | (i === count - 1 ? LAST : 0),
        message.subarray(i * fragment, (i + 1) * fragment),
      ));
  }).map((chunk, i) => ({ ...chunk, tsn: tsnAdd(tsn, i) }));
}

Deno.test("messages come out whole and in order, however their chunks come in", () => {
  const message = fc.uint8Array({ minLength: 1, maxLength: 40 });
  const scenario = fc.record({
    messages: fc.array(message, { maxLength: 20 }),
    fragment: fc.integer({ min: 1, max: 20 }),
    initialTsn: fc.constantFrom(0, 999_999_995, 2 ** 32 - 5),
    seed: fc.infiniteStream(fc.nat()),
  });
  fc.assert(fc.property(scenario, ({ messages, fragment, initialTsn, seed }) => {
    const { receiver, messages: received } = receiverAt(initialTsn);
    // Any order, and each chunk up to three times.
    const chunks = chunksOf(messages, fragment, initialTsn);
    const keyed = chunks.flatMap((chunk) => {
      const copies = 1 + (seed.next().value ?? 0) % 3;
      return Array.from({ length: copies }, () => ({ chunk, key: seed.next().value ?? 0 }));
    });
    for (const { chunk } of keyed.sort((a, b) => a.key - b.key)) receiver.onData(chunk);
    assertEquals(received.map(({ bytes }) => new Uint8Array(bytes)), messages);
    assertEquals(receiver.cumulativeTsn, tsnAdd(initialTsn, chunks.length - 1));
    assertEquals(receiver.heldBytes, 0);
    assertEquals(receiver.takeSack().gaps, []);
  }));
});

Deno.test("a SACK tells exactly what has come, and the window that is left", () => {
  const came = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 50 });
  fc.assert(fc.property(came, fc.constantFrom(7, 2 ** 32 - 20), (offsets, initialTsn) => {
    const { receiver } = receiverAt(initialTsn, 10_000);
    // First fragments of a message that never ends: all is held.
    for (const offset of offsets) {
      receiver.onData(chunk(tsnAdd(initialTsn, offset), offset === 0 ? FIRST : 0, 10));
    }
    const sack = receiver.takeSack();
    const told = new Set<number>();
    const first = tsnAdd(sack.cumulativeTsn, -initialTsn);
    for (let at = 0; at <= (first | 0); at++) told.add(at);
    for (const { start, end } of sack.gaps) {
      for (let at = start; at <= end; at++) told.add(tsnAdd(sack.cumulativeTsn, at - initialTsn));
    }
    assertEquals([...told].sort((a, b) => a - b), offsets.toSorted((a, b) => a - b));
    assertEquals(sack.window, 10_000 - 10 * offsets.length);
  }));
});

Deno.test("a peer that never finishes a message fills the window, and not a byte more is held", () => {
  const { receiver, messages } = receiverAt(1, 1000);
  for (let tsn = 1; tsn <= 50; tsn++) receiver.onData(chunk(tsn, tsn === 1 ? FIRST : 0, 100));
  assertEquals(receiver.heldBytes, 1000);
  assertEquals(receiver.cumulativeTsn, 10);
  assertEquals(receiver.takeSack().window, 0);
  assertEquals(messages, []);
});

Deno.test("a peer that leaves a gap open fills the window, and the gap can still be filled", () => {
  const { receiver, messages } = receiverAt(1, 1000);
  for (let tsn = 2; tsn <= 50; tsn++) receiver.onData(chunk(tsn, WHOLE, 100));
  assertEquals(receiver.heldBytes, 1000);
  receiver.onData(chunk(1, WHOLE, 100));
  assertEquals(messages.length, 11);
  assertEquals(receiver.heldBytes, 0);
});

Deno.test("one-byte chunks can't cost more than their number's bound", () => {
  const { receiver } = receiverAt(1);
  for (let tsn = 2; tsn <= 60_000; tsn++) receiver.onData(chunk(tsn, 0, 1));
  assertEquals(receiver.heldBytes, 8192);
});

Deno.test("runs between gaps are bounded", () => {
  const { receiver } = receiverAt(1);
  for (let i = 1; i <= 5000; i++) receiver.onData(chunk(1 + 2 * i, WHOLE, 1));
  assertEquals(receiver.heldBytes, 1024);
});

Deno.test("a chunk too far ahead for a SACK to tell of is not held", () => {
  const { receiver } = receiverAt(1);
  receiver.onData(chunk(65_536, WHOLE));
  assertEquals(receiver.heldBytes, 0);
  receiver.onData(chunk(65_535, WHOLE));
  assertEquals(receiver.heldBytes, 1);
});

/** How many packets each SACK is for, of this many in order from a TSN on. */
function packetsPerSack(receiver: SctpReceiver, from: number, count: number): Set<number> {
  const runs = new Set<number>();
  let run = 0;
  for (let i = 0; i < count; i++) {
    receiver.onData(chunk(from + i, WHOLE));
    run++;
    if (receiver.endOfPacket() !== "now") continue;
    receiver.takeSack();
    runs.add(run);
    run = 0;
  }
  return runs;
}

Deno.test("every second packet is acknowledged", () => {
  const { receiver } = receiverAt(1);
  assertEquals(packetsPerSack(receiver, 1, 1000), new Set([2]));
  assertEquals(receiver.endOfPacket(), "none", "a packet without data asks for nothing");
});

Deno.test("in full flow from a peer that asks when it waits, every eighth packet is", () => {
  const { receiver } = receiverAt(1);
  receiver.onData(chunk(1, WHOLE | IMMEDIATE));
  assertEquals(receiver.endOfPacket(), "now");
  receiver.takeSack();
  assertEquals(packetsPerSack(receiver, 2, 120), new Set([2]));
  packetsPerSack(receiver, 122, 16);
  receiver.takeSack();
  assertEquals(packetsPerSack(receiver, 138, 800), new Set([8]));
  receiver.onData(chunk(939, WHOLE));
  assertEquals(receiver.endOfPacket(), "now", "a gap");
  receiver.takeSack();
  receiver.onData(chunk(938, WHOLE));
  receiver.endOfPacket();
  receiver.takeSack();
  assertEquals(packetsPerSack(receiver, 940, 120), new Set([2]), "after a gap, carefully again");
});

Deno.test("a gap, a filled gap and a duplicate are told at once", () => {
  const { receiver } = receiverAt(1);
  const take = (tsn: number) => {
    receiver.onData(chunk(tsn, WHOLE));
    const urgency = receiver.endOfPacket();
    return { urgency, ...receiver.takeSack() };
  };
  assertEquals(take(2).urgency, "now");
  assertEquals(take(3).gaps, [{ start: 2, end: 3 }]);
  const filled = take(1);
  assertEquals([filled.urgency, filled.cumulativeTsn, filled.gaps], ["now", 3, []]);
  const again = take(2);
  assertEquals([again.urgency, again.duplicates], ["now", [2]]);
});

Deno.test("FORWARD-TSN skips what is missing, keeps what is whole, and goes on behind", () => {
  const { receiver, messages } = receiverAt(1);
  receiver.onData(chunk(1, FIRST, 5)); // its end is given up
  receiver.onData(chunk(3, WHOLE, 6));
  receiver.onData(chunk(4, LAST, 7)); // its beginning never came
  receiver.onData(chunk(6, WHOLE, 8));
  receiver.onForwardTsn(5);
  assertEquals(messages.map(({ bytes }) => bytes.length), [6, 8]);
  assertEquals(receiver.cumulativeTsn, 6);
  assertEquals(receiver.heldBytes, 0);
  receiver.onForwardTsn(3);
  assertEquals(receiver.cumulativeTsn, 6, "one from before changes nothing");
});

Deno.test("chunks that make no message are dropped and give their room back", () => {
  const { receiver, messages } = receiverAt(1);
  receiver.onData(chunk(1, 0, 5)); // no beginning
  receiver.onData(chunk(2, FIRST, 5)); // no end
  receiver.onData(chunk(3, WHOLE, 6));
  assertEquals(messages.map(({ bytes }) => bytes.length), [6]);
  assertEquals(receiver.heldBytes, 0);
});

Deno.test("no chunks whatever break the bound or make it throw", () => {
  const any = fc.record({
    tsn: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    flags: fc.integer({ min: 0, max: 15 }),
    size: fc.integer({ min: 1, max: 400 }),
    forward: fc.option(fc.integer({ min: 0, max: 60 }), { freq: 10 }),
  });
  fc.assert(fc.property(fc.array(any, { maxLength: 200 }), (steps) => {
    const { receiver } = receiverAt(1, 1000);
    for (const { tsn, flags, size, forward } of steps) {
      receiver.onData(chunk(tsn, flags, size));
      if (forward !== null) receiver.onForwardTsn(forward);
      // Once for what is ahead of a gap, once for the message under way.
      assert(receiver.heldBytes >= 0 && receiver.heldBytes <= 2000);
      receiver.endOfPacket();
      receiver.takeSack();
    }
  }));
});
