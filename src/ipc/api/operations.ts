/**
 * Every operation of the local API, once: method, path, what it takes, what it gives, and what it may
 * be refused with. The server routes and checks requests by this table, the OpenAPI document is made
 * from it, and what the daemon implements and the client offers are derived from it.
 *
 * A new operation is an entry here, its shapes in `schemas.ts`, its method in `app/daemon`, and its
 * line in `docs/IPC.md`.
 *
 * @module
 */
import type { OperationCode, ProblemCode, Violation } from "./problem.ts";
import { acceptsOfAllowed, asksOfAccepted, canBeLinked, canMeet, trustsOneWay } from "./rules.ts";
import type { ObjectSchema, Parsed, Schema, Static } from "./schema.ts";
import * as schemas from "./schemas.ts";
import { PATH_PARAMETERS, type PathParameter } from "./schemas.ts";

/** Methods in use. */
export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** An operation: one method of one resource. */
export interface OperationSpec {
  /** Of the request line. */
  readonly method: Method;
  /** Path with `{parameter}` segments, each named as in `PATH_PARAMETERS`. */
  readonly path: string;
  /** One line for the document. */
  readonly summary: string;
  /** Schema of the JSON body; absent: no body is taken. */
  readonly body?: Schema;
  /** Whether an empty body stands for `{}`. */
  readonly bodyOptional?: boolean;
  /** Whether the header `Idempotency-Key` has it carried out once, however often it comes. */
  readonly takesKey?: true;
  /** Schema of the query's parameters; absent: none is taken. */
  readonly query?: ObjectSchema;
  /** Members of body or query that are filled in where they are absent. */
  readonly defaults?: { readonly [member: string]: unknown };
  /** What the schema of the body can't say: the first member at fault. */
  readonly rule?: (body: never, ...ids: never[]) => Violation | undefined;
  /** Status of success. */
  readonly status: 200 | 202 | 204;
  /** Schema of the JSON answer; absent with 204. */
  readonly response?: Schema;
  /** The member of the answer in which the operation's result stands; absent: the result is it. */
  readonly member?: string;
  /** The answer of an operation without a result. */
  readonly answer?: unknown;
  /** What the operation itself may be refused with, beside what any request may be. */
  readonly codes?: readonly OperationCode[];
}

const transferAction = <const Path extends string>(path: Path, summary: string) => ({
  method: "POST" as const,
  path,
  summary,
  status: 200 as const,
  response: schemas.Transfer,
  codes: ["TRANSFER_NOT_FOUND", "INVALID_STATE"] as const,
});

const linkAction = <const Path extends string>(path: Path, summary: string) => ({
  method: "POST" as const,
  path,
  summary,
  status: 200 as const,
  response: schemas.LinkView,
  codes: ["LINK_NOT_FOUND", "STORAGE_FAILED"] as const,
});

/**
 * The operations, by name.
 * @internal
 */
