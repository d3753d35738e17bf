/**
 * The parsers of datagrams: what any host that reaches the UDP port can send.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createHmac } from "node:crypto";
import {
  HandshakeAssembler,
  writeMessage,
} from "../../../src/transport/webrtc/dtls/handshake_messages.ts";
import { readRecords, writeRecord } from "../../../src/transport/webrtc/dtls/records.ts";
import { dataPacket, sackPacket } from "../../../src/transport/testing/packets.ts";
import { VirtualAssociations } from "../../../src/transport/testing/virtual_associations.ts";
import { packetChecksum } from "../../../src/transport/webrtc/sctp/crc32c.ts";
import { parsePacket } from "../../../src/transport/webrtc/sctp/packet.ts";
import { isAuthentic, readStun } from "../../../src/transport/webrtc/ice/stun.ts";
import type { Rng } from "./rng.ts";
import { type AnyTarget, bytesTarget } from "./fuzz_target.ts";
import { mutateBytes } from "./mutations.ts";

const STUN_KEY = "password";

/** A binding request with user name, priority, integrity and fingerprint. */
function stunRequest(): Uint8Array {
  const head = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...Array(12).fill(9)];
  const username = [0, 6, 0, 9, ...new TextEncoder().encode("abcd:efgh"), 0, 0, 0];
  const covered = new Uint8Array([...head, ...username, 0, 0x24, 0, 4, 0, 0, 0, 1]);
  new DataView(covered.buffer).setUint16(2, covered.length - 20 + 24);
  const code = createHmac("sha1", STUN_KEY).update(covered).digest();
  const whole = new Uint8Array([...covered, 0, 8, 0, 20, ...code, 0x80, 0x28, 0, 4, 1, 2, 3, 4]);
  new DataView(whole.buffer).setUint16(2, whole.length - 20);
  return whole;
}

const STUN = [stunRequest(), stunRequest().with(0, 1), stunRequest().subarray(0, 20).with(3, 0)];

const record = (type: number, epoch: number, fragment: Uint8Array) =>
  writeRecord({ type, epoch, sequence: 2 ** 33 + 1, fragment });
const message = (type: number, sequence: number, length: number) =>
  writeMessage({ type, sequence, body: new Uint8Array(length).fill(type) });
const DTLS = [
  record(22, 0, message(1, 0, 40)),
  record(22, 0, new Uint8Array([...message(2, 1, 30), ...message(11, 2, 20)])),
  new Uint8Array([...record(20, 0, new Uint8Array([1])), ...record(23, 1, new Uint8Array(40))]),
  record(21, 0, new Uint8Array([2, 40])),
];
const FRAGMENTS = [
  message(1, 0, 40),
  new Uint8Array([...message(2, 1, 30), ...message(14, 2, 0)]),
  fragmentOf(message(11, 0, 40), 10, 20),
];

/** Part of a handshake message, as a fragment of its own. */
function fragmentOf(whole: Uint8Array, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12 + length);
  bytes.set(whole.subarray(0, 12));
  bytes.set(whole.subarray(12 + start, 12 + start + length), 12);
  bytes[8] = start;
  bytes[11] = length;
  return bytes;
}

const TO = { sourcePort: 5000, destinationPort: 5000, tag: 0x01020304 };
const SCTP = sctpSamples();

function sctpSamples(): Uint8Array[] {
  const chunk = {
    tsn: 7,
    flags: 3,
    streamId: 1,
    ssn: 2,
    ppid: 51,
    payload: new Uint8Array(21).fill(5),
  };
  const gaps = [{ start: 2, end: 3 }, { start: 5, end: 9 }];
  const data = dataPacket(TO, chunk);
  const sack = sackPacket(TO, { cumulativeTsn: 6, window: 65536, gaps, duplicates: [3] });
  const both = new Uint8Array([...data, ...sack.subarray(12)]);
  const init = new Uint8Array([...data.subarray(0, 12), 1, 0, 0, 28, ...Array(16).fill(1)]);
  const withParameters = new Uint8Array([...init, 0x80, 0, 0, 8, 1, 2, 3, 4]);
  return [data, sack, both, withParameters];
}

/** All that two associations say to each other from INIT to the end, as the second one hears it. */
const SPOKEN = spoken();

