/**
 * Our extensions of the published protocol, once: what operators call them, and the capability by
 * which two peers that both have one know that of each other. Peers without it ignore it.
 *
 * @module
 */

/** The capability of each extension, by the name that operators use. */
export const EXTENSIONS = {
  "binary-encoding": "x-bolt-daemon.binary-encoding-v1",
  "proven-identity": "x-bolt-daemon.proven-identity-v1",
  "resume": "x-bolt-daemon.resume-v1",
} as const satisfies { readonly [name: string]: `x-bolt-daemon.${string}` };

/** An extension, as operators call it. */
export type ExtensionName = keyof typeof EXTENSIONS;

/** All of them, in the order of the table. */
export const EXTENSION_NAMES: readonly ExtensionName[] = Object.keys(EXTENSIONS).filter(
  (name): name is ExtensionName => name in EXTENSIONS,
);
