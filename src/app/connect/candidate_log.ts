/**
 * How both programs log what the scope filter said of a candidate.
 *
 * @module
 */
import { logFor } from "../../log/log.ts";
import type { CandidateVerdict } from "../../transport/connector.ts";

const log = logFor("bolt-daemon");

/**
 * Logs verdicts at a level, in the contract's words (Operator Contract, "Log Tokens").
 *
 * @param level `info` where the contract promises the lines, else `debug`.
 */
export function candidateLogger(level: "info" | "debug"): (verdict: CandidateVerdict) => void {
  return ({ side, accepted, address, port, reason }) => {
    const fields = { side, address: address.slice(0, 128), port };
    if (accepted) log[level]("ICE candidate accepted", fields);
    else log[level]("ICE candidate REJECTED", { ...fields, reason });
  };
}
