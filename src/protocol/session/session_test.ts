import { assert, assertEquals, assertThrows } from "@std/assert";
import { KeyPair, PublicKey } from "../crypto/keys.ts";
import { MisuseError, ProtocolError } from "../errors.ts";
import { shortAuthenticationString } from "../identity/sas.ts";
import { BINARY_ENCODING } from "../messages/capabilities.ts";
import { type Encoding, test } from "../testing/both_encodings.ts";
import { ALL_CAPABILITIES, closedWith, RawPeer } from "../testing/raw_peer.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { newPair, openPair, settle } from "../testing/session_pair.ts";
import { Session } from "./session.ts";

const started = (): RawPeer => {
  const peer = new RawPeer();
  peer.session.start(0);
  return peer;
};

/** What both of a pair are able to do besides what is registered. */
const extended = (encoding: Encoding) => encoding === "binary" ? [BINARY_ENCODING] : [];

test("after both HELLOs each side knows the other's identity and both have one SAS", (encoding) => {
  const { a, b } = newPair();
  const [ka, kb] = [a.session, b.session];
  a.do(a.session.start(0));
  b.do(b.session.start(0));
  assertEquals([ka.phase, kb.phase], ["hello", "hello"]);
  settle(a, b);
  assertEquals([ka.phase, kb.phase], ["undecided", "undecided"]);
  const [seenByA, seenByB] = [a.last("established").peer, b.last("established").peer];
  assert(seenByA.identity.equals(b.identity) && seenByB.identity.equals(a.identity));
  assertEquals(seenByA.sas, seenByB.sas);
  assertEquals(
    seenByA.sas,
    shortAuthenticationString(
      { identity: a.identity, ephemeral: seenByB.ephemeral },
      { identity: b.identity, ephemeral: seenByA.ephemeral },
    ),
  );
  assertEquals(seenByA.btr, "FULL_BTR");
  assertEquals([...seenByA.capabilities].sort(), [...ALL_CAPABILITIES, ...extended(encoding)]);
});

test("capabilities are what both have, and a one-sided ratchet is a logged downgrade", (encoding) => {
  const { a, b } = openPair({ a: { capabilities: ["bolt.file-hash"] } });
  for (const side of [a, b]) {
    const { peer } = side.last("established");
    assertEquals([...peer.capabilities].sort(), [
      "bolt.file-hash",
      "bolt.profile-envelope-v1",
      ...extended(encoding),
    ]);
    assertEquals([peer.btr, peer.btrLogToken], ["DOWNGRADE", "[BTR_DOWNGRADE]"]);
  }
});

test("a peer without bolt.profile-envelope-v1 is refused, in plaintext", () => {
  const peer = started();
  const effects = peer.session.receive(peer.hello({ capabilities: ["bolt.file-hash"] }), 0);
  assertEquals(closedWith(effects), "PROTOCOL_VIOLATION");
  assert(effects[0]?.type === "send");
  assertEquals(JSON.parse(String(effects[0].frame)).code, "PROTOCOL_VIOLATION");
});

test("HELLO not complete in 5 s: fail closed", () => {
  const { session } = started();
  assertEquals(session.nextDeadline, 5_000);
  assertEquals(session.tick(4_999), []);
  assertEquals(closedWith(session.tick(5_000)), "CONNECTION_LOST");
  assertEquals([session.phase, session.nextDeadline], ["closed", undefined]);
});

