/**
 * TCP connections that nobody proved to have made: none may be answered, kept for long, or end,
 * change or start anything. The twin of `hostile_datagrams_test.ts`.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Message } from "werift";
import { abortable, Deadline } from "../../src/base/deadline.ts";
import { TCP_PROOF_MS } from "../../src/base/timing.ts";
import type { OfferingPeer } from "../../src/transport/connector.ts";
import { type ConnectorOptions, createConnector } from "../../src/transport/webrtc/connector.ts";
import { MAX_STUN_FRAME, writeFrameHeader } from "../../src/transport/webrtc/ice/framing.ts";
import { MAX_UNPROVEN } from "../../src/transport/webrtc/ice/tcp_connections.ts";
import { UNPROVEN_BYTES } from "../../src/transport/webrtc/ice/tcp_link.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import { MAX_CONTENT_BYTES } from "../../src/transport/webrtc/dtls/record_layer.ts";
import { MAX_MESSAGE_SIZE } from "../../src/transport/webrtc/sctp/association.ts";
import { RECEIVE_WINDOW } from "../../src/transport/webrtc/sctp/receive_window.ts";
import { SEND_WINDOW } from "../../src/transport/send_window.ts";
import { PacketTap } from "../support/packet_tap.ts";
import { assertAlive, catcher, connected, ended, LOOPBACK_ONLY } from "./harness.ts";
import { isFree, listenerOf, listening, through } from "./tcp_sockets.ts";

const TCP = { transports: ["tcp", "tcp"] } as const;
const AUTO = { transports: ["auto", "auto"] } as const;

function framed(...frames: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(frames.flatMap((frame) => {
    const header = new Uint8Array(2);
    writeFrameHeader(header, 0, frame.length);
    return [...header, ...frame];
  }));
}

interface Waiting {
  readonly offering: OfferingPeer;
  readonly parts: PeerParts;
  readonly at: { readonly hostname: string; readonly port: number };
  readonly signal: AbortSignal;
}

/** An offerer that listens, and whose peer has not come yet. */
async function waiting(
  use: (waiting: Waiting) => Promise<void>,
  options: ConnectorOptions = {},
): Promise<void> {
  using deadline = new Deadline(20_000, { what: "the strangers" });
  const { signal } = deadline;
  const { options: catching, get } = catcher();
  await using offering = await createConnector({ ...LOOPBACK_ONLY, ...options, ...catching })
    .offer({ scope: "lan", transport: "tcp", signal });
  await use({ offering, parts: get(), at: listenerOf(offering.offer), signal });
}

/** What a connection brings until it ends; a reset is an end too. */
async function readAll(conn: Deno.TcpConn): Promise<number> {
  let bytes = 0;
  try {
    for await (const part of conn.readable) bytes += part.length;
  } catch {
    // Reset.
  }
  return bytes;
}

/** Connects and says something: resolves with the number of bytes that came back, at the end. */
async function say(at: Waiting["at"], ...bytes: readonly Uint8Array[]): Promise<number> {
  const conn = await Deno.connect(at);
  for (const part of bytes) await conn.write(part).catch(() => {});
  return await readAll(conn);
}

/** A check such as the peer's, for which its password is needed. */
function authentic({ connection }: PeerParts, edit: (message: Message) => Message = (m) => m) {
  const message = new Message(1, 0)
    .setAttribute("USERNAME", `${connection.localUsername}:peer`)
    .setAttribute("PRIORITY", 1)
    .setAttribute("ICE-CONTROLLED", 1n);
  return edit(message).addMessageIntegrity(Buffer.from(connection.localPassword))
    .addFingerprint().bytes;
}

const record = (type: number, ...body: number[]): Uint8Array =>
  Uint8Array.of(type, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, body.length, ...body);

