import { assertEquals, assertStringIncludes } from "@std/assert";
import type { NetworkScope } from "../../../protocol/network_scope/scope.ts";
import {
  type InterfaceAddress,
  judgeLocalAddresses,
  MAX_LOCAL_ADDRESSES,
  tellLeftOut,
} from "./local_addresses.ts";

const of = (...addresses: string[]) => addresses.map((address) => ({ address }));

/** `name address[/prefix] [mac]`, one a line. */
function interfaces(...lines: string[]): InterfaceAddress[] {
  return lines.map((line) => {
    const [name = "", cidr = "", mac] = line.split(" ");
    const [address = ""] = cidr.split("/");
    return { name, address, cidr, ...(mac === undefined ? {} : { mac }) };
  });
}

function used(list: readonly InterfaceAddress[], scope: NetworkScope = "lan"): string[] {
  return judgeLocalAddresses(list, scope).flatMap(({ accepted, address }) =>
    accepted ? [address] : []
  );
}

Deno.test("only addresses inside the scope are used, each once, loopback last", () => {
  const interfaces = of("127.0.0.1", "10.0.0.5", "8.8.8.8", "100.64.0.1", "10.0.0.5", "::1");
  assertEquals(judgeLocalAddresses(interfaces, "lan"), [
    { address: "10.0.0.5", accepted: true, reason: "" },
    { address: "8.8.8.8", accepted: false, reason: "public-outside-lan" },
    { address: "100.64.0.1", accepted: false, reason: "cgnat-outside-lan" },
    { address: "127.0.0.1", accepted: true, reason: "" },
    { address: "::1", accepted: true, reason: "" },
  ]);
});

Deno.test("loopback is in every scope, so that two on one machine can always meet", () => {
  for (const scope of ["lan", "overlay", "global"] as const) {
    const judged = judgeLocalAddresses(of("127.0.0.1", "203.0.113.9"), scope);
    assertEquals(judged.find(({ address }) => address === "127.0.0.1")?.accepted, true);
  }
});

Deno.test("of many addresses only so many are used, loopback among them", () => {
  const many = Array.from({ length: 50 }, (_, i) => `10.0.0.${i}`);
  const judged = judgeLocalAddresses(of(...many, "127.0.0.1"), "lan");
  const accepted = judged.filter(({ accepted }) => accepted);
  assertEquals(accepted.length, MAX_LOCAL_ADDRESSES);
  assertEquals(accepted.at(-1)?.address, "127.0.0.1");
  assertEquals(judged.find(({ accepted }) => !accepted)?.reason, "too-many-addresses");
});

