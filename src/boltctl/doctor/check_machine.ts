/**
 * Checks of the machine: permissions, clock, addresses, the way to the rendezvous server.
 *
 * @module
 */
import { shownUrl } from "../../base/shown_url.ts";
import type { Status } from "../../ipc/api/schemas.ts";
import { type AddressKind, parseIpAddress } from "../../protocol/network_scope/ip_address.ts";
import { judgeAddress, NETWORK_SCOPES } from "../../protocol/network_scope/scope.ts";
import { failure, type Finding, fine, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** No machine's clock is rightly before this program was written. */
const EARLIEST = Date.parse("2025-01-01T00:00:00Z");
/** A clock beyond this is not believed. */
const LATEST = Date.parse("2100-01-01T00:00:00Z");
/** How far the daemon's start may lie in the future before the clock has jumped back. */
const CLOCK_SLACK_MS = 2_000;
/** How long a rendezvous server may take, in milliseconds. */
const REACH_MS = 5_000;

/** Looks whether boltctl may do what its commands need. */
export async function checkPermissions(
  machine: Machine,
  socket: string | undefined,
): Promise<Finding> {
  const needed: readonly (readonly [string, Deno.PermissionDescriptor])[] = [
    ...(socket === undefined ? [] : [
      [`--allow-net=unix:${socket}`, { name: "net", host: `unix:${socket}` }],
      [`--allow-read=${socket}`, { name: "read", path: socket }],
      [`--allow-write=${socket}`, { name: "write", path: socket }],
    ] as const),
    ["--allow-sys=networkInterfaces", { name: "sys", kind: "networkInterfaces" }],
    ["--allow-sys=statfs", { name: "sys", kind: "statfs" }],
  ];
  const missing: string[] = [];
  for (const [flag, descriptor] of needed) {
    if (!await machine.may(descriptor)) missing.push(flag);
  }
  if (missing.length === 0) return fine("permissions", "boltctl may do all that it needs");
  const found = `boltctl runs without ${missing.join(" ")}`;
  return warning("permissions", found, "Start it with these flags, or use the one-file build");
}

/** Looks whether the time can be right. */
export function checkClock(machine: Machine, status: Status | undefined): Finding {
  const now = machine.now();
  const shown = new Date(now).toISOString();
  const advice = "Set the clock, or have it kept by NTP: certificates and deadlines depend on it";
  if (now < EARLIEST || now > LATEST) {
    return failure("clock", `The clock says ${shown}, which can't be`, advice);
  }
  if (status !== undefined && Date.parse(status.startedAt) - now > CLOCK_SLACK_MS) {
    const found = `The clock says ${shown}, before the daemon's start at ${status.startedAt}`;
    return warning("clock", found, advice);
  }
  return fine("clock", `The clock says ${shown}`);
}

/** Sorts the machine's addresses by the scope that first allows them. */
export function checkAddresses(machine: Machine): Finding {
  const found = machine.addresses();
  if ("failed" in found) {
    return warning(
      "addresses",
      `The addresses are unknown: ${found.failed}`,
      "Start boltctl with --allow-sys=networkInterfaces",
    );
  }
  const kindOf = (address: string): AddressKind => parseIpAddress(address)?.kind ?? "unusable";
  const reachable = [...new Set(found.ok)].filter((address) =>
    !["loopback", "unusable"].includes(kindOf(address))
  );
  const rest = new Set(reachable);
  const told = NETWORK_SCOPES.map((scope) => {
    const allowed = [...rest].filter((address) => judgeAddress(address, scope).accepted);
    allowed.forEach((address) => rest.delete(address));
    return `${scope}: ${allowed.length === 0 ? "none" : allowed.join(", ")}`;
  }).join("; ");
  if (reachable.length === 0) {
    return warning(
      "addresses",
      "The machine has no address but loopback",
      "Connect it to a network; until then only daemons on this machine can be reached",
    );
  }
  const lan = reachable.some((address) => judgeAddress(address, "lan").accepted);
  if (lan) return fine("addresses", `Usable in the scope ${told}`);
  return warning(
    "addresses",
    `Usable in the scope ${told}`,
    "The default scope lan has none: pair with --network-scope overlay or global, on both ends",
  );
}

/** Tries the rendezvous server. */
export async function checkRendezvous(
  machine: Machine,
  url: string,
  signal: AbortSignal,
): Promise<Finding> {
  const reached = await machine.reach(url, REACH_MS, signal);
  if ("ok" in reached) return fine("rendezvous", `A WebSocket server answers at ${shownUrl(url)}`);
  return failure(
    "rendezvous",
    reached.failed,
    "Check the URL, that the server runs, and that a firewall lets this machine through",
  );
}