function spoken(): Uint8Array[] {
  const link = new VirtualAssociations().connect();
  link.a.send("text");
  for (let i = 0; i < 3; i++) link.a.send(new Uint8Array(20_000));
  link.run(link.now + 2000);
  link.a.core.closeChannel();
  link.run(link.now + 100);
  link.a.core.shutdown();
  link.run(link.now + 100);
  return link.a.sent.map(({ packet }) => packet);
}

/** Makes a packet one that gets through: to the tag that is expected, with its checksum. */
function addressed(packet: Uint8Array, tag: number): Uint8Array {
  if (packet.length < 12) return packet;
  const whole = packet.slice();
  const view = new DataView(whole.buffer);
  if (view.getUint32(4) !== 0) view.setUint32(4, tag);
  view.setUint32(8, packetChecksum(whole), true);
  return whole;
}

/** SCTP sits inside DTLS, so its attacker has to keep the common header right to get further. */
const sctpInput = (rng: Rng) => {
  const bytes = mutateBytes(rng, SCTP);
  if (bytes.length >= 12 && !rng.oneIn(8)) bytes.set(SCTP[0]?.subarray(0, 12) ?? []);
  return bytes;
};

/** See the module's text. */
export const TRANSPORT_TARGETS: readonly AnyTarget[] = [
  bytesTarget({
    name: "stun",
    make: (rng) => mutateBytes(rng, STUN),
    check(bytes) {
      const stun = readStun(bytes);
      if (stun === undefined || !isAuthentic(stun, STUN_KEY)) return false;
      // Nothing that the code covers can have been changed.
      const known = stunRequest();
      assertEquals(bytes.subarray(4, known.length - 8), known.subarray(4, known.length - 8));
      return true;
    },
  }),
  bytesTarget({
    name: "dtls_records",
    make: (rng) => mutateBytes(rng, DTLS),
    check(bytes) {
      let length = 0;
      for (const { fragment, epoch, sequence } of readRecords(bytes)) {
        length += 13 + fragment.length;
        assert(epoch <= 0xffff && Number.isSafeInteger(sequence));
      }
      assert(length <= bytes.length);
      return length > 0;
    },
  }),
  bytesTarget({
    name: "dtls_handshake",
    make: (rng) => mutateBytes(rng, FRAGMENTS),
    check(bytes) {
      const assembler = new HandshakeAssembler();
      let taken = false;
      // The same records come again, and once more after their messages were used.
      for (let round = 0; round < 2; round++) {
        assembler.add(bytes);
        const next = assembler.peek();
        if (next === undefined) continue;
        assert(next.body.length <= 32 * 1024);
        assembler.accept();
        taken = true;
      }
      return taken;
    },
  }),
  bytesTarget({
    name: "sctp_association",
    cost: 200,
    make: (rng) => mutateBytes(rng, SPOKEN),
    check(bytes) {
      // Before, in and after the life of an association. What ends it is an end like any other.
      for (const moment of [0, 100, 200]) {
        const link = new VirtualAssociations();
        if (moment > 0) link.connect();
        if (moment > 100) link.a.core.abort(true);
        link.run(link.now + moment);
        const [init] = link.a.sent;
        const tag = init === undefined ? TO.tag : new DataView(init.packet.buffer).getUint32(16);
        for (let i = 0; i < 2; i++) link.inject("a", addressed(bytes, tag));
        link.run(link.now + 2000);
        link.a.core.abort(true);
        link.run(link.now + 2000);
        assert(link.a.events.includes("stopped"));
        assertEquals(link.a.core.deadline, undefined);
        const came = link.a.received.reduce((sum, { length }) => sum + length, 0);
        assert(came <= 2 * bytes.length, "more was made of a packet than it holds");
      }
      return parsePacket(bytes) !== undefined;
    },
  }),
  bytesTarget({
    name: "sctp_packet",
    make: sctpInput,
    check(bytes) {
      const packet = parsePacket(bytes);
      if (packet === undefined) return false;
      packet.hasValidChecksum();
      let held = 0;
      if (packet.kind !== "data") return true;
      packet.visit({
        data({ payload }) {
          assert(payload.length > 0);
          held += payload.length;
        },
        sack({ gaps }) {
          held += 4 * gaps.length;
        },
      });
      assert(held <= bytes.length, "more was read than the packet holds");
      return true;
    },
  }),
];
