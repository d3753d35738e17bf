/**
 * The signal bundle: one offer or answer with its candidates, as a JSON object.
 *
 * ```json
 * {"description":{"sdp_type":"offer","sdp":"v=0\r\n..."},
 *  "candidates":[{"candidate":"candidate:1 1 UDP 2130706431 192.168.1.4 50001 typ host","mid":"0"}]}
 * ```
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import { isJsonObject, parseJsonObject } from "../json.ts";

/** The largest bundle that is read, in bytes of UTF-8. */
export const MAX_BUNDLE_BYTES = 1024 * 1024;
/** The most candidates that a bundle may list. */
export const MAX_BUNDLE_CANDIDATES = 256;

/** The two sides of an exchange: who writes the offer, and who the answer. */
export const ROLES = ["offerer", "answerer"] as const;
/** Which of them a side is. */
export type Role = typeof ROLES[number];

/** Which half of the exchange a description is. */
export type SdpType = "offer" | "answer";

/** A candidate and the media section it belongs to. */
export interface BundleCandidate {
  /** The candidate attribute as it was written, with or without `a=`. */
  readonly candidate: string;
  /** The media section's id. */
  readonly mid: string;
}

/** An offer or answer with its candidates (gathered to completion, no trickle). */
export interface SignalBundle {
  /** The SDP and which half it is. */
  readonly description: { readonly sdpType: SdpType; readonly sdp: string };
  /** Candidates beside those inside the SDP. */
  readonly candidates: readonly BundleCandidate[];
}

/** The bundle as one line of JSON, without a line feed. */
export function encodeBundle(bundle: SignalBundle): string {
  return JSON.stringify(bundleToJson(bundle));
}

/** The bundle as the JSON value that goes on the wire. */
export function bundleToJson(bundle: SignalBundle): Record<string, unknown> {
  return {
    description: { sdp_type: bundle.description.sdpType, sdp: bundle.description.sdp },
    candidates: bundle.candidates.map(({ candidate, mid }) => ({ candidate, mid })),
  };
}

/**
 * Parses a bundle from text.
 *
 * @param text JSON, any white space.
 * @param expected Which half it has to be.
 * @throws {SignalError} BUNDLE_TOO_LARGE, BUNDLE_INVALID. Messages never quote the text.
 */
export function parseBundle(text: string, expected: SdpType): SignalBundle {
  // A UTF-16 unit takes at least one byte of UTF-8, so this bounds the parser without encoding.
  if (text.length > MAX_BUNDLE_BYTES) throw tooLarge(expected);
  const value = parseJsonObject(text);
  if (value === undefined) throw invalid(expected, "it is not a JSON object");
  return bundleFromJson(value, expected);
}

/**
 * Parses a bundle from a JSON value.
 *
 * @throws {SignalError} BUNDLE_INVALID.
 */
export function bundleFromJson(value: unknown, expected: SdpType): SignalBundle {
  if (!isJsonObject(value)) throw invalid(expected, "it is not a JSON object");
  const { description, candidates } = value;
  if (!isJsonObject(description)) throw invalid(expected, '"description" is not an object');
  const { sdp_type: sdpType, sdp } = description;
  if (typeof sdpType !== "string") throw invalid(expected, '"sdp_type" is not a string');
  if (sdpType.toLowerCase() !== expected) {
    throw invalid(expected, `its "sdp_type" is not "${expected}"`);
  }
  if (typeof sdp !== "string" || sdp === "") throw invalid(expected, '"sdp" is not a string');
  if (!Array.isArray(candidates)) throw invalid(expected, '"candidates" is not an array');
  if (candidates.length > MAX_BUNDLE_CANDIDATES) {
    throw invalid(expected, `it lists more than ${MAX_BUNDLE_CANDIDATES} candidates`);
  }
  return {
    description: { sdpType: expected, sdp },
    candidates: candidates.map((entry: unknown) => candidateFromJson(entry, expected)),
  };
}

function candidateFromJson(value: unknown, expected: SdpType): BundleCandidate {
  if (!isJsonObject(value)) throw invalid(expected, "a candidate is not an object");
  const { candidate, mid = "0" } = value;
  if (typeof candidate !== "string") throw invalid(expected, '"candidate" is not a string');
  if (typeof mid !== "string") throw invalid(expected, 'a candidate\'s "mid" is not a string');
  return { candidate, mid };
}

/** The error for a bundle over {@linkcode MAX_BUNDLE_BYTES}. */
export function tooLarge(expected: SdpType): SignalError {
  return new SignalError(
    "BUNDLE_TOO_LARGE",
    `the ${expected} is over 1 MiB and was not read: check what wrote it`,
  );
}

function invalid(expected: SdpType, why: string): SignalError {
  return new SignalError(
    "BUNDLE_INVALID",
    `the ${expected} is not a signal bundle: ${why}; check what wrote it`,
  );
}
