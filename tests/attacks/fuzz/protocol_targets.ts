/**
 * The parsers of what a peer and a rendezvous server say.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SignalError, TransportError } from "../../../src/base/errors.ts";
import { toUtf8 } from "../../../src/protocol/crypto/encoding.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { parseJsonObject } from "../../../src/protocol/json.ts";
import { ConnectionBox } from "../../../src/protocol/crypto/connection_box.ts";
import { KeyPair } from "../../../src/protocol/crypto/keys.ts";
import { BinaryEnvelopeCodec, parsePlain } from "../../../src/protocol/messages/binary_envelope.ts";
import { parseFrame } from "../../../src/protocol/messages/frame.ts";
import { encodeHello, parseHello } from "../../../src/protocol/messages/hello.ts";
import {
  encodeInnerMessage,
  parseInnerMessage,
} from "../../../src/protocol/messages/inner_message.ts";
import {
  canonicalAddress,
  formatCandidate,
  judgeCandidate,
} from "../../../src/protocol/network_scope/candidate.ts";
import { parseIpAddress } from "../../../src/protocol/network_scope/ip_address.ts";
import { judgeAddress, NETWORK_SCOPES } from "../../../src/protocol/network_scope/scope.ts";
import { formatDescription, parseDescription } from "../../../src/protocol/network_scope/sdp.ts";
import { parseServerMessage } from "../../../src/protocol/rendezvous/server_message.ts";
import { encodeBundle, parseBundle } from "../../../src/protocol/signal/bundle.ts";
import { judgeSignal, type SignalContext } from "../../../src/protocol/signal/daemon_payload.ts";
import { encodeWebSignal, parseWebSignal } from "../../../src/protocol/signal/web_payload.ts";
import { rawPlain } from "../../../src/protocol/testing/raw_binary.ts";
import { mayBeIncomplete } from "../../../src/signaling/file/incomplete_json.ts";
import { type AnyTarget, bytesTarget, mayRefuse, textTarget } from "./fuzz_target.ts";
import { mutateBytes, mutateJsonText, mutateText } from "./mutations.ts";
import { normalizePeerCode } from "../../../src/protocol/signal/peer_code.ts";
import { codes } from "../../../src/protocol/testing/peer_codes.ts";

const KEY = new Uint8Array(32).fill(7).toBase64();
const HASH = "0f".repeat(32);
const ID = "1a".repeat(16);
const CANDIDATES = [
  "candidate:1 1 UDP 2130706431 192.168.1.4 50001 typ host",
  "a=candidate:f 1 udp 1 100.64.0.9 9 typ srflx raddr 0.0.0.0 rport 0 generation 0",
  "candidate:2 1 UDP 5 fe80::1%eth0 50002 typ host",
  "candidate:3 1 udp 7 2001:db8::1 443 typ relay",
  "candidate:4 2 TCP 9 a.local 9 typ host tcptype active",
];
const SDP = [
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0",
  "a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901",
  `a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`,
  `a=sctp-port:5000\r\na=max-message-size:262144\r\na=${CANDIDATES[0]}\r\n`,
].join("\r\n");
const BUNDLE = {
  description: { sdp_type: "offer", sdp: SDP },
  candidates: CANDIDATES.map((candidate) => ({ candidate, mid: "0" })),
};
const ADDRESSES = [
  ...["192.168.1.4", "127.0.0.1", "100.64.0.1", "8.8.8.8", "0.0.0.0", "::1", "::", "fe80::1%eth0"],
  ...["2001:db8:0:0:1:0:0:1", "::ffff:10.0.0.1", "fd00::192.168.0.1", "1:2:3:4:5:6:7:8", "a.local"],
];

const CONTEXT: SignalContext = {
  room: "r",
  session: "s",
  ...codes("bob", "alice"),
  scope: "lan",
};

const header = { payload_version: 1, session: "s", room: "r" };
const PAYLOADS = [
  {
    ...header,
    msg_type: "hello",
    from_peer: "alice",
    to_peer: "bob",
    network_scope: "lan",
    phase_timeout_secs: 30,
  },
  { ...header, msg_type: "ack", from_peer: "alice", to_peer: "bob" },
  { ...header, msg_type: "offer", bundle: BUNDLE },
  { ...header, msg_type: "answer", bundle: BUNDLE },
];
const ROUTE = { from: "alice", to: "bob" };
const WEB = [
  {
    type: "offer",
    data: { offer: { type: "offer", sdp: SDP }, publicKey: KEY, peerCode: "alice" },
    ...ROUTE,
  },
  {
    type: "answer",
    data: { answer: { type: "answer", sdp: "x" }, publicKey: KEY, peerCode: "alice" },
    ...ROUTE,
  },
  {
    type: "ice-candidate",
    data: { candidate: "candidate:", sdpMid: "0", sdpMLineIndex: 0, usernameFragment: "ab" },
    ...ROUTE,
  },
];
const PEER = { peer_code: "alice", device_name: "phone", device_type: "phone" };
const SERVER = [
  { type: "peers", peers: [PEER, PEER] },
  { type: "peer_joined", peer: PEER },
  { type: "peer_left", peer_code: "alice" },
  { type: "signal", from: "alice", payload: PAYLOADS[0] },
  { type: "error", message: "peer 'bob' not found" },
];
const FRAMES = [
  { type: "hello", payload: KEY },
  { type: "error", code: "INVALID_STATE", message: "no" },
  {
    type: "profile-envelope",
    version: 1,
    encoding: "base64",
    payload: KEY,
    chain_index: 0,
    ratchet_public_key: KEY,
    ratchet_generation: 1,
  },
];
const FILE = { transferId: ID, filename: "a.txt", totalChunks: 2, fileHash: HASH };
const INNER = [
  { type: "ping", ts_ms: 1 },
  { type: "pong", ts_ms: 2, reply_to_ms: 1 },
  { type: "app_message", text: "hi" },
  { type: "file-offer", ...FILE, size: 20000, chunkSize: 16384 },
  { type: "file-chunk", ...FILE, chunkIndex: 0, chunk: KEY, fileSize: 20000 },
  { type: "file-accept", transferId: ID },
  { type: "file-finish", transferId: ID, fileHash: HASH },
  { type: "pause", transferId: ID },
  { type: "cancel", transferId: ID, cancelledBy: "sender" },
  { type: "error", code: "LIMIT_EXCEEDED", message: "no", transferId: ID, details: {} },
];
const HELLO = [{
  type: "hello",
  version: 1,
  identityPublicKey: KEY,
  capabilities: ["bolt.file-hash", "bolt.profile-envelope-v1"],
}];
const BYTES_OF = (values: readonly unknown[]) =>
  values.map((value) => toUtf8(JSON.stringify(value)));

const RATCHET = { chainIndex: 0, publicKey: KEY, generation: 7 };
const BINARY_PLAINS = [
  ...INNER.map((message) => rawPlain(message)),
  rawPlain(INNER[4], { chainIndex: 0 }),
  rawPlain(INNER[4], RATCHET),
];
const BINARY_FRAMES = BINARY_PLAINS.map((plain) =>
  new Uint8Array([1, ...plain, ...new Uint8Array(40)])
);
const secret = (byte: number) => new KeyPair("ephemeral", new Uint8Array(32).fill(byte));
const BINARY = new BinaryEnvelopeCodec(
  new ConnectionBox(secret(1), secret(2).publicKey, (length) => new Uint8Array(length).fill(9)),
);
const firstOf = (publicKey: unknown, generation: unknown) => ({
  publicKey: String(publicKey),
  generation: Number(generation),
});

/** What reads frames, messages and signals. */
export const PROTOCOL_TARGETS: readonly AnyTarget[] = [
  textTarget({
    name: "bundle",
    make: (rng) => mutateJsonText(rng, [BUNDLE]),
    check(text) {
      const bundle = mayRefuse([SignalError], () => parseBundle(text, "offer"));
      if (bundle === undefined) return false;
      const encoded = encodeBundle(bundle);
      assertEquals(encodeBundle(parseBundle(encoded, "offer")), encoded);
      return true;
    },
  }),
  textTarget({
    name: "signal_file",
    make: (rng) => mutateJsonText(rng, [BUNDLE, WEB[0]]),
    check(text) {
      const incomplete = mayBeIncomplete(text);
      // What is whole must not be waited for.
      if (parseJsonObject(text) !== undefined) assert(!incomplete);
      return incomplete;
    },
  }),
  textTarget({
    name: "daemon_payload",
    make: (rng) => mutateJsonText(rng, PAYLOADS),
    check(text) {
      const payload = parseJsonObject(text);
      let taken = false;
      for (const expected of ["hello", "offer"] as const) {
        const verdict = mayRefuse(
          [SignalError],
          () => judgeSignal("alice", payload, expected, CONTEXT),
        );
        if (verdict?.accepted !== true) continue;
        taken = true;
        assert(verdict.signal.msgType === expected && payload?.msg_type === expected);
        assert(payload.session === "s" && payload.room === "r" && payload.payload_version === 1);
      }
      return taken;
    },
  }),
  textTarget({
    name: "web_payload",
    make: (rng) => mutateJsonText(rng, WEB),
    check(text) {
      const payload = parseJsonObject(text);
      const signal = mayRefuse([SignalError], () => parseWebSignal(payload));
      if (signal === undefined) return false;
      const again = encodeWebSignal(signal);
      assertEquals(JSON.stringify(encodeWebSignal(parseWebSignal(again))), JSON.stringify(again));
      return true;
    },
  }),
  textTarget({
    name: "server_message",
    make: (rng) => mutateJsonText(rng, SERVER),
    check(text) {
      const message = parseServerMessage(text);
      if (message === undefined || message === "unknown") return false;
      const peers = message.type === "peers" ? message.peers : [];
      for (const { deviceName } of peers) assert(deviceName.length <= 256);
      return true;
    },
  }),
  bytesTarget({
    name: "frame",
    make: (rng) =>
      rng.oneIn(3) ? mutateBytes(rng, BYTES_OF(FRAMES)) : toUtf8(mutateJsonText(rng, FRAMES)),
    check(bytes) {
      const frame = parseFrame(bytes);
      if (frame.type !== "hello" && frame.type !== "envelope") return false;
      assert(typeof frame.payload === "string");
      return true;
    },
  }),
  textTarget({
    name: "inner_message",
    make: (rng) => mutateJsonText(rng, INNER),
    check(text) {
      const object = parseJsonObject(text);
      if (object === undefined) return false;
      const message = mayRefuse([ProtocolError], () => parseInnerMessage(object));
      if (message === undefined) return false;
      const encoded = encodeInnerMessage(message);
      const again = parseInnerMessage(parseJsonObject(encoded) ?? {});
      assertEquals(encodeInnerMessage(again), encoded);
      return true;
    },
  }),
  bytesTarget({
    name: "binary_frame",
    make: (rng) => mutateBytes(rng, BINARY_FRAMES),
    check(bytes) {
      const frame = mayRefuse([ProtocolError], () => BINARY.read(new Uint8Array(bytes)));
      if (frame === undefined) return true;
      // Without the key nothing is opened.
      assertEquals(frame.type, "bad-envelope");
      return false;
    },
  }),
  bytesTarget({
    name: "binary_message",
    make: (rng) => mutateBytes(rng, BINARY_PLAINS),
    check(bytes) {
      const opened = mayRefuse([ProtocolError], () => parsePlain(new Uint8Array(bytes)));
      if (opened === undefined) return false;
      const { message, ratchet } = opened;
      if (message.type !== "file-chunk") return true;
      const { transferId, chunkIndex, totalChunks, chunk } = message;
      assert(chunkIndex < totalChunks && chunk.length < bytes.length && message.file === undefined);
      const { chainIndex, generation, publicKey } = ratchet;
      const isFirst = publicKey !== undefined;
      assertEquals(generation !== undefined, isFirst);
      // It is what it was read from, and nothing else.
      const fields = chainIndex === undefined
        ? undefined
        : { chainIndex: Number(chainIndex), ...(isFirst && firstOf(publicKey, generation)) };
      const inner = { type: "file-chunk", transferId, chunkIndex, totalChunks };
      assertEquals(
        rawPlain({ ...inner, chunk: chunk.toBase64() }, fields).toHex(),
        bytes.toHex(),
      );
      return true;
    },
  }),
  bytesTarget({
    name: "hello",
    make: (rng) =>
      rng.oneIn(3) ? mutateBytes(rng, BYTES_OF(HELLO)) : toUtf8(mutateJsonText(rng, HELLO)),
    check(bytes) {
      const hello = mayRefuse([ProtocolError], () => parseHello(bytes));
      if (hello === undefined) return false;
      assert(hello.capabilities.length <= 32);
      assertEquals(
        parseHello(encodeHello({ identity: hello.identity, capabilities: hello.capabilities }))
          .identity.hex,
        hello.identity.hex,
      );
      return true;
    },
  }),
  textTarget({
    name: "candidate",
    make: (rng) => mutateText(rng, CANDIDATES),
    check(line) {
      let taken = false;
      for (const scope of NETWORK_SCOPES) {
        const { candidate, accepted } = judgeCandidate(line, scope);
        assert((candidate !== undefined) === accepted);
        if (candidate === undefined) continue;
        taken = true;
        assert(judgeAddress(candidate.address, scope).accepted, "an address outside the scope");
        assertEquals(judgeCandidate(formatCandidate(candidate), scope).candidate, candidate);
      }
      return taken;
    },
  }),
  textTarget({
    name: "sdp",
    make: (rng) => mutateText(rng, [SDP]),
    check(sdp) {
      let taken = false;
      for (const type of ["offer", "answer"] as const) {
        const description = mayRefuse([TransportError], () => parseDescription(sdp, type));
        if (description === undefined) continue;
        taken = true;
        const written = formatDescription(description);
        assertEquals(formatDescription(parseDescription(written, type)), written);
      }
      return taken;
    },
  }),
  textTarget({
    name: "ip_address",
    make: (rng) => mutateText(rng, ADDRESSES),
    check(text) {
      const ip = parseIpAddress(text);
      if (ip === undefined) return false;
      assert(ip.bytes.length === (ip.version === 4 ? 4 : 16));
      assert(ip.bytes.every((byte) => byte >= 0 && byte <= 255));
      assertEquals(parseIpAddress(canonicalAddress(text))?.bytes, ip.bytes);
      // A wider scope never refuses what a narrower one takes.
      const [lan, overlay, global] = NETWORK_SCOPES.map((scope) => judgeAddress(text, scope));
      assert(!lan?.accepted || overlay?.accepted === true);
      assert(!overlay?.accepted || global?.accepted === true);
      return true;
    },
  }),
  textTarget({
    name: "peer_code",
    make: (rng) => mutateText(rng, ["alice", "A-B-C", "0123456789abcdef"]),
    check(text) {
      const known = normalizePeerCode(text);
      if (known === undefined) return false;
      assert(known.length <= 16 && !/[^A-Za-z0-9]/.test(known));
      return true;
    },
  }),
];
