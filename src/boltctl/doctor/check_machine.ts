/**
 * Checks of the machine: permissions, clock, addresses, the way to the rendezvous server.
 *
 * @module
 */
import { shownUrl } from "../../base/shown_url.ts";
import { CLOCK_TOLERANCE_MS, DOCTOR_SERVER_MS } from "../../base/timing.ts";
import { LOOPBACK } from "../../ipc/api/address.ts";
import type { Status } from "../../ipc/api/schemas.ts";
import { type AddressKind, parseIpAddress } from "../../protocol/network_scope/ip_address.ts";
import { judgeAddress, NETWORK_SCOPES } from "../../protocol/network_scope/scope.ts";
import type { NamedApi } from "../named_api.ts";
import { failure, type Finding, fine, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** No machine's clock is rightly before this program was written. */
const EARLIEST = Date.parse("2025-01-01T00:00:00Z");
/** A clock beyond this is not believed. */
const LATEST = Date.parse("2100-01-01T00:00:00Z");

/** Looks whether boltctl may do what its commands need. */
export async function checkPermissions(
  machine: Machine,
  named: NamedApi | undefined,
): Promise<Finding> {
  const needed: Needed = [
    ...(named === undefined ? [] : neededFor(named)),
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

type Needed = readonly (readonly [string, Deno.PermissionDescriptor])[];

function neededFor({ kind, path }: NamedApi): Needed {
  const read = [`--allow-read=${path}`, { name: "read", path }] as const;
  if (kind === "file") {
    return [[`--allow-net=${LOOPBACK}`, { name: "net", host: LOOPBACK }], read];
  }
  return [
    [`--allow-net=unix:${path}`, { name: "net", host: `unix:${path}` }],
    read,
    [`--allow-write=${path}`, { name: "write", path }],
  ];
}

/** Looks whether the time can be right. */
export function checkClock(machine: Machine, status: Status | undefined): Finding {
  const now = machine.now();
  const shown = new Date(now).toISOString();
  const advice = "Set the clock, or have it kept by NTP: certificates and deadlines depend on it";
  if (now < EARLIEST || now > LATEST) {
    return failure("clock", `The clock says ${shown}, which can't be right`, advice);
  }
  if (status !== undefined && Date.parse(status.startedAt) - now > CLOCK_TOLERANCE_MS) {
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
  const usable = NETWORK_SCOPES.map((scope) => {
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
  if (lan) return fine("addresses", `Usable in the scope ${usable}`);
  return warning(
    "addresses",
    `Usable in the scope ${usable}`,
    "The default scope lan has none: pair with --network-scope overlay or global, on both ends",
  );
}

/** Tries the rendezvous server. */
export async function checkRendezvous(
  machine: Machine,
  url: string,
  signal: AbortSignal,
): Promise<Finding> {
  const reached = await machine.reach(url, DOCTOR_SERVER_MS, signal);
  if ("ok" in reached) return fine("rendezvous", `A WebSocket server answers at ${shownUrl(url)}`);
  return failure(
    "rendezvous",
    reached.failed,
    "Check the URL, that the server runs, and that a firewall lets this machine through",
  );
}
