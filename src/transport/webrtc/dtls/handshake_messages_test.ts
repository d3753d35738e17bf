import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  HandshakeAssembler,
  type HandshakeMessage,
  hasCookie,
  namedSuite,
  offeredSuites,
  writeMessage,
} from "./handshake_messages.ts";
import { readRecords } from "./records.ts";

const bytes = (max: number) => fc.uint8Array({ maxLength: max });

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

Deno.test("a message of a type that the record may not carry, and what follows it, is passed over", () => {
  const assembler = new HandshakeAssembler();
  const isExpected = (type: number) => type === 1;
  assembler.add(
    new Uint8Array([
      ...writeMessage({ type: 20, sequence: 0, body: Uint8Array.of(7) }),
      ...writeMessage({ type: 1, sequence: 1, body: Uint8Array.of(8) }),
    ]),
    isExpected,
  );
  assembler.add(writeMessage({ type: 1, sequence: 0, body: Uint8Array.of(9) }), isExpected);
  assertEquals(assembler.peek(), { type: 1, sequence: 0, body: Uint8Array.of(9) });
  assembler.accept();
  assertEquals(assembler.peek(), undefined);
});

/** A ClientHello with a session id of 3 bytes, a cookie, and suites. */
const hello = (cookie: readonly number[], suites: readonly number[]) =>
  Uint8Array.from([
    ...[254, 253, ...new Array(32).fill(7), 3, 1, 2, 3],
    ...[cookie.length, ...cookie],
    ...[0, 2 * suites.length, ...suites.flatMap((suite) => [suite >> 8, suite & 255])],
    ...[1, 0],
  ]);

Deno.test("a ClientHello's cookie and suites are read, whatever its session id", () => {
  const body = hello([5, 6], [0xcca9, 0xc02b]);
  assertEquals(offeredSuites(body), [0xcca9, 0xc02b]);
  assert(hasCookie(body, Uint8Array.of(5, 6)));
  assert(!hasCookie(body, Uint8Array.of(5)));
  assert(!hasCookie(body, undefined));
});

Deno.test("the suite that a ServerHello names is read, whatever its session id", () => {
  const body = (id: readonly number[]) =>
    Uint8Array.from([254, 253, ...new Array(32).fill(7), id.length, ...id, 0xcc, 0xa9, 0]);
  assertEquals(namedSuite(body([])), 0xcca9);
  assertEquals(namedSuite(body([1, 2, 3])), 0xcca9);
});

Deno.test("a hello that is cut anywhere names no suite that is not whole", () => {
  const body = hello([], [0xcca9, 0xc02b]);
  const whole = body.length - 2; // without the compression methods
  for (let length = 0; length < whole; length++) {
    assertEquals(offeredSuites(body.subarray(0, length)), [], `${length} bytes`);
  }
  assertEquals(namedSuite(new Uint8Array(35)), undefined);
  assertEquals(namedSuite(new Uint8Array(36)), undefined);
});
