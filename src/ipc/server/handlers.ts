/**
 * From a checked request to a call of the daemon's operations.
 *
 * @module
 */
import { type Endpoint, ENDPOINTS, type OperationName } from "../api/endpoints.ts";
import type { DaemonOperations } from "../api/operations.ts";
import { RequestError } from "../api/problem.ts";
import { type Match, parsePath, parseQuery } from "./router.ts";
import type { Schema, Static } from "../api/schema.ts";
import type { PairRequest, TransferQuery, TrustRequest } from "../api/schemas.ts";
import { parse } from "../api/validate.ts";
import { CODES_MUST_DIFFER } from "../../vocabulary/session_values.ts";
import type { TrustParameters } from "../api/operations.ts";

/** Transfers in a page when the query does not say. */
const DEFAULT_PAGE = 50;

type BodyOf<K extends OperationName> = (typeof ENDPOINTS)[K] extends { body: infer B }
  ? B extends Schema ? Static<B> : never
  : undefined;
type AnswerOf<K extends OperationName> = (typeof ENDPOINTS)[K] extends { response: infer R }
  ? R extends Schema ? Static<R> : never
  : void;
type ParametersOf<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParametersOf<Rest>
  : never;

interface Input<K extends OperationName> {
  readonly path: { readonly [name in ParametersOf<(typeof ENDPOINTS)[K]["path"]>]: string };
  readonly query: TransferQuery;
  readonly body: BodyOf<K>;
  readonly signal: AbortSignal;
}

type Handlers = {
  readonly [K in OperationName]: (
    operations: DaemonOperations,
    input: Input<K>,
  ) => Promise<AnswerOf<K>>;
};

const HANDLERS: Handlers = {
  status: (operations, { signal }) => operations.status(signal),
  shutdown: async (operations, { body, signal }) => {
    await operations.shutdown(body, signal);
    return { status: "ok" };
  },
  pair: (operations, { body, signal }) => operations.pair(checkedPair(body), signal),
  listSessions: async (operations, { signal }) => ({
    sessions: await operations.listSessions(signal),
  }),
  getSession: (operations, { path, signal }) => operations.getSession(path.sessionId, signal),
  closeSession: (operations, { path, signal }) => operations.closeSession(path.sessionId, signal),
  listPeers: async (operations, { signal }) => ({ peers: await operations.listPeers(signal) }),
  getPeer: (operations, { path, signal }) => operations.getPeer(path.identity, signal),
  trust: (operations, { path, body, signal }) =>
    operations.trust(trustParameters(path.identity, body), signal),
  untrust: (operations, { path, signal }) => operations.untrust(path.identity, signal),
  setAutoAccept: (operations, { path, body, signal }) =>
    operations.setAutoAccept(path.identity, body.enabled, signal),
  listPairings: async (operations, { signal }) => ({
    pairings: await operations.listPairings(signal),
  }),
  getPairing: (operations, { path, signal }) => operations.getPairing(path.pairingId, signal),
  decidePairing: (operations, { path, body, signal }) =>
    operations.decidePairing(path.pairingId, body, signal),
  send: async (operations, { body, signal }) => ({
    transfers: await operations.send({ ...body, priority: body.priority ?? 0 }, signal),
  }),
  listTransfers: (operations, { query, signal }) =>
    operations.listTransfers({ ...query, limit: query.limit ?? DEFAULT_PAGE }, signal),
  getTransfer: (operations, { path, signal }) => operations.getTransfer(path.transferId, signal),
  acceptTransfer: (operations, { path, body, signal }) =>
    operations.acceptTransfer(path.transferId, body, signal),
  rejectTransfer: (operations, { path, signal }) =>
    operations.rejectTransfer(path.transferId, signal),
  cancelTransfer: (operations, { path, signal }) =>
    operations.cancelTransfer(path.transferId, signal),
  pauseTransfer: (operations, { path, signal }) =>
    operations.pauseTransfer(path.transferId, signal),
  resumeTransfer: (operations, { path, signal }) =>
    operations.resumeTransfer(path.transferId, signal),
};

/** The answer of an operation, before it is sent. */
export interface OperationAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** Undefined: no body. */
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
  /** Aborts when the caller's deadline is over. */
  readonly signal: AbortSignal;
}

/**
 * Checks a request against its endpoint's schemas and calls the operation.
 *
 * @throws {RequestError} INVALID_PARAMETERS, MALFORMED_JSON (no body where one is needed)
 * @throws What the operation throws.
 */
export async function callOperation(
  operations: DaemonOperations,
  request: OperationRequest,
): Promise<OperationAnswer> {
  const endpoint: Endpoint = ENDPOINTS[request.name];
  const input = {
    path: parsePath(endpoint, request.parameters),
    query: parseQuery(endpoint, request.query),
    body: parseBody(endpoint, request.body),
    signal: request.signal,
  };
  // Each handler's input is what its endpoint's schemas, by which it was just checked, say.
  const handler = HANDLERS[request.name] as (
    operations: DaemonOperations,
    input: unknown,
  ) => Promise<unknown>;
  return { status: endpoint.status, value: await handler(operations, input) };
}

function parseBody(endpoint: Endpoint, body: unknown): unknown {
  if (endpoint.body === undefined) return undefined;
  if (body === undefined && endpoint.bodyOptional !== true) {
    throw new RequestError("MALFORMED_JSON", "The body is empty; a JSON object is needed");
  }
  return parse(endpoint.body, body ?? {}, "body");
}

/** What the schema can't say: two peers of one code can't meet. */
function checkedPair(request: PairRequest): PairRequest {
  if (request.signal === "file") return request;
  const remote = "to" in request ? request.to : request.expectPeer;
  if (request.peerId !== remote) return request;
  throw refusal("/peerId", CODES_MUST_DIFFER);
}

function trustParameters(identity: string, request: TrustRequest): TrustParameters {
  const { decision, replaces, sas } = request;
  if (replaces === undefined) {
    if (sas !== undefined) throw refusal("/sas", "is taken only with replaces");
    return { identity, decision };
  }
  if (sas === undefined) throw refusal("/sas", "is required with replaces");
  if (replaces === identity) throw refusal("/replaces", "must be another identity");
  if (decision !== "allow_always") throw refusal("/decision", "must be allow_always with replaces");
  return { identity, decision, replacing: { identity: replaces, sas } };
}

function refusal(name: string, detail: string): RequestError {
  return new RequestError("INVALID_PARAMETERS", `${name} ${detail}`, [{
    in: "body",
    name,
    detail,
  }]);
}
