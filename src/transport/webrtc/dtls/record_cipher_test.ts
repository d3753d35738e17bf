import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { createCipheriv } from "node:crypto";
import { ChaChaCipher } from "./chacha_cipher.ts";
import { GcmCipher } from "./gcm_cipher.ts";
import type { RecordCipher } from "./record_cipher.ts";

const DATA = 23;

/** Both sides' keys, fresh each time: a cipher that is disposed overwrites them. */
function keys(keyBytes: number, ivBytes: number) {
  const direction = (byte: number) => ({
    key: new Uint8Array(keyBytes).fill(byte),
    iv: new Uint8Array(ivBytes).map((_, i) => byte + i),
  });
  return { client: direction(1), server: direction(3) };
}

const GCM = {
  overhead: 37,
  ours: () => {
    const { client, server } = keys(16, 4);
    return new GcmCipher(client, server);
  },
  theirs: () => {
    const { client, server } = keys(16, 4);
    return new GcmCipher(server, client);
  },
  /** RFC 5288, section 3: salt and explicit nonce, and the latter in the record. */
  body(number: Buffer, additional: Buffer, content: Uint8Array): Buffer {
    const { key, iv } = keys(16, 4).client;
    const cipher = createCipheriv("aes-128-gcm", key, Buffer.concat([iv, number]));
    cipher.setAAD(additional);
    return Buffer.concat([number, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  },
};

const CHACHA = {
  overhead: 29,
  ours: () => {
    const { client, server } = keys(32, 12);
    return new ChaChaCipher(client, server);
  },
  theirs: () => {
    const { client, server } = keys(32, 12);
    return new ChaChaCipher(server, client);
  },
  /** RFC 7905, section 2: the number, padded on the left, XORed with the IV. */
  body(number: Buffer, additional: Buffer, content: Uint8Array): Buffer {
    const { key, iv } = keys(32, 12).client;
    const nonce = BigInt(`0x${iv.toHex()}`) ^ BigInt(`0x${number.toString("hex")}`);
    const cipher = createCipheriv(
      "chacha20-poly1305",
      key,
      Buffer.from(nonce.toString(16).padStart(24, "0"), "hex"),
      { authTagLength: 16 },
    );
    cipher.setAAD(additional, { plaintextLength: content.length });
    return Buffer.concat([cipher.update(content), cipher.final(), cipher.getAuthTag()]);
  },
};

const content = fc.uint8Array({ maxLength: 1300 });
const type = fc.constantFrom(21, 22, 23);
const epoch = fc.integer({ min: 1, max: 0xffff });
const sequence = fc.integer({ min: 0, max: 2 ** 48 - 1 });

function sealed(cipher: RecordCipher, number: number, bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(bytes.length + cipher.overhead);
  assertEquals(cipher.seal(DATA, 1, number, bytes, record, 0), record.length);
  return record;
}

for (const [name, { overhead, ours, theirs, body }] of Object.entries({ GCM, CHACHA })) {
  Deno.test(`${name}: a record is what the RFCs make of its parts`, () => {
    fc.assert(fc.property(type, content, epoch, sequence, (type, content, epoch, sequence) => {
      const number = Buffer.alloc(8);
      number.writeUInt16BE(epoch);
      number.writeUIntBE(sequence, 2, 6);
      const length = (bytes: number) => Buffer.of(bytes >> 8, bytes & 255);
      const version = Buffer.of(254, 253);
      // RFC 5246, section 6.2.3.3.
      const additional = Buffer.concat([number, Buffer.of(type), version, length(content.length)]);
      const expected = body(number, additional, content);
      const target = new Uint8Array(3 + content.length + overhead);
      ours().seal(type, epoch, sequence, content, target, 3);
      assertEquals(
        target.subarray(3).toHex(),
        Buffer.concat([Buffer.of(type), version, number, length(expected.length), expected])
          .toString("hex"),
      );
    }));
  });

  Deno.test(`${name}: the other side opens what was sealed, wherever it lies in a datagram`, () => {
    fc.assert(fc.property(content, content, (first, second) => {
      const sender = ours();
      const datagram = new Uint8Array([...sealed(sender, 7, first), ...sealed(sender, 8, second)]);
      const middle = first.length + overhead;
      const receiver = theirs();
      assertEquals(receiver.open(datagram, 0, middle)?.slice(), first);
      assertEquals(receiver.open(datagram, middle, datagram.length)?.slice(), second);
    }));
  });

  Deno.test(`${name}: a record with one wrong bit after its version is not opened`, () => {
    const record = sealed(ours(), 5, Uint8Array.of(1, 2, 3));
    for (let bit = 0; bit < record.length * 8; bit++) {
      // Version and length are not read by open(): they are the reader's of the datagram.
      if ((bit >= 8 && bit < 24) || (bit >= 88 && bit < 104)) continue;
      const damaged = record.with(bit >> 3, (record[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
      assertEquals(theirs().open(damaged, 0, damaged.length), undefined, `bit ${bit}`);
    }
    assert(theirs().open(record, 0, record.length) !== undefined);
  });

  Deno.test(`${name}: what we sealed ourselves does not open: a reflected record is not the peer's`, () => {
    const record = sealed(ours(), 5, Uint8Array.of(1));
    assertEquals(ours().open(record, 0, record.length), undefined);
  });

  Deno.test(`${name}: no bytes whatever make opening throw`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (record) => {
        assertEquals(theirs().open(record, 0, record.length), undefined);
      }),
      { numRuns: 1000 },
    );
  });

  Deno.test(`${name}: its keys are overwritten at the end`, () => {
    const all = name === "GCM" ? keys(16, 4) : keys(32, 12);
    const cipher = name === "GCM"
      ? new GcmCipher(all.client, all.server)
      : new ChaChaCipher(all.client, all.server);
    cipher[Symbol.dispose]();
    for (const { key, iv } of [all.client, all.server]) {
      assert([...key, ...iv].every((byte) => byte === 0));
    }
  });
}
