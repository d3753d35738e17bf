import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import type { FastPathTarget } from "../fast_path.ts";
import { ReplayWindow } from "../dtls/replay_window.ts";
import { FastRecords } from "./fast_records.ts";
import { UnexpectedInside } from "./insides.ts";
import { RecordCipher } from "../dtls/record_cipher.ts";

const PEER = ["192.0.2.1", 4000] as const;
const key = (byte: number) => Buffer.alloc(16, byte);
const salt = (byte: number) => Buffer.alloc(12, byte);

/** What the library holds of a connection whose handshake is over, in the role of the client. */
function connection(cipherChanges: object = {}) {
  const log = { library: [] as Buffer[], received: [] as Buffer[], sent: [] as Buffer[] };
  const slow = { sent: [] as Buffer[] };
  const warnings: string[] = [];
  const protocol = {
    type: "stun",
    transport: {
      closed: false,
      send: (data: Buffer) => {
        log.sent.push(data);
        return Promise.resolve();
      },
    },
    datagramReceived: (data: Buffer, _from: readonly [string, number]) => {
      log.library.push(data);
    },
  };
  const nominated = {
    protocol,
    remoteAddr: PEER,
    packetsSent: 0,
    bytesSent: 0,
    packetsReceived: 0,
    bytesReceived: 0,
  };
  const ice = {
    protocols: [protocol],
    nominated: nominated as object | undefined,
    canSendApplicationData: () => true,
  };
  const counter = { epoch: 1, recordSequenceNumber: 10 };
  const cipher = {
    blockAlgorithm: "aes-128-gcm",
    authTagLength: 16,
    nonceImplicitLength: 4,
    nonceExplicitLength: 8,
    clientWriteKey: key(1),
    clientNonce: salt(2),
    serverWriteKey: key(3),
    serverNonce: salt(4),
    ...cipherChanges,
  };
  const dtls = {
    state: "connected",
    iceTransport: { connection: ice },
    dtls: { dtls: counter, cipher: { sessionType: 1, cipher } },
    dataReceiver: (data: Buffer) => void log.received.push(data),
    sendData: (data: Buffer) => {
      slow.sent.push(data);
      return Promise.resolve();
    },
  };
  const replays = new ReplayWindow();
  const target = {
    dtlsTransports: [dtls],
    replays: () => replays,
  } as unknown as FastPathTarget;
  new FastRecords(target, (message) => warnings.push(message));
  const client = { key: key(1), salt: salt(2).subarray(0, 4) };
  const server = { key: key(3), salt: salt(4).subarray(0, 4) };
  const peer = new RecordCipher("aes-128-gcm", server, client);
  const arrive = (data: Uint8Array, from: readonly [string, number] = PEER) =>
    protocol.datagramReceived(Buffer.from(data), from);
  return { arrive, counter, dtls, ice, log, peer, protocol, slow, warnings };
}

Deno.test("the peer's application data is opened and handed on", () => {
  const { arrive, log, peer } = connection();
  arrive(peer.seal(1, 1, Uint8Array.of(1, 2, 3)));
  assertEquals(log.received, [Buffer.of(1, 2, 3)]);
  assertEquals(log.library, []);
});

Deno.test("from another source, in epoch 0, or no application data: the library's guards decide", () => {
  const { arrive, log, peer } = connection();
  const record = peer.seal(1, 1, Uint8Array.of(1));
  arrive(record, ["192.0.2.2", PEER[1]]);
  arrive(record, [PEER[0], 4001]);
  arrive(peer.seal(0, 2, Uint8Array.of(1)));
  arrive(Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0));
  arrive(Uint8Array.of(0, 1, 0, 0)); // STUN
  assertEquals(log.received, []);
  assertEquals(log.library.length, 5);
});

Deno.test("a forged, a damaged and a replayed record are dropped without a word", () => {
  const { arrive, log, peer } = connection();
  const record = peer.seal(1, 1, Uint8Array.of(1));
  const forged = new RecordCipher("aes-128-gcm", { key: key(9), salt: salt(4).subarray(0, 4) }, {
    key: key(1),
    salt: salt(2).subarray(0, 4),
  }).seal(1, 2, Uint8Array.of(1));
  const damaged = record.slice();
  damaged[record.length - 1] = (damaged[record.length - 1] ?? 0) ^ 1;
  arrive(forged);
  arrive(damaged);
  assertEquals(log.received.length, 0);
  arrive(record);
  arrive(record);
  assertEquals(log.received.length, 1);
  assertEquals(log.library, []);
  arrive(peer.seal(1, 2, Uint8Array.of(2)));
  assertEquals(log.received.length, 2, "the forged record's number is not used up");
});

Deno.test("before the peer is proven, everything is the library's", async () => {
  const { arrive, dtls, ice, log, peer, slow } = connection();
  dtls.state = "connecting";
  arrive(peer.seal(1, 1, Uint8Array.of(1)));
  await dtls.sendData(Buffer.of(1));
  dtls.state = "connected";
  ice.nominated = undefined;
  arrive(peer.seal(1, 2, Uint8Array.of(1)));
  await dtls.sendData(Buffer.of(1));
  assertEquals([log.library.length, slow.sent.length], [2, 2]);
  assertEquals([log.received.length, log.sent.length], [0, 0]);
});

Deno.test("what is sent counts on from the library's own record numbers", async () => {
  const { counter, dtls, log, peer } = connection();
  await dtls.sendData(Buffer.of(7));
  await dtls.sendData(Buffer.of(8));
  assertEquals(counter.recordSequenceNumber, 12);
  const opened = log.sent.map((record) =>
    new Uint8Array(peer.open(record, 0, record.length) ?? [])
  );
  assertEquals(opened, [Uint8Array.of(7), Uint8Array.of(8)]);
});

Deno.test("nothing is sent to a peer that no longer consents, nor into a closed socket", async () => {
  const { dtls, ice, log, protocol, slow } = connection();
  ice.canSendApplicationData = () => false;
  await dtls.sendData(Buffer.of(7));
  ice.canSendApplicationData = () => true;
  protocol.transport.closed = true;
  await dtls.sendData(Buffer.of(7));
  assertEquals([log.sent.length, slow.sent.length], [0, 0]);
});

Deno.test("an unknown cipher goes the library's way, with one warning", async () => {
  const { arrive, dtls, log, peer, slow, warnings } = connection({ blockAlgorithm: "chacha20" });
  arrive(peer.seal(1, 1, Uint8Array.of(1)));
  await dtls.sendData(Buffer.of(1));
  assertEquals([log.library.length, slow.sent.length], [1, 1]);
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0] ?? "", /cipher/);
});

Deno.test("after the association has stopped, data goes nowhere", () => {
  const { arrive, dtls, peer } = connection();
  Reflect.set(dtls, "dataReceiver", undefined);
  arrive(peer.seal(1, 1, Uint8Array.of(1)));
});

Deno.test("a library that is not built as expected is left as it was", () => {
  const dtls = { iceTransport: { connection: { protocols: {} } }, sendData: () => {} };
  const before = { ...dtls };
  const target = { dtlsTransports: [dtls] } as unknown as FastPathTarget;
  assertThrows(() => new FastRecords(target, () => {}), UnexpectedInside);
  assertEquals(dtls, before);
});
