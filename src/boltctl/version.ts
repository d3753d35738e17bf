/**
 * The version of this program: that of the project, kept in `deno.json` and nowhere else.
 *
 * @module
 */
import manifest from "../../deno.json" with { type: "json" };

/** As in Semantic Versioning. */
export const VERSION: string = manifest.version;
