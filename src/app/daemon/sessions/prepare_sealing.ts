/**
 * What seals in bulk, loaded before the first session and not at the start: most of what a daemon
 * does is to wait, and that should cost little memory.
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import type { Log } from "../../../log/log.ts";
import { loadSodium, sodium } from "../../../protocol/crypto/sodium.ts";

/**
 * Resolves when sessions can seal at full speed. Where the library can't be loaded they seal all
 * the same, at a third of it, and the log says so.
 */
export async function prepareSealing(log: Log): Promise<void> {
  if (sodium() !== undefined) return;
  try {
    await loadSodium();
  } catch (error) {
    log.warn("files are sealed slowly: the fast library can't be loaded", {
      reason: messageOf(error),
    });
  }
}
