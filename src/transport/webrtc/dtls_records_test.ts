import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type DtlsRecord,
  HandshakeAssembler,
  type HandshakeMessage,
  readRecords,
  writeMessage,
  writeRecord,
} from "./dtls_records.ts";

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

Deno.test("no datagram makes the reader or the assembler fail", () => {
  fc.assert(fc.property(bytes(200), (datagram) => {
    for (const { fragment } of readRecords(datagram)) new HandshakeAssembler().add(fragment);
    new HandshakeAssembler().add(datagram);
  }));
});

/** The fragment of a message from `start` to `end`. */
function fragmentOf(message: HandshakeMessage, start: number, end: number): Uint8Array {
  const whole = writeMessage(message);
  const fragment = new Uint8Array([...whole.subarray(0, 12), ...message.body.subarray(start, end)]);
  const view = new DataView(fragment.buffer);
  view.setUint16(6, start >> 8);
  view.setUint8(8, start & 0xff);
  view.setUint16(9, (end - start) >> 8);
  view.setUint8(11, (end - start) & 0xff);
  return fragment;
}

Deno.test("messages come out whole, once and in order, however their fragments came", () => {
  const message = fc.tuple(fc.integer({ min: 1, max: 20 }), bytes(500));
  const scenario = fc.tuple(
    fc.array(message, { minLength: 1, maxLength: 6 }),
    fc.integer({ min: 1, max: 200 }),
    fc.infiniteStream(fc.nat()),
  );
  fc.assert(fc.property(scenario, ([sent, size, random]) => {
    const messages = sent.map(([type, body], sequence) => ({ type, sequence, body }));
    const fragments = messages.flatMap((m) =>
      Array.from(
        { length: Math.max(1, Math.ceil(m.body.length / size)) },
        (_, i) => fragmentOf(m, i * size, Math.min(m.body.length, (i + 1) * size)),
      )
    );
    // Each at least once, some twice, shuffled.
    const onTheWay = [...fragments, ...fragments.filter(() => (random.next().value ?? 0) % 2 === 0)]
      .map((fragment) => ({ fragment, at: random.next().value ?? 0 }))
      .sort((a, b) => a.at - b.at);
    const assembler = new HandshakeAssembler();
    const out: HandshakeMessage[] = [];
    for (const { fragment } of onTheWay) {
      assembler.add(fragment);
      for (let next = assembler.peek(); next !== undefined; next = assembler.peek()) {
        out.push(next);
        assembler.accept();
      }
    }
    const plain = (list: readonly HandshakeMessage[]) =>
      list.map(({ type, sequence, body }) => ({ type, sequence, body: [...body] }));
    assertEquals(plain(out), plain(messages));
  }));
});

Deno.test("a refused message leaves its place to a true one", () => {
  const assembler = new HandshakeAssembler();
  assembler.add(writeMessage({ type: 11, sequence: 0, body: Uint8Array.of(1) }));
  assembler.refuse();
  assertEquals(assembler.peek(), undefined);
  assembler.add(writeMessage({ type: 11, sequence: 0, body: Uint8Array.of(2) }));
  assertEquals([...assembler.peek()?.body ?? []], [2]);
});

Deno.test("what is far ahead, or longer than any certificate chain, is not kept", () => {
  const assembler = new HandshakeAssembler();
  const far = { type: 11, sequence: 8, body: Uint8Array.of(1) };
  assembler.add(writeMessage(far));
  for (let sequence = 0; sequence < 8; sequence++) {
    assembler.add(writeMessage({ type: 1, sequence, body: Uint8Array.of(0) }));
    assembler.accept();
  }
  assertEquals(assembler.peek(), undefined);
  assembler.add(writeMessage({ ...far, body: new Uint8Array(40_000) }));
  assertEquals(assembler.peek(), undefined);
});

Deno.test("a message that comes again after its use is told of", () => {
  const assembler = new HandshakeAssembler();
  const hello = { type: 1, sequence: 0, body: Uint8Array.of(7) };
  assertEquals(assembler.add(writeMessage(hello)), []);
  assembler.accept();
  assertEquals(assembler.add(writeMessage(hello)).map(({ sequence }) => sequence), [0]);
});
