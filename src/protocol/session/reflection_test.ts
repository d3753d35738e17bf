import { assert, assertEquals } from "@std/assert";
import { toUtf8 } from "../crypto/encoding.ts";
import { BINARY_ENCODING, CAPABILITIES } from "../messages/capabilities.ts";
import type { WireFrame } from "../messages/envelope.ts";
import { conversation, type Setting, type World, worldOf } from "../testing/conversation.ts";
import { memoisedX25519 } from "../testing/memoised_x25519.ts";
import { closedWith } from "../testing/raw_peer.ts";
import { copyOf, openPair, settle, type TestPeer } from "../testing/session_pair.ts";
import type { SessionEffect } from "./effects.ts";

// Both sides seal with one key, so every seal of ours opens here too. Who owns the transport, or
// relays between two DTLS sessions of his own, can send each of them back at any time.

const HASH = "0".repeat(64);
const FILE = { filename: "f", size: 12, chunkSize: 8, fileHash: HASH };
const NO_RATCHET = ["bolt.file-hash"] as const;

const BINARY = [...CAPABILITIES, BINARY_ENCODING] as const;

const DAEMONS: readonly Setting[] = [
  { name: "proven, as offerer", proves: "offerer" },
  { name: "proven, as answerer", proves: "answerer" },
  { name: "with a published peer", proves: "offerer", isPeerPublished: true },
  { name: "not proven", both: {} },
  { name: "without the ratchet", both: { capabilities: NO_RATCHET } },
  { name: "in binary", both: { capabilities: BINARY } },
  { name: "in binary, proven", proves: "offerer", both: { capabilities: BINARY } },
  {
    name: "in binary, without the ratchet",
    both: { capabilities: [...NO_RATCHET, BINARY_ENCODING] },
  },
];
const BROWSERS: readonly Setting[] = [{ name: "with a web client", both: { peerKind: "web" } }];

/** What must never follow from a frame of our own. */
const HARMLESS: readonly SessionEffect["type"][] = ["send", "closed", "transfer-ended"];

function assertRefused(effects: readonly SessionEffect[], code: string, what: string): void {
  assertEquals(closedWith(effects), code, what);
  for (const effect of effects) {
    assert(HARMLESS.includes(effect.type), `${what}: ${effect.type}`);
    assert(effect.type !== "transfer-ended" || effect.outcome !== "completed", what);
  }
}

/**
 * The code that a frame of ours has when it comes back: a HELLO after the peer's is a second one, or
 * no envelope where bytes must be one.
 */
const codeOf = (frame: WireFrame, back: WireFrame, { a: { session } }: World): string => {
  const isHello = typeof frame === "string" && JSON.parse(frame).type === "hello";
  if (!isHello || session.phase === "hello") return "PROTOCOL_VIOLATION";
  const isBinary = session.peer?.capabilities.has(BINARY_ENCODING) === true;
  return isBinary && typeof back !== "string" ? "ENVELOPE_INVALID" : "DUPLICATE_HELLO";
};

/** A text may come back as the bytes of its UTF-8. */
const formsOf = (frame: WireFrame): readonly WireFrame[] =>
  typeof frame === "string" ? [frame, toUtf8(frame)] : [copyOf(frame)];

const TO_DAEMON = [
  ...["app_message", "cancel", "error", "file-accept", "file-chunk", "file-finish", "file-offer"],
  ...["hello", "pause", "ping", "pong", "resume"],
];
const TO_BROWSER = ["app_message", "cancel", "file-chunk", "hello", "pause", "resume"];

for (const setting of [...DAEMONS, ...BROWSERS]) {
  const expected = setting.both?.peerKind === "web" ? TO_BROWSER : TO_DAEMON;

  Deno.test(`each message of ours that is sent back at once is refused: ${setting.name}`, () => {
    using _ = memoisedX25519();
    const kinds = new Set<string>();
    const { length } = [...conversation(setting)];
    for (let at = 0; at < length; at++) {
      for (let form = 0; form < 2; form++) {
        const said = [...take(conversation(setting), at + 1)].at(-1);
        assert(said !== undefined);
        const { world, sent: { frame, kind } } = said;
        kinds.add(kind);
        const back = formsOf(frame)[form];
        if (back === undefined) continue;
        const code = codeOf(frame, back, world);
        assertRefused(world.a.session.receive(back, 0), code, `${kind}, form ${form}`);
      }
    }
    assertEquals([...kinds].sort(), expected);
  });

  Deno.test(`each message of ours that is sent back later is refused: ${setting.name}`, () => {
    using _ = memoisedX25519();
    const { length } = [...conversation(setting)];
    for (let at = 0; at < length; at++) {
      const all = [...conversation(setting)];
      const said = all[at];
      assert(said !== undefined);
      const { world, sent: { frame, kind } } = said;
      assertRefused(world.a.session.receive(frame, 0), codeOf(frame, frame, world), kind);
    }
  });
}

