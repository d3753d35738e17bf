/**
 * The ratchet's key schedule: which key comes from which (the wire format, section 8).
 *
 * ```text
 * X25519(ephemerals) -> session root --(DH step at each transfer)--> session root'
 *                                                                         |
 *                              transfer id -------------------> first chain key
 *                                                              |           |
 *                                                        message key   next chain key ...
 * ```
 *
 * @module
 */
import { deriveKey } from "../crypto/hkdf.ts";
import type { SecretKey } from "../crypto/keys.ts";
import { type TransferId, transferIdBytes } from "../messages/transfer_id.ts";

/** A session's first root, from the connection's Diffie-Hellman output. */
export function deriveSessionRoot(dhOutput: SecretKey<"dh-output">): SecretKey<"session-root"> {
  return deriveKey("session-root", dhOutput, "bolt-btr-session-root-v1");
}

/** The root after a DH step. */
export function ratchetSessionRoot(
  root: SecretKey<"session-root">,
  dhOutput: SecretKey<"dh-output">,
): SecretKey<"session-root"> {
  return deriveKey("session-root", dhOutput, "bolt-btr-dh-ratchet-v1", root);
}

/** A transfer's first chain key. */
export function deriveTransferRoot(
  root: SecretKey<"session-root">,
  transferId: TransferId,
): SecretKey<"chain"> {
  return deriveKey("chain", root, "bolt-btr-transfer-root-v1", transferIdBytes(transferId));
}

/** The key of the chunk at a place in the chain. */
export function deriveMessageKey(chain: SecretKey<"chain">): SecretKey<"message"> {
  return deriveKey("message", chain, "bolt-btr-message-key-v1");
}

/** The chain key after it. */
export function advanceChain(chain: SecretKey<"chain">): SecretKey<"chain"> {
  return deriveKey("chain", chain, "bolt-btr-chain-advance-v1");
}
