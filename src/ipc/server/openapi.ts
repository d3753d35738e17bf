/**
 * The OpenAPI 3.1 document, made from the same table and schemas that requests are checked by.
 *
 * @module
 */
import {
  codesOf,
  OPERATION_NAMES,
  type OperationName,
  OPERATIONS,
  type OperationSpec,
  OWN_ENDPOINTS,
  parametersOf,
} from "../api/operations.ts";
import { LOOPBACK } from "../api/address.ts";
import { ApiEvent } from "../api/events.ts";
import { type ProblemCode, statusOf, titleOf as titleOfCode } from "../api/problem.ts";
import { problemSchema, violationSchema } from "../api/problem_schema.ts";
import type { Schema } from "../api/schema.ts";
import * as schemas from "../api/schemas.ts";

/** A JSON object. */
export type Json = { [name: string]: unknown };

/** Queries are described parameter by parameter. */
const QUERIES: ReadonlySet<unknown> = new Set(
  Object.values<OperationSpec>(OPERATIONS).map(({ query }) => query),
);

const COMPONENTS: { readonly [name: string]: Schema } = Object.fromEntries(
  [...Object.values<unknown>(schemas).filter(isTitled), problemSchema, violationSchema, ApiEvent]
    .filter((schema) => !QUERIES.has(schema))
    .map((schema) => [titleOf(schema) ?? "", schema]),
);

function isTitled(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && titleOf(value) !== undefined;
}

function titleOf(value: object): string | undefined {
  return "title" in value && typeof value.title === "string" ? value.title : undefined;
}

/** The schema as plain JSON, with a reference in the place of each component inside it. */
function refer(value: unknown, top = false): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => refer(item));
  const title = titleOf(value);
  if (!top && title !== undefined && Object.hasOwn(COMPONENTS, title)) {
    return { $ref: `#/components/schemas/${title}` };
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, refer(part)]));
}

const content = (type: string, schema: unknown) => ({ content: { [type]: { schema } } });

/** What any request may be refused with before it reaches what it asks for. */
const ANY_REQUEST: readonly ProblemCode[] = [
  "BAD_REQUEST",
  "TOKEN_REFUSED",
  "ORIGIN_REFUSED",
  "HOST_REFUSED",
  "REQUEST_TIMEOUT",
  "EXPECTATION_FAILED",
  "HEADERS_TOO_LARGE",
];
/** And where a body is taken, or none. */
const OF_BODIES: readonly ProblemCode[] = [
  "MALFORMED_JSON",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
];
const ANY_PROBLEM = content("application/problem+json", refer(problemSchema));

/**
 * The answers that are problems, one a status: which codes come with it, and what they mean. Later
 * versions may add codes, so a reader should treat others by their status.
 */
function problems(codes: readonly ProblemCode[]): Json {
  const byStatus = Map.groupBy(new Set(codes), statusOf);
  const described = [...byStatus].toSorted(([a], [b]) => a - b).map(([status, ofStatus]) => [
    status,
    {
      description: ofStatus.map((code) => `\`${code}\`: ${titleOfCode(code)}.`).join(" "),
      ...ANY_PROBLEM,
      "x-codes": ofStatus,
    },
  ]);
  return {
    ...Object.fromEntries(described),
    default: {
      description: "A problem of a later version; `status` says its class.",
      ...ANY_PROBLEM,
    },
  };
}

/** The codes of an operation's problems, and of a request that does not reach it. */
function problemCodes(name: OperationName): ProblemCode[] {
  return [
    ...ANY_REQUEST,
    ...("body" in OPERATIONS[name] ? OF_BODIES : ["UNEXPECTED_BODY"] as const),
    ...codesOf(name),
  ];
}

