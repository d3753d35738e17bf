import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { parseIpAddress } from "./ip_address.ts";
import { judgeCandidate } from "./candidate.ts";
import { judgeAddress, NETWORK_SCOPES, type NetworkScope } from "./scope.ts";

/** Address, and the scopes that take it. */
const TABLE: readonly (readonly [string, readonly NetworkScope[]])[] = [
  ["127.0.0.1", ["lan", "overlay", "global"]],
  ["127.255.255.254", ["lan", "overlay", "global"]],
  ["10.0.0.1", ["lan", "overlay", "global"]],
  ["172.16.0.1", ["lan", "overlay", "global"]],
  ["172.31.255.255", ["lan", "overlay", "global"]],
  ["172.15.0.1", ["global"]],
  ["172.32.0.1", ["global"]],
  ["192.168.1.4", ["lan", "overlay", "global"]],
  ["192.169.0.1", ["global"]],
  ["169.254.10.10", ["lan", "overlay", "global"]],
  ["100.63.255.255", ["global"]],
  ["100.64.0.0", ["overlay", "global"]],
  ["100.127.255.255", ["overlay", "global"]],
  ["100.128.0.0", ["global"]],
  ["8.8.8.8", ["global"]],
  ["192.0.2.2", ["global"]],
  ["0.0.0.0", []],
  ["224.0.0.1", []],
  ["255.255.255.255", []],
  ["240.0.0.1", []],
  ["::1", ["lan", "overlay", "global"]],
  ["0:0:0:0:0:0:0:1", ["lan", "overlay", "global"]],
  ["::", []],
  ["fe80::1", ["lan", "overlay", "global"]],
  ["FE80::ABCD", ["lan", "overlay", "global"]],
  ["fe80::1%eth0", ["lan", "overlay", "global"]],
  ["febf::1", ["lan", "overlay", "global"]],
  ["fec0::1", ["global"]],
  ["fd00::2", ["lan", "overlay", "global"]],
  ["fc00::2", ["lan", "overlay", "global"]],
  ["fe00::1", ["global"]],
  ["2001:db8::1", ["global"]],
  ["2606:4700:4700::1111", ["global"]],
  ["ff02::1", []],
  ["::ffff:10.0.0.1", ["lan", "overlay", "global"]],
  ["::FFFF:192.168.0.1", ["lan", "overlay", "global"]],
  ["::ffff:c0a8:1", ["lan", "overlay", "global"]],
  ["::ffff:100.64.0.1", ["overlay", "global"]],
  ["::ffff:8.8.8.8", ["global"]],
  ["::ffff:0.0.0.0", []],
  ["fe80::1%", []],
  ["fe80::1%a%b", []],
  ["fe80::1%../x", []],
  ["10.0.0.1%eth0", []],
  ["2001:db8::1%eth0", []],
  ["abcd.local", []],
  ["9b36eaac-bb2e-49bb-bb78-21c41c499900.LOCAL", []],
  ["localhost", []],
  ["example.com", []],
  ["", []],
  ["10.0.0", []],
  ["10.0.0.1.1", []],
  ["10.0.0.256", []],
  ["010.0.0.1", []],
  ["0x0a.0.0.1", []],
  ["167772161", []],
  [" 10.0.0.1", []],
  ["10.0.0.1:80", []],
  ["[::1]", []],
  [":::1", []],
  ["1::2::3", []],
  ["12345::1", []],
  ["1:2:3:4:5:6:7", []],
  ["1:2:3:4:5:6:7:8:9", []],
  ["1:2:3:4:5:6:7::8:9", []],
  ["::ffff:10.0.0.300", []],
];

Deno.test("the scope table: what lan, overlay and global accept", () => {
  for (const [address, accepting] of TABLE) {
    const accepted = NETWORK_SCOPES.filter((scope) => judgeAddress(address, scope).accepted);
    assertEquals(accepted, [...accepting], address);
  }
});

for (const [address, accepting] of TABLE.filter(([address]) => !/\s/.test(address))) {
  Deno.test(`a TCP candidate at "${address}" is judged as the address is`, () => {
    for (const tcpType of ["passive", "active"]) {
      const line = `candidate:1 1 TCP 1 ${address} 9 typ host tcptype ${tcpType}`;
      const accepted = NETWORK_SCOPES.filter((scope) => judgeCandidate(line, scope).accepted);
      assertEquals(accepted, [...accepting]);
    }
  });
}

Deno.test("a rejection says why", () => {
  assertEquals(judgeAddress("8.8.8.8", "lan").reason, "public-outside-lan");
  assertEquals(judgeAddress("100.64.0.1", "lan").reason, "cgnat-outside-lan");
  assertEquals(judgeAddress("abc.local", "global").reason, "mdns");
  assertEquals(judgeAddress("example.com", "global").reason, "not-an-ip-address");
  assertEquals(judgeAddress("10.0.0.1", "lan").reason, "");
});

Deno.test("each wider scope accepts all that the narrower one does", () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
    const [lan, overlay, global] = NETWORK_SCOPES.map((s) => judgeAddress(address, s).accepted);
    assertEquals([lan && !overlay, overlay && !global], [false, false]);
  }));
});

Deno.test("an IPv4 address and its IPv4-mapped form are judged alike, in every scope", () => {
  fc.assert(fc.property(fc.ipV4(), fc.constantFrom(...NETWORK_SCOPES), (address, scope) => {
    assertEquals(judgeAddress(`::ffff:${address}`, scope), judgeAddress(address, scope));
  }));
});

Deno.test("literals are read as the URL standard reads them", () => {
  fc.assert(fc.property(fc.ipV6(), (address) => {
    const host = URL.parse(`ws://[${address}]/`)?.hostname.slice(1, -1) ?? "";
    assertEquals(parseIpAddress(address)?.bytes, parseIpAddress(host)?.bytes);
  }));
  fc.assert(fc.property(fc.string(), (text) => {
    if (parseIpAddress(text)?.version === 6 && !text.includes("%")) {
      assertEquals(URL.canParse(`ws://[${text}]/`), true);
    }
  }));
});
