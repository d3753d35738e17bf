/**
 * Unions whose members are told apart by `type`.
 *
 * @module
 */

/** A member of such a union. */
export interface Tagged<Type extends string> {
  /** Which member it is. */
  readonly type: Type;
}
