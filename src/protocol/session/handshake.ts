/**
 * What follows from the two HELLOs: who the peer is, the SAS, and what was agreed.
 *
 * @module
 */
import { btrLogToken, negotiateBtr } from "../btr/negotiate.ts";
import type { EphemeralPublicKey, IdentityPublicKey } from "../crypto/keys.ts";
import { ProtocolError } from "../errors.ts";
import { shortAuthenticationString } from "../identity/sas.ts";
import { type Capability, negotiate, RESUME } from "../messages/capabilities.ts";
import type { ReceivedHello } from "../messages/hello.ts";
import type { IdentityVerdict } from "../identity/identity_handshake.ts";
import type { PeerFacts } from "./effects.ts";

/** Our side of a handshake. */
export interface LocalSide {
  /** Who we are. */
  readonly identity: IdentityPublicKey;
  /** Our half of this connection's keys. */
  readonly ephemeral: EphemeralPublicKey;
  /** What we can do. */
  readonly capabilities: readonly Capability[];
}

/**
 * Concludes the handshake from the peer's HELLO. The SAS is of exactly these keys.
 *
 * @param verify Checks that the peer holds the identity that it claims; called when all else holds.
 * @throws {ProtocolError} PROTOCOL_VIOLATION when the peer can't do envelopes, or claims our own
 * identity; what `verify` throws.
 */
export function concludeHandshake(
  local: LocalSide,
  hello: ReceivedHello,
  remoteEphemeral: EphemeralPublicKey,
  verify: (hello: ReceivedHello) => IdentityVerdict,
): PeerFacts {
  if (hello.identity.equals(local.identity)) {
    throw new ProtocolError("PROTOCOL_VIOLATION", "the peer claims our own identity");
  }
  const capabilities = negotiate(local.capabilities, hello.capabilities);
  if (!capabilities.has("bolt.profile-envelope-v1")) {
    throw new ProtocolError(
      "PROTOCOL_VIOLATION",
      "the peer does not support bolt.profile-envelope-v1",
    );
  }
  const btr = negotiateBtr({
    local: local.capabilities.includes("bolt.transfer-ratchet-v1"),
    remote: hello.capabilities.includes("bolt.transfer-ratchet-v1"),
    // A HELLO says no more of the ratchet than that; envelopes are judged as they come.
    remoteWellFormed: true,
  });
  const logToken = btrLogToken(btr);
  const verdict = verify(hello);
  const sas = verdict.proven ? verdict.code : shortAuthenticationString(
    { identity: local.identity, ephemeral: local.ephemeral },
    { identity: hello.identity, ephemeral: remoteEphemeral },
  );
  return {
    identity: hello.identity,
    ephemeral: remoteEphemeral,
    proven: verdict.proven,
    sas,
    capabilities,
    // What is kept is found by the file's hash, and of the one who has sent it.
    resumes: verdict.proven && capabilities.has(RESUME) && capabilities.has("bolt.file-hash"),
    btr,
    ...(logToken === undefined ? {} : { btrLogToken: logToken }),
  };
}
