/**
 * The probe that shows whether the server still passes signals on to us: the protocol's `ping` has
 * no answer, but a signal to our own code comes back.
 *
 * @module
 */
import { isJsonObject } from "../json.ts";

/**
 * The one member of a probe's payload. Neither schema of signals has it, so whoever is sent one by
 * mistake ignores it.
 */
const MEMBER = "bolt_daemon_probe";
/** Longest id that is taken, in UTF-16 units. */
const MAX_ID = 64;

/** The payload of a probe. */
export function encodeProbe(id: string): unknown {
  return { [MEMBER]: id };
}

/** The id in a payload that is a probe; undefined when it is none. */
export function parseProbe(payload: unknown): string | undefined {
  if (!isJsonObject(payload)) return undefined;
  const id = payload[MEMBER];
  return typeof id === "string" && id.length <= MAX_ID ? id : undefined;
}
