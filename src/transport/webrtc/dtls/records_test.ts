import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type DtlsRecord, readRecords, recordEnd, recordSequence, writeRecord } from "./records.ts";

const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const records: fc.Arbitrary<DtlsRecord> = fc.record({
  type: fc.integer({ min: 20, max: 63 }),
  epoch: fc.integer({ min: 0, max: 2 }),
  sequence: fc.nat(2 ** 48 - 1),
  fragment: bytes(300),
});

Deno.test("records that were written after one another are read back", () => {
  fc.assert(fc.property(fc.array(records, { maxLength: 5 }), (written) => {
    const datagram = new Uint8Array(written.flatMap((record) => [...writeRecord(record)]));
    const read = [...readRecords(datagram)];
    assertEquals(
      read.map((r) => ({ ...r, fragment: [...r.fragment] })),
      written.map((r) => ({ ...r, fragment: [...r.fragment] })),
    );
  }));
});

Deno.test("a record that is cut, or of another protocol, is none", () => {
  const record = writeRecord({ type: 22, epoch: 0, sequence: 1, fragment: Uint8Array.of(1, 2) });
  assertEquals(recordEnd(record, 0), record.length);
  for (let length = 0; length < record.length; length++) {
    assertEquals(recordEnd(record.subarray(0, length), 0), undefined, `${length} bytes`);
  }
  assertEquals(recordEnd(record.with(1, 3), 0), undefined, "TLS");
});

Deno.test("all 48 bits of a sequence number are read", () => {
  const sequence = 0xfedc_ba98_7654;
  const record = writeRecord({ type: 23, epoch: 1, sequence, fragment: new Uint8Array() });
  assertEquals(recordSequence(record, 0), sequence);
});
