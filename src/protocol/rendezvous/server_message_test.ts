import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { vectorTest } from "../testing/vectors.ts";
import { normalizePeerCode } from "../signal/peer_code.ts";
import {
  encodePing,
  encodeRegister,
  encodeSignal,
  isPeerAbsent,
  isRateLimited,
  parseServerMessage,
} from "./server_message.ts";

const bob = normalizePeerCode("bob");
if (bob === undefined) throw new Error("not a peer code");

Deno.test("client messages have exactly the fields of the wire format", () => {
  assertEquals(
    encodeRegister(bob, "bolt-daemon"),
    '{"type":"register","peer_code":"bob","device_name":"bolt-daemon","device_type":"desktop"}',
  );
  assertEquals(encodeSignal(bob, { a: 1 }), '{"type":"signal","to":"bob","payload":{"a":1}}');
  assertEquals(encodePing(), '{"type":"ping"}');
});

Deno.test("each server message is parsed, unknown fields ignored", () => {
  const parse = (value: unknown) => parseServerMessage(JSON.stringify(value));
  const peer = { peer_code: "a", device_name: "n", device_type: "phone", future: 1 };
  assertEquals(parse({ type: "peers", peers: [peer] }), {
    type: "peers",
    peers: [{ peerCode: "a", deviceName: "n" }],
  });
  assertEquals(parse({ type: "peer_joined", peer }), {
    type: "peer_joined",
    peer: { peerCode: "a", deviceName: "n" },
  });
  assertEquals(parse({ type: "peer_left", peer_code: "a" }), { type: "peer_left", peerCode: "a" });
  assertEquals(parse({ type: "signal", from: "a", payload: { x: 1 } }), {
    type: "signal",
    from: "a",
    payload: { x: 1 },
  });
  assertEquals(parse({ type: "error", message: "m" }), { type: "error", message: "m" });
  assertEquals(parse({ type: "news" }), "unknown");
});

Deno.test("what is no message of the protocol is told apart", () => {
  for (
    const text of [
      "",
      "nope",
      "[]",
      "{}",
      '{"type":1}',
      '{"type":"peers"}',
      '{"type":"peers","peers":[1]}',
      '{"type":"peer_joined","peer":null}',
      '{"type":"peer_left"}',
      '{"type":"signal","from":1}',
      '{"type":"error"}',
    ]
  ) assertEquals(parseServerMessage(text), undefined, text);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    parseServerMessage(text);
  }));
});

Deno.test("that a peer is absent is told by the server's exact words for this peer", () => {
  assertEquals(isPeerAbsent("peer 'bob' not found", bob), true);
  assertEquals(isPeerAbsent("peer 'bob' is no longer connected", bob), true);
  assertEquals(isPeerAbsent("peer 'eve' not found", bob), false);
  assertEquals(isPeerAbsent("peer bob not found", bob), false);
});

Deno.test("both ways of saying that a client sends too much are understood", () => {
  assertEquals(isRateLimited("rate limited"), true);
  assertEquals(isRateLimited("rate limit exceeded: 50 messages a second"), true);
  assertEquals(isRateLimited("peer 'rate limited' not found"), false);
});

/** Messages of the server, and what is read out of them. */
const PUBLISHED: readonly (readonly [string, unknown])[] = [
  ["peers", { type: "peers", peers: [{ peerCode: "ABC123", deviceName: "MacBook" }] }],
  ["peer_joined", { type: "peer_joined", peer: { peerCode: "DEF456", deviceName: "iPad" } }],
  ["peer_left", { type: "peer_left", peerCode: "ABC123" }],
  ["signal_in", { type: "signal", from: "ABC123", payload: { sdp: "offer-data" } }],
  ["error", { type: "error", message: "bad request" }],
];

for (const [name, read] of PUBLISHED) {
  vectorTest(`the published ${name} is read`, `signaling/${name}.json`, (message) => {
    assertEquals(parseServerMessage(JSON.stringify(message)), read);
  });
}

vectorTest<Record<string, unknown>>(
  "a register is the published one, but for the device",
  "signaling/register.json",
  ({ peer_code, device_name, ...published }) => {
    const code = normalizePeerCode(String(peer_code)) ?? bob;
    assertEquals(JSON.parse(encodeRegister(code, String(device_name))), {
      ...published,
      peer_code,
      device_name,
      device_type: "desktop",
    });
  },
);

vectorTest<Record<string, unknown>>(
  "a signal is the published one",
  "signaling/signal_out.json",
  (published) => {
    const to = normalizePeerCode(String(published.to)) ?? bob;
    assertEquals(JSON.parse(encodeSignal(to, published.payload)), published);
  },
);
