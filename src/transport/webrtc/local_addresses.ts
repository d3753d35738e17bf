/**
 * Which of this machine's addresses a connection may use.
 *
 * @module
 */
import { canonicalAddress } from "../../protocol/network_scope/candidate.ts";
import { judgeAddress, type NetworkScope } from "../../protocol/network_scope/scope.ts";

/** An address of an interface, and what the scope says of it. */
export interface LocalAddress {
  /** Canonical literal. */
  readonly address: string;
  /** Whether it is used. */
  readonly accepted: boolean;
  /** Why it may not be used; empty when it may. */
  readonly reason: string;
}

/** Each usable address costs a socket: further ones are refused. */
export const MAX_LOCAL_ADDRESSES = 16;

/**
 * Judges the machine's addresses: each once, loopback last, at most
 * {@linkcode MAX_LOCAL_ADDRESSES} accepted, of which one is loopback.
 *
 * @param interfaces As `Deno.networkInterfaces()` gives them.
 */
export function judgeLocalAddresses(
  interfaces: readonly Pick<Deno.NetworkInterfaceInfo, "address">[],
  scope: NetworkScope,
): LocalAddress[] {
  const isLoopback = (address: string) => address === "::1" || address.startsWith("127.");
  const unique = [...new Set(interfaces.map(({ address }) => canonicalAddress(address)))];
  const others = unique.filter((address) => !isLoopback(address));
  // Two daemons on a machine without any other address in scope must find each other. Only these
  // two are bound by every system; further 127/8 addresses of an interface add nothing.
  const loopback = ["127.0.0.1", "::1"].filter((address) => unique.includes(address));
  let room = MAX_LOCAL_ADDRESSES - loopback.length;
  const judged = others.map((address) => {
    const verdict = judgeAddress(address, scope);
    if (!verdict.accepted) return { address, ...verdict };
    return --room >= 0
      ? { address, ...verdict }
      : { address, accepted: false, reason: "too-many-addresses" };
  });
  return [...judged, ...loopback.map((address) => ({ address, accepted: true, reason: "" }))];
}
