import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";
import { ChunkType, type DataChunk, parsePacket, type Sack } from "./packet.ts";
import { dataPacket, packetWith, sackPacket } from "../../testing/packets.ts";

const to = { sourcePort: 5000, destinationPort: 5001, tag: 0xdeadbeef };
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const bytes = (text: string) => Uint8Array.fromHex(text.replaceAll(/\s/g, ""));

function contentOf(packet: Uint8Array): { data: DataChunk[]; sacks: Sack[] } {
  const content = { data: [] as DataChunk[], sacks: [] as Sack[] };
  parsePacket(packet)?.visit({
    data: (chunk) => content.data.push(chunk),
    sack: (sack) => content.sacks.push(sack),
  });
  return content;
}

Deno.test("a DATA chunk is laid out as RFC 9260 section 3.3.1 draws it", () => {
  const packet = dataPacket(to, {
    tsn: 0x01020304,
    flags: 0,
    streamId: 0x0506,
    ssn: 0x0708,
    ppid: 53,
    payload: bytes("aabbccddee"),
  }, 3);
  const expected = bytes(
    `1388 1389 deadbeef 00000000
     00 03 0015 01020304 0506 0708 00000035 aabbccddee 000000`,
  );
  // The checksum goes least significant byte first.
  new DataView(expected.buffer).setUint32(8, crc32c(expected), true);
  assertEquals(new Uint8Array(packet), expected);
});

Deno.test("a SACK chunk is laid out as RFC 9260 section 3.3.4 draws it", () => {
  const packet = sackPacket(to, {
    cumulativeTsn: 0x01020304,
    window: 0x00100000,
    gaps: [{ start: 2, end: 3 }, { start: 5, end: 5 }],
    duplicates: [0x0a0b0c0d],
  });
  const body = bytes(
    `03 00 001c 01020304 00100000 0002 0001 0002 0003 0005 0005 0a0b0c0d`,
  );
  assertEquals(new Uint8Array(packet.subarray(12)), body);
});

Deno.test("a SACK and what must not overtake it go in one packet, and are read again", () => {
  const sack = { cumulativeTsn: 7, window: 9, gaps: [{ start: 2, end: 3 }], duplicates: [] };
  const shutdown = { type: ChunkType.SHUTDOWN, flags: 0, body: bytes("00000005") };
  const packet = parsePacket(packetWith(to, (writer) => {
    writer.sack(sack);
    writer.control(shutdown);
  }));
  const told: unknown[] = [];
  packet?.visit({
    sack: (sack) => told.push(sack),
    control: (chunk) => told.push(chunk) > 0,
  });
  assertEquals([packet?.kind, packet?.hasValidChecksum()], ["control", true]);
  assertEquals(told, [sack, shutdown]);
  assertEquals([packet?.firstType, packet?.isSingle], [ChunkType.SACK, false]);
});

Deno.test("a SHUTDOWN without a whole cumulative TSN is no chunk", () => {
  for (const chunk of ["07 00 0004", "07 00 0006 0000 0000", "07 00 000c 00000005 00000006"]) {
    const header = bytes("1388 1389 deadbeef 00000000");
    assertEquals(parsePacket(Uint8Array.of(...header, ...bytes(chunk))), undefined);
  }
});

Deno.test("what is written is read again, and its checksum is right", () => {
  const chunk = fc.record({
    tsn: uint32,
    flags: fc.integer({ min: 0, max: 15 }),
    streamId: uint16,
    ssn: uint16,
    ppid: uint32,
    payload: fc.uint8Array({ minLength: 1, maxLength: 1200 }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(chunk, (chunk) => {
    const packet = dataPacket(to, chunk);
    const parsed = parsePacket(packet);
    assertEquals(parsed?.kind, "data");
    assertEquals(parsed?.tag, to.tag);
    assert(parsed?.hasValidChecksum());
    assertEquals(contentOf(packet), { data: [chunk], sacks: [] });
  }));
  const block = fc.record({ start: uint16, end: uint16 }, { noNullPrototype: true });
  fc.assert(fc.property(uint32, uint32, fc.array(block, { maxLength: 40 }), (tsn, window, gaps) => {
    const sack = { cumulativeTsn: tsn, window, gaps, duplicates: [] };
    assertEquals(contentOf(sackPacket(to, sack)).sacks, [sack]);
  }));
});

Deno.test("a SACK with more to tell than fits tells the nearest gaps and stays below 1000 bytes", () => {
  const gaps = Array.from({ length: 1000 }, (_, i) => ({ start: 2 * i + 2, end: 2 * i + 2 }));
  const duplicates = Array.from({ length: 1000 }, (_, i) => i);
  const packet = sackPacket(to, { cumulativeTsn: 1, window: 0, gaps, duplicates });
  assert(packet.length <= 1000);
  const [sack] = contentOf(packet).sacks;
  assertEquals(sack?.gaps, gaps.slice(0, sack?.gaps.length));
});

Deno.test("one wrong bit anywhere makes the checksum wrong", () => {
  const packet = dataPacket(to, {
    tsn: 1,
    flags: 3,
    streamId: 0,
    ssn: 0,
    ppid: 51,
    payload: bytes("0102030405"),
  });
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const damaged = packet.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert(parsePacket(damaged)?.hasValidChecksum() !== true, `bit ${bit}`);
  }
});

Deno.test("a packet with a chunk that is not whole is no packet", () => {
  const header = "1388 1389 deadbeef 00000000";
  const cases = {
    "nothing": "",
    "a header alone": header,
    "half a chunk header": `${header} 0000`,
    "a chunk of length 0": `${header} 0b00 0000`,
    "a chunk of length 3": `${header} 0b00 0003`,
    "a chunk longer than the packet": `${header} 0b00 0008`,
    "DATA without user data": `${header} 0003 0010 00000001 0000 0000 00000033`,
    "a SACK with fewer gap blocks than it says": `${header} 0300 0010 00000001 00000001 0001 0000`,
    "a SACK with a tail": `${header} 0300 0014 00000001 00000001 0000 0000 00000000`,
    "a HEARTBEAT with a parameter of length 0": `${header} 0400 0008 0001 0000`,
    "a HEARTBEAT with half a parameter": `${header} 0400 0006 0001`,
    "an INIT shorter than its fixed part": `${header} 0100 0008 00000001`,
    "a good chunk and a bad one": `${header} 0b00 0004 0b00 0000`,
  };
  for (const [name, hex] of Object.entries(cases)) {
    assertEquals(parsePacket(bytes(hex)), undefined, name);
  }
});

Deno.test("a packet with other chunks than DATA and SACK is of kind control", () => {
  const cookieAck = bytes("1388 1389 deadbeef 00000000 0b00 0004");
  assertEquals(parsePacket(cookieAck)?.kind, "control");
});

Deno.test("no bytes whatever make reading throw", () => {
  const anything = fc.uint8Array({ maxLength: 120 });
  const chunkLike = fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 130, 192), anything)
    .map(([type, rest]) => Uint8Array.from([...new Uint8Array(12), type, 0, 0, ...rest]));
  fc.assert(
    fc.property(fc.oneof(anything, chunkLike), (packet) => {
      contentOf(packet);
      parsePacket(packet)?.hasValidChecksum();
    }),
    { numRuns: 2000 },
  );
});
