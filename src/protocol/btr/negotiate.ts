/**
 * Whether a session ratchets (the wire format, section 8): both sides must have it and mean it.
 *
 * @module
 */

/** What came out of the negotiation. */
export type BtrMode = "FULL_BTR" | "DOWNGRADE" | "STATIC_EPHEMERAL" | "REJECT";

/** What the two sides said. */
export interface BtrSupport {
  /** We advertise the ratchet. */
  readonly local: boolean;
  /** The peer advertises it. */
  readonly remote: boolean;
  /** Whether what the peer said about the ratchet can be understood. */
  readonly remoteWellFormed: boolean;
}

/** The outcome for what the two sides said. */
export function negotiateBtr(support: BtrSupport): BtrMode {
  if (!support.local) return support.remote ? "DOWNGRADE" : "STATIC_EPHEMERAL";
  if (!support.remote) return "DOWNGRADE";
  return support.remoteWellFormed ? "FULL_BTR" : "REJECT";
}

/** The stable log token of an outcome, if it has one. */
export function btrLogToken(mode: BtrMode): string | undefined {
  if (mode === "DOWNGRADE") return "[BTR_DOWNGRADE]";
  return mode === "REJECT" ? "[BTR_DOWNGRADE_REJECTED]" : undefined;
}
