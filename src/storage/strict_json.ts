/**
 * Helpers to take JSON files apart strictly: what isn't expected is refused, because a file that
 * is rewritten would lose it.
 *
 * @module
 */

/** A JSON object, its members not yet looked at. */
export type JsonObject = { readonly [key: string]: unknown };

/** Whether a value is a JSON object (no array, no null). */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

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

/** Whether a value is a whole number from 0 up that JSON carries exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The value of UTF-8 JSON text, or undefined when it is neither. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
