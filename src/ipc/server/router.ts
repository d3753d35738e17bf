/**
 * From method and path to an endpoint and its parameters.
 *
 * @module
 */
import * as Type from "typebox";
import {
  type Method,
  type OperationName,
  OPERATIONS,
  type OperationSpec,
  OWN_ENDPOINTS,
  parametersOf,
} from "../api/operations.ts";
import { RequestError } from "../api/problem.ts";
import type { ObjectSchema } from "../api/schema.ts";
import { PATH_PARAMETERS } from "../api/schemas.ts";
import { parse } from "../api/validate.ts";

/** The name of an endpoint that the API answers by itself. */
export type OwnName = keyof typeof OWN_ENDPOINTS;

/** What a request is for. */
export interface Match {
  /** The operation, or the API's own endpoint. */
  readonly name: OperationName | OwnName;
  /** Path with parameters, for metrics: `GET /v1/peers/{identity}`. */
  readonly label: string;
  /** The path's parameters, unchecked. */
  readonly parameters: { readonly [name: string]: string };
}

interface Resource {
  readonly pattern: RegExp;
  readonly path: string;
  readonly methods: ReadonlyMap<string, OperationName | OwnName>;
}

const NO_QUERY: ObjectSchema = Type.Object({}, { additionalProperties: false });

const RESOURCES: readonly Resource[] = resources();

function resources(): Resource[] {
  const byPath = new Map<string, Map<string, OperationName | OwnName>>();
  for (const [name, { method, path }] of entries()) {
    byPath.set(path, (byPath.get(path) ?? new Map()).set(method, name));
  }
  return [...byPath].map(([path, methods]) => ({
    path,
    methods,
    pattern: new RegExp(
      `^${path.replaceAll(".", "\\.").replaceAll(/\{(\w+)\}/g, "(?<$1>[^/]+)")}$`,
    ),
  }));
}

/** Every endpoint with its name. */
export function entries(): [OperationName | OwnName, { method: Method; path: string }][] {
  return [...Object.entries(OPERATIONS), ...Object.entries(OWN_ENDPOINTS)] as [
    OperationName | OwnName,
    { method: Method; path: string },
  ][];
}

/**
 * The endpoint of a request. HEAD is for what GET is for (RFC 9110, section 9.3.2).
 *
 * @param method As in the request line; case matters.
 * @param path The path alone, as it came: nothing is decoded, and no dot segment is resolved.
 * @throws {RequestError} ROUTE_NOT_FOUND, or METHOD_NOT_ALLOWED with `allow`.
 */
export function match(method: string, path: string): Match {
  for (const resource of RESOURCES) {
    const found = resource.pattern.exec(path);
    if (found === null) continue;
    const asked = method === "HEAD" ? "GET" : method;
    const name = resource.methods.get(asked);
    if (name === undefined) {
      const allow = [...resource.methods.keys()]
        .flatMap((one) => one === "GET" ? [one, "HEAD"] : [one]).join(", ");
      throw new RequestError(
        "METHOD_NOT_ALLOWED",
        `${resource.path} takes ${allow}`,
        undefined,
        { allow },
      );
    }
    return { name, label: `${asked} ${resource.path}`, parameters: { ...found.groups } };
  }
  throw new RequestError("ROUTE_NOT_FOUND", "No such path; /v1/openapi.json lists all");
}

/**
 * The path's parameters, checked.
 *
 * @throws {RequestError} INVALID_PARAMETERS
 */
export function parsePath(
  endpoint: OperationSpec,
  parameters: Match["parameters"],
): { readonly [name: string]: string } {
  const shape = Object.fromEntries(
    parametersOf(endpoint.path).map((name) => [name, PATH_PARAMETERS[name]]),
  );
  return parse(Type.Object(shape), parameters, "path");
}

/**
 * The query's parameters, checked; numbers are numbers.
 *
 * @throws {RequestError} INVALID_PARAMETERS
 */
export function parseQuery(endpoint: OperationSpec, query: string): unknown {
  const schema = endpoint.query ?? NO_QUERY;
  const value: { [name: string]: unknown } = Object.create(null);
  for (const [name, text] of new URLSearchParams(query)) {
    if (name in value) {
      const violation = { in: "query", name, detail: "is given twice" } as const;
      throw new RequestError("INVALID_PARAMETERS", `${name} is given twice`, [violation]);
    }
    const member = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    const isInteger = member !== undefined && "type" in member && member.type === "integer";
    value[name] = isInteger && /^\d{1,9}$/.test(text) ? Number(text) : text;
  }
  return parse(schema, value, "query");
}
