import { assert, assertEquals, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../../scripts/rendezvous/server.ts";
import type { Fields, Log } from "../../log/log.ts";
import { SignalError } from "../../base/errors.ts";
import { RESEND_MS } from "../../base/timing.ts";
import { KeyPair } from "../../protocol/crypto/keys.ts";
import { seededRandom } from "../../protocol/testing/seeded_random.ts";
import { RendezvousClient } from "./rendezvous_client.ts";
import { WebHandshake } from "./web_handshake.ts";
import type { PeerCodes } from "../../protocol/signal/peer_code.ts";
import { codes } from "../../protocol/testing/peer_codes.ts";

const random = seededRandom("web handshake");
const publicKey = KeyPair.generate("ephemeral", random).publicKey;
const { signal } = new AbortController();

/** A log that keeps its lines, and can be waited for. */
class KeptLog implements Log {
  readonly lines: string[] = [];
  #wake = Promise.withResolvers<void>();

  info = (message: string, fields?: Fields) => {
    this.lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  };
  error = this.info;
  warn = this.info;
  debug = this.info;

  /** Resolves when it holds that text. */
  async holds(text: string): Promise<void> {
    while (!this.lines.some((line) => line.includes(text))) await this.#wake.promise;
  }
}

/** A peer at the server, with its handshake towards another and what it logged. */
class Peer implements AsyncDisposable {
  readonly lines: readonly string[];
  readonly #ends: PeerCodes;
  readonly #log: KeptLog;
  #handshake: WebHandshake | undefined;

  private constructor(readonly client: RendezvousClient, ends: PeerCodes, log: KeptLog) {
    this.lines = log.lines;
    this.#ends = ends;
    this.#log = log;
  }

  /** Its handshake: from the first use on it answers requests for a connection by itself. */
  get handshake(): WebHandshake {
    const options = { ...this.#ends, offerAgain: RESEND_MS, log: this.#log };
    return this.#handshake ??= new WebHandshake(this.client, options);
  }

  static async register(url: string, self: string, remote: string): Promise<Peer> {
    const [ends, log] = [codes(self, remote), new KeptLog()];
    const options = { url, ...ends, deviceName: self, signal, log };
    return new Peer(await RendezvousClient.register(options), ends, log);
  }

  /** Resolves when its log holds that text. */
  logged(text: string): Promise<void> {
    return this.#log.holds(text);
  }

  /** Says anything to its peer. */
  say(payload: unknown): void {
    this.client.send(payload);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
  }
}

const ours = (self: string) => ({ publicKey, peerCode: self, sdp: `sdp of ${self}` });
const candidate = (text: string, more: object = {}) => ({
  type: "ice-candidate",
  data: { candidate: text },
  from: "bob",
  to: "alice",
  ...more,
});
const answer = (more: object = {}) => ({
  type: "answer",
  data: {
    answer: { type: "answer", sdp: "sdp of bob" },
    publicKey: publicKey.base64,
    peerCode: "bob",
  },
  from: "bob",
  to: "alice",
  ...more,
});

Deno.test("offer and answer carry each side's ephemeral key; candidates trickle after them", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  const answered = alice.handshake.offer(ours("alice"), signal);
  const offer = await bob.handshake.receiveOffer(signal);
  assertEquals([offer.sdp, offer.publicKey.base64], ["sdp of alice", publicKey.base64]);
  assertEquals([offer.from, offer.to, offer.peerCode], ["alice", "bob", "alice"]);
  bob.handshake.sendAnswer(ours("bob"));
  assertEquals((await answered).sdp, "sdp of bob");

  const heard: string[] = [];
  const done = new AbortController();
  const second = Promise.withResolvers<void>();
  const trickling = alice.handshake.trickle((text) => {
    heard.push(text);
    if (heard.length === 2) second.resolve();
  }, done.signal);
  bob.say(candidate("candidate:1"));
  bob.say(candidate("")); // no more of the first interface
  bob.say(candidate("candidate:2"));
  await second.promise;
  done.abort();
  await trickling;
  assertEquals(heard, ["candidate:1", "candidate:2"]);
});

Deno.test("candidates that come before the description are kept for it", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  bob.say(candidate("candidate:early"));
  bob.say(candidate(""));
  bob.say(answer());
  await alice.handshake.offer(ours("alice"), signal);
  assertEquals(alice.handshake.earlyCandidates, ["candidate:early"]);
});

Deno.test("early candidates are bounded, whatever a peer sends", async () => {
  await using server = startRendezvousServer({ messagesPerSecond: 1000 });
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  for (let i = 0; i < 80; i++) bob.say(candidate(`candidate:${i}`));
  bob.say(answer());
  await alice.handshake.offer(ours("alice"), signal);
  assertEquals(alice.handshake.earlyCandidates.length, 64);
  assertEquals(alice.lines.filter((line) => line.includes("too-many-candidates")).length, 16);
});

