/**
 * Stand-in for `jsr:@std/assert`: the assertions this project uses, over `node:assert`.
 *
 * @module
 */
import nodeAssert, { AssertionError } from "node:assert";

export { AssertionError };

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  nodeAssert.ok(expr, msg === "" ? undefined : msg);
}

/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.deepStrictEqual(actual, expected, msg);
}

/** Fails when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.notDeepStrictEqual(actual, expected, msg);
}

/** Fails unless both are the same value. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  nodeAssert.strictEqual(actual, expected, msg);
}

/** Fails when the value is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  nodeAssert.ok(actual !== null && actual !== undefined, msg ?? "expected a value");
}

/** Fails unless `actual` holds `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  nodeAssert.ok(
    actual.includes(expected),
    msg ?? `Expected actual: "${actual}" to contain: "${expected}".`,
  );
}

/** Fails unless `actual` matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  nodeAssert.match(actual, expected, msg);
}

/** Fails when `actual` matches. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  nodeAssert.doesNotMatch(actual, expected, msg);
}

/** A class whose instances can be told. */
// deno-lint-ignore no-explicit-any -- any constructor, as in @std/assert
export type Constructor<T> = abstract new (...args: any[]) => T;

/** Fails unless `actual` is an instance. */
export function assertInstanceOf<T>(
  actual: unknown,
  expected: Constructor<T>,
  msg = "",
): asserts actual is T {
  nodeAssert.ok(actual instanceof expected, msg || `Expected an instance of ${expected.name}.`);
}

/** Fails unless `actual` > `expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.ok(actual > expected, msg ?? `Expect ${actual} > ${expected}`);
}

/** Fails unless `actual` >= `expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.ok(actual >= expected, msg ?? `Expect ${actual} >= ${expected}`);
}

/** Fails unless `actual` < `expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.ok(actual < expected, msg ?? `Expect ${actual} < ${expected}`);
}

/** Fails unless `actual` <= `expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  nodeAssert.ok(actual <= expected, msg ?? `Expect ${actual} <= ${expected}`);
}

/** Fails. */
export function fail(msg?: string): never {
  nodeAssert.fail(msg ?? "Failed assertion.");
}

function checked<E extends Error>(
  error: unknown,
  ErrorClass: Constructor<E> | undefined,
  msgIncludes: string | undefined,
  msg: string | undefined,
): E {
  nodeAssert.ok(error instanceof Error, msg ?? "A non-Error object was thrown or rejected.");
  if (ErrorClass !== undefined && !(error instanceof ErrorClass)) {
    const text = `Expected error to be instance of "${ErrorClass.name}", but was "${error.name}"`;
    nodeAssert.fail(`${msg ?? text}: ${error.message}`);
  }
  if (msgIncludes !== undefined) assertStringIncludes(error.message, msgIncludes, msg);
  return error as E;
}

/** Fails unless `fn` throws. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass?: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): E {
  try {
    fn();
  } catch (error) {
    return checked(error, ErrorClass, msgIncludes, msg);
  }
  nodeAssert.fail(msg ?? "Expected function to throw.");
}

/** Fails unless the promise of `fn` rejects. */
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass?: Constructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E> {
  try {
    await fn();
  } catch (error) {
    return checked(error, ErrorClass, msgIncludes, msg);
  }
  nodeAssert.fail(msg ?? "Expected function to reject.");
}
