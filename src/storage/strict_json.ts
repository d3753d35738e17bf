/**
 * Helpers to take JSON files apart strictly: what isn't expected is refused, because a file that
 * is rewritten would lose it.
 *
 * @module
 */

import type { JsonObject } from "../protocol/json.ts";

/** Whether `value` has the keys `required`, and no others but `optional`. */
export function hasExactly(
  value: JsonObject,
  required: readonly string[],
  optional: readonly string[] = [],
): boolean {
  const keys = Object.keys(value);
  return required.every((key) => Object.hasOwn(value, key)) &&
    keys.every((key) => required.includes(key) || optional.includes(key));
}

/** The value of UTF-8 JSON text, or undefined when it is neither. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
