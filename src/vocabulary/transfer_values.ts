/**
 * What transfers are asked for with: the values of the local API and of boltctl.
 *
 * @module
 */
import { type Choice, oneOf, type WholeNumber, wholeNumber } from "./value_kind.ts";

/** Which way a file goes, seen from this daemon. */
export const direction: Choice<"outgoing" | "incoming"> = oneOf(["outgoing", "incoming"]);

/** The priority of a transfer: higher goes first. */
export const priority: WholeNumber = wholeNumber(-100, 100);

/** How long a file may wait for its linked peer, in seconds: 30 days at most. */
export const expireSecs: WholeNumber = wholeNumber(1, 2_592_000, "seconds");
