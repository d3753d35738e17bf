/**
 * What is said of files that were sent, and that their peer could not confirm.
 *
 * @module
 */
import type { Transfer } from "../../ipc/api/schemas.ts";

/** How it stands with a file that was sent whole and not confirmed. */
export const NOT_CONFIRMED = "sent, not confirmed";

/** Whether a file was sent whole and its peer could not confirm that it has it. */
export function isUnconfirmed({ state, confirmed }: Transfer): boolean {
  return state === "completed" && confirmed === false;
}