const STRANGE: Record<string, (parts: PeerParts) => Uint8Array> = {
  "a request without an integrity code": ({ connection: { localUsername } }) =>
    framed(
      new Message(1, 0).setAttribute("USERNAME", `${localUsername}:peer`).addFingerprint().bytes,
    ),
  "a request with another password": ({ connection: { localUsername } }) =>
    framed(
      new Message(1, 0).setAttribute("USERNAME", `${localUsername}:peer`)
        .addMessageIntegrity(Buffer.from("x".repeat(32))).addFingerprint().bytes,
    ),
  "a request with another user name": ({ connection: { localPassword } }) =>
    framed(
      new Message(1, 0).setAttribute("USERNAME", "nobody:peer")
        .addMessageIntegrity(Buffer.from(localPassword)).addFingerprint().bytes,
    ),
  "an authentic response": ({ connection }) =>
    framed(
      new Message(1, 256).addMessageIntegrity(Buffer.from(connection.localPassword))
        .addFingerprint().bytes,
    ),
  "a DTLS record before any check": () => framed(record(22, 1, 2, 3)),
  "a frame of no known kind": () => framed(Uint8Array.of(80, 1)),
  "a web request": () => new TextEncoder().encode("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "a frame longer than its kind may be": () => Uint8Array.of(8, 1, 0),
  "more than a stranger may say, in frames of no bytes": () => new Uint8Array(UNPROVEN_BYTES + 2),
  "half a frame and the end of it a byte too long": () =>
    Uint8Array.of(...framed(record(22)).subarray(0, 9), 255, 255, 255, 255, 255, 255, 255, 255),
};
for (const [name, make] of Object.entries(STRANGE)) {
  Deno.test(`a stranger who says ${name} is not answered, and its connection ends`, async () => {
    await waiting(async ({ parts, at, signal }) => {
      assertEquals(await abortable(say(at, make(parts)), signal), 0);
      assertEquals(parts.tcp()?.unproven, 0);
      assertEquals(parts.connection.checkList.length, 0);
    });
  });
}

Deno.test("a check that was seen before is no proof by another connection", async () => {
  await waiting(async ({ parts, at, signal }) => {
    const check = framed(authentic(parts));
    const first = await Deno.connect(at);
    await first.write(check);
    const answer = new Uint8Array(500);
    // The peer itself is answered.
    assertNotEquals(await first.read(answer), null);
    assertEquals(await abortable(say(at, check), signal), 0);
    first.close();
  });
});

Deno.test("of hundreds that connect and say nothing, few are kept, and the peer still gets in", async () => {
  await waiting(async ({ parts, at, offering, signal }) => {
    const strangers: Deno.TcpConn[] = [];
    for (let i = 0; i < 300; i++) strangers.push(await Deno.connect(at));
    const over = Promise.all(strangers.map(readAll));
    await using answering = await createConnector(LOOPBACK_ONLY)
      .answer(offering.offer, { scope: "lan", transport: "tcp", signal });
    const unproven = parts.tcp()?.unproven ?? Infinity;
    assert(unproven <= MAX_UNPROVEN, `${unproven} are kept`);
    const [offerer, answerer] = await Promise.all([
      offering.connect(answering.answer, signal),
      answering.connect(signal),
    ]);
    await assertAlive(offerer, answerer, signal);
    // The choice is made: none of them is left.
    assertEquals(new Set(await abortable(over, signal)), new Set([0]));
    await offerer.close({ graceful: false });
    await answerer.close({ graceful: false });
  });
});

Deno.test("a stranger who says half a frame is gone after 5 s", async () => {
  await waiting(async ({ parts, at, signal }) => {
    const began = performance.now();
    const half = framed(authentic(parts)).subarray(0, 50);
    assertEquals(await abortable(say(at, half), signal), 0);
    const took = performance.now() - began;
    assert(took >= TCP_PROOF_MS - 100 && took < TCP_PROOF_MS + 3000, `${took} ms`);
  });
});

Deno.test("nobody outside the scope is taken, whatever it says", async () => {
  using deadline = new Deadline(20_000, { what: "the stranger" });
  const { options, get } = catcher();
  await using offering = await createConnector({ ...LOOPBACK_ONLY, ...options })
    .offer({ scope: "lan", transport: "tcp", signal: deadline.signal });
  const { hostname, port } = listenerOf(offering.offer);
  const check = authentic(get());
  const outside = get().gate().provesPeer(check, ["8.8.8.8", 5], [hostname, port]);
  const mapped = get().gate().provesPeer(check, ["::ffff:127.0.0.1", 5], [hostname, port]);
  const inside = get().gate().provesPeer(check, ["127.0.0.1", 5], [hostname, port]);
  assertEquals([outside, mapped, inside], [false, false, true]);
});

for (const [name, options] of Object.entries({ "TCP": TCP, "whichever is best": AUTO })) {
  Deno.test(`by ${name}: the listeners are gone once the pair is chosen, and nobody connects`, async () => {
    const [a, b] = [catcher(), catcher()];
    await connected(a.options, b.options, async (offerer, answerer, signal) => {
      const { nominated } = a.get().connection;
      assertEquals(nominated?.localCandidate.transport, "tcp");
      for (const { get } of [a, b]) {
        for (const { port, address } of get().tcp()?.offered ?? []) {
          await isFree(port, signal);
          const late = await Deno.connect({ hostname: address, port }).catch(() => "refused");
          assertEquals(late, "refused");
        }
      }
      await assertAlive(offerer, answerer, signal);
    }, options);
  });
}

Deno.test("the listeners are gone when UDP is chosen, and when the connection is given up", async () => {
  const a = catcher();
  await connected(a.options, {}, async (offerer, answerer, signal) => {
    const offered = a.get().tcp()?.offered ?? [];
    assertEquals(offered.length, 1);
    for (const { port } of offered) await isFree(port, signal);
    assertEquals(a.get().connection.nominated?.localCandidate.transport, "udp");
    await assertAlive(offerer, answerer, signal);
  }, { transports: ["auto", "udp"] });
  let port = 0;
  await waiting(async ({ at }) => {
    port = at.port;
    assert((await listening()).has(port), "it is there while the peer is waited for");
  });
  using deadline = new Deadline(5_000, { what: "the listener's end" });
  await isFree(port, deadline.signal);
});

/** What goes on of what has come. */
type OnBytes = (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>;

/** A relay between two peers that may change, delay or break what passes it. */
class Relay implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #conns = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<void>>();
  readonly #onBytes: OnBytes;
  readonly #pieceBytes: number;

  /** Writes are of so many bytes at most. */
  constructor(target: number, onBytes: OnBytes, pieceBytes = Infinity) {
    this.#onBytes = onBytes;
    this.#pieceBytes = pieceBytes;
    this.#run((async () => {
      for await (const conn of this.#listener) {
        const other = await Deno.connect({ hostname: "127.0.0.1", port: target });
        for (const [from, to] of [[conn, other], [other, conn]] as const) {
          this.#conns.add(from);
          from.setNoDelay(true);
          this.#run(this.#pass(from, to));
        }
      }
    })());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  reset(): void {
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // It is closed.
      }
    }
    this.#conns.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    this.reset();
    await Promise.all(this.#running);
  }

  #run(promise: Promise<void>): void {
    const running = promise.catch(() => {}).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(16_384);
    for (let bytes = await from.read(buffer); bytes !== null; bytes = await from.read(buffer)) {
      const passed = await this.#onBytes(buffer.slice(0, bytes));
      for (let at = 0; at < passed.length;) {
        at += await to.write(passed.subarray(at, at + this.#pieceBytes));
      }
    }
    await to.closeWrite();
  }
}

