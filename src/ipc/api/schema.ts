/**
 * The schema library's types under names of our own: only this module and those that write
 * schemas know the library.
 *
 * @module
 */
import type { Static as StaticOf, TObject, TProperties, TSchema } from "typebox";

/**
 * A JSON Schema that is also known to the type checker.
 * @internal
 */
export type Schema = TSchema;

/**
 * A schema of an object.
 * @internal
 */
export type ObjectSchema = TObject<TProperties>;

/**
 * The type of the values that a schema allows.
 * @internal
 */
export type Static<T extends Schema> = StaticOf<T>;