test("anything else before HELLO is complete is refused with the registered code", () => {
  const frames = {
    INVALID_STATE: [
      '{"type":"ping","ts_ms":1}',
      '{"type":"file-offer"}',
      '{"type":"profile-envelope","version":1,"encoding":"base64","payload":"AAAA"}',
      '{"type":"profile-envelope"}',
      "{}",
    ],
    HELLO_PARSE_ERROR: ["bolt-hello-v1", "", "[]", '{"type":"hello"}', new Uint8Array([0xff])],
    HELLO_DECRYPT_FAIL: [
      '{"type":"hello","payload":""}',
      '{"type":"hello","payload":"AAAA"}',
      JSON.stringify({ type: "hello", payload: new Uint8Array(60).toBase64() }),
      '{"type":"hello","payload":"not base64"}',
    ],
    PROTOCOL_VIOLATION: ['{"type":"error","code":"NO_SUCH_CODE","message":""}'],
  };
  for (const [code, list] of Object.entries(frames)) {
    for (const frame of list) {
      const effects = started().session.receive(frame, 0);
      assertEquals(closedWith(effects), code, String(frame));
      assert(effects[0]?.type === "send");
      assertEquals(JSON.parse(String(effects[0].frame)).code, code);
    }
  }
});

test("Second HELLO: DUPLICATE_HELLO, also when it is the same one again", () => {
  const { peer } = RawPeer.open();
  const effects = peer.session.receive(peer.hello(), 0);
  assertEquals(closedWith(effects), "DUPLICATE_HELLO");
  assertEquals(peer.said(effects)[0]?.code, "DUPLICATE_HELLO");
  const { a, b } = newPair();
  b.do(b.session.start(0));
  a.do(a.session.start(0));
  const hello = a.outbox[0] ?? "";
  b.do(b.session.receive(hello, 0));
  assertEquals(closedWith(b.session.receive(hello, 0)), "DUPLICATE_HELLO");
});

test("an ephemeral key that is our own or of low order opens no session", () => {
  for (const bytes of [undefined, new Uint8Array(32)]) {
    const ephemeral = KeyPair.generate("ephemeral", seededRandom(1));
    const error = assertThrows(() =>
      new Session({
        identity: KeyPair.generate("identity", seededRandom(2)).publicKey,
        ephemeral,
        remoteEphemeral: new PublicKey("ephemeral", bytes ?? ephemeral.publicKey.bytes),
        random: seededRandom(3),
      }), ProtocolError);
    assertEquals(error.code, "PROTOCOL_VIOLATION");
    assert(ephemeral.secretKey.spent);
  }
});

test("after HELLO plaintext is ENVELOPE_REQUIRED, and bad envelopes have their codes", (encoding) => {
  const envelope = { type: "profile-envelope", version: 1, encoding: "base64", payload: "" };
  const unopened = [
    envelope,
    { ...envelope, payload: "*" },
    { ...envelope, payload: new Uint8Array(99).toBase64() },
  ];
  const bytes = [[1], [1, ...new Uint8Array(39)], [0, ...new Uint8Array(90)], [2], [0x7b, 0x7d]]
    .map((list) => new Uint8Array(list));
  const inJson: Record<string, unknown[]> = { ENVELOPE_DECRYPT_FAIL: unopened };
  // Text is no envelope any more, nor is what is too short, too long, or begins otherwise.
  const inBinary: Record<string, unknown[]> = {
    ENVELOPE_DECRYPT_FAIL: [new Uint8Array([1, ...new Uint8Array(40)])],
    ENVELOPE_INVALID: [...unopened, ...bytes, new Uint8Array(262_145).fill(1)],
  };
  const inBoth: Record<string, unknown[]> = {
    ENVELOPE_REQUIRED: [{ type: "ping", ts_ms: 1 }, { type: "file-accept" }, {}],
    ENVELOPE_INVALID: [
      { ...envelope, version: 2 },
      { ...envelope, encoding: "hex" },
      { ...envelope, payload: 5 },
      "bolt-hello-v1",
      [],
    ],
  };
  const cases = [inBoth, encoding === "binary" ? inBinary : inJson];
  for (const [code, list] of cases.flatMap((one) => Object.entries(one))) {
    for (const value of list) {
      const { peer } = RawPeer.open();
      const frame = typeof value === "string"
        ? value
        : value instanceof Uint8Array
        ? new Uint8Array(value)
        : JSON.stringify(value);
      const effects = peer.session.receive(frame, 0);
      assertEquals(closedWith(effects), code, String(frame).slice(0, 100));
      assert(effects[0]?.type === "send");
      assert(typeof effects[0].frame === "string", "terminal ENVELOPE_* are plaintext");
      assertEquals(JSON.parse(effects[0].frame).code, code);
    }
  }
});

