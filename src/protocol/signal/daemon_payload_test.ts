import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SignalError } from "../../base/errors.ts";
import {
  encodeAckSignal,
  encodeBundleSignal,
  encodeHelloSignal,
  judgeSignal,
  type SignalContext,
} from "./daemon_payload.ts";
import { normalizePeerCode, peerCodeFromBytes } from "./peer_code.ts";
import { code, codes } from "../testing/peer_codes.ts";

const alice: SignalContext = {
  room: "r",
  session: "s",
  ...codes("alice", "bob"),
  scope: "lan",
};
const bob: SignalContext = { ...alice, ...codes("bob", "alice") };
const hello = { payload_version: 1, session: "s", room: "r", msg_type: "hello" };
const bundle = {
  description: { sdpType: "offer", sdp: "v=0" },
  candidates: [{ candidate: "candidate:1", mid: "0" }],
} as const;

const roundTrip = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

Deno.test("hello and ack have exactly the fields of the wire format", () => {
  assertEquals(roundTrip(encodeHelloSignal(alice, 30)), {
    ...hello,
    from_peer: "alice",
    to_peer: "bob",
    network_scope: "lan",
    phase_timeout_secs: 30,
  });
  const ack = { ...hello, msg_type: "ack", from_peer: "bob", to_peer: "alice" };
  assertEquals(roundTrip(encodeAckSignal(bob)), ack);
});

Deno.test("what one side encodes the other accepts", () => {
  const accepted = (from: string, payload: unknown, type: "hello" | "ack" | "offer", to = bob) =>
    judgeSignal(from, roundTrip(payload), type, to).accepted;
  assertEquals(accepted("alice", encodeHelloSignal(alice, 30), "hello"), true);
  assertEquals(accepted("bob", encodeAckSignal(bob), "ack", alice), true);
  const verdict = judgeSignal("alice", roundTrip(encodeBundleSignal(alice, bundle)), "offer", bob);
  assertEquals(verdict, { accepted: true, signal: { msgType: "offer", bundle } });
});

Deno.test("optional fields may be absent and unknown ones are ignored", () => {
  assertEquals(judgeSignal("alice", { ...hello, future: [1] }, "hello", bob).accepted, true);
  assertEquals(judgeSignal("al-ice", hello, "hello", bob).accepted, true);
});

const IGNORED: readonly (readonly [string, unknown, string])[] = [
  ["mallory", hello, "unexpected-peer"],
  ["", hello, "unexpected-peer"],
  ["alice", null, "malformed-payload"],
  ["alice", [hello], "malformed-payload"],
  ["alice", {}, "malformed-payload"],
  ["alice", { payload_version: 2, type: "offer", data: {} }, "malformed-payload"],
  ["alice", { ...hello, payload_version: 2, msg_type: 1 }, "malformed-payload"],
  ["mallory", { ...hello, payload_version: 2 }, "unexpected-peer"],
  ["alice", { ...hello, session: 1 }, "malformed-payload"],
  ["alice", { ...hello, room: undefined }, "malformed-payload"],
  ["alice", { ...hello, msg_type: null }, "malformed-payload"],
  ["alice", { ...hello, from_peer: 7 }, "malformed-payload"],
  ["alice", { ...hello, network_scope: null }, "malformed-payload"],
  ["alice", { ...hello, session: "other" }, "session-mismatch"],
  ["alice", { ...hello, room: "other" }, "room-mismatch"],
  ["alice", { ...hello, session: "other", network_scope: "global" }, "session-mismatch"],
  ["alice", { ...hello, msg_type: "ack" }, "unexpected-msg-type"],
  ["alice", { ...hello, msg_type: "hi" }, "unexpected-msg-type"],
];

Deno.test("Signals from unexpected peers, sessions, rooms and of other types are ignored", () => {
  for (const [from, payload, reason] of IGNORED) {
    assertEquals(judgeSignal(from, payload, "hello", bob), { accepted: false, reason });
  }
  const offer = { ...hello, msg_type: "offer", bundle: { description: 1 } };
  assertEquals(judgeSignal("alice", offer, "offer", bob), {
    accepted: false,
    reason: "malformed-bundle",
  });
});