/** Two peers whose one connection goes through a relay. */
async function relayed(
  onBytes: OnBytes,
  use: (
    made: {
      readonly relay: Relay;
      readonly settled: readonly PromiseSettledResult<
        Awaited<ReturnType<OfferingPeer["connect"]>>
      >[];
    },
    signal: AbortSignal,
  ) => Promise<void>,
  { ms = 15_000, pieceBytes = Infinity } = {},
): Promise<void> {
  using deadline = new Deadline(ms, { what: "the relayed peers" });
  const { signal } = deadline;
  const options = { scope: "lan", transport: "tcp", signal } as const;
  await using offering = await createConnector(LOOPBACK_ONLY).offer(options);
  await using relay = new Relay(listenerOf(offering.offer).port, onBytes, pieceBytes);
  await using answering = await createConnector(LOOPBACK_ONLY)
    .answer(through(offering.offer, relay.port), options);
  const settled = await Promise.allSettled([
    offering.connect(through(answering.answer, undefined), signal),
    answering.connect(signal),
  ]);
  try {
    await use({ relay, settled }, signal);
  } finally {
    for (const one of settled) {
      if (one.status === "fulfilled") await one.value.close({ graceful: false });
    }
  }
}

/** The two channels, which must have opened. */
function channelsOf(settled: Parameters<Parameters<typeof relayed>[1]>[0]["settled"]) {
  const [a, b] = settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  if (a === undefined || b === undefined) throw new Error("unreachable");
  return [a, b] as const;
}

Deno.test("a reset of the connection is known at once, by both sides", async () => {
  await relayed((bytes) => bytes, async ({ relay, settled }, signal) => {
    const [a, b] = channelsOf(settled);
    await assertAlive(a, b, signal);
    const began = performance.now();
    relay.reset();
    for (const channel of [a, b]) {
      const { by, error } = await ended(channel, signal);
      assertEquals([by, error?.code], ["failure", "CHANNEL_LOST"]);
    }
    assert(performance.now() - began < 2000);
  });
});

