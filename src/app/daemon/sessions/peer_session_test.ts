import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeadlineError, TransportError } from "../../../base/errors.ts";
import { KeyPair } from "../../../protocol/crypto/keys.ts";
import type { PeerFacts, SessionEnd } from "../../../protocol/session/effects.ts";
import { Session, type SessionOptions } from "../../../protocol/session/session.ts";
import { RawPeer } from "../../../protocol/testing/raw_peer.ts";
import { seededRandom } from "../../../protocol/testing/seeded_random.ts";
import { type MemoryPair, memoryPair } from "../../../transport/testing/memory_channel.ts";
import { MAX_WAITING_FRAMES } from "./outbox.ts";
import {
  PeerSession,
  type PeerSessionListener,
  type PeerSessionOptions,
  type TransferEvent,
  type TransferHandler,
} from "./peer_session.ts";

const HASH = "00".repeat(32);

/** One end: its session at work, and what it told. */
class End implements PeerSessionListener, TransferHandler {
  readonly facts = Promise.withResolvers<PeerFacts>();
  readonly events: TransferEvent[] = [];
  readonly ends: SessionEnd[] = [];
  readonly peer: PeerSession;
  readonly backpressure: () => Promise<void> | undefined;
  #wake = Promise.withResolvers<void>();

  constructor(
    session: Session,
    channel: MemoryPair["offerer"],
    pressure?: Promise<void>,
    options: Pick<PeerSessionOptions, "confirmMs" | "now"> = {},
  ) {
    this.peer = new PeerSession({ session, channel, listener: this, ...options });
    this.backpressure = () => pressure;
  }

  established(facts: PeerFacts): void {
    this.facts.resolve(facts);
  }

