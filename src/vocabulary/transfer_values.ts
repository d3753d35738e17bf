/**
 * What transfers are asked for with: the values of the local API and of boltctl.
 *
 * @module
 */
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

/** What an {@linkcode idempotencyKey} looks like, as JSON Schema has patterns. */
export const IDEMPOTENCY_KEY_PATTERN = "^[!-~]{1,255}$";

/** What an application calls a request by, so that it is carried out once however often it comes. */
export const idempotencyKey: ValueKind<string> = textThat(
  "1 to 255 visible ASCII characters, without blanks",
  (text) => new RegExp(IDEMPOTENCY_KEY_PATTERN).test(text),
);
