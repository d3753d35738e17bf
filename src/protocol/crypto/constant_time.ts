/**
 * Comparison that takes as long for a near miss as for a far one.
 *
 * @module
 */
import { timingSafeEqual } from "node:crypto";

/** Whether two byte strings are equal; the time it takes reveals only their lengths. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
