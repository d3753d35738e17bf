/**
 * The one-shot program: connects to one peer, exchanges the payload, ends (Operator Contract).
 *
 * @module
 */
import type { OneShotOptions } from "./options.ts";
import { logFor } from "../../log/log.ts";
import type { Connector } from "../../transport/connector.ts";
import { Phases } from "../connect/phases.ts";
import { connectOneShot } from "./connect_one_shot.ts";
import { exchangePayload } from "./exchange_payload.ts";

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
  await using channel = await connectOneShot(options, { phases, connector, signal });
  log.info("DataChannel open", { label: channel.label.slice(0, 64) });
  using phase = phases.begin("the payload exchange");
  await exchangePayload(options.role, channel, phase.signal);
}