export const OPERATIONS = {
  status: {
    method: "GET",
    path: "/v1/status",
    summary: "The daemon at a glance",
    status: 200,
    response: schemas.Status,
  },
  shutdown: {
    method: "POST",
    path: "/v1/shutdown",
    summary: "Stop the daemon",
    body: schemas.ShutdownRequest,
    bodyOptional: true,
    status: 202,
    response: schemas.Health,
    answer: { status: "ok" },
  },
  pair: {
    method: "POST",
    path: "/v1/pair",
    summary: "Begin a session with a peer",
    body: schemas.PairRequest,
    rule: canMeet,
    status: 202,
    response: schemas.SessionView,
    codes: ["LIMIT_EXCEEDED", "POLICY_REFUSED"],
  },
  listSessions: {
    method: "GET",
    path: "/v1/sessions",
    summary: "List sessions",
    status: 200,
    response: schemas.SessionList,
    member: "sessions",
  },
  getSession: {
    method: "GET",
    path: "/v1/sessions/{sessionId}",
    summary: "One session",
    status: 200,
    response: schemas.SessionView,
    codes: ["SESSION_NOT_FOUND"],
  },
  closeSession: {
    method: "DELETE",
    path: "/v1/sessions/{sessionId}",
    summary: "End a session, or the attempt at one",
    status: 200,
    response: schemas.SessionView,
    codes: ["SESSION_NOT_FOUND"],
  },
  listPeers: {
    method: "GET",
    path: "/v1/peers",
    summary: "List peers",
    status: 200,
    response: schemas.PeerList,
    member: "peers",
  },
  getPeer: {
    method: "GET",
    path: "/v1/peers/{identity}",
    summary: "One peer",
    status: 200,
    response: schemas.PeerView,
    codes: ["PEER_NOT_FOUND"],
  },
  trust: {
    method: "PUT",
    path: "/v1/peers/{identity}/trust",
    summary: "Pin a decision, trust a key by typing it, or replace a pinned one",
    body: schemas.TrustRequest,
    rule: trustsOneWay,
    status: 200,
    response: schemas.PeerView,
    codes: [
      "PEER_NOT_FOUND",
      "KEY_MISMATCH",
      "PEER_NAME_TAKEN",
      "POLICY_REFUSED",
      "SAS_MISMATCH",
      "SAS_ATTEMPTS_EXHAUSTED",
      "STORAGE_FAILED",
    ],
  },
  untrust: {
    method: "DELETE",
    path: "/v1/peers/{identity}/trust",
    summary: "Forget a pinned decision",
    status: 204,
    codes: ["PEER_NOT_FOUND", "STORAGE_FAILED"],
  },
  setAutoAccept: {
    method: "PUT",
    path: "/v1/peers/{identity}/auto-accept",
    summary: "Accept a peer's offers without asking, or no longer",
    body: schemas.AutoAcceptRequest,
    rule: asksOfAccepted,
    status: 200,
    response: schemas.PeerView,
    codes: ["PEER_NOT_FOUND", "STORAGE_FAILED"],
  },
  listPairings: {
    method: "GET",
    path: "/v1/pairings",
    summary: "List pairing requests that wait for a decision",
    status: 200,
    response: schemas.PairingList,
    member: "pairings",
  },
  getPairing: {
    method: "GET",
    path: "/v1/pairings/{pairingId}",
    summary: "One pairing request",
    status: 200,
    response: schemas.Pairing,
    codes: ["PAIRING_NOT_FOUND"],
  },
  decidePairing: {
    method: "POST",
    path: "/v1/pairings/{pairingId}/decision",
    summary: "Decide a pairing request",
    body: schemas.PairingDecision,
    rule: acceptsOfAllowed,
    status: 200,
    response: schemas.Pairing,
    codes: [
      "PAIRING_NOT_FOUND",
      "INVALID_STATE",
      "POLICY_REFUSED",
      "SAS_MISMATCH",
      "SAS_ATTEMPTS_EXHAUSTED",
      "STORAGE_FAILED",
    ],
  },
  addLink: {
    method: "POST",
    path: "/v1/links",
    summary: "Keep a pairing: it is made again whenever it is lost",
    body: schemas.LinkRequest,
    rule: canBeLinked,
    status: 200,
    response: schemas.LinkView,
    codes: ["LINK_EXISTS", "LIMIT_EXCEEDED", "POLICY_REFUSED", "STORAGE_FAILED"],
  },
  listLinks: {
    method: "GET",
    path: "/v1/links",
    summary: "List links",
    status: 200,
    response: schemas.LinkList,
    member: "links",
  },
  getLink: {
    method: "GET",
    path: "/v1/links/{linkName}",
    summary: "One link",
    status: 200,
    response: schemas.LinkView,
    codes: ["LINK_NOT_FOUND"],
  },
  removeLink: {
    method: "DELETE",
    path: "/v1/links/{linkName}",
    summary: "Forget a link, and end its session",
    status: 204,
    codes: ["LINK_NOT_FOUND", "INVALID_STATE", "STORAGE_FAILED"],
  },
  pauseLink: linkAction("/v1/links/{linkName}/pause", "Let a link rest, and end its session"),
  resumeLink: linkAction("/v1/links/{linkName}/resume", "Let a link go on"),
  send: {
    method: "POST",
    path: "/v1/transfers",
    summary: "Queue files for a peer",
    body: schemas.SendRequest,
    defaults: { priority: 0 },
    status: 202,
    response: schemas.TransferList,
    member: "transfers",
    takesKey: true,
    codes: [
      "SESSION_NOT_FOUND",
      "PEER_NOT_CONNECTED",
      "FILE_UNREADABLE",
      "LIMIT_EXCEEDED",
      "IDEMPOTENCY_KEY_REUSED",
      "TRANSFER_NOT_FOUND",
      "STORAGE_FAILED",
    ],
  },
  listTransfers: {
    method: "GET",
    path: "/v1/transfers",
    summary: "List transfers, newest first",
    query: schemas.TransferQuery,
    defaults: { limit: 50 },
    status: 200,
    response: schemas.TransferPage,
    codes: ["CURSOR_INVALID"],
  },
  getTransfer: {
    method: "GET",
    path: "/v1/transfers/{transferId}",
    summary: "One transfer's status",
    status: 200,
    response: schemas.Transfer,
    codes: ["TRANSFER_NOT_FOUND"],
  },
  listReceived: {
    method: "GET",
    path: "/v1/received",
    summary: "List files that have arrived, the earliest first",
    query: schemas.ReceivedQuery,
    status: 200,
    response: schemas.ReceivedList,
    codes: ["STORAGE_FAILED"],
  },
  acceptTransfer: {
    ...transferAction("/v1/transfers/{transferId}/accept", "Accept an offered file"),
    body: schemas.AcceptRequest,
    bodyOptional: true,
    codes: ["TRANSFER_NOT_FOUND", "INVALID_STATE", "NAME_REFUSED"],
  },
  rejectTransfer: transferAction(
    "/v1/transfers/{transferId}/reject",
    "Refuse an offered file",
  ),
  cancelTransfer: transferAction("/v1/transfers/{transferId}/cancel", "Cancel a transfer"),
  pauseTransfer: transferAction("/v1/transfers/{transferId}/pause", "Pause a transfer"),
  resumeTransfer: transferAction("/v1/transfers/{transferId}/resume", "Resume a transfer"),
} as const satisfies { [operation: string]: OperationSpec };

