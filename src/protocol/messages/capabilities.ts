/**
 * Capabilities: what a peer says in its HELLO that it can do.
 *
 * @module
 */

import { EXTENSIONS } from "../extensions.ts";

/** The registered capabilities (the wire format, section 6). Our own are in `extensions.ts`. */
export const CAPABILITIES = [
  "bolt.file-hash",
  "bolt.profile-envelope-v1",
  "bolt.transfer-ratchet-v1",
] as const;

/** The extension of ours that writes messages in binary (`binary_envelope.ts`). */
export const BINARY_ENCODING: typeof EXTENSIONS["binary-encoding"] = EXTENSIONS["binary-encoding"];

/** The extension of ours that lets a file go on after its session was lost (`transfer/resume.ts`). */
export const RESUME: typeof EXTENSIONS["resume"] = EXTENSIONS["resume"];

/** A capability that this core knows. */
export type Capability = typeof CAPABILITIES[number] | typeof BINARY_ENCODING | typeof RESUME;

/** Most capabilities in one HELLO. */
export const MAX_CAPABILITIES = 32;
/** Longest capability, in UTF-8 bytes. */
export const MAX_CAPABILITY_BYTES = 64;

/** What both sides can do. Unknown capabilities of the peer fall away here. */
export function negotiate(
  ours: readonly Capability[],
  theirs: readonly string[],
): ReadonlySet<Capability> {
  const offered = new Set(theirs);
  return new Set(ours.filter((capability) => offered.has(capability)));
}
