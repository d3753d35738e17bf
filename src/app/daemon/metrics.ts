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
  gauge("bolt_journal_waiting", "Changes of transfers that wait for the disk.", parts.unwritten);
  gauge(
    "bolt_uptime_seconds",
    "Seconds since the start.",
    () => (Date.now() - parts.startedAt.getTime()) / 1000,
  );
  gauge("bolt_resident_memory_bytes", "Resident memory.", () => Deno.memoryUsage().rss);
}