/** The first of what a generator gives; the generator is left where it is. */
function* take<T>(from: Generator<T>, count: number) {
  for (let i = 0; i < count; i++) {
    const { value, done } = from.next();
    if (done) return;
    yield value;
  }
}

Deno.test("a seal of ours is known in whatever frame it comes back", () => {
  const wrapped = (payload: string, fields: Readonly<Record<string, unknown>>) =>
    JSON.stringify({
      type: "profile-envelope",
      version: 1,
      encoding: "base64",
      payload,
      ...fields,
    });
  const ratcheted = { chain_index: 0, ratchet_generation: 1, ratchet_public_key: HASH };
  for (const fields of [{}, ratcheted]) {
    const hello = conversation({ name: "hello" });
    const first = hello.next().value;
    assert(first !== undefined);
    for (const _ of take(hello, 1));
    const { world: { a }, sent } = first;
    const back = wrapped(JSON.parse(String(sent.frame)).payload, fields);
    assertRefused(a.session.receive(back, 0), "PROTOCOL_VIOLATION", "our HELLO in an envelope");
  }
  for (const { world, sent } of conversation({ name: "ratchet" })) {
    if (sent.kind !== "file-chunk") continue;
    const back = wrapped(JSON.parse(String(sent.frame)).payload, {});
    assertRefused(world.a.session.receive(back, 0), "PROTOCOL_VIOLATION", "a chunk laid bare");
    break;
  }
  const binary = conversation({ name: "binary", both: { capabilities: BINARY } });
  const [hello] = [...take(binary, 2)];
  assert(hello !== undefined);
  const sealed = Uint8Array.fromBase64(JSON.parse(String(hello.sent.frame)).payload);
  const back = new Uint8Array([1, ...sealed]);
  assertRefused(
    hello.world.a.session.receive(back, 0),
    "PROTOCOL_VIOLATION",
    "our HELLO in binary",
  );
});

Deno.test("an error that ends the session, sealed or plain, finds nothing to end when it is sent back", () => {
  const bad = JSON.stringify({ type: "profile-envelope", version: 2 });
  const ends: Readonly<Record<string, (a: TestPeer) => readonly SessionEffect[]>> = {
    "error": (a) => a.session.fail("KEY_MISMATCH", "another key is pinned"),
    "plaintext error ENVELOPE_INVALID": (a) => a.session.receive(bad, 0),
    "plaintext error HELLO_PARSE_ERROR": (a) => a.session.receive("{", 0),
  };
  for (const [expected, end] of Object.entries(ends)) {
    const world = worldOf({ name: expected });
    const { a, b, read } = world;
    a.do(a.session.start(0));
    if (!expected.includes("HELLO")) {
      b.do(b.session.start(0));
      settle(a, b);
    }
    a.outbox.length = 0;
    a.do(end(a));
    const [frame = ""] = a.outbox;
    assertEquals(read(frame).kind, expected);
    assertEquals(a.session.receive(frame, 0), []);
  }
});

Deno.test("a plaintext error of ours, sent into another session of ours, ends it as an error of the peer's", () => {
  const first = openPair().a;
  first.do(first.session.receive("{", 0));
  const frame = first.outbox.at(-1) ?? "";
  assertEquals(JSON.parse(String(frame)).type, "error");
  const { a, ta } = openPair({ seed: "another" });
  const { effects } = ta.offer(FILE, 0);
  a.do(effects);
  assertRefused(a.session.receive(frame, 0), "ENVELOPE_INVALID", "a plaintext error");
});

Deno.test("a sealed message of ours opens in no other session of ours", () => {
  const first = openPair().a;
  first.do(first.session.ping(0).effects);
  const frame = first.outbox.at(-1) ?? "";
  const { a } = openPair({ seed: "another" });
  assertRefused(a.session.receive(frame, 0), "ENVELOPE_DECRYPT_FAIL", "a ping");
});
