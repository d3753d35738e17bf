import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { SignalError } from "../../base/errors.ts";
import { PublicKey } from "../crypto/keys.ts";
import { encodeWebSignal, parseWebSignal, type WebSignal } from "./web_payload.ts";

const KEY = new PublicKey("ephemeral", new Uint8Array(32).fill(5));

const OFFER = {
  type: "offer",
  data: {
    offer: { type: "offer", sdp: "v=0\r\n" },
    publicKey: KEY.base64,
    peerCode: "alice",
  },
  from: "alice",
  to: "bob",
};

const CANDIDATE = {
  type: "ice-candidate",
  data: {
    candidate: "candidate:1 1 UDP 1 192.168.1.4 50001 typ host",
    sdpMid: "0",
    sdpMLineIndex: 0,
    usernameFragment: "abcd",
  },
  from: "alice",
  to: "bob",
};

const refused = (payload: unknown): void => {
  const error = assertThrows(() => parseWebSignal(payload), SignalError);
  assertEquals(error.code, "BUNDLE_INVALID", JSON.stringify(payload));
};

Deno.test("offer, answer and candidate are parsed, and encoded with exactly the wire's names", () => {
  const { offer, ...data } = OFFER.data;
  const answer = {
    ...OFFER,
    type: "answer",
    data: { answer: { ...offer, type: "answer" }, ...data },
  };
  for (const payload of [OFFER, answer, CANDIDATE]) {
    const signal = parseWebSignal(payload);
    assertEquals(JSON.stringify(encodeWebSignal(signal)), JSON.stringify(payload));
  }
  const signal = parseWebSignal(OFFER);
  assert(signal.type === "offer" && signal.publicKey.equals(KEY));
});

Deno.test("a description may carry a commitment; one that is no commitment is refused", () => {
  const commitment = new Uint8Array(32).fill(6).toBase64();
  const committed = { ...OFFER, data: { ...OFFER.data, commitment } };
  const signal = parseWebSignal(committed);
  assert(signal.type === "offer" && signal.commitment?.base64 === commitment);
  assertEquals(JSON.stringify(encodeWebSignal(signal)), JSON.stringify(committed));
  for (const value of [null, "", 5, [commitment], commitment.slice(4), `${commitment}\n`]) {
    refused({ ...OFFER, data: { ...OFFER.data, commitment: value } });
  }
});

Deno.test("a candidate's optional fields may be absent or null, and an empty one ends them", () => {
  const bare: WebSignal = { type: "ice-candidate", from: "alice", to: "bob", candidate: "" };
  assertEquals(parseWebSignal({ ...CANDIDATE, data: { candidate: "" } }), bare);
  const nulls = { candidate: "", sdpMid: null, sdpMLineIndex: null, usernameFragment: null };
  assertEquals(parseWebSignal({ ...CANDIDATE, data: nulls }), bare);
});

Deno.test("a device name is optional, cut at its bound, and of another type as good as absent", () => {
  const named = (deviceName: unknown) => ({ ...OFFER, data: { ...OFFER.data, deviceName } });
  const read = (payload: unknown) => {
    const signal = parseWebSignal(payload);
    return signal.type === "offer" ? signal.deviceName : undefined;
  };
  assertEquals(encodeWebSignal(parseWebSignal(named("laptop"))), named("laptop"));
  assertEquals(read(named("x".repeat(300))), "x".repeat(256));
  for (const other of [undefined, null, 1, {}]) assertEquals(read(named(other)), undefined);
});

Deno.test("unknown fields are ignored", () => {
  const more = { ...OFFER, x: 1, data: { ...OFFER.data, y: [] } };
  assertEquals(encodeWebSignal(parseWebSignal(more)), OFFER);
});

Deno.test("a signal that lacks something, or goes beyond a bound, is refused", () => {
  const data = (fields: Record<string, unknown>) => ({
    ...OFFER,
    data: { ...OFFER.data, ...fields },
  });
  const candidate = (fields: Record<string, unknown>) => ({
    ...CANDIDATE,
    data: { ...CANDIDATE.data, ...fields },
  });
  for (
    const bad of [
      null,
      [],
      "offer",
      {},
      { ...OFFER, type: "hello" },
      { ...OFFER, type: "answer" },
      { ...OFFER, data: null },
      { ...OFFER, from: undefined },
      { ...OFFER, to: "" },
      { ...OFFER, from: "a b" },
      { ...OFFER, from: "a".repeat(33) },
      data({ offer: null }),
      data({ offer: { type: "answer", sdp: "v=0" } }),
      data({ offer: { type: "offer" } }),
      data({ offer: { type: "offer", sdp: "" } }),
      data({ offer: { type: "offer", sdp: "x".repeat(65_537) } }),
      data({ publicKey: undefined }),
      data({ publicKey: "AAAA" }),
      data({ publicKey: KEY.base64 + "\n" }),
      data({ peerCode: 5 }),
      candidate({ candidate: undefined }),
      candidate({ candidate: "x".repeat(2_049) }),
      candidate({ sdpMid: 0 }),
      candidate({ sdpMid: "x".repeat(2_049) }),
      candidate({ sdpMLineIndex: -1 }),
      candidate({ sdpMLineIndex: "0" }),
      candidate({ usernameFragment: {} }),
    ]
  ) refused(bad);
});

Deno.test("any JSON gives a signal or a signal error, never another throw", () => {
  const near = fc.record({
    type: fc.constantFrom("offer", "answer", "ice-candidate"),
    data: fc.oneof(fc.jsonValue(), fc.constantFrom(OFFER.data, CANDIDATE.data)),
    from: fc.oneof(fc.constant("alice"), fc.jsonValue()),
    to: fc.constant("bob"),
  });
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), near), (payload) => {
      try {
        parseWebSignal(payload);
      } catch (error) {
        assert(error instanceof SignalError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("peer codes in a signal are those of the server: their spelling is kept, others are refused", () => {
  const signal = (code: string) => ({
    type: "offer",
    data: {
      offer: { type: "offer", sdp: "v=0" },
      publicKey: KEY.base64,
      peerCode: code,
    },
    from: code,
    to: "bob",
  });
  for (const code of ["alice", "b-o-b-2", "A".repeat(16), `a${"-".repeat(40)}`]) {
    assertEquals(parseWebSignal(signal(code)).from, code);
  }
  for (const code of ["", "-", "--------", "A".repeat(17), "a b", "a_b", "\u00e9"]) {
    assertThrows(() => parseWebSignal(signal(code)), SignalError, "valid", code);
  }
});
