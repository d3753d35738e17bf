/**
 * Comparing secrets without telling by the time how much of them is right.
 *
 * @module
 */
import { equalBytes } from "../../../protocol/crypto/constant_time.ts";

/** Whether two texts are the same, in time that depends on their lengths only. */
export function equalText(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return equalBytes(encoder.encode(a), encoder.encode(b));
}
