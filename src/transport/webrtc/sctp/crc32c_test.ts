import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { crc32c, packetChecksum } from "./crc32c.ts";

const bytes = (length: number, at: (i: number) => number) =>
  Uint8Array.from({ length }, (_, i) => at(i));

// RFC 3720 (iSCSI) B.4. The RFC prints the bytes as they go on the wire: least significant first.
for (
  const [name, data, crc] of [
    ["32 bytes of zeroes", bytes(32, () => 0), 0x8a9136aa],
    ["32 bytes of ones", bytes(32, () => 0xff), 0x62a8ab43],
    ["32 bytes counting up", bytes(32, (i) => i), 0x46dd794e],
    ["32 bytes counting down", bytes(32, (i) => 31 - i), 0x113fdb5c],
    ["the digits 1 to 9", new TextEncoder().encode("123456789"), 0xe3069283],
    ["nothing", new Uint8Array(), 0],
  ] as const
) {
  Deno.test(`CRC32c of ${name} is the published value`, () => {
    assertEquals(crc32c(data), crc);
  });
}

Deno.test("every length and offset gives what one bit at a time gives", () => {
  const oneBitAtATime = (data: Uint8Array): number => {
    let crc = 0xffffffff;
    for (const byte of data) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc >>> 0;
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), (data, from) => {
    assertEquals(crc32c(data.subarray(from)), oneBitAtATime(data.subarray(from)));
  }));
});

Deno.test("a packet's checksum leaves out what stands in its checksum field", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 12, maxLength: 80 }), (packet) => {
    const zeroed = packet.slice();
    zeroed.fill(0, 8, 12);
    assertEquals(packetChecksum(packet), crc32c(zeroed));
  }));
});
