/**
 * Looking into the library's objects without believing them.
 *
 * @module
 */

/** Something inside the library or the runtime is not what this was written for. */
export class UnexpectedInside extends Error {
  /**
   * Names what differs.
   *
   * @param what The object that differs.
   */
  constructor(what: string) {
    super(`${what} is not built as expected`);
  }
  /** The class's name. */
  override get name(): string {
    return "UnexpectedInside";
  }
}

/** The result of `typeof`. */
export type TypeName = "object" | "function" | "string" | "number" | "boolean";

/** Whether a value is an object that has each of these members, of these types. */
export function hasMembers<T>(
  value: unknown,
  members: Readonly<Record<string, TypeName>>,
): value is T {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(members).every(([name, type]) => {
    const member: unknown = Reflect.get(value, name);
    return typeof member === type && member !== null;
  });
}
