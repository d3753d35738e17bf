/**
 * Which of this machine's addresses a connection may use, the likely ones first.
 *
 * The system's routes are not asked: Deno opens files below `/proc` only to a program that may do
 * everything. So an interface is judged by its name and its hardware address, which every system
 * tells.
 *
 * @module
 */
import { canonicalAddress } from "../../../protocol/network_scope/candidate.ts";
import { judgeAddress, type NetworkScope } from "../../../protocol/network_scope/scope.ts";

/** An address of an interface, as `Deno.networkInterfaces()` gives it; the address is enough. */
export type InterfaceAddress =
  & Pick<Deno.NetworkInterfaceInfo, "address">
  & Partial<Pick<Deno.NetworkInterfaceInfo, "name" | "mac" | "cidr" | "scopeid">>;

/** An address of an interface, and what the scope says of it. */
export interface LocalAddress {
  /** Canonical literal. */
  readonly address: string;
  /** Whether it is used. */
  readonly accepted: boolean;
  /** Why it may not be used; empty when it may. */
  readonly reason: string;
  /** Number or name of its interface, if it is a link-local one of IPv6: it says not by itself. */
  readonly zone?: string;
}

/** Why an address that the scope allows is left out. */
export const TOO_MANY_ADDRESSES = "too-many-addresses";

/** Each usable address is a candidate that peers have to try: further ones are refused. */
export const MAX_LOCAL_ADDRESSES = 32;

/** What an interface is, the likeliest way to a peer first. */
const INTERFACE_KINDS = ["hardware", "unknown", "tunnel", "virtual"] as const;
type InterfaceKind = typeof INTERFACE_KINDS[number];

/** VPNs and overlay networks. */
const TUNNEL =
  /^(?:tun|utun|tap|wg|tailscale|zt|feth|nebula|netbird|wt\d|nordlynx|proton|ppp|ipsec|gpd|sit|gre|vti|wireguard|zerotier|openvpn)/i;

/** Bridges and interfaces to containers and virtual machines; `br-lan` is OpenWrt's own network. */
const VIRTUAL =
  /^(?:docker|br-(?!lan)|veth|virbr|vnet|vmnet|vboxnet|lxc|lxd|incus|podman|cni|cali|cilium|flannel|kube|nodelocaldns|weave|vxlan|dummy|bridge\d|ap\d|awdl|llw|anpi|vEthernet|VMware|VirtualBox|Hyper-V)/i;

/** Ethernet, wireless and mobile, by the names that Linux, BSD, macOS and Windows give. */
const HARDWARE = /^(?:eth|en\d|en[opsx]|wl|ww|em\d|igb|re\d|bge|Wi-?Fi|Local Area Connection)/i;

/**
 * Judges the machine's addresses: each once, the likely ones first, loopback last, at most
 * {@linkcode MAX_LOCAL_ADDRESSES} accepted, loopback among them.
 *
 * Hardware comes before what can't be classified, then tunnels, then bridges to containers and
 * virtual machines. In scope `overlay`, where a tunnel is what was asked for, tunnels come first.
 * Of equally likely interfaces each gives one address of a family before any gives a second one, so
 * that one with many addresses pushes none out.
 *
 * @param interfaces As `Deno.networkInterfaces()` gives them.
 */
export function judgeLocalAddresses(
  interfaces: readonly InterfaceAddress[],
  scope: NetworkScope,
): LocalAddress[] {
  const ordered = inOrderOfUse(interfaces, scope);
  const others = ordered.filter((address) => !isLoopback(address));
  // Two daemons on a machine without any other address in scope must find each other. Only these
  // two are bound by every system; further 127/8 addresses of an interface add nothing.
  const loopback = ["127.0.0.1", "::1"].filter((address) => ordered.includes(address));
  const zones = zonesOf(interfaces);
  let places = MAX_LOCAL_ADDRESSES - loopback.length;
  const judged = others.map((address): LocalAddress => {
    const verdict = judgeAddress(address, scope);
    if (!verdict.accepted) return { address, ...verdict };
    if (--places < 0) return { address, accepted: false, reason: TOO_MANY_ADDRESSES };
    const zone = zones.get(address);
    return zone === undefined ? { address, ...verdict } : { address, zone, ...verdict };
  });
  return [...judged, ...loopback.map((address) => ({ address, accepted: true, reason: "" }))];
}