function operation(operationId: OperationName): Json {
  const endpoint: OperationSpec = OPERATIONS[operationId];
  const parameters = [
    ...parametersOf(endpoint.path).map((name) => ({
      name,
      in: "path",
      required: true,
      schema: refer(schemas.PATH_PARAMETERS[name]),
    })),
    ...Object.entries(endpoint.query?.properties ?? {}).map(([name, schema]) => ({
      name,
      in: "query",
      required: endpoint.query?.required?.some((required) => required === name) ?? false,
      schema: refer(schema),
    })),
    ...(endpoint.takesKey === true
      ? [{
        name: "Idempotency-Key",
        in: "header",
        required: false,
        schema: schemas.IDEMPOTENCY_KEY,
      }]
      : []),
  ];
  return {
    operationId,
    summary: endpoint.summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(endpoint.body === undefined ? {} : {
      requestBody: {
        required: endpoint.bodyOptional !== true,
        ...content("application/json", refer(endpoint.body)),
      },
    }),
    responses: {
      [endpoint.status]: {
        description: "Done.",
        ...(endpoint.response === undefined
          ? {}
          : content("application/json", refer(endpoint.response))),
      },
      ...problems(problemCodes(operationId)),
    },
  };
}

const OWN_ANSWERS: { readonly [name in keyof typeof OWN_ENDPOINTS]: Json } = {
  events: {
    content: {
      "text/event-stream": { schema: { type: "string" }, "x-data-schema": refer(ApiEvent) },
      "application/x-ndjson": { schema: refer(ApiEvent) },
    },
  },
  openapi: content("application/json", { type: "object" }),
  health: content("application/json", refer(schemas.Health)),
  metrics: content("text/plain", { type: "string" }),
};

const OWN_CODES: { readonly [name in keyof typeof OWN_ENDPOINTS]?: readonly ProblemCode[] } = {
  events: ["NOT_ACCEPTABLE", "TOO_MANY_STREAMS"],
};

const OWN_PARAMETERS: { readonly [name in keyof typeof OWN_ENDPOINTS]?: Json[] } = {
  events: [{
    name: "Last-Event-ID",
    in: "header",
    required: false,
    description: "Go on after this event; a `gap` stands for events that are lost.",
    schema: { type: "string" },
  }],
};

/**
 * The OpenAPI 3.1 document of this API.
 *
 * @param version The daemon's version.
 */
export function openApiDocument(version: string): Json {
  const paths: { [path: string]: Json } = {};
  const add = (path: string, method: string, described: Json) => {
    (paths[path] ??= {})[method.toLowerCase()] = described;
  };
  for (const name of OPERATION_NAMES) {
    add(OPERATIONS[name].path, OPERATIONS[name].method, operation(name));
  }
  for (const name of Object.keys(OWN_ENDPOINTS) as (keyof typeof OWN_ENDPOINTS)[]) {
    const { method, path, summary } = OWN_ENDPOINTS[name];
    const parameters = OWN_PARAMETERS[name];
    add(path, method, {
      operationId: name,
      summary,
      ...(parameters === undefined ? {} : { parameters }),
      responses: {
        200: { description: "Done.", ...OWN_ANSWERS[name] },
        ...problems([...ANY_REQUEST, "UNEXPECTED_BODY", ...(OWN_CODES[name] ?? [])]),
      },
    });
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "bolt-daemon local API",
      version,
      description:
        "Served on a Unix socket, or at a port of the loopback address. Text that peers " +
        "chose has its control, bidi and invisible characters spelled out as \\u{hex}. HEAD works " +
        "where GET does. Whoever may open the socket, or has the token, may do everything.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [
      // A name that `Host` may have; what is reached is the socket, whatever it is called.
      { url: "http://bolt-daemon", description: "The daemon's Unix socket." },
      {
        url: `http://${LOOPBACK}:{port}`,
        description: "With --local-api tcp; api.json in the data folder has the URL and the token.",
        variables: { port: { default: "80", description: "Another one in every run." } },
      },
    ],
    // At the socket none is asked for: its modes and its folder's are what keeps others out.
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "Where it is served over TCP." },
      },
      schemas: Object.fromEntries(
        Object.entries(COMPONENTS).map(([name, schema]) => [name, refer(schema, true)]),
      ),
    },
  };
}