Deno.test("frames that are forged after the handshake are no message, and one too long ends it", async () => {
  const forged: Uint8Array[] = [];
  const inject: OnBytes = (bytes) => {
    const [next] = forged.splice(0, 1);
    return next === undefined ? bytes : Uint8Array.of(...bytes, ...next);
  };
  await relayed(inject, async ({ settled }, signal) => {
    const [a, b] = channelsOf(settled);
    for (
      const frame of [
        record(21, 2, 40),
        record(21, 1, 0),
        record(23, 1, 2, 3),
        Uint8Array.of(23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 99, 0, 30, ...new Uint8Array(30).fill(5)),
        new Message(1, 0).addFingerprint().bytes,
        new Uint8Array(),
      ]
    ) {
      forged.push(framed(frame), framed(frame));
      // Until both have gone with something that was true.
      while (forged.length > 0) await assertAlive(a, b, signal);
    }
    forged.push(Uint8Array.of(MAX_STUN_FRAME >>> 8, 255, 0));
    a.send("more").catch(() => {});
    const { error } = await ended(b, signal);
    assertEquals(error?.code, "CHANNEL_LOST");
  });
});

Deno.test("a slow reader is waited for: all arrives, and little is under way", async () => {
  const tap = new PacketTap();
  await connected({}, { packetTap: tap.tap }, async (offerer, answerer, signal) => {
    const held = tap.closed(MAX_CONTENT_BYTES);
    const message = new Uint8Array(60_000).fill(3);
    const count = 100;
    let sent = 0;
    const sending = (async () => {
      for (; sent < count; sent++) await offerer.send(message, { signal });
    })();
    // Nothing is read: the sender is stopped by the window.
    await abortable(held, signal);
    // What the receiver has room for, with one message, and what the sender keeps, with another.
    const most = RECEIVE_WINDOW.most + SEND_WINDOW.most + 2 * MAX_MESSAGE_SIZE;
    assert(sent * message.length < most, `${sent} messages are under way`);
    assert(count * message.length > most);
    for (let i = 0; i < count; i++) {
      assertEquals((await answerer.receive({ signal }))?.length, message.length);
    }
    await sending;
    await offerer.drained({ signal });
  }, TCP);
});

Deno.test("a path that carries a trickle brings all, and stays alive meanwhile", async () => {
  // Some 200 KB a second, in pieces that cut frames anywhere.
  const trickle: OnBytes = async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, bytes.length / 200));
    return bytes;
  };
  await relayed(trickle, async ({ settled }, signal) => {
    const [a, b] = channelsOf(settled);
    const message = new Uint8Array(50_000).fill(9);
    const sending = (async () => {
      for (let i = 0; i < 20; i++) await a.send(message, { signal });
      await a.drained({ signal });
    })();
    for (let i = 0; i < 20; i++) assertEquals((await b.receive({ signal }))?.length, 50_000);
    await sending;
  }, { ms: 30_000 });
});

Deno.test("bytes that drip one by one make a connection and bring messages, both ways", async () => {
  await relayed((bytes) => bytes, async ({ settled }, signal) => {
    const [a, b] = channelsOf(settled);
    await assertAlive(a, b, signal);
    const message = Uint8Array.from({ length: 5000 }, (_, i) => i * 3);
    for (const [from, to] of [[a, b], [b, a]] as const) {
      await from.send(message, { signal });
      assertEquals(await to.receive({ signal }), message);
    }
  }, { pieceBytes: 1 });
});

Deno.test("a connection that nobody reads for a while stops the sender, and then all arrives", async () => {
  let hold: Promise<void> | undefined;
  const gate = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const onBytes: OnBytes = async (bytes) => {
    if (hold !== undefined) held.resolve();
    await hold;
    return bytes;
  };
  await relayed(onBytes, async ({ settled }, signal) => {
    const [a, b] = channelsOf(settled);
    const message = new Uint8Array(60_000).fill(7);
    const count = 120;
    let sent = 0;
    const sending = (async () => {
      for (; sent < count; sent++) {
        await a.send(message, { signal });
        // The windows have opened by then.
        if (sent === count / 4) hold = gate.promise;
      }
    })();
    const received = (async () => {
      for (let i = 0; i < count; i++) {
        assertEquals((await b.receive({ signal }))?.length, message.length);
      }
    })();
    await abortable(held.promise, signal);
    // What is sent now is not acknowledged: the sender can't go on for ever.
    const most = count / 4 * message.length + RECEIVE_WINDOW.most + SEND_WINDOW.most;
    assert(count * message.length > most + 2 * MAX_MESSAGE_SIZE);
    // Turns of the event loop, in which all that is in this process could go on.
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setTimeout(resolve));
    assert(sent * message.length < most + 2 * MAX_MESSAGE_SIZE, `${sent} were sent`);
    gate.resolve();
    await Promise.all([sending, received]);
    await a.drained({ signal });
  });
});
