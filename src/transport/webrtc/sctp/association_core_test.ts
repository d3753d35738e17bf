/** Two associations on a link in virtual time. */
import { assert, assertEquals, assertGreater, assertInstanceOf, assertLess } from "@std/assert";
import fc from "fast-check";
import { TransportError } from "../../../base/errors.ts";
import { controlPacket, dataPacket, packetWith } from "../../testing/packets.ts";
import {
  chunksOf,
  chunkTypes,
  type Content,
  VirtualAssociations,
  type VirtualAssociationsOptions,
  type VirtualEnd,
} from "../../testing/virtual_associations.ts";
import { seededRandom } from "../../testing/virtual_link.ts";
import { packetChecksum } from "./crc32c.ts";
import { ChunkType, DataFlag, REFLECTED_TAG } from "./packet.ts";
import { MAX_HELD, RECEIVE_WINDOW } from "./receive_window.ts";
import { tsnAdd } from "./tsn.ts";

const { INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK, ABORT, SACK, DATA, HEARTBEAT } = ChunkType;
const { RECONFIG, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE, ERROR, FORWARD_TSN } = ChunkType;

/** Tag and first TSN with which an end has begun: as its INIT or INIT ACK says. */
function beginning(end: VirtualEnd): { readonly tag: number; readonly tsn: number } {
  for (const { packet } of end.sent) {
    const init = chunksOf(packet).control.find(({ type }) => type === INIT || type === INIT_ACK);
    if (init === undefined) continue;
    const view = new DataView(init.body.buffer, init.body.byteOffset);
    return { tag: view.getUint32(0), tsn: view.getUint32(12) };
  }
  throw new Error("it has not begun");
}

/** Where packets of the other end's must go to reach this one. */
function addressOf(end: VirtualEnd) {
  return { sourcePort: 5000, destinationPort: 5000, tag: beginning(end).tag };
}

function codeOf(end: VirtualEnd): string | undefined {
  return end.error instanceof TransportError ? end.error.code : undefined;
}

/** Whether messages are the same, in order. */
function isSame(some: readonly Content[], others: readonly Content[]): boolean {
  const hex = (content: Content) => typeof content === "string" ? content : content.toHex();
  return some.length === others.length &&
    some.every((content, i) => hex(content) === hex(others[i] ?? ""));
}

const control = (type: number, ...body: number[]) => ({
  type,
  flags: 0,
  body: Uint8Array.from(body),
});
const word = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

Deno.test("an association comes up in four packets, and the channel with it", () => {
  const { a, b } = new VirtualAssociations().connect();
  assertEquals([a.events, b.events], [["open bolt"], ["open bolt"]]);
  assertEquals([...a.sentTypes.slice(0, 3)], [[INIT], [COOKIE_ECHO], [DATA]]);
  assertEquals(b.sentTypes.slice(0, 2), [[INIT_ACK], [COOKIE_ACK]]);
});

