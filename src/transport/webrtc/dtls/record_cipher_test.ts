import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import { applicationRecordEnds, RecordCipher, recordSequence } from "./record_cipher.ts";

const client = { key: new Uint8Array(16).fill(1), salt: new Uint8Array(4).fill(2) };
const server = { key: new Uint8Array(16).fill(3), salt: new Uint8Array(4).fill(4) };
const ours = () => new RecordCipher("aes-128-gcm", client, server);
const theirs = () => new RecordCipher("aes-128-gcm", server, client);

const plain = fc.uint8Array({ minLength: 1, maxLength: 1300 });
const epoch = fc.integer({ min: 1, max: 0xffff });
const sequence = fc.integer({ min: 0, max: 2 ** 48 - 1 });

Deno.test("a record is what RFC 5288 and RFC 6347 make of its parts", () => {
  fc.assert(fc.property(plain, epoch, sequence, (plain, epoch, sequence) => {
    const number = Buffer.alloc(8);
    number.writeUInt16BE(epoch);
    number.writeUIntBE(sequence, 2, 6);
    const length = (bytes: number) => Buffer.of(bytes >> 8, bytes & 255);
    const cipher = createCipheriv(
      "aes-128-gcm",
      client.key,
      Buffer.concat([client.salt, number]),
    );
    cipher.setAAD(Buffer.concat([number, Buffer.of(23, 254, 253), length(plain.length)]));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const expected = Buffer.concat([
      Buffer.of(23, 254, 253),
      number,
      length(sealed.length + 8),
      number,
      sealed,
    ]);
    const record = ours().seal(epoch, sequence, plain);
    assertEquals(record, new Uint8Array(expected));
    assertEquals(recordSequence(record, 0), sequence);
  }));
});

Deno.test("the other side opens what was sealed, wherever it lies in a datagram", () => {
  fc.assert(fc.property(plain, plain, (first, second) => {
    const sender = ours();
    const datagram = new Uint8Array([...sender.seal(1, 7, first), ...sender.seal(1, 8, second)]);
    const ends = applicationRecordEnds(datagram, 1) ?? [];
    const [middle = 0, end = 0] = ends;
    assertEquals(end, datagram.length);
    const receiver = theirs();
    assertEquals(new Uint8Array(receiver.open(datagram, 0, middle) ?? []), first);
    assertEquals(new Uint8Array(receiver.open(datagram, middle, end) ?? []), second);
  }));
});

Deno.test("a record with one wrong bit after its version is not opened", () => {
  const record = ours().seal(1, 5, Uint8Array.of(1, 2, 3));
  for (let bit = 3 * 8; bit < record.length * 8; bit++) {
    // The length is not read by open(): it says where the record ends.
    if (bit >= 11 * 8 && bit < 13 * 8) continue;
    const damaged = record.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(theirs().open(damaged, 0, damaged.length), undefined, `bit ${bit}`);
  }
  assert(theirs().open(record, 0, record.length) !== undefined);
});

Deno.test("what we sealed ourselves does not open: a reflected record is not the peer's", () => {
  const record = ours().seal(1, 5, Uint8Array.of(1));
  assertEquals(ours().open(record, 0, record.length), undefined);
});

Deno.test("a datagram with anything but whole application records of the epoch is not taken", () => {
  const record = ours().seal(1, 5, Uint8Array.of(1, 2, 3));
  const changed = (at: number, byte: number) => {
    const copy = record.slice();
    copy[at] = byte;
    return copy;
  };
  const cases = {
    "an alert": changed(0, 21),
    "a handshake message": changed(0, 22),
    "another version": changed(2, 0xff),
    "plaintext (epoch 0)": changed(4, 0),
    "a later epoch": changed(4, 2),
    "a record that is cut": record.subarray(0, -1),
    "a record with a tail": new Uint8Array([...record, 0]),
    "a good record and an alert": new Uint8Array([...record, ...changed(0, 21)]),
    "half a header": record.subarray(0, 9),
  };
  for (const [name, datagram] of Object.entries(cases)) {
    assertEquals(applicationRecordEnds(datagram, 1), undefined, name);
  }
  assertEquals(applicationRecordEnds(record, 1), [record.length]);
});

Deno.test("no bytes whatever make reading or opening throw", () => {
  const anything = fc.uint8Array({ maxLength: 100 });
  const recordLike = anything.map((rest) => Uint8Array.from([23, 254, 253, 0, 1, ...rest]));
  fc.assert(
    fc.property(fc.oneof(anything, recordLike), (datagram) => {
      let at = 0;
      for (const end of applicationRecordEnds(datagram, 1) ?? []) {
        assertEquals(theirs().open(datagram, at, end), undefined);
        at = end;
      }
    }),
    { numRuns: 1000 },
  );
});