for (
  const [name, before, after] of [
    ["Ethernet comes before Docker's bridges", [
      "docker0 172.17.0.1/16",
      "br-3f2a 172.18.0.1/16",
      "enp3s0 192.168.1.5/24",
    ], ["192.168.1.5", "172.17.0.1", "172.18.0.1"]],
    ["wireless on Linux, then a VPN, then virtual machines", [
      "virbr0 192.168.122.1/24",
      "wg0 10.9.0.2/24",
      "wlp2s0 192.168.1.6/24",
    ], ["192.168.1.6", "10.9.0.2", "192.168.122.1"]],
    ["macOS: en0 before a VPN, a shared network and Apple's own links", [
      "bridge100 192.168.64.1/24",
      "utun3 10.8.0.2/24",
      "en0 192.168.1.7/24",
    ], ["192.168.1.7", "10.8.0.2", "192.168.64.1"]],
    ["Windows: its names are known", [
      "vEthernet(WSL) 172.29.0.1/20",
      "Wi-Fi 192.168.1.8/24",
      "Ethernet 192.168.1.9/24",
    ], ["192.168.1.8", "192.168.1.9", "172.29.0.1"]],
    ["a name that nobody knows stands between hardware and tunnels", [
      "tun0 10.8.0.2/24",
      "cable 10.78.0.1/24",
      "eth0 10.0.0.1/24",
    ], ["10.0.0.1", "10.78.0.1", "10.8.0.2"]],
    ["whatever has a maker's hardware address is hardware, as a bridge over the network card", [
      "other 10.5.0.1/24 02:00:00:00:00:01",
      "nulls 10.6.0.1/24 00:00:00:00:00:00",
      "br0 192.168.1.5/24 3c:52:82:00:00:01",
    ], ["192.168.1.5", "10.5.0.1", "10.6.0.1"]],
    ["a bridge that is this machine's way to the network is none to containers", [
      "br-3f2a 172.18.0.1/16 02:42:00:00:00:01",
      "br-lan 192.168.1.1/24",
      "br-home 192.168.2.1/24 3c:52:82:00:00:01",
    ], ["192.168.2.1", "192.168.1.1", "172.18.0.1"]],
    ["a point-to-point link of an unknown name is a tunnel", [
      "corp 10.200.0.9/32",
      "cable 10.78.0.1/24",
    ], ["10.78.0.1", "10.200.0.9"]],
    ["link-local addresses come after the others of as likely interfaces", [
      "eth0 fe80::1/64",
      "eth0 169.254.3.3/16",
      "eth0 fd00::5/64",
      "eth0 192.168.1.5/24",
    ], ["fd00::5", "192.168.1.5", "fe80::1", "169.254.3.3"]],
    ["each interface gives an address before one gives a second", [
      "eth0 192.168.1.5/24",
      "eth0 192.168.1.6/24",
      "wlan0 192.168.2.5/24",
    ], ["192.168.1.5", "192.168.2.5", "192.168.1.6"]],
    ["equals keep the system's order", [
      "eth1 192.168.2.5/24",
      "eth0 192.168.1.5/24",
    ], ["192.168.2.5", "192.168.1.5"]],
    ["loopback is last, though it is listed first", [
      "lo 127.0.0.1/8",
      "docker0 172.17.0.1/16",
    ], ["172.17.0.1", "127.0.0.1"]],
  ] as const
) {
  Deno.test(`addresses in order of likely use: ${name}`, () => {
    assertEquals(used(interfaces(...before)), [...after]);
  });
}

Deno.test("in scope overlay the overlay's own address comes first, in the others after hardware", () => {
  const list = interfaces(
    "docker0 172.17.0.1/16",
    "eth0 192.168.1.5/24",
    "tailscale0 100.101.102.103/32",
  );
  assertEquals(used(list, "overlay"), ["100.101.102.103", "192.168.1.5", "172.17.0.1"]);
  assertEquals(used(list, "global"), ["192.168.1.5", "100.101.102.103", "172.17.0.1"]);
  assertEquals(used(list, "lan"), ["192.168.1.5", "172.17.0.1"]);
});

Deno.test("with more bridges than there is room, the network's own address is used though listed last", () => {
  const bridges = Array.from({ length: 40 }, (_, i) => `br-${i} 172.${18 + i}.0.1/16`);
  // 172.32 and up are public.
  const list = interfaces("lo 127.0.0.1/8", ...bridges, "eth0 192.168.1.5/24");
  const addresses = used(list, "global");
  assertEquals(addresses[0], "192.168.1.5");
  assertEquals(addresses.length, MAX_LOCAL_ADDRESSES);
});

Deno.test("addresses that are left out are told, a bounded number of them by name", () => {
  const list = (count: number) =>
    interfaces(...Array.from({ length: count }, (_, i) => `br-${i} 10.${i}.0.1/16`));
  assertEquals(tellLeftOut(judgeLocalAddresses(list(MAX_LOCAL_ADDRESSES), "lan")), undefined);
  const one = tellLeftOut(judgeLocalAddresses(list(MAX_LOCAL_ADDRESSES + 1), "lan"));
  assertStringIncludes(one ?? "", "left out, as the least likely: 10.32.0.1");
  const many = tellLeftOut(judgeLocalAddresses(list(MAX_LOCAL_ADDRESSES + 20), "lan"));
  assertStringIncludes(many ?? "", "10.39.0.1 and 12 more");
});
