/**
 * The schema library's types under names of our own: only this module and those that write
 * schemas know the library.
 *
 * @module
 */
import type { Static as StaticOf, StaticDecode, TObject, TProperties, TSchema } from "typebox";

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
 * The type of the values that a schema allows, as they are written.
 * @internal
 */
export type Static<T extends Schema> = StaticOf<T>;

/**
 * The same once they are parsed: texts of a kind are that kind's values.
 * @internal
 */
export type Parsed<T extends Schema> = StaticDecode<T>;
