/**
 * Reading untrusted JSON: values are `unknown` until a parser has looked at them.
 *
 * A parsed document may own a `__proto__` key, or none of the keys that are looked for; `hasOwn`
 * keeps both harmless.
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

/** An object's own field, or undefined. */
export function field(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** A string field, or undefined when it is absent or not a string. */
export function stringField(object: JsonObject, key: string): string | undefined {
  const value = field(object, key);
  return typeof value === "string" ? value : undefined;
}

/** A field that is a whole number from 0 to 2^53 - 1, or undefined. */
export function countField(object: JsonObject, key: string): number | undefined {
  const value = field(object, key);
  return isCount(value) ? value : undefined;
}

/** Whether a value is a whole number from 0 to 2^53 - 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && typeof value === "number" && value >= 0;
}

/** A string with its quotes, or a mark of JSON's that opens or closes something. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}]/g;

/**
 * Whether an object in a JSON text names a key twice. A parser keeps one of the two, and another
 * parser the other one, so nothing may be proven over such a text.
 *
 * @param text A text that `JSON.parse` takes.
 */
export function repeatsKeys(text: string): boolean {
  return repeatedKey(text) !== undefined;
}

/**
 * The first key that an object in a JSON text names twice, however it is spelled; undefined: none.
 *
 * @param text A text that `JSON.parse` takes.
 */
export function repeatedKey(text: string): string | undefined {
  const objects: Set<string>[] = [];
  for (const [token, colon] of text.matchAll(TOKEN)) {
    if (token === "{") objects.push(new Set());
    else if (token === "}") objects.pop();
    else if (colon !== undefined) {
      const key = String(JSON.parse(token.slice(0, -colon.length)));
      if (objects.at(-1)?.has(key) === true) return key;
      objects.at(-1)?.add(key);
    }
  }
  return undefined;
}
