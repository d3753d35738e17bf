/**
 * What a one-shot run is given by the entry, so that tests can give something else.
 *
 * @module
 */
import { logFor } from "../../log/log.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { CandidateVerdict, ConnectOptions, Connector } from "../../transport/connector.ts";
import type { Phases } from "./phases.ts";

/** The parts of a run. */
export interface RunParts {
  /** Starts deadlines. */
  readonly phases: Phases;
  /** Makes the peer connection. */
  readonly connector: Connector;
  /** Ends the run with its reason, at any time. */
  readonly signal: AbortSignal;
}

const log = logFor("bolt-daemon");

/** Connect options that tell each candidate's verdict in the log. */
export function loggedConnectOptions(scope: NetworkScope, signal: AbortSignal): ConnectOptions {
  return { scope, signal, onCandidate: logVerdict };
}

function logVerdict({ side, accepted, address, port, reason }: CandidateVerdict): void {
  const fields = { side, address: address.slice(0, 128), port };
  if (accepted) log.info("ICE candidate accepted", fields);
  else log.info("ICE candidate REJECTED", { ...fields, reason });
}