test("inside an envelope: unknown types, bad JSON and bad fields have their codes", () => {
  const inner: Record<string, unknown[]> = {
    UNKNOWN_MESSAGE_TYPE: [{ type: "file-request" }],
    INVALID_MESSAGE: ["not json", [], { type: "pause" }, { type: "ping", ts_ms: -1 }],
    PROTOCOL_VIOLATION: [{ type: "error", code: "MADE_UP", message: "" }],
    INVALID_STATE: [
      { type: "file-accept", transferId: "0".repeat(32) },
      { type: "file-finish", transferId: "0".repeat(32) },
      { type: "pause", transferId: "0".repeat(32) },
      { type: "cancel", transferId: "0".repeat(32), cancelledBy: "sender" },
    ],
  };
  for (const [code, list] of Object.entries(inner)) {
    for (const value of list) {
      const { peer } = RawPeer.open();
      const effects = peer.send(value);
      assertEquals(closedWith(effects), code, JSON.stringify(value));
      assertEquals(peer.said(effects)[0]?.code, code, "post-handshake errors are enveloped");
    }
  }
});

test("every bit flip in a sealed envelope is refused", () => {
  const { peer } = RawPeer.open();
  const ping = peer.envelope({ type: "ping", ts_ms: 5 });
  const sealed = typeof ping === "string"
    ? Uint8Array.fromBase64(JSON.parse(ping).payload)
    : ping.slice(1);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const { session } = RawPeer.open().peer;
    const frame = typeof ping === "string"
      ? JSON.stringify({ ...JSON.parse(ping), payload: flipped.toBase64() })
      : new Uint8Array([1, ...flipped]);
    assertEquals(closedWith(session.receive(frame, 0)), "ENVELOPE_DECRYPT_FAIL", `bit ${bit}`);
  }
  assertEquals(peer.said(peer.session.receive(ping, 0))[0]?.type, "pong");
});

test("the peer's error ends the session and is not answered", () => {
  const { peer } = RawPeer.open();
  const effects = peer.send({ type: "error", code: "KEY_MISMATCH", message: "who are you?" });
  assertEquals(effects.map((effect) => effect.type), ["closed"]);
  assert(effects[0]?.type === "closed");
  assertEquals([effects[0].end.by, effects[0].end.error?.code], ["remote", "KEY_MISMATCH"]);
});

test("plaintext errors end a session until the peer's first envelope, ENVELOPE_* ever after", () => {
  const error = (code: string) => JSON.stringify({ type: "error", code, message: "m" });
  const fresh = RawPeer.open().peer;
  assertEquals(
    closedWith(fresh.session.receive(error("HELLO_DECRYPT_FAIL"), 0)),
    "HELLO_DECRYPT_FAIL",
  );
  const spoken = () => {
    const { peer } = RawPeer.open();
    peer.send({ type: "ping", ts_ms: 1 });
    return peer.session;
  };
  assertEquals(closedWith(spoken().receive(error("HELLO_DECRYPT_FAIL"), 0)), "ENVELOPE_REQUIRED");
  const terminal = spoken().receive(error("ENVELOPE_INVALID"), 0);
  assertEquals(terminal.map((effect) => effect.type), ["closed"]);
});

test("a ping is answered with its time; silence brings pings, then the end", () => {
  const { peer } = RawPeer.open();
  const { session } = peer;
  assertEquals(peer.said(peer.send({ type: "ping", ts_ms: 77 }, 1_000)), [
    { type: "pong", ts_ms: 1_000, reply_to_ms: 77 },
  ]);
  assertEquals(session.nextDeadline, 16_000);
  assertEquals(peer.said(session.tick(16_000)), [{ type: "ping", ts_ms: 16_000 }]);
  const [pong] = peer.send({ type: "pong", ts_ms: 9, reply_to_ms: 16_000 }, 16_020);
  assertEquals(pong, { type: "round-trip", askedMs: 16_000, ms: 20 });
  assertEquals(session.tick(31_019), []);
  assertEquals(peer.said(session.tick(31_020)).length, 1);
  assertEquals(peer.said(session.tick(46_020)).length, 1);
  assertEquals(session.nextDeadline, 61_020);
  assertEquals(closedWith(session.tick(61_020)), "CONNECTION_LOST");
});

