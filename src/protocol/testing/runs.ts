/**
 * How much of generated input the property tests try. For tests only.
 *
 * @module
 */

/**
 * The number of runs of a property: `usual`, times BOLT_FUZZ_FACTOR where the environment sets one
 * (and may be read), so that a longer run needs no change of code.
 */
export function runs(usual: number): number {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "BOLT_FUZZ_FACTOR" });
  const factor = state === "granted" ? Number(Deno.env.get("BOLT_FUZZ_FACTOR") ?? 1) : 1;
  return Math.max(1, Math.round(usual * factor));
}