Deno.test("an offer is sent again until its peer is registered", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  const answered = alice.handshake.offer(ours("alice"), signal);
  await alice.logged("offer retry");
  await using bob = await Peer.register(server.url, "bob", "alice");
  await bob.handshake.receiveOffer(signal);
  bob.handshake.sendAnswer(ours("bob"));
  await answered;
  assertEquals(alice.lines[0], `offer retry: peer 'bob' not found {"next_ms":100}`);
});

Deno.test("what is not the awaited signal from the awaited peer is ignored, and said so", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  await using eve = await Peer.register(server.url, "eve", "alice");
  const answered = alice.handshake.offer(ours("alice"), signal);
  await bob.handshake.receiveOffer(signal);
  eve.say(answer({ data: { ...answer().data, answer: { type: "answer", sdp: "sdp of eve" } } }));
  await alice.logged("unexpected-peer");
  for (
    const payload of [
      {},
      "text",
      answer({ from: "eve" }),
      answer({ to: "carol" }),
      { ...answer(), type: "hangup" },
      { ...answer(), data: { answer: { type: "answer", sdp: "x" }, peerCode: "bob" } },
      {
        type: "offer",
        data: {
          offer: { type: "offer", sdp: "x" },
          publicKey: publicKey.base64,
          peerCode: "bob",
        },
        from: "bob",
        to: "alice",
      },
    ]
  ) bob.say(payload);
  bob.say(answer());
  assertEquals((await answered).sdp, "sdp of bob");
  const reasons = alice.lines.map((line) =>
    JSON.parse(line.slice("ignoring signal ".length)).reason
  );
  assertEquals(reasons.filter((reason) => reason !== "unexpected-peer"), [
    "malformed-payload",
    "malformed-payload",
    "peer-mismatch",
    "peer-mismatch",
    "malformed-payload",
    "malformed-payload",
    "unexpected-msg-type",
  ]);
});

Deno.test("ignored signals are logged up to a bound", async () => {
  await using server = startRendezvousServer({ messagesPerSecond: 1000 });
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  for (let i = 0; i < 150; i++) bob.say({});
  bob.say(answer());
  await alice.handshake.offer(ours("alice"), signal);
  assertEquals(alice.lines.length, 100);
});

Deno.test("an offer that is repeated gets the same answer, and another one none", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  const offer = (sdp: string) => ({
    type: "offer",
    data: { offer: { type: "offer", sdp }, publicKey: publicKey.base64, peerCode: "alice" },
    from: "alice",
    to: "bob",
  });
  alice.say(offer("first"));
  await bob.handshake.receiveOffer(signal);
  bob.handshake.sendAnswer(ours("bob"));
  const done = new AbortController();
  const serving = bob.handshake.trickle(() => {}, done.signal);
  for (const sdp of ["second", "first"]) alice.say(offer(sdp));
  const answers = [];
  while (answers.length < 2) {
    const inbound = await alice.client.receive(signal);
    if (inbound.type === "signal") answers.push(inbound.payload);
  }
  assertEquals(answers[1], answers[0]);
  await bob.logged("unexpected-msg-type");
  done.abort();
  await serving;
  assertEquals(bob.lines.filter((line) => line.startsWith("ignoring signal")).length, 1);
});

Deno.test("an answer that was not delivered is sent again", async () => {
  await using server = startRendezvousServer();
  await using bob = await Peer.register(server.url, "bob", "alice");
  const done = new AbortController();
  bob.handshake.sendAnswer(ours("bob"));
  const serving = bob.handshake.trickle(() => {}, done.signal);
  await bob.logged("answer retry: peer 'alice' not found");
  await using alice = await Peer.register(server.url, "alice", "bob");
  const inbound = await alice.client.receive(signal);
  assertEquals(inbound.type === "signal" && Object(inbound.payload).type, "answer");
  done.abort();
  await serving;
});

const consent = (type: string, data: unknown = {}, more: object = {}) => ({
  type,
  data,
  from: "bob",
  to: "alice",
  ...more,
});
const device = { deviceName: "our machine", deviceType: "desktop" } as const;

/** The payload of the next signal that has come for a peer. */
async function heard({ client }: Peer): Promise<unknown> {
  for (;;) {
    const inbound = await client.receive(signal);
    if (inbound.type === "signal") return inbound.payload;
  }
}

/** Has a handshake answer what comes, until the test is over. */
function waiting({ handshake }: Peer): Disposable {
  const over = new AbortController();
  handshake.receiveOffer(over.signal).catch(() => {});
  return { [Symbol.dispose]: () => over.abort() };
}

Deno.test("a connection is asked for with our name, and offered when it is accepted", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  const agreed = alice.handshake.requestConsent(device, signal);
  assertEquals(await heard(bob), {
    type: "connection_request",
    data: { deviceName: "our machine", deviceType: "desktop" },
    from: "alice",
    to: "bob",
  });
  bob.say(consent("connection_accepted"));
  await agreed;
});

