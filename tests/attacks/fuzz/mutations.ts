/**
 * Inputs that are nearly right: valid samples with a few things broken.
 *
 * @module
 */
import type { Rng } from "./rng.ts";

/** What parsers trip over, as text. */
const TOKENS = [
  ...["", "\0", "\n", "\r\n", " ", "\t", "%", "%2e%2e", "..", "/", "\\", ":", "::", "=", "--", "-"],
  ...["0", "-1", "1e309", "9007199254740993", "65536", "00", "0x10", "NaN", "null", "true", "{}"],
  ...["[]", '"', '"__proto__":', "\\ud800", "\ud800", "\u202e", "\u00e9", "e\u0301", "\uffff"],
  ...["\u2028", "\ufeff", "😀", "a=candidate:", "m=application 9 ", "CON", ".local", "::ffff:"],
];

/** What parsers trip over, as members of JSON. */
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 1, 0.5, 1e308, 2 ** 53, 2 ** 53 + 2, -(2 ** 31), 255, 65536],
  ...["", "0", "x", "\0", "\ud800", "..", "=", "AAAA", "a".repeat(300), [], {}, [[]], [null]],
];

/** What member names may become. */
const KEYS = ["__proto__", "constructor", "toString", "", "type", "version", "0", "length"];

/** A text with up to four things broken; sometimes it is the sample itself, or pure noise. */
export function mutateText(rng: Rng, samples: readonly string[]): string {
  if (rng.oneIn(16)) return noise(rng);
  let text = rng.pick(samples);
  for (let left = rng.below(5); left > 0; left--) {
    const at = rng.below(text.length + 1);
    const length = rng.oneIn(4) ? rng.below(text.length) : rng.below(4);
    switch (rng.below(5)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + length);
        break;
      case 1:
        text = text.slice(0, at) + rng.pick(TOKENS) + text.slice(at + length);
        break;
      case 2:
        text = text.slice(0, at) + String.fromCharCode(32 + rng.below(95)) + text.slice(at + 1);
        break;
      case 3:
        text = text.slice(0, at) + text.slice(Math.max(0, at - length));
        break;
      default:
        text = text.slice(0, at) + rng.pick(samples).slice(at);
    }
  }
  return text;
}

function noise(rng: Rng): string {
  let text = "";
  for (let left = rng.below(24); left > 0; left--) {
    text += rng.oneIn(3) ? rng.pick(TOKENS) : String.fromCharCode(rng.below(0x10000));
  }
  return text;
}

/** A JSON value with about one thing broken in it. The samples are not changed. */
export function mutateJson(rng: Rng, samples: readonly unknown[]): unknown {
  return mutateValue(rng, rng.pick(samples), samples);
}

function mutateValue(rng: Rng, value: unknown, samples: readonly unknown[]): unknown {
  if (rng.oneIn(24)) return rng.oneIn(6) ? rng.pick(samples) : rng.pick(VALUES);
  if (typeof value === "string") {
    return rng.oneIn(16) ? mutateText(rng, [value]) : value;
  }
  if (Array.isArray(value)) {
    const items = value.map((item) => mutateValue(rng, item, samples));
    return rng.oneIn(24) ? [...items, ...items] : items;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, member]): [string, unknown][] => {
    if (rng.oneIn(40)) return [];
    const name = rng.oneIn(60) ? rng.pick(KEYS) : key;
    return [[name, mutateValue(rng, member, samples)]];
  });
  if (rng.oneIn(24)) entries.push([rng.pick(KEYS), rng.pick(VALUES)]);
  return Object.fromEntries(entries);
}

/** The JSON text of a mutated value, which sometimes is broken as a text too. */
export function mutateJsonText(rng: Rng, samples: readonly unknown[]): string {
  const text = JSON.stringify(mutateJson(rng, samples));
  return rng.oneIn(5) ? mutateText(rng, [text]) : text;
}

/** Bytes with up to four things broken; sometimes the sample itself, or pure noise. */
export function mutateBytes(
  rng: Rng,
  samples: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  if (rng.oneIn(16)) return rng.bytes(rng.below(96));
  let bytes = new Uint8Array(rng.pick(samples));
  for (let left = rng.below(5); left > 0; left--) {
    const at = rng.below(bytes.length);
    switch (rng.below(6)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes[at] = rng.word() & 0xff;
        break;
      case 2:
        bytes[at] = rng.pick([0, 1, 0x7f, 0x80, 0xff]);
        break;
      case 3: // lengths are two bytes in what we parse
        bytes.set(rng.oneIn(2) ? [0xff, 0xff] : [0, rng.below(64)], Math.max(0, at - 1) & ~1);
        break;
      case 4:
        bytes = concat([bytes.subarray(0, at), rng.pick(samples)]);
        break;
      default:
        bytes = concat([bytes, rng.bytes(rng.below(8))]);
    }
    if (bytes.length < 2) break;
  }
  return bytes;
}

/** The bytes one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
