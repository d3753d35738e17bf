import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { canonicalAddress, formatCandidate, judgeCandidate } from "./candidate.ts";
import { judgeAddress, NETWORK_SCOPES } from "./scope.ts";

const line = (address: string, port: number | string = 50001, rest = "") =>
  `candidate:1 1 UDP 2130706431 ${address} ${port} typ host${rest}`;

const tcpLine = (address: string, port: number, tcpType = "passive") =>
  `candidate:1 1 TCP 2130706431 ${address} ${port} typ host tcptype ${tcpType}`;

Deno.test("a TCP candidate says which end of a connection it is, and is written as it was read", () => {
  for (const [tcpType, port] of [["passive", 50001], ["active", 9]] as const) {
    const text = tcpLine("192.168.1.4", port, tcpType);
    const { candidate } = judgeCandidate(text, "lan");
    assertEquals([candidate?.transport, candidate?.tcpType], ["tcp", tcpType]);
    assertEquals(candidate && formatCandidate(candidate), text);
  }
  const shouted = "CANDIDATE:1 1 tcp 1 10.0.0.1 1 typ host generation 0 TCPTYPE PASSIVE ufrag abcd";
  assertEquals(judgeCandidate(shouted, "lan").candidate?.tcpType, "passive");
});

Deno.test("a UDP candidate has no end of a connection, whatever its line says", () => {
  const { candidate } = judgeCandidate(line("10.0.0.1", 5, " tcptype passive"), "lan");
  assertEquals([candidate?.transport, candidate && "tcpType" in candidate], ["udp", false]);
});

const ACCEPTED: Record<string, [line: string, address: string]> = {
  "as libdatachannel writes it": [line("192.168.1.4"), "192.168.1.4"],
  "with a= before it": [`a=${line("10.0.0.1")}`, "10.0.0.1"],
  "with extension attributes": [
    line("10.0.0.1", 9, " generation 0 ufrag abcd network-id 3 network-cost 10"),
    "10.0.0.1",
  ],
  "in upper case": [`A=CANDIDATE:1 1 udp 1 FE80::1 1 typ host`, "fe80::1"],
  "IPv4-mapped": [line("::ffff:192.168.0.1"), "192.168.0.1"],
  "IPv4-mapped in hexadecimal": [line("::FFFF:c0a8:1"), "192.168.0.1"],
  "link-local with a zone": [line("fe80::1%eth0"), "fe80::1"],
  "on port 65535": [line("10.0.0.1", 65535), "10.0.0.1"],
  "loopback": [line("127.0.0.1"), "127.0.0.1"],
  "of component 0, as Chromium writes it of a socket from its pool": [
    "candidate:1 0 UDP 2130706431 10.0.0.1 5 typ host",
    "10.0.0.1",
  ],
};
for (const [name, [text, address]] of Object.entries(ACCEPTED)) {
  Deno.test(`a candidate ${name} is accepted in every scope`, () => {
    for (const scope of NETWORK_SCOPES) {
      const judged = judgeCandidate(text, scope);
      assertEquals([judged.accepted, judged.reason], [true, ""]);
      assertEquals(judged.candidate?.address, address);
    }
  });
}

