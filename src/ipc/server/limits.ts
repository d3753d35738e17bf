/**
 * How much of the daemon one client, or all of them, may take.
 *
 * @module
 */
import {
  API_BODY_MS,
  API_CLOSE_MS,
  API_HEADERS_MS,
  API_HEARTBEAT_MS,
  API_OPERATION_MS,
  API_READING_MS,
} from "../../base/timing.ts";

/** Bounds of the API. */
export interface ApiLimits {
  /** Most connections at once. @default {64} */
  readonly connections: number;
  /** Most event streams at once, of the connections. @default {16} */
  readonly eventStreams: number;
  /** Most requests that one connection may send ahead of their answers. @default {16} */
  readonly pipelined: number;
  /** Most bytes of a body. @default {65_536} */
  readonly bodyBytes: number;
  /** Most bytes of a request line and headers. @default {16_384} */
  readonly headerBytes: number;
  /** Milliseconds for headers, from the connect or the last answer. @default {API_HEADERS_MS} */
  readonly headersMs: number;
  /** Milliseconds for a body. @default {API_BODY_MS} */
  readonly bodyMs: number;
  /** Milliseconds in which a client must take its answer. @default {API_READING_MS} */
  readonly readingMs: number;
  /** Milliseconds for an operation. @default {API_OPERATION_MS} */
  readonly operationMs: number;
  /** Milliseconds between heartbeats of event streams. @default {API_HEARTBEAT_MS} */
  readonly heartbeatMs: number;
  /** Milliseconds that a close waits for answers under way. @default {API_CLOSE_MS} */
  readonly closeMs: number;
}

/** The bounds unless others are given. */
export const DEFAULT_API_LIMITS: ApiLimits = {
  connections: 64,
  eventStreams: 16,
  pipelined: 16,
  bodyBytes: 65_536,
  headerBytes: 16_384,
  headersMs: API_HEADERS_MS,
  bodyMs: API_BODY_MS,
  readingMs: API_READING_MS,
  operationMs: API_OPERATION_MS,
  heartbeatMs: API_HEARTBEAT_MS,
  closeMs: API_CLOSE_MS,
};
