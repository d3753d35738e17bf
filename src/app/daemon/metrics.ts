/**
 * What the daemon shows at `/metrics`.
 *
 * @module
 */
import type { LinkView } from "../../ipc/api/schemas.ts";
import type { MetricsRegistry } from "../../ipc/server/metrics.ts";

/** What is measured. */
export interface MeasuredParts {
  /** When the daemon started. */
  readonly startedAt: Date;
  /** Sessions open or being opened. */
  readonly sessions: () => number;
  /** Transfers under way. */
  readonly transfers: () => number;
  /** Pairing requests that wait. */
  readonly pairings: () => number;
  /** Links in a state. */
  readonly links: (state: LinkView["state"]) => number;
  /** Files that wait in the queues of linked peers: when the first was queued, and how many. */
  readonly queue: () => { readonly files: number; readonly oldestAt: number | undefined };
  /** Bytes of files that were cut off and can go on. */
  readonly keptBytes: () => number;
  /** Changes of transfers that wait for the disk. */
  readonly unwritten: () => number;
}

/** Registers the daemon's gauges; its counters are the `Tally`. */
export function registerMetrics(metrics: MetricsRegistry, parts: MeasuredParts): void {
  const gauge = (name: string, help: string, value: () => number) =>
    metrics.gauge(name, help).set(value);
  gauge("bolt_sessions", "Sessions open or being opened.", parts.sessions);
  gauge("bolt_transfers_active", "Transfers under way.", parts.transfers);
  gauge("bolt_pairings_pending", "Pairing requests that wait for a decision.", parts.pairings);
  for (const state of ["connected", "trying", "refused", "paused"] as const) {
    metrics.gauge("bolt_links", "Links, by state.", { state }).set(() => parts.links(state));
  }
  gauge(
    "bolt_queue_files",
    "Files that wait for their linked peer, or for the turn after its coming.",
    () => parts.queue().files,
  );
  gauge(
    "bolt_queue_oldest_seconds",
    "Seconds since the first of them was queued; 0 when none waits.",
    () => {
      const { oldestAt } = parts.queue();
      return oldestAt === undefined ? 0 : Math.max(0, (Date.now() - oldestAt) / 1000);
    },
  );
  gauge(
    "bolt_kept_bytes",
    "Bytes of incoming files that were cut off, kept so that they go on.",
    parts.keptBytes,
  );
  gauge("bolt_journal_waiting", "Changes of transfers that wait for the disk.", parts.unwritten);
  gauge(
    "bolt_uptime_seconds",
    "Seconds since the start.",
    () => (Date.now() - parts.startedAt.getTime()) / 1000,
  );
  gauge("bolt_resident_memory_bytes", "Resident memory.", () => Deno.memoryUsage().rss);
}