const REFUSED: Record<string, [line: string, reason: string]> = {
  "mDNS": [line("0ae5c2e4-1c2b-4b1c-a2d5-6f4f4a1f5d0a.local"), "mdns"],
  "a host name": [line("peer.example.com"), "not-an-ip-address"],
  "on port 0": [line("10.0.0.1", 0), "port-zero"],
  "on port 65536": [line("10.0.0.1", 65536), "port-out-of-range"],
  "on a negative port": [line("10.0.0.1", -1), "malformed"],
  "over neither UDP nor TCP": [
    "candidate:1 1 SCTP 2130706431 10.0.0.1 9 typ host",
    "transport-unknown",
  ],
  "over TCP that does not say which end it is": [
    "candidate:1 1 TCP 2130706431 10.0.0.1 9 typ host",
    "tcptype-unknown",
  ],
  "over TCP that would open simultaneously": [
    "candidate:1 1 TCP 2130706431 10.0.0.1 9 typ host tcptype so",
    "tcptype-unknown",
  ],
  "over TCP that names its end in another attribute": [
    "candidate:1 1 TCP 2130706431 10.0.0.1 9 typ host generation tcptype passive",
    "tcptype-unknown",
  ],
  "over TCP on port 0": [
    "candidate:1 1 TCP 2130706431 10.0.0.1 0 typ host tcptype passive",
    "port-zero",
  ],
  "of the second component": ["candidate:1 2 UDP 1 10.0.0.1 5 typ host", "not-first-component"],
  "of an unknown type": ["candidate:1 1 UDP 1 10.0.0.1 5 typ prflx", "type-unknown"],
  "of too high a priority": ["candidate:1 1 UDP 2147483648 10.0.0.1 5 typ host", "malformed"],
  "with a zone on a private address": [line("10.0.0.1%eth0"), "not-an-ip-address"],
  "of a multicast address": [line("224.0.0.1"), "unusable-outside-global"],
  "without a type": ["candidate:1 1 UDP 1 10.0.0.1 5", "malformed"],
  "that is empty": ["", "malformed"],
  "that is garbage": ["hello \u202e world", "malformed"],
  "that hides a second line": [`${line("10.0.0.1")}\r\na=setup:active`, "malformed"],
  "that is too long": [line("10.0.0.1", 1, " x".repeat(300)), "malformed"],
};
for (const [name, [text, reason]] of Object.entries(REFUSED)) {
  Deno.test(`a candidate ${name} is refused, with its reason`, () => {
    const judged = judgeCandidate(text, "global");
    assertEquals([judged.accepted, judged.reason, judged.candidate], [false, reason, undefined]);
  });
}

Deno.test("a port is told of wherever the line holds one", () => {
  assertEquals(judgeCandidate(line("x.local", 4000), "lan").port, 4000);
  assertEquals(judgeCandidate(line("8.8.8.8", 4000), "lan").port, 4000);
  assertEquals(judgeCandidate("garbage", "lan").port, undefined);
});

Deno.test("whatever the text, what is accepted is inside the scope and is written clean", () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom("1", "UDP", "udp", "typ", "host", "srflx", "candidate:1", "0", "65536"),
    fc.ipV4(),
    fc.ipV6(),
    fc.nat(70000).map(String),
  );
  const shaped = fc.tuple(part, part, part, part, part, part, part, part)
    .map((parts) => parts.join(" "));
  const likely = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(70000), fc.string())
    .map(([address, port, rest]) => line(address, port, ` ${rest}`));
  const overTcp = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(70000), fc.string())
    .map(([address, port, rest]) => tcpLine(address, port, `passive ${rest}`));
  fc.assert(fc.property(
    fc.oneof(shaped, likely, overTcp),
    fc.constantFrom(...NETWORK_SCOPES),
    (text, scope) => {
      const { accepted, candidate, reason } = judgeCandidate(text, scope);
      assertEquals(accepted, candidate !== undefined);
      assertEquals(accepted, reason === "");
      if (candidate === undefined) return;
      assert(judgeAddress(candidate.address, scope).accepted);
      const clean = formatCandidate(candidate);
      assert(
        /^candidate:[\w+/]+ 1 (UDP|TCP) \d+ [\da-f.:]+ \d+ typ [a-z]+( raddr 0\.0\.0\.0 rport 0)?( tcptype (passive|active))?$/
          .test(clean),
      );
      assertEquals(judgeCandidate(clean, scope).candidate, candidate);
    },
  ));
});

Deno.test("an address has one spelling, which is its own", () => {
  const spellings = {
    "2001:DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "0:0:0:0:0:0:0:1": "::1",
    "fe80::0001%eth0": "fe80::1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "::ffff:1.2.3.4": "1.2.3.4",
    "fd00::": "fd00::",
    "host.example": "host.example",
  };
  for (const [from, to] of Object.entries(spellings)) assertEquals(canonicalAddress(from), to);
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
    const canonical = canonicalAddress(address);
    assertEquals(canonicalAddress(canonical), canonical);
  }));
});
