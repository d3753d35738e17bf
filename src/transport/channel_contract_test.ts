/** What every channel promises, on the wire and in memory. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeadlineError, TransportError } from "../base/errors.ts";
import { Deadline } from "../base/deadline.ts";
import type { Channel, ChannelMessage } from "./channel.ts";
import { memoryPair } from "./testing/memory_channel.ts";
import type { SendWindowOptions } from "./send_window.ts";
import { createConnector } from "./webrtc/connector.ts";

type Bounds = SendWindowOptions;
type MakePair = (bounds: Bounds, signal: AbortSignal) => Promise<[Channel, Channel]>;

const IMPLEMENTATIONS: Record<string, MakePair> = {
  "in memory": (bounds) => {
    const { offerer, answerer } = memoryPair(bounds);
    return Promise.resolve([offerer, answerer]);
  },
  "over WebRTC": async (bounds, signal) => {
    const connector = createConnector({ bounds, interfaces: () => [{ address: "127.0.0.1" }] });
    const options = { scope: "lan", signal } as const;
    await using offering = await connector.offer(options);
    await using answering = await connector.answer(offering.offer, options);
    return await Promise.all([
      offering.connect(answering.answer, signal),
      answering.connect(signal),
    ]);
  },
};

function promise(
  what: string,
  check: (a: Channel, b: Channel, signal: AbortSignal) => Promise<void>,
  bounds: Bounds = {},
): void {
  for (const [where, makePair] of Object.entries(IMPLEMENTATIONS)) {
    Deno.test(`${where}, ${what}`, async () => {
      using deadline = new Deadline(20_000, { what });
      const [a, b] = await makePair(bounds, deadline.signal);
      try {
        await check(a, b, deadline.signal);
      } finally {
        await Promise.all([a, b].map((channel) => channel.close({ graceful: false })));
      }
    });
  }
}

promise("messages keep their order, kind and borders, both ways", async (a, b, signal) => {
  const messages: ChannelMessage[] = [
    "text",
    "ünïcødé 😀",
    Uint8Array.of(0),
    new Uint8Array(1200).fill(7),
    "x".repeat(262_144),
    new Uint8Array(262_144).fill(1),
  ];
  for (const [from, to] of [[a, b], [b, a]] as const) {
    for (const message of messages) await from.send(message, { signal });
    for (const message of messages) assertEquals(await to.receive({ signal }), message);
  }
});

promise("both ends know the two certificates that were shown", (a, b) => {
  assert(a.certificates.local.equals(b.certificates.remote));
  assert(a.certificates.remote.equals(b.certificates.local));
  assert(!a.certificates.local.equals(a.certificates.remote));
  return Promise.resolve();
});

promise("an empty message and one that is too large are refused", async (a) => {
  const code = (error: TransportError) => error.code;
  const refused = (message: ChannelMessage) =>
    assertRejects(() => a.send(message), TransportError).then(code);
  assertEquals(await refused(""), "MESSAGE_EMPTY");
  assertEquals(await refused(new Uint8Array()), "MESSAGE_EMPTY");
  assertEquals(await refused(new Uint8Array(a.maxMessageSize + 1)), "MESSAGE_TOO_LARGE");
  assertEquals(await refused("é".repeat(a.maxMessageSize / 2 + 1)), "MESSAGE_TOO_LARGE");
});

promise("bytes may be reused once they were sent", async (a, b, signal) => {
  const bytes = new Uint8Array(5000).fill(1);
  const sent = a.send(bytes, { signal });
  bytes.fill(2);
  await sent;
  assertEquals(await b.receive({ signal }), new Uint8Array(5000).fill(1));
});

promise("a closed channel ends the peer's reading after what was sent", async (a, b, signal) => {
  const received: ChannelMessage[] = [];
  const reading = (async () => {
    for await (const message of b) received.push(message);
  })();
  for (let i = 1; i <= 100; i++) await a.send(new Uint8Array(10_000).fill(i), { signal });
  await a.close({ signal });
  await reading;
  assertEquals(received.length, 100);
  assertEquals([(await a.closed).by, (await b.closed).by], ["local", "remote"]);
});

promise("nothing can be sent after the end, on either side", async (a, b, signal) => {
  await a.close({ signal });
  await b.closed;
  for (const channel of [a, b]) {
    const error = await assertRejects(() => channel.send("late"), TransportError);
    assertEquals(error.code, "CHANNEL_CLOSED");
    assertEquals(await channel.receive(), undefined);
  }
});

promise("what was acknowledged before the end is drained, also after it", async (a, b, signal) => {
  await a.send("x", { signal });
  assertEquals(await b.receive({ signal }), "x");
  await b.close({ signal });
  assertEquals((await a.closed).by, "remote");
  await a.drained({ signal });
  await a.close({ signal });
  await a.drained({ signal });
});

promise("closing twice is closing once", async (a) => {
  assertEquals(await Promise.all([a.close(), a.close(), a.close()]), [
    undefined,
    undefined,
    undefined,
  ]);
  await a.close();
});

promise("both may close at once", async (a, b) => {
  await Promise.all([a.close(), b.close()]);
});

promise("drained resolves when the peer's transport has all", async (a, b, signal) => {
  for (let i = 0; i < 20; i++) await a.send(new Uint8Array(20_000), { signal });
  await a.drained({ signal });
  for (let i = 0; i < 20; i++) assert(await b.receive({ signal }));
});

promise("an aborted wait ends with its reason, and the channel goes on", async (a, b, signal) => {
  using soon = new Deadline(10, { what: "a message" });
  await assertRejects(() => b.receive({ signal: soon.signal }), DeadlineError);
  await assertRejects(() => a.send("x", { signal: soon.signal }), DeadlineError);
  await a.send("still", { signal });
  assertEquals(await b.receive({ signal }), "still");
});

Deno.test("in memory, what finds no room at the reader ends the channel", async () => {
  const { offerer, answerer } = memoryPair({ maxMessages: 5 });
  for (let i = 0; i < 6; i++) await offerer.send("x").catch(() => {});
  const { by, error } = await answerer.closed;
  assertEquals([by, error?.code], ["failure", "RECEIVE_OVERFLOW"]);
  for (let i = 0; i < 5; i++) assertEquals(await answerer.receive(), "x");
  await assertRejects(() => answerer.receive(), TransportError);
  await Promise.all([offerer, answerer].map((channel) => channel.close({ graceful: false })));
});

Deno.test("a sender waits at the high mark, and goes on at the low one", async () => {
  const { offerer, answerer } = memoryPair({ acknowledge: "reading", high: 30, low: 10 });
  const message = new Uint8Array(10);
  await offerer.send(message);
  await offerer.send(message);
  let isWritable = false;
  const third = offerer.send(message).then(() => isWritable = true);
  await answerer.receive();
  await Promise.resolve();
  assertEquals(isWritable, false); // 20 bytes are under way
  await answerer.receive();
  await third;
  await Promise.all([offerer.close({ graceful: false }), answerer.close({ graceful: false })]);
});

Deno.test("over WebRTC, a sender waits at the high mark until the peer has acknowledged", async () => {
  using deadline = new Deadline(20_000, { what: "the exchange" });
  const { signal } = deadline;
  const bounds = { high: 100_000, low: 20_000 };
  const [a, b] = await IMPLEMENTATIONS["over WebRTC"]?.(bounds, signal) ?? [];
  assert(a !== undefined && b !== undefined);
  const message = new Uint8Array(50_000);
  const first = a.send(message, { signal });
  let isWritable = false;
  const second = a.send(message, { signal }).then(() => isWritable = true);
  await first;
  assertEquals(isWritable, false); // the second reached the mark
  await second;
  for (let i = 0; i < 2; i++) assertEquals(await b.receive({ signal }), message);
  await Promise.all([a.close({ graceful: false }), b.close({ graceful: false })]);
});

Deno.test("in memory, a path that stalls holds all up, and loses nothing", async () => {
  const { offerer, answerer, stall, resume } = memoryPair();
  stall();
  await offerer.send("held");
  let isDrained = false;
  const drained = offerer.drained().then(() => isDrained = true);
  await Promise.resolve();
  assertEquals(isDrained, false);
  resume();
  assertEquals(await answerer.receive(), "held");
  await drained;
  await offerer.close();
  await answerer.close();
});

Deno.test("in memory, an acknowledgement right before the end drains, whoever waited for it", async () => {
  const { offerer, answerer, stall, resume } = memoryPair({ acknowledge: "reading" });
  await offerer.send("x");
  const drained = offerer.drained();
  stall();
  assertEquals(await answerer.receive(), "x");
  await answerer.close();
  resume(); // the acknowledgement and the end arrive in one turn
  assertEquals((await offerer.closed).by, "remote");
  await drained;
  await offerer.close();
});

Deno.test("in memory, a channel that ends with something unacknowledged is never drained", async () => {
  const { offerer, answerer } = memoryPair({ acknowledge: "reading" });
  await offerer.send("x");
  const drained = assertRejects(() => offerer.drained(), TransportError, "closed by the peer");
  await answerer.close();
  await drained;
  const error = await assertRejects(() => offerer.drained(), TransportError);
  assertEquals(error.code, "CHANNEL_CLOSED");
  await offerer.close();
});

Deno.test("in memory, a lost peer fails every wait of both ends", async () => {
  const { offerer, answerer, stall, lose } = memoryPair();
  stall();
  await offerer.send("lost");
  const waits = [offerer.drained(), offerer.receive(), answerer.receive()];
  const outcomes = Promise.allSettled(waits);
  lose();
  for (const outcome of await outcomes) {
    assert(outcome.status === "rejected");
    assertEquals(outcome.reason.code, "CHANNEL_LOST");
  }
  assertEquals((await answerer.closed).by, "failure");
  await Promise.all([offerer.close(), answerer.close()]);
});

Deno.test("in memory, a forced close ends a graceful one that waits for the peer", async () => {
  const { offerer, answerer, stall } = memoryPair();
  stall();
  await offerer.send("never acknowledged");
  const graceful = offerer.close();
  await offerer.close({ graceful: false });
  await graceful;
  assertEquals((await offerer.closed).by, "local");
  await answerer.close({ graceful: false });
});

Deno.test("in memory, a graceful close that was given up rejects once: closing again resolves", async () => {
  const { offerer, answerer, stall } = memoryPair();
  stall();
  await offerer.send("never acknowledged");
  using soon = new Deadline(1, { what: "the peer" });
  await assertRejects(() => offerer.close({ signal: soon.signal }), DeadlineError);
  await offerer.close({ graceful: false });
  await answerer.close({ graceful: false });
});
