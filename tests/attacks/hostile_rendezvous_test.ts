/**
 * The rendezvous server is the attacker between two honest daemons: whatever it does to their
 * signals, the session is refused, or the two people read different SAS. What it may do in vain is
 * listed too.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Deadline } from "../../src/base/deadline.ts";
import type { PairRequest, SessionView } from "../../src/ipc/api/schemas.ts";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import type { Channel } from "../../src/transport/channel.ts";
import type { Connector } from "../../src/transport/connector.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { connector as webrtc } from "../../src/transport/webrtc/connector.ts";
import { type DaemonUnderTest, LocalDaemon } from "../support/daemon.ts";
import { HostileRelay, type Payload, type Relayed, type Tamper } from "./support/hostile_relay.ts";
import { HostilePeer } from "./support/hostile_peer.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** Two honest daemons and the relay. */
class Stage implements AsyncDisposable {
  readonly relay: HostileRelay;
  readonly alice: LocalDaemon;
  readonly bob: LocalDaemon;
  readonly #stack: AsyncDisposableStack;
  #meetings = 0;

  private constructor(
    relay: HostileRelay,
    alice: LocalDaemon,
    bob: LocalDaemon,
    stack: AsyncDisposableStack,
  ) {
    [this.relay, this.alice, this.bob, this.#stack] = [relay, alice, bob, stack];
  }

  static async set(network: { readonly connector: Connector }): Promise<Stage> {
    await using stack = new AsyncDisposableStack();
    const relay = stack.use(new HostileRelay());
    const flags = ["--max-peers", "64", "--max-memory", "8192"];
    const alice = stack.use(await LocalDaemon.start(network, { flags }));
    const bob = stack.use(await LocalDaemon.start(network, { flags }));
    return new Stage(relay, alice, bob, stack.move());
  }

  /** The two meet while the relay tampers; what became of each side. */
  async meet(tamper: Tamper, phaseTimeoutSecs = 2): Promise<readonly [string, string]> {
    const number = ++this.#meetings;
    const [a, b] = [`alice${number}`, `bob${number}`];
    this.relay.between(a, b, tamper);
    const common = {
      signal: "rendezvous",
      rendezvousUrl: this.relay.url,
      room: "room",
      session: "session",
      phaseTimeoutSecs,
    } as const;
    const offerer: PairRequest = { ...common, role: "offerer", peerId: a, to: b };
    const answerer: PairRequest = { ...common, role: "answerer", peerId: b, expectPeer: a };
    const sessions = [await this.alice.pair(offerer), await this.bob.pair(answerer)] as const;
    return await Promise.all([
      outcome(this.alice, sessions[0]),
      outcome(this.bob, sessions[1]),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The SAS that a person would read, or the code of the refusal. */
async function outcome(daemon: DaemonUnderTest, { sessionId }: SessionView): Promise<string> {
  return await Promise.any([
    daemon.event("pairing-requested", ({ pairing }) => pairing.sessionId === sessionId)
      .then(({ pairing }) => `SAS ${pairing.sas}`),
    daemon.event("session-closed", ({ session }) => session.sessionId === sessionId)
      .then(({ session }) => session.failure?.code ?? "closed"),
  ]);
}

const isSas = (text: string) => text.startsWith("SAS ");

/** Changes the payloads of one kind (`msg_type` or `type`). */
const changing = (kind: string, change: (payload: Payload) => void): Tamper => (signal) => {
  const payload = structuredClone(signal.payload);
  if ((payload.msg_type ?? payload.type) === kind) change(payload);
  return [{ ...signal, payload }];
};

/** A key of the attacker. */
const foreignKey = () => KeyPair.generate("ephemeral", random).publicKey.base64;

/** Tampering, and the code that one side at least must end with. */
const REFUSED: readonly (readonly [string, string, Tamper])[] = [
  ["another room in the hello", "DEADLINE", changing("hello", (p) => p.room = "other")],
  ["another session in the hello", "DEADLINE", changing("hello", (p) => p.session = "other")],
  ["another version", "VERSION_UNSUPPORTED", changing("hello", (p) => p.payload_version = 2)],
  ["another from_peer", "PEER_MISMATCH", changing("hello", (p) => p.from_peer = "eve")],
  ["another to_peer", "PEER_MISMATCH", changing("hello", (p) => p.to_peer = "eve")],
  ["another scope", "SCOPE_MISMATCH", changing("hello", (p) => p.network_scope = "global")],
  ["a hello called ack", "DEADLINE", changing("hello", (p) => p.msg_type = "ack")],
  ["another room in the ack", "DEADLINE", changing("ack", (p) => p.room = "other")],
  ["another to_peer in the ack", "PEER_MISMATCH", changing("ack", (p) => p.to_peer = "eve")],
  ["another sender", "DEADLINE", (signal) => [{ ...signal, from: "eve" }]],
  ["another from in the offer", "DEADLINE", changing("offer", (p) => p.from = "eve")],
  ["another to in the offer", "DEADLINE", changing("offer", (p) => p.to = "eve")],
  ["another peerCode in the offer", "DEADLINE", changing("offer", (p) => p.data.peerCode = "eve")],
  [
    "another peerCode in the answer",
    "DEADLINE",
    changing("answer", (p) => p.data.peerCode = "eve"),
  ],
  [
    "another key in the offer",
    "HELLO_DECRYPT_FAIL",
    changing("offer", (p) => p.data.publicKey = foreignKey()),
  ],
  [
    "another key in the answer",
    "HELLO_DECRYPT_FAIL",
    changing("answer", (p) => p.data.publicKey = foreignKey()),
  ],
  [
    "a key of zeros in the offer",
    "PROTOCOL_VIOLATION",
    changing("offer", (p) => p.data.publicKey = new Uint8Array(32).toBase64()),
  ],
  [
    "no commitment in the offer",
    "IDENTITY_REFUSED",
    changing("offer", (p) => delete p.data.commitment),
  ],
  [
    "no commitment in the answer",
    "IDENTITY_REFUSED",
    changing("answer", (p) => delete p.data.commitment),
  ],
  [
    "another commitment in the offer",
    "IDENTITY_REFUSED",
    changing("offer", (p) => p.data.commitment = foreignKey()),
  ],
  [
    "another commitment in the answer",
    "IDENTITY_REFUSED",
    changing("answer", (p) => p.data.commitment = foreignKey()),
  ],
  ["a malformed commitment", "DEADLINE", changing("offer", (p) => p.data.commitment = "AAAA")],
  ["an answer called offer", "DEADLINE", changing("answer", (p) => p.type = "offer")],
  [
    "no hello delivered",
    "DEADLINE",
    (signal) => signal.payload.msg_type === "hello" ? [] : [signal],
  ],
  ["no answer delivered", "DEADLINE", (signal) => signal.payload.type === "answer" ? [] : [signal]],
  ["the offer reflected as its answer", "PROTOCOL_VIOLATION", reflect],
];

/** Gives the offerer its own offer, and its own key, as the answer. */
function reflect(signal: Relayed): readonly Relayed[] {
  const { from, to, payload } = signal;
  if (payload.type !== "offer") return payload.type === "answer" ? [] : [signal];
  const { offer, publicKey } = payload.data;
  const answer = { type: "answer", sdp: offer.sdp };
  const data = { answer, publicKey, peerCode: to };
  const back = { from: to, to: from, payload: { type: "answer", data, from: to, to: from } };
  return [signal, back];
}

Deno.test("whatever the relay does to a field, the session is refused, never silently made", async (t) => {
  await using stage = await Stage.set(new MemoryNetwork());
  const outcomes = await Promise.all(REFUSED.map(async ([what, code, tamper]) => {
    return { what, code, ends: await stage.meet(tamper) };
  }));
  for (const { what, code, ends } of outcomes) {
    await t.step(what, () => {
      assert(ends.includes(code), `${ends}`);
      assert(!ends.every(isSas), `${ends}`);
    });
  }
});

Deno.test("signals twice, and of strangers between, change nothing: the SAS are the same", async () => {
  await using stage = await Stage.set(new MemoryNetwork());
  const noise = (signal: Relayed) => [
    { ...signal, from: "eve" },
    { ...signal, payload: null },
    { ...signal, payload: { ...signal.payload, session: "old", from: "eve" } },
    signal,
    signal,
  ];
  const [alice, bob] = await stage.meet(noise, 30);
  assert(isSas(alice), alice);
  assertEquals(alice, bob);
});

Deno.test("an offer or an answer of an earlier meeting, replayed, makes no session", async () => {
  await using stage = await Stage.set(new MemoryNetwork());
  const recorded = new Map<string, Payload>();
  const [alice, bob] = await stage.meet((signal) => {
    recorded.set(signal.payload.type, signal.payload.data);
    return [signal];
  }, 30);
  assert(isSas(alice) && alice === bob);
  for (const kind of ["offer", "answer"]) {
    const ends = await stage.meet(changing(kind, (p) => p.data = recorded.get(kind)));
    assert(!ends.some(isSas), `${kind}: ${ends}`);
  }
});

Deno.test("an attacker who is the other end for both, as old peers, shows them different SAS", async () => {
  const network = new MemoryNetwork();
  await using stage = await Stage.set(network);
  await using stack = new AsyncDisposableStack();
  using deadline = new Deadline(30_000, { what: "the man in the middle" });
  const { signal } = deadline;
  const keys = [0, 1].map(() => KeyPair.generate("ephemeral", random));
  const [toAlice, toBob] = [keys[0], keys[1]];
  assert(toAlice !== undefined && toBob !== undefined);
  const channels: Promise<readonly [Channel, string]>[] = [];
  const answerOf = Promise.withResolvers<Payload>();
  const middle: Tamper = async (relayed) => {
    const { payload, from, to } = relayed;
    if (payload.type === "offer") {
      const description = { sdpType: "offer", sdp: payload.data.offer.sdp } as const;
      const answering = await network.connector.answer({ description, candidates: [] }, {
        scope: "lan",
        signal,
      });
      const offering = await network.connector.offer({ scope: "lan", signal });
      const answer = { type: "answer", sdp: answering.answer.description.sdp };
      const data = { answer, publicKey: toAlice.publicKey.base64, peerCode: to };
      const back = { type: "answer", data, from: to, to: from };
      channels.push(
        answering.connect(signal).then((channel) => [channel, payload.data.publicKey]),
        answerOf.promise.then(async (theirs) => {
          const bundle = {
            description: { sdpType: "answer", sdp: theirs.data.answer.sdp },
            candidates: [],
          } as const;
          return [await offering.connect(bundle, signal), theirs.data.publicKey] as const;
        }),
      );
      const forged = structuredClone(payload);
      forged.data.offer.sdp = offering.offer.description.sdp;
      forged.data.publicKey = toBob.publicKey.base64;
      delete forged.data.commitment; // which binds Alice to a key that is not his
      return [{ from, to, payload: forged }, { from: to, to: from, payload: back }];
    }
    if (payload.type !== "answer") return [relayed];
    answerOf.resolve(payload);
    void passIdentitiesOn();
    return [];
  };
  /** Claims to each to be the other, a peer that can prove nothing. */
  async function passIdentitiesOn(): Promise<void> {
    const [a, b] = await Promise.all(channels);
    assert(a !== undefined && b !== undefined && toAlice !== undefined && toBob !== undefined);
    const alice = stack.use(HostilePeer.over(...a, toAlice));
    const bob = stack.use(HostilePeer.over(...b, toBob));
    const [fromAlice, fromBob] = [await alice.hearOf("hello"), await bob.hearOf("hello")];
    for (const [to, from] of [[alice, fromBob], [bob, fromAlice]] as const) {
      await to.say(to.hello({ identityPublicKey: from["identityPublicKey"] }));
    }
  }
  const [alice, bob] = await stage.meet(middle, 30);
  assert(isSas(alice) && isSas(bob), `${alice}, ${bob}`);
  assertNotEquals(alice, bob);
  // Each believes to have met the other's identity, unproven: only the SAS tells.
  const [session] = await stage.alice.client.listSessions();
  assertEquals(session?.proven, false);
  const [peer] = await stage.alice.client.listPeers();
  assertEquals(peer?.identity, (await stage.bob.client.status()).identity);
});

Deno.test("another fingerprint, or another session's SDP, makes no WebRTC connection", async () => {
  await using stage = await Stage.set({ connector: webrtc });
  const swapped = (sdp: string) =>
    sdp.replace(
      /(fingerprint:sha-256 )(..)/,
      (_, head: string, byte: string) => head + (byte === "5A" ? "A5" : "5A"),
    );
  const ends = await Promise.all([
    stage.meet(changing("offer", (p) => p.data.offer.sdp = swapped(p.data.offer.sdp)), 5),
    stage.meet(changing("answer", (p) => p.data.answer.sdp = swapped(p.data.answer.sdp)), 5),
    stage.meet(changing("offer", (p) => p.data.offer.sdp = "v=0\r\n"), 5),
  ]);
  for (const end of ends) assert(!end.some(isSas), `${end}`);
  const [alice, bob] = await stage.meet((signal) => [signal], 30);
  assert(isSas(alice));
  assertEquals(alice, bob);
});
