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
import { MAX_BODY_BYTES } from "../api/operations.ts";

/** The bounds of the API unless others are given. */
export const DEFAULT_API_LIMITS = {
  /** Most connections at once. */
  connections: 64,
  /** Most event streams at once, of the connections. */
  eventStreams: 16,
  /** Most requests that one connection may send ahead of their answers. */
  pipelined: 16,
  /** Most bytes of a body. */
  bodyBytes: MAX_BODY_BYTES,
  /** Most bytes of a request line and headers. */
  headerBytes: 16_384,
  /** Milliseconds for headers, from the connect or the last answer. */
  headersMs: API_HEADERS_MS,
  /** Milliseconds for a body. */
  bodyMs: API_BODY_MS,
  /** Milliseconds in which a client must take its answer. */
  readingMs: API_READING_MS,
  /** Milliseconds for an operation. */
  operationMs: API_OPERATION_MS,
  /** Milliseconds between heartbeats of event streams. */
  heartbeatMs: API_HEARTBEAT_MS,
  /** Milliseconds that a close waits for answers under way. */
  closeMs: API_CLOSE_MS,
} as const;

/** Bounds of the API. */
export type ApiLimits = { readonly [limit in keyof typeof DEFAULT_API_LIMITS]: number };