Deno.test("a connection that is declined ends the wait with the reason, spelled out", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  const reason = `no\u001b[2J${"x".repeat(1000)}`;
  for (
    const wait of [
      () => alice.handshake.requestConsent(device, signal),
      // People may think better of it, and a client that was not asked may say no as well.
      () => alice.handshake.offer(ours("alice"), signal),
    ]
  ) {
    const failed = assertRejects(wait, SignalError);
    bob.say(consent("connection_declined", { reason }));
    const { code, message } = await failed;
    assertEquals(code, "PEER_DECLINED");
    assert(message.startsWith(`peer 'bob' declined the connection: "no\\u001b[2Jxxx`), message);
    assert(message.length < 300);
  }
});

Deno.test("the peer's request is accepted as often as it comes, until its offer is here", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  alice.handshake.acceptRequests();
  const offered = alice.handshake.receiveOffer(signal);
  const names = ["phone", "x".repeat(100_000), 7, undefined];
  for (const deviceName of names) bob.say(consent("connection_request", { deviceName }));
  for (const _ of names) {
    const answer = { type: "connection_accepted", data: {}, from: "alice", to: "bob" };
    assertEquals(await heard(bob), answer);
  }
  const { answer: _, ...data } = answer().data;
  bob.say(answer({ type: "offer", data: { offer: { type: "offer", sdp: "x" }, ...data } }));
  await offered;
  using _serving = waiting(alice);
  bob.say(consent("connection_request"));
  assertEquals(await heard(bob), DECLINED);
});

const DECLINED = {
  type: "connection_declined",
  data: { reason: "declined" },
  from: "alice",
  to: "bob",
};

Deno.test("whoever is not waited for is declined, alike, and bounded", async () => {
  await using server = startRendezvousServer({ messagesPerSecond: 1000 });
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  await using eve = await Peer.register(server.url, "eve", "alice");
  // An offerer waits for no request, of whomever.
  using _serving = waiting(alice);
  bob.say(consent("connection_request"));
  assertEquals(await heard(bob), DECLINED);
  alice.handshake.acceptRequests();
  for (let i = 0; i < 30; i++) eve.say(consent("connection_request", {}, { from: "eve" }));
  await alice.logged("unexpected-peer");
  for (let i = 1; i < 16; i++) assertEquals(await heard(eve), { ...DECLINED, to: "eve" });
  bob.say(consent("connection_request"));
  assertEquals(Object(await heard(bob)).type, "connection_accepted");
});

Deno.test("a stranger that asks and leaves at once ends nothing", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  alice.handshake.acceptRequests();
  {
    await using eve = await Peer.register(server.url, "eve", "alice");
    eve.say(consent("connection_request", {}, { from: "eve" }));
  }
  const offered = alice.handshake.receiveOffer(signal);
  await using bob = await Peer.register(server.url, "bob", "alice");
  bob.say(consent("connection_request"));
  assertEquals(Object(await heard(bob)).type, "connection_accepted");
  const { answer: _, ...data } = answer().data;
  bob.say(answer({ type: "offer", data: { offer: { type: "offer", sdp: "x" }, ...data } }));
  assertEquals((await offered).sdp, "x");
});

Deno.test("consent out of place, for others, or malformed changes nothing, and is not answered", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using bob = await Peer.register(server.url, "bob", "alice");
  await using eve = await Peer.register(server.url, "eve", "alice");
  alice.handshake.acceptRequests();
  const offered = alice.handshake.receiveOffer(signal);
  eve.say(consent("connection_request")); // in the name of bob
  eve.say(consent("connection_accepted"));
  await alice.logged("unexpected-peer");
  for (
    const payload of [
      consent("connection_request", {}, { from: "eve" }),
      consent("connection_request", {}, { to: "carol" }),
      consent("connection_request", null),
      consent("connection_request", {}, { from: "b!b" }),
      consent("connection_accepted"),
      consent("connection_declined", { reason: "no" }),
    ]
  ) bob.say(payload);
  const { answer: _, ...data } = answer().data;
  bob.say(answer({ type: "offer", data: { offer: { type: "offer", sdp: "x" }, ...data } }));
  await offered;
  const reasons = alice.lines.map((line) =>
    JSON.parse(line.slice("ignoring signal ".length)).reason
  );
  assertEquals(reasons.filter((reason) => reason !== "unexpected-peer"), [
    ...["peer-mismatch", "peer-mismatch", "malformed-payload", "malformed-payload"],
    ...["unexpected-msg-type", "unexpected-msg-type"],
  ]);
});

Deno.test("a request waits for its peer to register, and what is not its answer is passed over", async () => {
  await using server = startRendezvousServer();
  await using alice = await Peer.register(server.url, "alice", "bob");
  await using eve = await Peer.register(server.url, "eve", "alice");
  const agreed = alice.handshake.requestConsent(device, signal);
  await alice.logged("connection_request retry: peer 'bob' not found");
  await using bob = await Peer.register(server.url, "bob", "alice");
  await heard(bob);
  eve.say(consent("connection_accepted"));
  eve.say(consent("connection_declined", {}, { from: "eve" }));
  bob.say(consent("connection_accepted", {}, { to: "carol" }));
  bob.say(candidate("candidate:1"));
  bob.say(answer());
  await alice.logged("unexpected-msg-type");
  bob.say(consent("connection_accepted"));
  await agreed;
  assertEquals(alice.handshake.earlyCandidates, []);
});