/** The name of an operation. */
export type OperationName = keyof typeof OPERATIONS;

/**
 * The table's entry of an operation, with its own types.
 * @internal
 */
export type SpecOf<K extends OperationName> = (typeof OPERATIONS)[K];
type IdsIn<Path extends string> = Path extends `${string}{${string}}${infer Rest}`
  ? [id: string, ...IdsIn<Rest>]
  : [];
/**
 * The ids in the path of an operation, in order.
 * @internal
 */
export type IdsOf<K extends OperationName> = IdsIn<SpecOf<K>["path"]>;

/**
 * What an application sends to an operation as its body or query; never: nothing.
 * @internal
 */
export type RequestOf<K extends OperationName> = SpecOf<K> extends
  { readonly body: infer S extends Schema } | { readonly query: infer S extends Schema } ? Static<S>
  : never;

type ParsedOf<K extends OperationName> = SpecOf<K> extends
  { readonly body: infer S extends Schema } | { readonly query: infer S extends Schema } ? Parsed<S>
  : never;
/**
 * The same parsed, with the defaults filled in, as the daemon gets it.
 * @internal
 */
export type ParametersOf<K extends OperationName> =
  & (SpecOf<K> extends { readonly defaults: infer D }
    ? ParsedOf<K> & Required<Pick<ParsedOf<K>, keyof D & keyof ParsedOf<K>>>
    : ParsedOf<K>)
  & KeyOf<K>;