test("a web client is not pinged, since it takes a ping for a violation", () => {
  const { peer } = RawPeer.open({ peerKind: "web" });
  assertEquals(peer.session.nextDeadline, undefined);
});

test("disconnect zeroes everything: no key of the session can be used after any end", () => {
  const ends: ((peer: RawPeer) => unknown)[] = [
    (peer) => peer.session.close(),
    (peer) => peer.session.disconnected(),
    (peer) => peer.session.disconnected("the path is gone"),
    (peer) => peer.session.fail("KEY_MISMATCH", "another identity is pinned"),
    (peer) => peer.session.receive("{", 0),
    (peer) => peer.session.tick(1e9),
    (peer) => peer.session[Symbol.dispose](),
  ];
  for (const end of ends) {
    const { peer } = RawPeer.open();
    end(peer);
    assertEquals(peer.session.phase, "closed");
    assert(peer.victimEphemeral.secretKey.spent);
    assertEquals(peer.send({ type: "ping", ts_ms: 1 }), [], "late frames are ignored");
    assertEquals(peer.session.tick(2e9), []);
    assertEquals(peer.session.close(), []);
  }
});

test("KEY_MISMATCH is told to the peer inside an envelope", () => {
  const { peer } = RawPeer.open();
  const effects = peer.session.fail("KEY_MISMATCH", "another identity is pinned");
  assertEquals(peer.said(effects)[0]?.code, "KEY_MISMATCH");
  assertEquals(closedWith(effects), "KEY_MISMATCH");
});

test("MUST NOT log secret keys: a session shows none of its keys", () => {
  const secret = seededRandom("session secret")(32);
  const shown = [secret.toHex(), secret.toBase64(), [...secret].join(", ")];
  const { a } = openPair({ a: { ephemeral: new KeyPair("ephemeral", secret) } });
  const texts = [
    Deno.inspect(a.session, { depth: 20, showHidden: true }),
    JSON.stringify(a.session),
    Deno.inspect(a.told, { depth: 20 }),
    a.outbox.join(),
  ];
  for (const text of texts) for (const key of shown) assert(!text.includes(key));
});

test("moves that the phase does not allow are our own misuse and send nothing", () => {
  const { session } = new RawPeer();
  assertThrows(() => session.receive("{}", 0), MisuseError);
  assertThrows(() => session.approve(0), MisuseError);
  session.start(0);
  assertThrows(() => session.start(0), MisuseError);
  assertThrows(() => session.approve(0), MisuseError);
  assertThrows(() => session.sendAppMessage("x"), MisuseError);
});

test("texts travel between applications, and one too large for a frame is refused here", (encoding) => {
  const { a, b } = openPair();
  a.do(a.session.sendAppMessage("hello, ünïcode"));
  settle(a, b);
  assertEquals(b.last("app-message"), {
    type: "app-message",
    text: "hello, ünïcode",
    approved: true,
  });
  // Base64 takes a third of the published frame.
  const most = encoding === "binary" ? 262_070 : 196_482;
  b.told.length = 0;
  a.do(a.session.sendAppMessage("x".repeat(most)));
  settle(a, b);
  assertEquals(b.last("app-message").text.length, most);
  assertThrows(() => a.session.sendAppMessage("x".repeat(most + 3)), MisuseError);
});

test("a text before the decision is marked as such", () => {
  const peer = started();
  peer.session.receive(peer.hello(), 0);
  const [effect] = peer.send({ type: "app_message", text: "hi" });
  assertEquals(effect, { type: "app-message", text: "hi", approved: false });
});
