/**
 * Reading untrusted JSON: values are `unknown` until a parser has looked at them.
 *
 * @module
 */

/** A JSON object whose members have not been looked at. */
export type JsonObject = { readonly [name: string]: unknown };

/** Whether a JSON value is an object (not null, not an array). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Parses a JSON object. Returns undefined when the text is not JSON or not an object. */
export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
