/**
 * The one-shot program: connects to one peer, exchanges the payload, ends (Operator Contract).
 *
 * @module
 */
import type { OneShotOptions } from "./options.ts";
import { logFor } from "../../log/log.ts";
import type { Connector } from "../../transport/connector.ts";
import { connectByFile } from "../connect/file_route.ts";
import { connectByRendezvous } from "../connect/rendezvous_route.ts";
import { exchangePayload } from "./exchange_payload.ts";
import { Phases } from "../connect/phases.ts";

const log = logFor("bolt-daemon");

/**
 * Runs to the end of the exchange.
 *
 * @param options The command line's options.
 * @param connector Makes the peer connection.
 * @param signal Ends the run with its reason, at any time.
 * @throws {DaemonError} Whatever kept the exchange from completing.
 */
export async function runOneShot(
  options: OneShotOptions,
  connector: Connector,
  signal: AbortSignal,
): Promise<void> {
  const phases = new Phases(options.phaseTimeoutSecs, signal);
  const parts = { phases, connector, signal };
  await using channel = options.signal === "file"
    ? await connectByFile(options, parts)
    : await connectByRendezvous(options, parts);
  log.info("DataChannel open", { label: channel.label.slice(0, 64) });
  using phase = phases.begin("the payload exchange");
  await exchangePayload(options.role, channel, phase.signal);
}
