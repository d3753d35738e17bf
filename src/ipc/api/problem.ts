/**
 * The errors of the local API: stable codes, their HTTP statuses, and the problem details
 * (RFC 9457) in which they travel.
 *
 * @module
 */
import { CodedError } from "../../base/errors.ts";
import { escapeUnsafe } from "../../base/text.ts";

/** What the daemon itself may answer to an operation: code to HTTP status and title. */
export const OPERATION_CODES = {
  SESSION_NOT_FOUND: [404, "No such session"],
  PEER_NOT_FOUND: [404, "No such peer"],
  PAIRING_NOT_FOUND: [404, "No such pairing request"],
  TRANSFER_NOT_FOUND: [404, "No such transfer"],
  LINK_NOT_FOUND: [404, "No such link"],
  LINK_EXISTS: [409, "There is such a link"],
  IDEMPOTENCY_KEY_REUSED: [409, "The key came with another request"],
  INVALID_STATE: [409, "Not possible in the present state"],
  PEER_NAME_TAKEN: [409, "Another peer has that name"],
  PEER_NOT_CONNECTED: [409, "No open session with that peer"],
  KEY_MISMATCH: [409, "Another key is pinned"],
  SAS_MISMATCH: [403, "The SAS does not match"],
  POLICY_REFUSED: [403, "Refused by policy"],
  FILE_UNREADABLE: [422, "A file can't be read"],
  NAME_REFUSED: [422, "The file name can't be used"],
  CURSOR_INVALID: [422, "The cursor is not one of this list"],
  LIMIT_EXCEEDED: [429, "A limit is reached"],
  SAS_ATTEMPTS_EXHAUSTED: [429, "Too many wrong SAS"],
  STORAGE_FAILED: [500, "It could not be saved on disk"],
  STOPPING: [503, "The daemon is stopping"],
} as const satisfies { [code: string]: readonly [number, string] };
/** A code that an operation may fail with. */
export type OperationCode = keyof typeof OPERATION_CODES;

/** What the API answers to requests that reach no operation. */
export const REQUEST_CODES = {
  BAD_REQUEST: [400, "Not an HTTP/1.1 request that can be served"],
  MALFORMED_JSON: [400, "The body is not JSON"],
  UNEXPECTED_BODY: [400, "This operation takes no body"],
  TOKEN_REFUSED: [401, "The token is missing or wrong"],
  ORIGIN_REFUSED: [403, "Requests from web pages are refused"],
  HOST_REFUSED: [403, "Foreign Host"],
  ROUTE_NOT_FOUND: [404, "No such resource"],
  METHOD_NOT_ALLOWED: [405, "Method not allowed"],
  NOT_ACCEPTABLE: [406, "No representation is acceptable"],
  REQUEST_TIMEOUT: [408, "The request took too long to arrive"],
  BODY_TOO_LARGE: [413, "The body is too large"],
  UNSUPPORTED_MEDIA_TYPE: [415, "The body must be application/json"],
  EXPECTATION_FAILED: [417, "Expectation failed"],
  INVALID_PARAMETERS: [422, "A parameter is missing or wrong"],
  HEADERS_TOO_LARGE: [431, "The header section is too large"],
  INTERNAL: [500, "The daemon failed"],
  TOO_MANY_STREAMS: [503, "Too many event streams"],
  OPERATION_TIMEOUT: [504, "The daemon took too long"],
} as const satisfies { [code: string]: readonly [number, string] };
/** A code of a request that reached no operation. */
export type RequestCode = keyof typeof REQUEST_CODES;

/** Every code of a problem. */
export type ProblemCode = OperationCode | RequestCode;

const CODES = { ...OPERATION_CODES, ...REQUEST_CODES };

/** The kind of problem that a code stands for, always the same. */
export function titleOf(code: ProblemCode): string {
  return CODES[code][1];
}

/** The HTTP status that goes with a code. */
export function statusOf(code: ProblemCode): number {
  return CODES[code][0];
}

/** The member or parameter that broke a rule, and how. */
export interface Violation {
  /** Where it is. */
  readonly in: "body" | "path" | "query" | "header";
  /** JSON Pointer in the body, or the name of the parameter or header. */
  readonly name: string;
  /** What is wrong with it. */
  readonly detail: string;
}

/** Problem details as of RFC 9457; their schema is in `problem_schema.ts`. */
export interface Problem {
  /** Relative URI, `/problems/` and the code in kebab case. */
  readonly type: string;
  /** The kind of problem, always the same for a code. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** Stable; a {@linkcode ProblemCode} of this or a later version. */
  readonly code: string;
  /** This occurrence, and what to do about it. */
  readonly detail: string;
  /** The members or parameters at fault. */
  readonly errors?: readonly Violation[];
}

/** The problem details of a code. `detail` may hold text of peers: it is escaped here. */
export function problem(
  code: ProblemCode,
  detail: string,
  errors?: readonly Violation[],
): Problem {
  const [status, title] = CODES[code];
  return {
    type: `/problems/${code.toLowerCase().replaceAll("_", "-")}`,
    title,
    status,
    code,
    detail: escapeUnsafe(detail),
    ...(errors === undefined ? {} : {
      errors: errors.map((error) => ({
        ...error,
        name: escapeUnsafe(error.name),
        detail: escapeUnsafe(error.detail),
      })),
    }),
  };
}

/** An operation can't be done; thrown by implementations of `DaemonOperations`. */
export class OperationError extends CodedError<OperationCode> {}

/** A request can't be served; never reaches an operation. */
export class RequestError extends CodedError<RequestCode> {
  /**
   * The request is refused.
   *
   * @param code Decides the HTTP status too.
   * @param message What is wrong and what to do; sent to the application.
   * @param violations The members or parameters at fault.
   * @param headers Headers of the answer, e.g. `allow`.
   */
  constructor(
    code: RequestCode,
    message: string,
    readonly violations?: readonly Violation[],
    readonly headers: { readonly [name: string]: string } = {},
  ) {
    super(code, message);
  }
}

/** Why the API can't be served. */
export type IpcErrorCode =
  | "UNSUPPORTED_PLATFORM"
  | "SOCKET_PATH"
  | "SOCKET_FOLDER"
  | "SOCKET_IN_USE"
  | "TCP_UNAVAILABLE";

/** The local API can't be served; the message says what to do. */
export class IpcError extends CodedError<IpcErrorCode> {}
