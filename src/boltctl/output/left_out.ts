/**
 * What an archive leaves out of the folders that it is made of.
 *
 * @module
 */
import type { Transfer } from "../../ipc/api/schemas.ts";

/** Its first names, in one line; undefined for nothing. */
export function leftOut(
  { archive }: Pick<Transfer, "archive">,
): string | undefined {
  const { skipped = 0, skippedNames = [] } = archive ?? {};
  if (skipped === 0) return undefined;
  const more = skipped > skippedNames.length ? `, and ${skipped - skippedNames.length} more` : "";
  return skippedNames.join(", ") + more;
}
