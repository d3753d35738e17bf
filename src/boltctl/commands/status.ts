/**
 * `boltctl status`.
 *
 * @module
 */
import type { Context } from "../context.ts";

/** Shows the daemon at a glance. */
export async function status({ client, output, signal }: Context): Promise<void> {
  const found = await client().status(signal);
  output.result(found, () =>
    output.pairs([
      ["daemon", `bolt-daemon ${found.version}, ${found.state}, process ${found.pid}`],
      ["started", found.startedAt],
      ["identity", found.identity],
      ["device name", found.deviceName],
      ["data folder", found.dataDir],
      ["inbox", found.inbox],
      ["unknown peers", POLICIES[found.pairingPolicy]],
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

const waiting = (number: number): string => number === 0 ? "none waiting" : `${number} waiting`;
