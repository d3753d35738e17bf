/**
 * Which extensions of the published protocol are used, as operators write it.
 *
 * @module
 */
import { EXTENSION_NAMES, type ExtensionName } from "../protocol/extensions.ts";
import type { ValueKind } from "./value_kind.ts";

/** All extensions. */
const ALL = "all";
/** None: the published messages and nothing else. */
const NONE = "none";

/** `all`, `none`, or names of extensions; names come in the order of the table, each once. */
export const extensions: ValueKind<string> = {
  expects: `${ALL}, ${NONE}, or a comma list of ${EXTENSION_NAMES.join(", ")}`,
  parse: (text) => {
    if (text === ALL || text === NONE) return text;
    const words = text.split(",");
    const named = EXTENSION_NAMES.filter((name) => words.includes(name));
    return new Set(words).size === named.length ? named.join(",") : undefined;
  },
};

/** The extensions that a parsed value names. */
export function extensionsIn(text: string): ReadonlySet<ExtensionName> {
  if (text === ALL) return new Set(EXTENSION_NAMES);
  const words = text.split(",");
  return new Set(EXTENSION_NAMES.filter((name) => words.includes(name)));
}
