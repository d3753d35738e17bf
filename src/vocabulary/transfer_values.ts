/**
 * What transfers are asked for with: the values of the local API and of boltctl.
 *
 * @module
 */
import { byteSize } from "./accept_rule.ts";
import {
  type Choice,
  oneOf,
  textThat,
  type ValueKind,
  type WholeNumber,
  wholeNumber,
} from "./value_kind.ts";

/** Which way a file goes, seen from this daemon. */
export const direction: Choice<"outgoing" | "incoming"> = oneOf(["outgoing", "incoming"]);

/** The priority of a transfer: higher goes first. */
export const priority: WholeNumber = wholeNumber(-100, 100);

/** How long a file may wait for its linked peer, in seconds: 30 days at most. */
export const expireSecs: WholeNumber = wholeNumber(1, 2_592_000, "seconds");

const UNIT_SECS: ReadonlyMap<string, number> = new Map([
  ["s", 1],
  ["m", 60],
  ["h", 3600],
  ["d", 86_400],
]);

/** The same as people write it: `90s`, `30m`, `12h`, `7d`. In seconds. */
export const expireDuration: ValueKind<number> = {
  expects:
    "a whole number of seconds, minutes, hours or days from 1s to 30d, as in 90s, 30m, 12h, 7d",
  parse(text) {
    const [, digits, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
    const secs = Number(digits) * (UNIT_SECS.get(unit) ?? NaN);
    return secs >= expireSecs.min && secs <= expireSecs.max ? secs : undefined;
  },
};

/** The name of an archive that several files and folders become. */
export const archiveName: ValueKind<string> = textThat(
  "a file name that ends in .tar, of at most 255 bytes, without slashes and control characters",
  (text) =>
    /^[^/\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+\.tar$/u.test(text) && text.isWellFormed() &&
    new TextEncoder().encode(text).length <= 255,
);

/** Least rate of transfers: chunks of all of them are well within the protocol's waits then. */
const LEAST_RATE = 64 * 1024;

/** Most bytes a second. */
export const rateLimit: WholeNumber = wholeNumber(
  LEAST_RATE,
  Number.MAX_SAFE_INTEGER,
  "bytes a second",
);

/** The same as people write it: `500K`, `10M`. In bytes a second. */
export const byteRate: ValueKind<number> = {
  expects:
    "bytes a second from 64K up: a whole number, or one of K, M, G or T (1024 times as much " +
    "each)",
  parse(text) {
    const bytes = byteSize.parse(text);
    return bytes === undefined ? undefined : rateLimit.parse(String(bytes));
  },
};

/** What an {@linkcode idempotencyKey} looks like, as JSON Schema has patterns. */
export const IDEMPOTENCY_KEY_PATTERN = "^[!-~]{1,255}$";

/** What an application calls a request by, so that it is carried out once however often it comes. */
export const idempotencyKey: ValueKind<string> = textThat(
  "1 to 255 visible ASCII characters, without blanks",
  (text) => new RegExp(IDEMPOTENCY_KEY_PATTERN).test(text),
);
