/**
 * Whether the long form of the attacks runs (`deno task test:attacks`) or the short one, with all
 * other tests.
 *
 * @module
 */

/** The long form. */
export const IS_LONG = Deno.env.get("BOLT_ATTACKS") === "long";
