/**
 * What a test says when the machine lacks what it needs.
 *
 * @module
 */

/** Tells on stderr that something is not tested here, and why. */
export function skipped(what: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`skipped: ${what}\n`));
}
