/**
 * The network scope policy: which addresses a run may gather, offer, accept and speak to
 * (Operator Contract, "Network Scope Policy").
 *
 * @module
 */
import { type AddressKind, parseIpAddress } from "./ip_address.ts";

/** Scopes by their name on the command line and on the wire, narrowest first. */
export const NETWORK_SCOPES = ["lan", "overlay", "global"] as const;
/** A network scope. */
export type NetworkScope = typeof NETWORK_SCOPES[number];

const LAN: readonly AddressKind[] = ["loopback", "private", "link-local"];
const ACCEPTED: Record<NetworkScope, ReadonlySet<AddressKind>> = {
  lan: new Set(LAN),
  overlay: new Set<AddressKind>([...LAN, "cgnat"]),
  global: new Set<AddressKind>([...LAN, "cgnat", "public"]),
};

/** What the policy says of an address; `reason` is empty when it is accepted. */
export interface ScopeVerdict {
  /** Whether the address may be used. */
  readonly accepted: boolean;
  /** Why not; a word with hyphens. */
  readonly reason: string;
}

/**
 * Judges an address as text. Only IP literals can be accepted: host names (mDNS among them) would
 * need a look-up, which no scope allows.
 */
export function judgeAddress(address: string, scope: NetworkScope): ScopeVerdict {
  const ip = parseIpAddress(address);
  if (ip === undefined) {
    const mdns = address.toLowerCase().endsWith(".local");
    return { accepted: false, reason: mdns ? "mdns" : "not-an-ip-address" };
  }
  if (ACCEPTED[scope].has(ip.kind)) return { accepted: true, reason: "" };
  return { accepted: false, reason: `${ip.kind}-outside-${scope}` };
}
