/**
 * How long keys are.
 *
 * @module
 */

/** Length of every key of the protocol, in bytes. */
export const KEY_BYTES = 32;
