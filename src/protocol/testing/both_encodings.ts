/**
 * Both encodings of a session's messages, for tests only: what holds of one holds of the other, so
 * the same tests run over both.
 *
 * @module
 */
import { BINARY_ENCODING, CAPABILITIES, type Capability } from "../messages/capabilities.ts";

/** How a session's messages are written. */
export type Encoding = "json" | "binary";

/** That of the test which is running; undefined: as the capabilities have it. */
let current: Encoding | undefined;

/**
 * Defines a test twice: peers and pairs of this folder that are made in it speak the one encoding,
 * then the other.
 */
export function test(title: string, body: (encoding: Encoding) => void): void {
  for (const encoding of ["json", "binary"] as const) {
    Deno.test(`${title} (${encoding})`, () => {
      current = encoding;
      try {
        body(encoding);
      } finally {
        current = undefined;
      }
    });
  }
}

/** What a session of the running test is able to do, beside what it is given. */
export function ableTo(capabilities: readonly Capability[] = CAPABILITIES): readonly Capability[] {
  return current === "binary" ? [...capabilities, BINARY_ENCODING] : capabilities;
}

/** What a raw peer of the running test lists in its HELLO, whatever else that is. */
export function listed(capabilities: unknown): unknown {
  if (current !== "binary" || !Array.isArray(capabilities)) return capabilities;
  return [...capabilities, BINARY_ENCODING];
}
