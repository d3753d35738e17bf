/**
 * What a one-shot run is given by the entry, so that tests can give something else.
 *
 * @module
 */
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { Pace } from "../../signaling/rendezvous/pace.ts";
import type { ConnectOptions, Connector } from "../../transport/connector.ts";
import { candidateLogger } from "../candidate_log.ts";
import type { Phases } from "./phases.ts";

/** The parts of a run. */
export interface RunParts {
  /** Starts deadlines. */
  readonly phases: Phases;
  /** Makes the peer connection. */
  readonly connector: Connector;
  /** Ends the run with its reason, at any time. */
  readonly signal: AbortSignal;
  /** Time and chance of what is done at the rendezvous server. @default {real ones} */
  readonly pace?: Pace;
}

/** Connect options that tell each candidate's verdict in the log. */
export function loggedConnectOptions(scope: NetworkScope, signal: AbortSignal): ConnectOptions {
  return { scope, signal, onCandidate: candidateLogger("info") };
}
