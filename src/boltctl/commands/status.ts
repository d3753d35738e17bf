/**
 * `boltctl status`.
 *
 * @module
 */
import { Deadline } from "../../base/deadline.ts";
import { BackOff } from "../../base/back_off.ts";
import { sleep, systemTimer } from "../../base/timer.ts";
import { CLIENT_RETRY, COMMAND_WAIT_MS } from "../../base/timing.ts";
import { DaemonUnreachableError } from "../../ipc/client/client.ts";
import type { Status } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";

/** Shows the daemon at a glance; with `--wait`, as soon as it serves. */
export async function status(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  const found = flags.has("wait") ? await onceServed(context) : await client().status(signal);
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

/** Asks again and again, ever more slowly, while nobody listens. */
async function onceServed({ client, flags, signal }: Context): Promise<Status> {
  using deadline = flags.has("timeout")
    ? undefined
    : new Deadline(COMMAND_WAIT_MS, { parent: signal, what: "the daemon to serve" });
  const wait = deadline?.signal ?? signal;
  const waits = new BackOff(CLIENT_RETRY);
  for (;;) {
    try {
      return await client().status(wait);
    } catch (error) {
      if (!(error instanceof DaemonUnreachableError)) throw error;
      await sleep(systemTimer, waits.next(), wait);
    }
  }
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
