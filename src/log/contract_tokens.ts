/**
 * The texts on stderr that scripts wait for: the tokens of docs/DAEMON_CONTRACT.md.
 *
 * @module
 */

/** What a record's message holds when it is one of the contract's lines. */
export const CONTRACT_TOKENS: readonly string[] = [
  "exit 0",
  "FATAL:",
  "SUCCESS",
  "DataChannel open",
  "phase timeout expired",
  "hello/ack complete",
  "ignoring signal",
  "hello retry:",
  "unsupported payload_version",
  "network_scope mismatch",
  "ICE candidate accepted",
  "ICE candidate REJECTED",
  "serving",
  "stopping",
  "KEY_MISMATCH",
  "[BTR_DOWNGRADE]",
];

/** Whether a record is one of the contract's; the first line of a run has an empty message. */
export function isContractLine(message: string): boolean {
  return message === "" || CONTRACT_TOKENS.some((token) => message.includes(token));
}