  onTransferEvent(event: TransferEvent): void {
    this.events.push(event);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  ending(end: SessionEnd): void {
    this.ends.push(end);
  }

  async hears(type: TransferEvent["type"]): Promise<TransferEvent> {
    for (;;) {
      const found = this.events.find((event) => event.type === type);
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }
}

interface Setup {
  readonly confirmMs?: number;
  readonly a?: Partial<SessionOptions>;
  readonly b?: Partial<SessionOptions>;
  readonly pressure?: Promise<void>;
}

/** Two ends over a path, not started. */
function setUp(options: Setup = {}) {
  const random = seededRandom("peer sessions");
  const path = memoryPair();
  const keys = () => ({
    identity: KeyPair.generate("identity", random).publicKey,
    ephemeral: KeyPair.generate("ephemeral", random),
    random,
  });
  const [a, b] = [keys(), keys()];
  const remoteOf = (other: typeof a) => ({ remoteEphemeral: other.ephemeral.publicKey });
  return {
    path,
    a: new End(
      new Session({ ...a, ...remoteOf(b), ...options.a }),
      path.offerer,
      undefined,
      options.confirmMs === undefined ? {} : { confirmMs: options.confirmMs },
    ),
    b: new End(
      new Session({ ...b, ...remoteOf(a), ...options.b }),
      path.answerer,
      options.pressure,
    ),
  };
}

/** Two ends that trust each other. */
async function open(options: Setup = {}) {
  const made = setUp(options);
  for (const end of [made.a, made.b]) end.peer.start();
  const [ofA, ofB] = [await made.a.facts.promise, await made.b.facts.promise];
  assertEquals(ofA.sas, ofB.sas);
  for (const end of [made.a, made.b]) end.peer.approve(end);
  return made;
}

const offer = (end: End, filename = "x") =>
  end.peer.act((transfers, now) =>
    transfers.offer({ filename, size: 0, fileHash: HASH }, now).effects
  );

Deno.test("a session closed in order cancels what is in transfer, and its last frames arrive", async () => {
  const { a, b } = await open();
  offer(a);
  await b.hears("transfer-offered");
  a.peer.close();
  const ended = await b.hears("transfer-ended");
  assert(ended.type === "transfer-ended");
  assertEquals([ended.outcome, ended.by], ["cancelled", "remote"]);
  assertEquals((await a.peer.ended).by, "local");
  assertEquals(await b.peer.ended, { by: "remote" });
  assertEquals([a.ends.length, b.ends.length], [1, 1]);
});

Deno.test("the reason of an end reaches the peer before the channel closes", async () => {
  const { a, b } = setUp();
  for (const end of [a, b]) end.peer.start();
  await Promise.all([a.facts.promise, b.facts.promise]);
  a.peer.fail("KEY_MISMATCH", "another key is pinned");
  assertEquals((await b.peer.ended).error?.code, "KEY_MISMATCH");
  assertEquals((await a.peer.ended).error?.code, "KEY_MISMATCH");
});

Deno.test("a lost path ends both with CONNECTION_LOST, and their transfers", async () => {
  const { a, b, path } = await open();
  offer(a);
  await b.hears("transfer-offered");
  path.lose();
  for (const end of [a, b]) {
    assertEquals((await end.peer.ended).error?.code, "CONNECTION_LOST");
    assert((await end.hears("transfer-ended")).type === "transfer-ended");
    assertEquals(end.peer.transfers, undefined);
  }
});

Deno.test("a HELLO that does not come ends the session by its one timer", async () => {
  const { a, b } = setUp({ a: { timing: { helloMs: 10 } } });
  a.peer.start();
  const { by, error } = await a.peer.ended;
  assertEquals([by, error?.code], ["failure", "CONNECTION_LOST"]);
  await b.peer[Symbol.asyncDispose]();
});

Deno.test("liveness: silence is asked about, and a peer that never answers is given up", async () => {
  const { a, b, path } = await open({ a: { timing: { pingMs: 5, lostMs: 40 } } });
  path.stall();
  assertEquals((await a.peer.ended).error?.code, "CONNECTION_LOST");
  path.resume();
  await b.peer[Symbol.asyncDispose]();
});

Deno.test("the peer's answer comes after all that it has to say to what it was sent", async () => {
  const { a, b, path } = await open({ confirmMs: 3_600_000 });
  path.stall();
  offer(a);
  const answered = a.peer.confirmed();
  path.resume();
  assertEquals(await answered, "answer");
  assertEquals(b.events.map(({ type }) => type), ["transfer-offered"]);
  a.peer.close();
  await Promise.all([a.peer.ended, b.peer.ended]);
  assertEquals(a.peer.end, { by: "local" });
  await assertRejects(() => a.peer.confirmed(), TransportError, "the session was closed here");
});

Deno.test("a transport that acknowledges all is no answer: a peer that ought to answer and is silent confirms nothing", async () => {
  const raw = new RawPeer();
  const { offerer, answerer } = memoryPair();
  const end = new End(raw.session, answerer, undefined, { confirmMs: 10 });
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  end.peer.approve(end);
  await assertRejects(() => end.peer.confirmed(), DeadlineError, "its transport has taken all");
  assertEquals(end.peer.end, undefined);
  await offerer.close();
  await end.peer.ended;
});

Deno.test("an orderly close after the last byte is no answer: whoever ends DTLS can close too", async () => {
  const raw = new RawPeer();
  const { offerer, answerer } = memoryPair();
  const end = new End(raw.session, answerer, undefined, { confirmMs: 3_600_000 });
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  end.peer.approve(end);
  const confirmed = assertRejects(() => end.peer.confirmed(), TransportError, "the peer closed");
  await offerer.close();
  await confirmed;
  assertEquals(await end.peer.ended, { by: "remote" });
});

Deno.test("an answer to an earlier ping of the same millisecond is not the answer", async () => {
  const raw = new RawPeer();
  const { offerer, answerer } = memoryPair();
  const end = new End(raw.session, answerer, undefined, { confirmMs: 20, now: () => 1_000.5 });
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  end.peer.approve(end);
  const first = end.peer.confirmed();
  await offerer.receive(); // our HELLO
  const ping = raw.read(String(await offerer.receive()));
  const pong = { type: "pong", ts_ms: 1, reply_to_ms: ping.ts_ms };
  await offerer.send(raw.envelope(pong));
  assertEquals(await first, "answer");
  const second = assertRejects(() => end.peer.confirmed(), DeadlineError);
  await offerer.send(raw.envelope(pong));
  await second;
  await offerer.close();
  await end.peer.ended;
});

Deno.test("of a web client, which answers no pings, there is the acknowledgement of its transport only", async () => {
  const raw = new RawPeer({ peerKind: "web" });
  const { offerer, answerer } = memoryPair();
  const end = new End(raw.session, answerer);
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  end.peer.approve(end);
  assertEquals(await end.peer.confirmed(), "acknowledgement");
  await offerer.close();
  await end.peer.ended;
});

Deno.test("the peer's answer is not waited for past the session's end", async () => {
  for (const how of ["lost", "closed"] as const) {
    const { a, b, path } = await open({ confirmMs: 3_600_000 });
    path.stall();
    const confirmed = a.peer.confirmed().catch((error) => error.code);
    if (how === "lost") path.lose();
    else a.peer.close();
    path.resume();
    assertEquals(await confirmed, how === "lost" ? "CHANNEL_LOST" : "CHANNEL_CLOSED");
    assertEquals(a.peer.end?.by, how === "lost" ? "failure" : "local");
    await Promise.all([a.peer.ended, b.peer.ended]);
  }
});

Deno.test("a cancel of the transfers is received when the peer's transport has it; the session stays open", async () => {
  const { a, b, path } = await open();
  offer(a);
  await b.hears("transfer-offered");
  path.stall();
  let isReceived = false;
  const { signal } = new AbortController();
  const received = a.peer.cancelTransfers("stopping", signal).then(() => isReceived = true);
  assertEquals((await a.hears("transfer-ended")).type, "transfer-ended");
  assertEquals(isReceived, false);
  path.resume();
  await received;
  await b.hears("transfer-ended");
  assertEquals([a.peer.end, b.peer.end], [undefined, undefined]);
  a.peer.close();
  await Promise.all([a.peer.ended, b.peer.ended]);
});

Deno.test("a cancel of the transfers is not received by a peer that is lost, nor when the wait ends", async () => {
  const { a, b, path } = await open();
  offer(a);
  path.stall();
  const wait = new AbortController();
  const { signal } = new AbortController();
  const waits = [
    a.peer.cancelTransfers("stopping", wait.signal),
    a.peer.cancelTransfers("stopping", signal),
  ].map((received) => received.then(() => "received", (error) => error.code ?? error));
  wait.abort("enough");
  assertEquals(await waits[0], "enough");
  path.lose();
  assertEquals(await waits[1], "CHANNEL_LOST");
  await Promise.all([a.peer.ended, b.peer.ended]);
});

Deno.test("a peer that ends the session itself has ended its transfers, whatever it has read", async () => {
  const raw = new RawPeer();
  const { offerer, answerer } = memoryPair({ acknowledge: "reading", high: 1, low: 0 });
  const end = new End(raw.session, answerer);
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  end.peer.approve(end);
  offer(end);
  const received = end.peer.cancelTransfers("stopping", new AbortController().signal);
  await offerer.close({ graceful: false });
  await received;
  assertEquals((await end.peer.ended).by, "remote");
});

Deno.test("a peer that asks for answers and does not take them is given up, at a bound", async () => {
  const raw = new RawPeer();
  // What the session says is taken only when the peer reads it, which it never does.
  const { offerer, answerer } = memoryPair({ acknowledge: "reading", high: 1, low: 0 });
  const end = new End(raw.session, answerer);
  end.peer.start();
  await offerer.send(raw.hello());
  await end.facts.promise;
  let asked = 0;
  while (end.ends.length === 0 && asked < 1000) {
    await offerer.send(raw.envelope({ type: "ping", ts_ms: ++asked })).catch(() => {});
  }
  const { by, error } = await end.peer.ended;
  assertEquals([by, error?.code], ["failure", "CONNECTION_LOST"]);
  assert(asked >= MAX_WAITING_FRAMES && asked < MAX_WAITING_FRAMES + 10);
  await offerer.close({ graceful: false });
});

Deno.test("nothing more is read while what the peer brought is too much", async () => {
  const pressure = Promise.withResolvers<void>();
  const { a, b } = await open({ pressure: pressure.promise });
  offer(a);
  const offered = await b.hears("transfer-offered");
  assert(offered.type === "transfer-offered");
  a.peer.act((transfers) => transfers.cancel(offered.file.transferId, "enough"));
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assertEquals(b.events.length, 1);
  pressure.resolve();
  await b.hears("transfer-ended");
  a.peer.close();
  await Promise.all([a.peer.ended, b.peer.ended]);
});

Deno.test("a failure inside the state machine ends that session, and is told as its end", async () => {
  const refuse = () => {
    throw new Error("a fault of ours");
  };
  const { a, b } = setUp({ b: { refuse } });
  for (const end of [a, b]) end.peer.start();
  const { by, error } = await b.peer.ended;
  assertEquals([by, error?.code], ["failure", "CONNECTION_LOST"]);
  await a.peer.ended;
});

Deno.test("disposing gives the session up at once, also when the peer takes nothing", async () => {
  const { a, b, path } = await open();
  path.stall();
  await a.peer[Symbol.asyncDispose]();
  assertEquals((await a.peer.ended).by, "failure");
  path.resume();
  await b.peer.ended;
});