function fatal(payload: unknown, code: string, says: string): void {
  const judge = () => judgeSignal("alice", payload, "hello", bob);
  const error = assertThrows(judge, SignalError, says);
  assertEquals(error.code, code);
}

Deno.test("payload_version MUST be 1: any other value is fatal, before session and room count", () => {
  for (const version of [0, 2, -1, 1.5, 1e308]) {
    fatal(
      { ...hello, payload_version: version, session: "other" },
      "VERSION_UNSUPPORTED",
      `unsupported payload_version ${version}`,
    );
  }
});

Deno.test("payload_version of any other type, or none, is another value too, in every message", () => {
  const { payload_version: _version, ...unversioned } = hello;
  const cases: [object, string][] = [
    [unversioned, "unsupported payload_version (none) from peer"],
    [{ ...hello, payload_version: "1" }, 'unsupported payload_version "1" from peer'],
    [{ ...hello, payload_version: null }, "unsupported payload_version null from peer"],
    [{ ...hello, payload_version: true }, "unsupported payload_version true from peer"],
    [{ ...hello, payload_version: [1] }, "unsupported payload_version [1] from peer"],
    [{ ...hello, payload_version: { a: "x".repeat(999) } }, 'unsupported payload_version {"a":"x'],
  ];
  for (const [payload, says] of cases) {
    for (const msg_type of ["hello", "ack", "offer", "answer", "news"]) {
      fatal({ ...payload, msg_type }, "VERSION_UNSUPPORTED", says);
    }
  }
  const long = { ...hello, payload_version: "x".repeat(9999) };
  const { message } = assertThrows(() => judgeSignal("alice", long, "hello", bob), SignalError);
  assertEquals(message.length < 250, true);
});

Deno.test("a hello that declares another scope or other peers is fatal", () => {
  fatal({ ...hello, network_scope: "global" }, "SCOPE_MISMATCH", "network_scope mismatch");
  fatal({ ...hello, network_scope: "" }, "SCOPE_MISMATCH", "network_scope mismatch");
  fatal({ ...hello, from_peer: "mallory" }, "PEER_MISMATCH", "from_peer");
  fatal({ ...hello, to_peer: "carol" }, "PEER_MISMATCH", "to_peer");
});

Deno.test("an ack that declares a scope is not judged by it", () => {
  const ack = { ...hello, msg_type: "ack", network_scope: "global" };
  assertEquals(judgeSignal("alice", ack, "ack", bob).accepted, true);
});

Deno.test("any payload is judged, or refused with a SignalError", () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.record({
      payload_version: fc.oneof(fc.constant(1), fc.jsonValue()),
      session: fc.oneof(fc.constant("s"), fc.jsonValue()),
      room: fc.oneof(fc.constant("r"), fc.jsonValue()),
      msg_type: fc.constantFrom("hello", "ack", "offer", "answer"),
      from_peer: fc.jsonValue(),
      bundle: fc.jsonValue(),
    }, { requiredKeys: [] }),
  );
  const types = fc.constantFrom("hello", "ack", "offer", "answer");
  fc.assert(
    fc.property(anything, types, (payload, type) => {
      try {
        judgeSignal("alice", payload, type, bob);
      } catch (error) {
        if (!(error instanceof SignalError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("peer codes are normalised by dropping hyphens, and stay 1 to 16 letters and digits", () => {
  assertEquals(normalizePeerCode("A-b-3"), code("Ab3"));
  for (const bad of ["", "-", "--", "a b", "ä", "12345678901234567", "a\n"]) {
    assertEquals(normalizePeerCode(bad), undefined);
  }
});

Deno.test("--peer-id is auto-generated: 8-char hex", () => {
  assertEquals(peerCodeFromBytes(new Uint8Array([0, 1, 0xab, 0xff])), code("0001abff"));
});