Deno.test("whatever the link does to packets, all messages arrive, once and in order, both ways", () => {
  const scenario = fc.record({
    seed: fc.nat(),
    loss: fc.constantFrom(0, 0.01, 0.1, 0.3),
    doubling: fc.constantFrom(0, 0.1),
    jitterMs: fc.constantFrom(0, 5, 40),
    delayMs: fc.constantFrom(1, 10, 100),
    initialTsn: fc.constantFrom(0, 999_999_990, 2 ** 32 - 20),
    sizes: fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 8 }),
  });
  fc.assert(
    fc.property(scenario, ({ sizes, initialTsn, ...options }) => {
      const link = new VirtualAssociations({ ...options, core: { initialTsn } }).connect();
      const random = seededRandom(options.seed);
      const messages = sizes.map((size, i) =>
        i % 2 === 0
          ? Uint8Array.from({ length: size }, () => random() * 256)
          : "é".repeat(size / 2 + 1)
      );
      for (const end of [link.a, link.b]) messages.forEach((message) => end.send(message));
      link.run(
        link.now + 600_000,
        () => [link.a, link.b].every(({ acknowledged }) => acknowledged === messages.length),
      );
      for (const end of [link.a, link.b]) {
        // Without the difference: to show it takes minutes.
        assert(isSame(end.received, messages), `seed ${options.seed}`);
        assertEquals(end.acknowledged, messages.length);
        assertEquals(end.events, ["open bolt"]);
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("an association comes up under 30 % loss, also when both sides begin at once", () => {
  for (let seed = 0; seed < 60; seed++) {
    const link = new VirtualAssociations({ seed, loss: 0.3, jitterMs: 5 });
    if (seed % 2 === 1) link.b.core.start();
    link.connect(60_000);
    assertEquals([link.a.events, link.b.events], [["open bolt"], ["open bolt"]], `seed ${seed}`);
    link.a.send("one");
    link.b.send("other");
    link.run(link.now + 60_000, () => link.a.acknowledged + link.b.acknowledged === 2);
    assertEquals([link.a.received, link.b.received], [["other"], ["one"]], `seed ${seed}`);
  }
});

/** A link that is dead for some seconds in the middle of a flow, until both ends have moved. */
function moved(tell: boolean): { readonly link: VirtualAssociations; readonly movedAt: number } {
  let isDead = false;
  const link = new VirtualAssociations({ delayMs: 50, passes: () => !isDead }).connect();
  for (const end of [link.a, link.b]) {
    for (let i = 0; i < 40; i++) end.send(new Uint8Array(10_000).fill(i));
  }
  link.run(link.now + 300);
  isDead = true;
  // A moment at which the timers, doubled by then, are far from their end.
  link.run(link.now + 4000);
  isDead = false;
  const movedAt = link.now;
  if (tell) { for (const end of [link.a, link.b]) end.core.onPathChange(); }
  return { link, movedAt };
}

Deno.test("after a move to another path data flows within about a round trip", () => {
  for (const tell of [true, false]) {
    const { link, movedAt } = moved(tell);
    const [atA, atB] = [link.a.received.length, link.b.received.length];
    link.run(
      link.now + 10_000,
      () => link.a.received.length > atA && link.b.received.length > atB,
    );
    const took = link.now - movedAt;
    if (tell) assertLess(took, 110, "one way, and a delayed SACK at most");
    else assertGreater(took, 300, "else the retransmission timer is waited for");
    link.run(link.now + 30_000, () => link.a.acknowledged + link.b.acknowledged === 80);
    assertEquals([link.a.received.length, link.b.received.length], [40, 40]);
  }
});

Deno.test("after a move nothing that was measured of the old path holds", () => {
  const { link, movedAt } = moved(true);
  const flight = link.a.sent.filter(({ at }) => at === movedAt);
  const bytes = flight.flatMap(({ packet }) => chunksOf(packet).data)
    .reduce((sum, { payload }) => sum + payload.length, 0);
  // The initial congestion window, in small packets, and probes of larger ones.
  assertLess(bytes, 6000);
  assertGreater(bytes, 3000);
  assert(
    flight.some(({ packet }) => packet.length === 1360),
    "the path's packet size is looked for",
  );
  assert(
    flight.some(({ packet }) => chunkTypes(packet).includes(SACK)),
    "the peer learns what came",
  );
});

Deno.test("who moves first and is answered by the old path learns it from the peer's own move", () => {
  let dead: "all" | "answers" | "none" = "none";
  const passes: VirtualAssociationsOptions["passes"] = (_packet, _now, from) =>
    dead === "none" || dead === "answers" && from === "a";
  const link = new VirtualAssociations({ delayMs: 50, passes }).connect();
  for (let i = 0; i < 40; i++) link.a.send(new Uint8Array(10_000).fill(i));
  link.run(link.now + 300);
  dead = "all";
  link.run(link.now + 4000);
  dead = "answers";
  link.a.core.onPathChange();
  link.run(link.now + 200);
  const before = link.a.acknowledged;
  dead = "none";
  link.b.core.onPathChange();
  link.run(link.now + 60, () => link.a.acknowledged > before);
  assertGreater(link.a.acknowledged, before);
});

Deno.test("both may begin at the same moment, wherever their packets cross", () => {
  for (const head of [0, 1, 5, 10, 11, 19, 20, 21, 30]) {
    const link = new VirtualAssociations();
    link.a.core.open(0, "bolt");
    link.a.core.start();
    link.run(1 + head);
    link.b.core.start();
    link.run(5000, () => link.a.events.length > 0 && link.b.events.length > 0);
    assertEquals([link.a.events, link.b.events], [["open bolt"], ["open bolt"]], `${head} ms`);
    assertLess(link.now, 100, "without a timeout");
  }
});

Deno.test("a COOKIE ACK that was lost is sent again for the cookie that comes again", () => {
  let lost = 0;
  const passes: VirtualAssociationsOptions["passes"] = (packet) =>
    chunkTypes(packet)[0] !== COOKIE_ACK || lost++ > 0;
  const { a, b } = new VirtualAssociations({ passes }).connect();
  assertEquals(lost, 2);
  assertEquals([a.events, b.events], [["open bolt"], ["open bolt"]]);
});

Deno.test("a cookie that was changed, is another's or too old opens nothing", () => {
  const held: Uint8Array[] = [];
  const passes: VirtualAssociationsOptions["passes"] = (packet) => {
    if (chunkTypes(packet)[0] !== COOKIE_ECHO) return true;
    held.push(packet);
    return false;
  };
  const link = new VirtualAssociations({ passes });
  link.a.core.start();
  link.run(100, () => held.length > 0);
  const [cookie] = chunksOf(held[0] ?? new Uint8Array()).control;
  assert(cookie !== undefined);
  const to = addressOf(link.b);
  for (let at = 0; at < cookie.body.length; at += 5) {
    const body = cookie.body.with(at, (cookie.body[at] ?? 0) ^ 1);
    link.inject("b", controlPacket(to, { ...cookie, body }));
  }
  link.inject("b", controlPacket({ ...to, tag: to.tag ^ 1 }, cookie));
  const answered = () => link.b.sentTypes.flat().filter((type) => type !== INIT_ACK);
  assertEquals(answered(), []);
  link.run(61_000);
  link.inject("b", held[0] ?? new Uint8Array());
  assertEquals(answered(), [ERROR], "stale");
});

Deno.test("an INIT that comes again does not set a running association back", () => {
  const link = new VirtualAssociations().connect();
  link.a.send("before");
  link.run(link.now + 1000);
  const [init] = link.a.sent;
  assert(init !== undefined);
  for (let i = 0; i < 3; i++) link.inject("b", init.packet);
  // Another one, as a peer that has begun anew would send it.
  const fresh = init.packet.slice();
  const body = chunksOf(fresh).control[0]?.body.with(0, 99) ?? new Uint8Array();
  link.inject("b", controlPacket({ ...addressOf(link.b), tag: 0 }, { type: INIT, flags: 0, body }));
  link.a.send("after");
  link.b.send("back");
  link.run(link.now + 1000);
  assertEquals([link.b.received, link.a.received], [["before", "after"], ["back"]]);
  assertEquals([link.a.events, link.b.events], [["open bolt"], ["open bolt"]]);
});

Deno.test("a peer that has begun anew, and shows it by the cookie, ends the channel", () => {
  const link = new VirtualAssociations().connect();
  const other = new VirtualAssociations({ seed: 2 });
  other.a.core.start();
  const [init] = other.a.sent;
  assert(init !== undefined);
  link.inject("b", init.packet);
  const answer = link.b.sent.at(-1)?.packet ?? new Uint8Array();
  assertEquals(chunkTypes(answer), [INIT_ACK]);
  other.inject("a", answer);
  link.inject("b", other.a.sent.at(-1)?.packet ?? new Uint8Array());
  assertEquals([link.b.events.at(-1), codeOf(link.b)], ["end", "CHANNEL_LOST"]);
});

Deno.test("packets with a tag that is not ours are dropped, but for what may reflect one", () => {
  const link = new VirtualAssociations().connect();
  const wrong = { ...addressOf(link.b), tag: 7 };
  for (const type of [ABORT, SHUTDOWN_COMPLETE]) {
    link.inject("b", controlPacket(wrong, control(type)));
  }
  link.inject("b", controlPacket(wrong, control(SHUTDOWN, ...word(1))));
  assertEquals(link.b.events, ["open bolt"]);
  const reflected = { ...control(ABORT), flags: REFLECTED_TAG };
  link.inject("b", controlPacket(addressOf(link.b), reflected));
  assertEquals(link.b.events, ["open bolt"], "the flag says that it is the other tag");
  link.inject("b", controlPacket(addressOf(link.a), reflected));
  assertEquals(link.b.events, ["open bolt", "end", "stopped"]);
});

Deno.test("a packet that is not made of whole chunks, or damaged, ends the association", () => {
  const good = (link: VirtualAssociations) => controlPacket(addressOf(link.b), control(COOKIE_ACK));
  for (
    const spoil of [
      (packet: Uint8Array) => packet.with(15, 0), // a length of zero
      (packet: Uint8Array) => packet.with(15, 3),
      (packet: Uint8Array) => packet.with(15, 9),
      (packet: Uint8Array) => packet.subarray(0, 15),
      (packet: Uint8Array) => packet.subarray(0, 12),
      (packet: Uint8Array) => packet.with(8, (packet[8] ?? 0) ^ 1), // the checksum
    ]
  ) {
    const link = new VirtualAssociations().connect();
    link.inject("b", good(link));
    assertEquals(link.b.events, ["open bolt"]);
    link.inject("b", spoil(good(link)));
    assertEquals([link.b.events.at(-1), codeOf(link.b)], ["end", "CHANNEL_LOST"]);
  }
});

Deno.test("chunks of unknown types are treated as their highest bits say", () => {
  for (
    const [type, reports, passesOver] of [
      [0x30, false, false],
      [0x70, true, false],
      [0xb0, false, true],
      [0xf0, true, true],
    ] as const
  ) {
    const link = new VirtualAssociations().connect();
    const count = link.b.sent.length;
    link.inject(
      "b",
      controlPacket(addressOf(link.b), control(type, 1, 2), control(HEARTBEAT, 0, 1, 0, 4)),
    );
    const answers = link.b.sentTypes.slice(count).flat();
    assertEquals(answers.includes(ERROR), reports, `0x${type.toString(16)}`);
    assertEquals(answers.includes(ChunkType.HEARTBEAT_ACK), passesOver, `0x${type.toString(16)}`);
  }
});

Deno.test("parameters of unknown types in an INIT are reported or not, as their highest bits say", () => {
  const link = new VirtualAssociations();
  const fixed = [...word(77), ...word(100_000), 0, 1, 0, 1, ...word(1)];
  const parameter = (type: number) => [type >> 8, type & 255, 0, 6, 1, 2, 0, 0];
  const init = control(INIT, ...fixed, ...[0xc0de, 0x80de, 0x40de, 0x80df].flatMap(parameter));
  link.inject("b", controlPacket({ sourcePort: 5000, destinationPort: 5000, tag: 0 }, init));
  const [answer] = chunksOf(link.b.sent[0]?.packet ?? new Uint8Array()).control;
  const hex = answer?.body.toHex() ?? "";
  assert(hex.includes("c0de0006") && hex.includes("40de0006"), hex);
  assert(!hex.includes("80de0006") && !hex.includes("80df0006"), hex);
});

Deno.test("FORWARD-TSN goes on behind what the peer has given up", () => {
  const link = new VirtualAssociations().connect();
  const next = tsnAdd(beginning(link.a).tsn, 1);
  const to = addressOf(link.b);
  link.inject("b", controlPacket(to, control(FORWARD_TSN, ...word(next))));
  const chunk = { streamId: 0, ssn: 2, ppid: 51, payload: Uint8Array.of(65), flags: 3 };
  link.inject("b", dataPacket(to, { ...chunk, tsn: tsnAdd(next, 1) }));
  assertEquals(link.b.received, ["A"]);
});

Deno.test("a channel is closed in both directions, in order, and then the association", () => {
  for (let seed = 0; seed < 30; seed++) {
    const loss = seed === 0 ? 0 : 0.2;
    const link = new VirtualAssociations({ seed, loss, jitterMs: 3 }).connect();
    link.a.send("last");
    link.run(Infinity, () => link.a.acknowledged === 1);
    link.a.core.closeChannel();
    link.run(link.now + 60_000, () => link.a.events.includes("channel closed"));
    assertEquals([link.b.received, link.b.events], [["last"], ["open bolt", "channel closed"]]);
    link.a.core.shutdown();
    link.run(link.now + 60_000, () => link.a.events.includes("stopped"));
    assertEquals(link.a.events.at(-1), "stopped", `seed ${seed}`);
    link.run(link.now + 60_000);
    assert(link.b.events.includes("end"), `seed ${seed}`);
    assertEquals([link.a.error, link.b.error, link.a.core.deadline], [
      undefined,
      undefined,
      undefined,
    ]);
    if (loss === 0) {
      assertEquals(link.b.events.slice(-2), ["end", "stopped"]);
      const types = [...link.a.sentTypes, ...link.b.sentTypes].flat();
      for (const type of [SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE]) assert(types.includes(type));
    }
  }
});

Deno.test("both may close at the same moment, by reset, shutdown and abort", () => {
  const closes = {
    reset: (end: VirtualEnd) => end.core.closeChannel(),
    shutdown: (end: VirtualEnd) => end.core.shutdown(),
    abort: (end: VirtualEnd) => end.core.abort(true),
  };
  for (const one of Object.values(closes)) {
    for (const other of Object.values(closes)) {
      const link = new VirtualAssociations().connect();
      link.run(link.now + 100);
      one(link.a);
      other(link.b);
      link.run(link.now + 5000);
      for (const end of [link.a, link.b]) end.core.abort(true);
      link.run(link.now + 5000);
      for (const end of [link.a, link.b]) {
        assert(end.events.includes("stopped"));
        assertEquals([end.core.deadline, end.error], [undefined, undefined]);
      }
    }
  }
});

Deno.test("a reset that comes before what was sent on the stream waits for it", () => {
  let isHolding = false;
  const held: Uint8Array[] = [];
  const passes: VirtualAssociationsOptions["passes"] = (packet, _now, from) => {
    if (!isHolding || from !== "a" || !chunkTypes(packet).includes(DATA)) return true;
    held.push(packet);
    return false;
  };
  const link = new VirtualAssociations({ passes }).connect();
  link.run(link.now + 100);
  isHolding = true;
  link.a.send("before the end");
  link.a.core.closeChannel();
  link.run(link.now + 30);
  assertEquals([link.b.received, link.b.events], [[], ["open bolt"]]);
  isHolding = false;
  for (const packet of held) link.inject("b", packet);
  assertEquals(link.b.received, ["before the end"]);
  assertEquals(link.b.events, ["open bolt", "channel closed"]);
  link.run(link.now + 100);
  assertEquals(link.a.events, ["open bolt", "channel closed"]);
});

Deno.test("a request that comes again is answered as before, and one out of turn is refused", () => {
  const link = new VirtualAssociations().connect();
  link.run(link.now + 100);
  link.a.core.closeChannel();
  const request = link.a.sent.findLast(({ packet }) => chunkTypes(packet).includes(RECONFIG));
  assert(request !== undefined);
  const answers = () =>
    link.b.sent.flatMap(({ packet }) => chunksOf(packet).control)
      .filter(({ type, body }) => type === RECONFIG && body[1] === 16)
      .map(({ body }) => body[11]);
  link.inject("b", request.packet);
  link.inject("b", request.packet);
  assertEquals(answers(), [1, 1], "performed");
  assertEquals(link.b.events, ["open bolt", "channel closed"]);
  const later = tsnAdd(beginning(link.a).tsn, 9);
  const body = [0, 13, 0, 16, ...word(later), ...word(0), ...word(tsnAdd(later, -9))];
  link.inject("b", controlPacket(addressOf(link.b), control(RECONFIG, ...body)));
  assertEquals(answers().at(-1), 5, "a bad sequence number");
});

Deno.test("a request for what no data channel needs is denied", () => {
  const link = new VirtualAssociations().connect();
  const { tsn } = beginning(link.a);
  for (const [i, type] of [14, 15, 17, 18].entries()) {
    const body = [0, type, 0, 12, ...word(tsnAdd(tsn, i)), 0, 1, 0, 0];
    link.inject("b", controlPacket(addressOf(link.b), control(RECONFIG, ...body)));
    const last = link.b.sent.at(-1)?.packet ?? new Uint8Array();
    assertEquals(chunksOf(last).control.at(-1)?.body[11], 2, `parameter ${type}`);
  }
  assertEquals(link.b.events, ["open bolt"]);
});

Deno.test("a channel that is not ordered and reliable is refused", () => {
  for (const kind of [0x80, 1, 2, 0x81]) {
    const link = new VirtualAssociations();
    link.a.core.start();
    link.run(link.now + 50);
    const open = Uint8Array.of(3, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const chunk = { streamId: 0, ssn: 0, ppid: 50, payload: open, flags: 3 };
    link.inject("b", dataPacket(addressOf(link.b), { ...chunk, tsn: beginning(link.a).tsn }));
    assertEquals([link.b.events, codeOf(link.b)], [["end"], "SETUP_FAILED"]);
  }
});

Deno.test("a message before the answer to the open shows that the channel is open", () => {
  const link = new VirtualAssociations({
    passes: (packet, now) => now < 35 || chunkTypes(packet)[0] !== DATA,
  });
  link.a.core.open(0, "bolt");
  link.a.core.start();
  link.run(45);
  assertEquals(link.a.events, []);
  const chunk = { streamId: 0, ssn: 0, ppid: 51, payload: Uint8Array.of(66), flags: 3 };
  link.inject("a", dataPacket(addressOf(link.a), { ...chunk, tsn: beginning(link.b).tsn }));
  assertEquals([link.a.events, link.a.received], [["open bolt"], ["B"]]);
});

Deno.test("a SACK goes in one packet with the reset and the ABORT that end the channel", () => {
  for (const end of ["reset", "abort"] as const) {
    const link = new VirtualAssociations().connect();
    link.run(link.now + 100);
    const count = link.b.sent.length;
    const chunk = { streamId: 0, ssn: 1, ppid: 51, payload: Uint8Array.of(65), flags: 3 };
    const tsn = tsnAdd(beginning(link.a).tsn, 1);
    link.inject("b", dataPacket(addressOf(link.b), { ...chunk, tsn }));
    assertEquals(link.b.sent.length, count, "it is delayed");
    if (end === "reset") link.b.core.closeChannel();
    else link.b.core.abort(true);
    const types = link.b.sentTypes[count] ?? [];
    assertEquals([types[0], types.at(-1)], [SACK, end === "reset" ? RECONFIG : ABORT]);
  }
});

Deno.test("an ABORT that is lost goes again, until the peer shows that it knows", () => {
  for (const losses of [0, 1, 2, 3]) {
    let lost = 0;
    const passes: VirtualAssociationsOptions["passes"] = (packet) =>
      !chunkTypes(packet).includes(ABORT) || lost++ >= losses;
    const link = new VirtualAssociations({ passes }).connect();
    link.run(link.now + 100);
    const began = link.now;
    link.a.core.abort(true);
    link.run(began + 5000, () => link.a.events.includes("stopped"));
    assertEquals(link.b.events, ["open bolt", "end", "stopped"], `${losses} losses`);
    assertLess(link.now - began, 490, `${losses} losses`);
  }
});

Deno.test("a peer that never answers an ABORT is not waited for for long", () => {
  let isDown = false;
  const link = new VirtualAssociations({ passes: () => !isDown }).connect();
  link.run(link.now + 100);
  isDown = true;
  const began = link.now;
  link.a.core.abort(true);
  link.run(began + 5000, () => link.a.events.includes("stopped"));
  assertLess(link.now - began, 510);
  assertEquals(link.a.core.deadline, undefined);
});

/** Sends messages, has some DATA packets lost, and tells when the last message came, in round trips. */
function roundTripsUntilReceived(
  bytes: number,
  isLost: (index: number, count: number) => boolean,
): number {
  const delayMs = 50;
  const count = Math.ceil(bytes / 1084);
  let index = -1;
  let isCounting = false;
  const passes: VirtualAssociationsOptions["passes"] = (packet, _now, from) => {
    if (!isCounting || from !== "a" || !chunkTypes(packet).includes(DATA)) return true;
    index++;
    return index >= count || !isLost(index, count);
  };
  const core = { largerPackets: [] };
  const link = new VirtualAssociations({ delayMs, passes, core }).connect();
  link.run(link.now + 1000);
  isCounting = true;
  const began = link.now;
  link.a.send(new Uint8Array(bytes));
  link.run(began + 60_000, () => link.b.received.length === 1);
  return (link.now - began) / (2 * delayMs);
}

Deno.test("a lost tail is found by a probe, not by the timeout: in two and a half round trips", () => {
  assertLess(roundTripsUntilReceived(500, () => true), 2.6, "the only packet");
  assertLess(roundTripsUntilReceived(3000, (i, n) => i === n - 1), 2.6, "the last of three");
  assertLess(roundTripsUntilReceived(4000, (i, n) => i >= n - 3), 3.7, "the last three");
});

Deno.test("a probe that was answered leaves no timer, and an idle association none at all", () => {
  const link = new VirtualAssociations().connect();
  link.a.send("x");
  link.run(link.now + 500);
  assertEquals([link.a.core.deadline, link.b.core.deadline], [undefined, undefined]);
});

Deno.test("a reader that does not read stops the sender by the window, and loses nothing", () => {
  const link = new VirtualAssociations({ reads: false }).connect();
  const messages = Array.from({ length: 64 }, (_, i) => new Uint8Array(65_536).fill(i));
  messages.forEach((message) => link.a.send(message));
  link.run(link.now + 30_000);
  const unread = () => link.b.received.length * 65_536;
  const most = RECEIVE_WINDOW.most + 256 * 1024;
  assert(unread() <= most, `${unread()} bytes wait`);
  assertEquals(link.b.events, ["open bolt"], "who keeps to the window is not refused");
  let read = 0;
  while (read < 64) {
    while (read < link.b.received.length) {
      link.b.core.consumed(link.b.received[read++]?.length ?? 0);
      link.run(link.now + 1);
    }
    link.run(link.now + 100);
  }
  assertEquals(link.b.received, messages);
});

Deno.test("a reader that goes on is served in round trips, not in timeouts", () => {
  const link = new VirtualAssociations({ reads: false, delayMs: 10 }).connect();
  for (let i = 0; i < 64; i++) link.a.send(new Uint8Array(65_536).fill(i));
  link.run(link.now + 5000);
  const before = link.b.received.length;
  const began = link.now;
  for (let read = 0; read < before; read++) link.b.core.consumed(65_536);
  link.run(began + 5000, () => link.b.received.length > before);
  assertLess(link.now - began, 50);
});

Deno.test("little messages that nobody reads are bounded in number", () => {
  const link = new VirtualAssociations({ reads: false }).connect();
  for (let i = 0; i < 3 * MAX_HELD; i++) link.a.send(Uint8Array.of(i));
  link.run(link.now + 60_000);
  assert(link.b.received.length <= MAX_HELD, `${link.b.received.length}`);
  assertEquals(link.b.events, ["open bolt"]);
});

Deno.test("a peer that keeps to no window is cut off, and what it sent is not held", () => {
  const link = new VirtualAssociations({ reads: false }).connect();
  const to = addressOf(link.b);
  const first = tsnAdd(beginning(link.a).tsn, 1);
  const chunk = { streamId: 0, ssn: 1, ppid: 53, payload: new Uint8Array(10_000), flags: 3 };
  for (let i = 0; i < 1000 && link.b.events.length === 1; i++) {
    link.inject("b", dataPacket(to, { ...chunk, tsn: tsnAdd(first, i) }));
  }
  assertEquals([link.b.events.at(-1), codeOf(link.b)], ["end", "RECEIVE_OVERFLOW"]);
  assert(link.b.received.length * 10_000 <= RECEIVE_WINDOW.most + 256 * 1024);
});

Deno.test("a message longer than agreed on ends the association when it passes the bound", () => {
  const link = new VirtualAssociations().connect();
  const first = tsnAdd(beginning(link.a).tsn, 1);
  const chunk = { streamId: 0, ssn: 1, ppid: 53, payload: new Uint8Array(10_000) };
  for (let i = 0; i < 27; i++) {
    assertEquals(link.b.events, ["open bolt"], `${i} fragments`);
    const flags = i === 0 ? DataFlag.FIRST : 0;
    link.inject("b", dataPacket(addressOf(link.b), { ...chunk, flags, tsn: tsnAdd(first, i) }));
  }
  assertEquals([link.b.events.at(-1), codeOf(link.b)], ["end", "CHANNEL_LOST"]);
});

/** What of the path's packets passes, by their size. */
const upTo = (bytes: number): VirtualAssociationsOptions => ({
  passes: ({ length }) => length <= bytes,
});

Deno.test("packets grow to what the path takes, found by padded heartbeats", () => {
  for (const [most, found] of [[2000, 1360], [1330, 1312], [1200, 1192], [1112, 1112]] as const) {
    const link = new VirtualAssociations(upTo(most)).connect();
    const send = () => {
      for (let i = 0; i < 8; i++) link.a.send(new Uint8Array(65_536).fill(i));
      link.run(link.now + 10_000);
    };
    send();
    assertEquals(link.a.core.packetBytes, found);
    send();
    assertEquals(link.b.received.length, 16);
    const largest = Math.max(
      ...link.a.sent.filter(({ packet }) => chunkTypes(packet).includes(DATA))
        .map(({ packet }) => packet.length),
    );
    assert(largest <= found && largest > found - 32, `${largest} of ${found}`);
  }
});

Deno.test("a peer that does not say that it knows padding is sent none: some break off where it comes", () => {
  const strip: VirtualAssociationsOptions["passes"] = (packet) => {
    const { control } = chunksOf(packet);
    const init = control.find(({ type }) => type === INIT || type === INIT_ACK);
    if (init === undefined) return true;
    // In the list of what its sender knows.
    const at = packet.findIndex((byte, i) => byte === RECONFIG && packet[i + 1] === ChunkType.PAD);
    packet[at + 1] = RECONFIG;
    new DataView(packet.buffer).setUint32(8, packetChecksum(packet), true);
    return true;
  };
  const link = new VirtualAssociations({ passes: strip }).connect();
  for (let i = 0; i < 8; i++) link.a.send(new Uint8Array(65_536));
  link.run(link.now + 5000);
  assertEquals(link.a.core.packetBytes, 1360);
  assert(!link.a.sentTypes.flat().includes(ChunkType.PAD));
});

Deno.test("a path that begins to swallow large packets is survived: what was sent can go in small ones", () => {
  for (const later of [1330, 1200, 1112]) {
    let most = 2000;
    const link = new VirtualAssociations({ passes: ({ length }) => length <= most }).connect();
    for (let i = 0; i < 4; i++) link.a.send(new Uint8Array(65_536));
    link.run(link.now + 5000);
    assertEquals(link.a.core.packetBytes, 1360);
    for (let i = 0; i < 8; i++) link.a.send(new Uint8Array(65_536));
    link.run(link.now + 15);
    most = later;
    const began = link.now;
    link.run(began + 20_000, () => link.b.received.length === 12);
    assertEquals(link.b.received.length, 12, `down to ${later}`);
    assertLess(link.now - began, 5000);
  }
});

Deno.test("an association that sends little does not probe", () => {
  const link = new VirtualAssociations().connect();
  link.a.send("x");
  link.run(link.now + 10_000);
  assert(!link.a.sentTypes.flat().includes(HEARTBEAT));
});

Deno.test("a heartbeat is answered with what it said", () => {
  const link = new VirtualAssociations().connect();
  const body = [0, 1, 0, 8, 1, 2, 3, 4];
  link.inject("b", controlPacket(addressOf(link.b), control(HEARTBEAT, ...body)));
  const [answer] = chunksOf(link.b.sent.at(-1)?.packet ?? new Uint8Array()).control;
  assertEquals([answer?.type, [...answer?.body ?? []]], [ChunkType.HEARTBEAT_ACK, body]);
});

Deno.test("no chunks whatever make it throw, and what ends it has a reason", () => {
  const type = fc.constantFrom(...Object.values(ChunkType), 0x3f, 0x7f, 0xbf, 0xff);
  const body = fc.uint8Array({ maxLength: 40 });
  const parameter = fc.tuple(fc.constantFrom(1, 7, 13, 14, 16, 0x8008), body).map(([kind, value]) =>
    Uint8Array.of(kind >> 8, kind & 255, 0, value.length + 4, ...value)
  );
  const chunk = fc.record({
    type,
    flags: fc.nat(255),
    body: fc.oneof(
      body,
      parameter,
      fc.tuple(body, parameter).map(([x, y]) => Uint8Array.of(...x, ...y)),
    ),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(chunk, { minLength: 1, maxLength: 4 }), { maxLength: 20 }),
      (packets) => {
        const link = new VirtualAssociations().connect();
        const to = addressOf(link.b);
        for (const chunks of packets) {
          link.inject(
            "b",
            packetWith(to, (writer) => chunks.forEach((one) => writer.control(one))),
          );
          link.run(link.now + 5);
        }
        if (link.b.error !== undefined) assertInstanceOf(link.b.error, TransportError);
        link.b.core.abort(true);
        link.run(link.now + 5000);
        assert(link.b.events.includes("stopped"));
        assertEquals(link.b.core.deadline, undefined);
      },
    ),
  );
});

Deno.test("the window that is told grows while a sender is held up by it, and begins small", () => {
  const link = new VirtualAssociations({ delayMs: 40 }).connect();
  const windows = () =>
    link.b.sent.filter(({ packet }) => chunkTypes(packet).includes(SACK))
      .map(({ packet }) => new DataView(packet.buffer).getUint32(20));
  for (let i = 0; i < 200; i++) link.a.send(new Uint8Array(65_536));
  link.run(link.now + 30_000, () => link.b.received.length === 200);
  assertEquals(link.b.received.length, 200);
  assertEquals(windows()[0], RECEIVE_WINDOW.first);
  assertGreater(Math.max(...windows()), 4 * RECEIVE_WINDOW.first);
});