/**
 * The warning about addresses that the scope allows and that are left out; undefined when there
 * are none. Names some of them.
 */
export function tellLeftOut(judged: readonly LocalAddress[]): string | undefined {
  const left = judged.filter(({ reason }) => reason === TOO_MANY_ADDRESSES);
  if (left.length === 0) return undefined;
  const named = left.slice(0, 8).map(({ address }) => address).join(", ");
  const more = left.length > 8 ? ` and ${left.length - 8} more` : "";
  return `this machine has more addresses than the ${MAX_LOCAL_ADDRESSES} that are offered to a ` +
    `peer; left out, as the least likely: ${named}${more}`;
}

/** Of each link-local address of IPv6. */
function zonesOf(interfaces: readonly InterfaceAddress[]): ReadonlyMap<string, string> {
  const zones = new Map<string, string>();
  for (const { address, name, scopeid } of interfaces) {
    const zone = scopeid ? String(scopeid) : name;
    const canonical = canonicalAddress(address);
    if (zone === undefined || zones.has(canonical) || !/^fe[89ab]/i.test(canonical)) continue;
    zones.set(canonical, zone);
  }
  return zones;
}

/** Canonical literals, each once. */
function inOrderOfUse(interfaces: readonly InterfaceAddress[], scope: NetworkScope): string[] {
  const seen = new Set<string>();
  const counts = new Map<string, number>();
  const ranked: { readonly address: string; readonly key: readonly number[] }[] = [];
  for (const info of interfaces) {
    const address = canonicalAddress(info.address);
    if (seen.has(address)) continue;
    seen.add(address);
    // A link-local address says nothing of which link: it works only where there is one.
    const isLinkLocal = /^(?:fe[89ab]|169\.254\.)/i.test(address);
    const family = address.includes(":") ? 6 : 4;
    const series = `${info.name ?? address} ${family} ${isLinkLocal}`;
    const nth = counts.get(series) ?? 0;
    counts.set(series, nth + 1);
    const rank = rankOf(kindOf(info), scope);
    ranked.push({ address, key: [rank, Number(isLinkLocal), nth] });
  }
  // The sort is stable: what is equal keeps the system's order.
  return ranked.toSorted((a, b) => compareKeys(a.key, b.key)).map(({ address }) => address);
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((part, i) => part !== b[i]);
  return differing === -1 ? 0 : (a[differing] ?? 0) - (b[differing] ?? 0);
}

function rankOf(kind: InterfaceKind, scope: NetworkScope): number {
  if (scope === "overlay" && kind === "tunnel") return -1;
  return INTERFACE_KINDS.indexOf(kind);
}

function kindOf({ name = "", cidr = "", mac = "" }: InterfaceAddress): InterfaceKind {
  // A bridge with a network card in it has the card's hardware address.
  if (name.startsWith("br-") && isAssigned(mac)) return "hardware";
  if (VIRTUAL.test(name)) return "virtual";
  if (TUNNEL.test(name)) return "tunnel";
  if (HARDWARE.test(name) || isAssigned(mac)) return "hardware";
  // One address alone is the end of a point-to-point link.
  return /\/(?:32|128)$/.test(cidr) ? "tunnel" : "unknown";
}

/** Whether a maker assigned the hardware address; software that makes one up sets bit 1 (IEEE 802). */
function isAssigned(mac: string): boolean {
  const first = parseInt(mac.slice(0, 2), 16);
  return !Number.isNaN(first) && (first & 2) === 0 && !/^[0:-]*$/.test(mac);
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
