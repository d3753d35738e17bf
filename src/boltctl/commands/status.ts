/**
 * `boltctl status`.
 *
 * @module
 */
import type { Status } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { onceServed } from "../once_served.ts";

/** What the daemon says of itself; with `--wait`, as soon as it serves. */
export function askStatus(context: Context): Promise<Status> {
  const { client, flags, signal } = context;
  return flags.has("wait")
    ? onceServed(context, (signal) => client().status(signal))
    : client().status(signal);
}

/** Shows the daemon at a glance; with `--wait`, as soon as it serves. */
export async function status(context: Context): Promise<void> {
  const { output } = context;
  const found = await askStatus(context);
  output.result(found, () =>
    output.pairs([
      ["daemon", `bolt-daemon ${found.version}, ${found.state}, process ${found.pid}`],
      ["started", found.startedAt],
      ["identity", found.identity],
      ["device name", found.deviceName],
      ["data folder", found.dataDir],
      ["inbox", found.inbox],
      ["unknown peers", POLICIES[found.pairingPolicy]],
      ["unproven peers", UNPROVEN[found.unprovenPeers]],
      ["sessions", `${found.sessions.open} of at most ${found.sessions.limit}`],
      ["pairing requests", waiting(found.pendingPairings)],
      [
        "transfers",
        `${found.transfers.active} under way (at most ${found.transfers.limit}), ` +
        waiting(found.transfers.waiting),
      ],
    ]));
}

const POLICIES = {
  ask: "are asked about (policy ask)",
  deny: "are refused (policy deny)",
  allow: "are let in (policy allow)",
} as const;

const UNPROVEN = {
  ask: "are asked about each time (policy ask)",
  refuse: "are refused (policy refuse)",
  allow: "are treated as if they were proven (policy allow)",
} as const;

const waiting = (number: number): string => number === 0 ? "none waiting" : `${number} waiting`;
