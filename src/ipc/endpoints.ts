/**
 * Every resource of the local API: method, path, parameters, answer. The server routes by this
 * table, the OpenAPI document is made from it, and the client calls by it.
 *
 * @module
 */
import type { OperationCode } from "./problem.ts";
import type { ObjectSchema, Schema } from "./schema.ts";
import * as schemas from "./schemas.ts";
import { PATH_PARAMETERS, type PathParameter } from "./schemas.ts";

/** Methods in use. */
export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** One method of one resource. */
export interface Endpoint {
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
  /** Schema of the query's parameters; absent: none is taken. */
  readonly query?: ObjectSchema;
  /** Status of success. */
  readonly status: 200 | 202 | 204;
  /** Schema of the JSON answer; absent with 204. */
  readonly response?: Schema;
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

/** The endpoints that call an operation, by the operation's name. */
export const ENDPOINTS = {
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
  },
  pair: {
    method: "POST",
    path: "/v1/pair",
    summary: "Begin a session with a peer",
    body: schemas.PairRequest,
    status: 202,
    response: schemas.Session,
    codes: ["LIMIT_EXCEEDED", "STOPPING"],
  },
  listSessions: {
    method: "GET",
    path: "/v1/sessions",
    summary: "List sessions",
    status: 200,
    response: schemas.SessionList,
  },
  getSession: {
    method: "GET",
    path: "/v1/sessions/{sessionId}",
    summary: "One session",
    status: 200,
    response: schemas.Session,
    codes: ["SESSION_NOT_FOUND"],
  },
  closeSession: {
    method: "DELETE",
    path: "/v1/sessions/{sessionId}",
    summary: "End a session, or the attempt at one",
    status: 200,
    response: schemas.Session,
    codes: ["SESSION_NOT_FOUND"],
  },
  listPeers: {
    method: "GET",
    path: "/v1/peers",
    summary: "List peers",
    status: 200,
    response: schemas.PeerList,
  },
  getPeer: {
    method: "GET",
    path: "/v1/peers/{identity}",
    summary: "One peer",
    status: 200,
    response: schemas.Peer,
    codes: ["PEER_NOT_FOUND"],
  },
  trust: {
    method: "PUT",
    path: "/v1/peers/{identity}/trust",
    summary: "Pin a decision, or replace a pinned key with the SAS confirmed",
    body: schemas.TrustRequest,
    status: 200,
    response: schemas.Peer,
    codes: ["PEER_NOT_FOUND", "KEY_MISMATCH", "SAS_MISMATCH", "SAS_ATTEMPTS_EXHAUSTED"],
  },
  untrust: {
    method: "DELETE",
    path: "/v1/peers/{identity}/trust",
    summary: "Forget a pinned decision",
    status: 204,
    codes: ["PEER_NOT_FOUND"],
  },
  setAutoAccept: {
    method: "PUT",
    path: "/v1/peers/{identity}/auto-accept",
    summary: "Accept a peer's offers without asking, or no longer",
    body: schemas.AutoAcceptRequest,
    status: 200,
    response: schemas.Peer,
    codes: ["PEER_NOT_FOUND"],
  },
  listPairings: {
    method: "GET",
    path: "/v1/pairings",
    summary: "List pairing requests that wait for a decision",
    status: 200,
    response: schemas.PairingList,
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
    status: 200,
    response: schemas.Pairing,
    codes: ["PAIRING_NOT_FOUND", "INVALID_STATE", "SAS_MISMATCH", "SAS_ATTEMPTS_EXHAUSTED"],
  },
  send: {
    method: "POST",
    path: "/v1/transfers",
    summary: "Queue files for a peer",
    body: schemas.SendRequest,
    status: 202,
    response: schemas.TransferList,
    codes: ["SESSION_NOT_FOUND", "PEER_NOT_CONNECTED", "FILE_UNREADABLE", "LIMIT_EXCEEDED"],
  },
  listTransfers: {
    method: "GET",
    path: "/v1/transfers",
    summary: "List transfers, newest first",
    query: schemas.TransferQuery,
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
  acceptTransfer: {
    ...transferAction("/v1/transfers/{transferId}/accept", "Accept an offered file"),
    body: schemas.AcceptRequest,
    bodyOptional: true,
    codes: ["TRANSFER_NOT_FOUND", "INVALID_STATE", "NAME_REFUSED", "LIMIT_EXCEEDED"],
  },
  rejectTransfer: transferAction(
    "/v1/transfers/{transferId}/reject",
    "Refuse an offered file",
  ),
  cancelTransfer: transferAction("/v1/transfers/{transferId}/cancel", "Cancel a transfer"),
  pauseTransfer: transferAction("/v1/transfers/{transferId}/pause", "Pause a transfer"),
  resumeTransfer: transferAction("/v1/transfers/{transferId}/resume", "Resume a transfer"),
} as const satisfies { [operation: string]: Endpoint };

/** The name of an operation. */
export type OperationName = keyof typeof ENDPOINTS;

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
