/**
 * From a request to a call of one of the daemon's operations, by the table of operations.
 *
 * @module
 */
import {
  type DaemonOperations,
  type OperationName,
  OPERATIONS,
  type OperationSpec,
  parametersOf,
} from "../api/operations.ts";
import { RequestError, type Violation } from "../api/problem.ts";
import { IDEMPOTENCY_KEY } from "../api/schemas.ts";
import { is, parse } from "../api/validate.ts";
import { idempotencyKey } from "../../vocabulary/transfer_values.ts";
import { type Match, parsePath, parseQuery } from "./router.ts";

/** The answer of an operation, before it is sent. */
export interface OperationAnswer {
  /** HTTP status, 100 to 599. */
  readonly status: number;
  /** Sent as JSON; undefined for an answer without a body. */
  readonly value: unknown;
}

/** A request as it came, its body parsed as JSON. */
export interface OperationRequest {
  /** The operation that the route stands for. */
  readonly name: OperationName;
  /** The path's parameters, unchecked. */
  readonly parameters: Match["parameters"];
  /** What follows `?`, or empty. */
  readonly query: string;
  /** The parsed body, of any shape; undefined when it was empty. */
  readonly body: unknown;
  /** The header `Idempotency-Key`, unchecked; undefined where there is none. */
  readonly key?: unknown;
  /** Aborts when the caller's deadline is over. */
  readonly signal: AbortSignal;
}

/**
 * Checks a request against its operation's schemas and calls the operation.
 *
 * @throws {RequestError} INVALID_PARAMETERS, MALFORMED_JSON (no body where one is needed)
 * @throws What the operation throws.
 */
export async function callOperation(
  operations: DaemonOperations,
  request: OperationRequest,
): Promise<OperationAnswer> {
  const spec: OperationSpec = OPERATIONS[request.name];
  const path = parsePath(spec, request.parameters);
  const ids = parametersOf(spec.path).map((name) => path[name]);
  const query = parseQuery(spec, request.query);
  const body = parseBody(spec, request.body, ids);
  const given = body ?? (spec.query === undefined ? undefined : query);
  const key = spec.takesKey === true && request.key !== undefined
    ? { idempotencyKey: parseKey(request.key) }
    : {};
  const parameters = given === undefined ? [] : [{ ...spec.defaults, ...given, ...key }];
  // What the operation takes is what its schemas, by which all of it was just checked, say.
  const result: unknown = await Reflect.apply(operations[request.name], operations, [
    ...ids,
    ...parameters,
    request.signal,
  ]);
  return { status: spec.status, value: answerOf(spec, result) };
}

function answerOf({ answer, member, response }: OperationSpec, result: unknown): unknown {
  if (answer !== undefined) return answer;
  if (member !== undefined) return { [member]: result };
  return response === undefined ? undefined : result;
}

function parseKey(key: unknown): string {
  if (is(IDEMPOTENCY_KEY, key)) return key;
  const detail = `must be ${idempotencyKey.expects}, once`;
  throw new RequestError("INVALID_PARAMETERS", `Idempotency-Key ${detail}`, [
    { in: "header", name: "Idempotency-Key", detail },
  ]);
}

function parseBody(
  spec: OperationSpec,
  body: unknown,
  ids: readonly (string | undefined)[],
): object | undefined {
  if (spec.body === undefined) return undefined;
  if (body === undefined && spec.bodyOptional !== true) {
    throw new RequestError("MALFORMED_JSON", "The body is empty; a JSON object is needed");
  }
  const parsed = parse(spec.body, body ?? {}, "body");
  const rule = spec.rule as
    | ((body: unknown, ...ids: readonly unknown[]) => Violation | undefined)
    | undefined;
  const violation = rule?.(parsed, ...ids);
  if (violation !== undefined) {
    const said = `${violation.name} ${violation.detail}`;
    throw new RequestError("INVALID_PARAMETERS", said, [violation]);
  }
  // Every body's schema is of objects.
  return parsed as object;
}
