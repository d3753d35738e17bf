import { assert, assertEquals } from "@std/assert";
import type { DatagramPath } from "../ice/datagram_path.ts";
import { GcmCipher } from "./gcm_cipher.ts";
import { MAX_CONTENT_BYTES, RecordLayer } from "./record_layer.ts";
import { CONTENT, readRecords, recordSequence, writeRecord } from "./records.ts";

const keys = (byte: number) => ({
  key: new Uint8Array(16).fill(byte),
  iv: new Uint8Array(4).fill(byte),
});
const cipher = (write: number, read: number) => new GcmCipher(keys(write), keys(read));
const peerCipher = () => cipher(2, 1);

/** A layer of ours with its keys, what it has sent, and what it has told. */
function layer(options: { firstSequence?: number; withoutKeys?: boolean } = {}) {
  const sent: Uint8Array[] = [];
  const plain: [number, number[]][] = [];
  const opened: [number, number[]][] = [];
  const path: DatagramPath = {
    send: (datagram) => void sent.push(datagram.slice()),
    onDatagram: () => {},
    maxDatagram: 1232,
  };
  const records = new RecordLayer(path, {
    sink: {
      onPlain: (type, fragment) => plain.push([type, [...fragment]]),
      onProtected: (type, content) => opened.push([type, [...content]]),
    },
    ...(options.firstSequence === undefined ? {} : { firstSequence: options.firstSequence }),
  });
  if (options.withoutKeys !== true) records.protect(cipher(1, 2));
  return {
    arrive: (datagram: Uint8Array) => path.onDatagram(datagram),
    opened,
    plain,
    records,
    sent,
  };
}

/** A record as the peer seals it. */
function record(sequence: number, ...content: number[]): Uint8Array {
  const peer = peerCipher();
  const bytes = new Uint8Array(content.length + peer.overhead);
  peer.seal(CONTENT.data, 1, sequence, Uint8Array.from(content), bytes, 0);
  return bytes;
}

Deno.test("the peer's records are opened, each once, in whatever order they come", () => {
  const { arrive, opened } = layer();
  arrive(record(3, 1));
  arrive(record(1, 2));
  for (const sequence of [3, 1]) arrive(record(sequence, 9));
  arrive(new Uint8Array([...record(4, 3), ...record(5, 4)]));
  assertEquals(opened, [[23, [1]], [23, [2]], [23, [3]], [23, [4]]]);
});

Deno.test("a forged record uses up no number, and hides none that stands behind it", () => {
  const { arrive, opened } = layer();
  const forged = record(1, 7).with(-1, 0);
  assert(forged.at(-1) !== record(1, 7).at(-1));
  arrive(new Uint8Array([...forged, ...record(1, 8)]));
  assertEquals(opened, [[23, [8]]]);
});

Deno.test("what has no whole record's form, or an epoch that is none, is passed over", () => {
  const { arrive, opened, plain } = layer();
  const other = record(1, 1).with(4, 2);
  arrive(other);
  arrive(record(1, 1).subarray(0, -1));
  arrive(record(1, 1).with(1, 3));
  arrive(new Uint8Array());
  assertEquals([opened, plain], [[], []]);
});

Deno.test("plaintext is told of as such: it is never taken for the peer's", () => {
  const { arrive, opened, plain } = layer();
  arrive(writeRecord({ type: CONTENT.data, epoch: 0, sequence: 1, fragment: Uint8Array.of(5) }));
  assertEquals([plain, opened], [[[23, [5]]], []]);
});

Deno.test("records that come before the keys wait for them, eight at most", () => {
  const { arrive, opened, records } = layer({ withoutKeys: true });
  for (let sequence = 0; sequence < 20; sequence++) arrive(record(sequence, sequence));
  assertEquals(opened, []);
  records.protect(cipher(1, 2));
  assertEquals(opened.map(([, [first]]) => first), [0, 1, 2, 3, 4, 5, 6, 7]);
});

Deno.test("each record has a number of its own, from 0 in each epoch", () => {
  const { records, sent } = layer();
  for (const isProtected of [false, true, false, true]) {
    records.add(CONTENT.handshake, isProtected, Uint8Array.of(1));
    records.flush();
  }
  const numbers = sent.map((datagram) => [datagram[4], recordSequence(datagram, 0)]);
  assertEquals(numbers, [[0, 0], [1, 0], [0, 1], [1, 1]]);
});

Deno.test("when the numbers of an epoch are used up, nothing is sent any more", () => {
  const { records, sent } = layer({ firstSequence: 2 ** 48 - 2 });
  for (let i = 0; i < 4; i++) {
    records.add(CONTENT.data, true, Uint8Array.of(i));
    records.flush();
  }
  assertEquals(sent.map((datagram) => recordSequence(datagram, 0)), [2 ** 48 - 2, 2 ** 48 - 1]);
});

Deno.test("records share a datagram as long as it fits the path", () => {
  const { records, sent } = layer();
  for (let i = 0; i < 4; i++) records.add(CONTENT.handshake, false, new Uint8Array(500));
  records.flush();
  records.flush();
  assertEquals(sent.map((datagram) => [...readRecords(datagram)].length), [2, 2]);
  assert(sent.every(({ length }) => length <= 1232));
});

Deno.test("a packet of the size that is told fills a datagram and no more", () => {
  const { records, sent } = layer();
  records.add(CONTENT.data, true, new Uint8Array(records.maxContent));
  records.flush();
  assertEquals(sent.map(({ length }) => length), [1232]);
});

Deno.test("a record as long as any may be is sealed, and the array is used again", () => {
  const { records, sent } = layer();
  records.add(CONTENT.data, true, new Uint8Array(MAX_CONTENT_BYTES).fill(7));
  records.flush();
  records.add(CONTENT.data, true, Uint8Array.of(8));
  records.flush();
  const [long, short] = sent;
  assertEquals(peerCipher().open(long ?? new Uint8Array(), 0, long?.length ?? 0)?.length, 2 ** 14);
  assertEquals([...peerCipher().open(short ?? new Uint8Array(), 0, 38) ?? []], [8]);
});

Deno.test("after the end nothing goes in or out", () => {
  const { arrive, opened, records, sent } = layer();
  records[Symbol.dispose]();
  arrive(record(1, 1));
  records.add(CONTENT.data, true, Uint8Array.of(1));
  records.add(CONTENT.alert, false, Uint8Array.of(1));
  records.flush();
  assertEquals([opened, sent], [[], []]);
});

Deno.test("at the end the keys are overwritten, and those that were replaced before", () => {
  const { records } = layer({ withoutKeys: true });
  const all = [keys(1), keys(2), keys(3), keys(4)] as const;
  const isLeft = () => all.map(({ key, iv }) => [...key, ...iv].some((byte) => byte !== 0));
  records.protect(new GcmCipher(all[0], all[1]));
  records.protect(new GcmCipher(all[2], all[3]));
  assertEquals(isLeft(), [false, false, true, true]);
  records[Symbol.dispose]();
  assertEquals(isLeft(), [false, false, false, false]);
});