/**
 * What an operation that {@linkcode OperationSpec.takesKey} is given beside its body.
 * @internal
 */
export type KeyOf<K extends OperationName> = SpecOf<K> extends { readonly takesKey: true }
  ? { readonly idempotencyKey?: string }
  : unknown;

/**
 * What an operation gives.
 * @internal
 */
export type ResultOf<K extends OperationName> = SpecOf<K> extends { readonly answer: unknown }
  ? void
  : SpecOf<K> extends { readonly response: infer S extends Schema; readonly member: infer M }
    ? Static<S>[M & keyof Static<S>]
  : SpecOf<K> extends { readonly response: infer S extends Schema } ? Static<S>
  : void;

/**
 * What the daemon does for applications: the table's operations. Each takes the ids of its path, its
 * body or query where it has one, and a signal that aborts when the caller's deadline is over; an
 * operation that still waits then gives up.
 *
 * Each answers promptly: what takes long (a session, a transfer) is started, and its course
 * reported by events. Each may throw `OperationError` with the codes of its entry; anything else
 * thrown is logged and answered as INTERNAL without its message. All parameters are checked and in
 * normal form: peer codes without hyphens, SAS in upper case.
 */
export type DaemonOperations = {
  [K in OperationName]: (
    ...parameters: [
      ...IdsOf<K>,
      ...([RequestOf<K>] extends [never] ? [] : [request: ParametersOf<K>]),
      signal: AbortSignal,
    ]
  ) => Promise<ResultOf<K>>;
};

/** The operations as an application calls them: what has a default, and the signal, may be left out. */
export type CalledOperations = {
  [K in OperationName]: (
    ...parameters: [
      ...IdsOf<K>,
      ...([RequestOf<K>] extends [never] ? []
        : SpecOf<K> extends { readonly bodyOptional: true } | { readonly query: unknown }
          ? [request?: RequestOf<K>]
        : [request: RequestOf<K> & KeyOf<K>]),
      signal?: AbortSignal,
    ]
  ) => Promise<ResultOf<K>>;
};

/** How to open a session: its peer codes are such by type. */
export type PairParameters = ParametersOf<"pair">;
/** A link to be added: its peer codes are such by type. */
export type LinkParameters = ParametersOf<"addLink">;
/** What to send, defaults filled in. */
export type SendParameters = ParametersOf<"send">;
/** Page and filter of the transfer list, defaults filled in. */
export type ListTransfersParameters = ParametersOf<"listTransfers">;

/** The names of all operations. */
export const OPERATION_NAMES: readonly OperationName[] = Object.keys(
  OPERATIONS,
) as OperationName[];

/** What any operation may be refused with: it checks its path and query, and takes its time. */
const ANY_OPERATION: readonly ProblemCode[] = [
  "INVALID_PARAMETERS",
  "INTERNAL",
  "STOPPING",
  "OPERATION_TIMEOUT",
];

/** What an operation may be refused with, once a request has reached it. */
export function codesOf(name: OperationName): readonly ProblemCode[] {
  const spec: OperationSpec = OPERATIONS[name];
  return [...ANY_OPERATION, ...(spec.codes ?? [])];
}

/** Most bytes of a request's body. */
export const MAX_BODY_BYTES = 65_536;

/** The endpoints that the API answers by itself; their answers are not JSON values of a schema. */
export const OWN_ENDPOINTS = {
  events: { method: "GET", path: "/v1/events", summary: "Events as they happen" },
  openapi: { method: "GET", path: "/v1/openapi.json", summary: "This document" },
  health: { method: "GET", path: "/healthz", summary: "Whether the daemon answers" },
  metrics: { method: "GET", path: "/metrics", summary: "Metrics in Prometheus text form" },
} as const;

/** The path parameters of a path, in order. */
export function parametersOf(path: string): PathParameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) =>
    name !== undefined && isPathParameter(name) ? [name] : []
  );
}

function isPathParameter(name: string): name is PathParameter {
  return Object.hasOwn(PATH_PARAMETERS, name);
}
