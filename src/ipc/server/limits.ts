/**
 * How much of the daemon one client, or all of them, may take.
 *
 * @module
 */

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
  /** Milliseconds for a request's headers, from the connect or the last answer. @default {10_000} */
  readonly headersMs: number;
  /** Milliseconds for a body. @default {10_000} */
  readonly bodyMs: number;
  /** Milliseconds in which a client must take its answer. @default {10_000} */
  readonly readingMs: number;
  /** Milliseconds for an operation. @default {30_000} */
  readonly operationMs: number;
  /** Milliseconds between heartbeats of event streams. @default {15_000} */
  readonly heartbeatMs: number;
  /** Milliseconds that a close waits for answers under way. @default {1_000} */
  readonly closeMs: number;
}

/** The bounds unless others are given. */
export const DEFAULT_API_LIMITS: ApiLimits = {
  connections: 64,
  eventStreams: 16,
  pipelined: 16,
  bodyBytes: 65_536,
  headerBytes: 16_384,
  headersMs: 10_000,
  bodyMs: 10_000,
  readingMs: 10_000,
  operationMs: 30_000,
  heartbeatMs: 15_000,
  closeMs: 1_000,
};
