import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { TransportError } from "../../base/errors.ts";
import { formatDescription, parseDescription } from "./sdp.ts";

const DIGEST = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, "0")).join(":");
const BASE = [
  "v=0",
  "o=- 4521 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE data",
  "a=setup:actpass",
  `a=fingerprint:sha-256 ${DIGEST}`,
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=mid:data",
  "a=ice-ufrag:abcd",
  "a=ice-pwd:abcdefghijklmnopqrstuv",
  "a=sctp-port:5001",
  "a=max-message-size:262144",
  "a=candidate:1 1 UDP 1 10.0.0.1 5 typ host",
  "a=candidate:2 1 UDP 1 8.8.8.8 5 typ host",
  "a=end-of-candidates",
];
const sdp = (edit: (lines: string[]) => string[] = (l) => l) => edit([...BASE]).join("\r\n");
const without = (start: string) => sdp((lines) => lines.filter((line) => !line.startsWith(start)));
const replaced = (start: string, by: string) =>
  sdp((lines) => lines.map((line) => line.startsWith(start) ? by : line));

Deno.test("a description is read as libdatachannel, browsers and we write it", () => {
  const read = parseDescription(sdp(), "offer");
  assertEquals(read, {
    iceUfrag: "abcd",
    icePwd: "abcdefghijklmnopqrstuv",
    iceLite: false,
    fingerprints: [{ hash: "sha-256", digest: DIGEST.toUpperCase() }],
    setup: "actpass",
    mid: "data",
    sctpPort: 5001,
    maxMessageSize: 262144,
    maxRecord: 0,
    candidateLines: [
      "candidate:1 1 UDP 1 10.0.0.1 5 typ host",
      "candidate:2 1 UDP 1 8.8.8.8 5 typ host",
    ],
  });
  assertEquals(parseDescription(sdp().replaceAll("\r\n", "\n"), "offer"), read);
});

Deno.test("what is written is read back the same, and marks no end of candidates", () => {
  const read = parseDescription(sdp(), "offer");
  const written = formatDescription(read);
  assertEquals(parseDescription(written, "offer"), read);
  assert(!written.includes("end-of-candidates"));
  assertMatch(written, /\r\n$/);
});

Deno.test("absent attributes have their standard defaults", () => {
  const read = parseDescription(
    sdp((l) => l.filter((x) => !/sctp-port|max-message-size|mid:|candidate/.test(x))),
    "offer",
  );
  assertEquals([read.sctpPort, read.maxMessageSize, read.mid], [5000, 65536, "0"]);
  const unlimited = parseDescription(replaced("a=max-message", "a=max-message-size:0"), "offer");
  assertEquals(unlimited.maxMessageSize, Infinity);
});

const REFUSED: Record<string, string> = {
  "is empty": "",
  "has no media section": sdp((l) => l.filter((x) => !x.startsWith("m="))),
  "has audio too": sdp((l) => [...l, "m=audio 9 UDP/TLS/RTP/SAVPF 111"]),
  "has no ice-ufrag": without("a=ice-ufrag"),
  "has a short ice-pwd": replaced("a=ice-pwd", "a=ice-pwd:short"),
  "has no fingerprint": without("a=fingerprint"),
  "has only a SHA-1 fingerprint": replaced("a=fing", `a=fingerprint:sha-1 ${DIGEST.slice(0, 59)}`),
  "has a short fingerprint": replaced("a=fing", "a=fingerprint:sha-256 00:11"),
  "has a wrong setup": replaced("a=setup", "a=setup:holdconn"),
  "has a wrong port": replaced("a=sctp-port", "a=sctp-port:65536"),
  "has too many candidates": sdp((l) => [...l, ...Array<string>(300).fill("a=candidate:x")]),
  "is too long": sdp((l) => [...l, "x".repeat(300_000)]),
};
for (const [name, text] of Object.entries(REFUSED)) {
  Deno.test(`a description that ${name} is refused, with what to do about it`, () => {
    const error = assertThrows(() => parseDescription(text, "offer"), TransportError);
    assertEquals(error.code, "SDP_REFUSED");
  });
}

Deno.test("an answer that takes no DTLS role is refused", () => {
  assertThrows(() => parseDescription(sdp(), "answer"), TransportError, "setup");
});

Deno.test("no text makes the reader fail in another way, or write a line of its own", () => {
  const mutated = fc.tuple(
    fc.nat(BASE.length - 1),
    fc.oneof(
      fc.string(),
      fc.string().map((s) => `a=ice-ufrag:${s}`),
      fc.string().map((s) => `a=mid:${s}`),
    ),
  ).map(([at, text]) => sdp((lines) => lines.with(at, text)));
  fc.assert(fc.property(fc.oneof(fc.string(), mutated), (text) => {
    try {
      const read = parseDescription(text, "offer");
      const written = formatDescription({ ...read, candidateLines: [] });
      assertEquals(written.split("\r\n").length, 15);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
  }));
});
