/**
 * Path helpers for tests.
 *
 * @module
 */
export { basename, dirname, join, relative, sep as SEPARATOR } from "node:path";
export { fileURLToPath as fromFileUrl } from "node:url";
