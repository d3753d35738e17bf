/**
 * What the chunks hold that are neither user data nor its acknowledgement: INIT, its parameters,
 * errors, heartbeats and stream resets (RFC 9260, section 3.3; RFC 6525, section 4). Every chunk
 * that is read here comes out of a packet that was found to be made of whole ones.
 *
 * @module
 */
import { ChunkType, padded, viewOf } from "./packet.ts";

/** Types of parameters (RFC 9260, section 3.3.2; RFC 6525, section 4; RFC 3758, section 3.1; RFC 9653). */
export const ParameterType = {
  HEARTBEAT_INFO: 1,
  STATE_COOKIE: 7,
  UNRECOGNIZED: 8,
  OUTGOING_RESET: 13,
  INCOMING_RESET: 14,
  RECONFIG_RESPONSE: 16,
  ZERO_CHECKSUM: 0x8001,
  SUPPORTED_EXTENSIONS: 0x8008,
  FORWARD_TSN_SUPPORTED: 0xc000,
} as const;

/** Error causes (RFC 9260, section 3.3.10). */
export const ErrorCause = {
  STALE_COOKIE: 3,
  UNRECOGNIZED_CHUNK: 6,
  PROTOCOL_VIOLATION: 13,
} as const;

/** A parameter, or an error cause: they look the same. */
export interface Parameter {
  /** See {@linkcode ParameterType} and {@linkcode ErrorCause}. */
  readonly type: number;
  /** What follows its header, without padding. */
  readonly value: Uint8Array;
}

const PARAMETER_HEADER_BYTES = 4;
const INIT_BYTES = 16;

/** The parameters in a run of whole ones. */
export function* readParameters(bytes: Uint8Array): Generator<Parameter> {
  const view = viewOf(bytes);
  for (let at = 0; at + PARAMETER_HEADER_BYTES <= bytes.length;) {
    const length = view.getUint16(at + 2);
    if (length < PARAMETER_HEADER_BYTES) return;
    const value = bytes.subarray(at + PARAMETER_HEADER_BYTES, at + length);
    yield { type: view.getUint16(at), value };
    at += padded(length);
  }
}

/** Parameters as bytes, each but the last padded. */
export function writeParameters(parameters: readonly Parameter[]): Uint8Array {
  const lengths = parameters.map(({ value }) => PARAMETER_HEADER_BYTES + value.length);
  const total = lengths.reduce((sum, length) => padded(sum) + length, 0);
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  let at = 0;
  for (const { type, value } of parameters) {
    view.setUint16(at, type);
    view.setUint16(at + 2, PARAMETER_HEADER_BYTES + value.length);
    bytes.set(value, at + PARAMETER_HEADER_BYTES);
    at += padded(PARAMETER_HEADER_BYTES + value.length);
  }
  return bytes;
}

/** What INIT and INIT ACK say of their sender (RFC 9260, section 3.3.2). */
export interface Init {
  /** The verification tag that its sender wants to see. */
  readonly tag: number;
  /** Its receive window, in bytes. */
  readonly window: number;
  /** Its first TSN. */
  readonly initialTsn: number;
  /** Streams that it wants to send on. */
  readonly outboundStreams: number;
  /** Streams that it takes at most. */
  readonly inboundStreams: number;
  /** Whether it can reset streams (RFC 6525). */
  readonly canReset: boolean;
  /** Whether it says that it passes over padding (RFC 4820): some break off where it comes. */
  readonly canPad: boolean;
  /** Whether it takes packets without a checksum, as DTLS has checked them (RFC 9653). */
  readonly takesZeroChecksum: boolean;
  /** Of an INIT ACK: to be sent back. */
  readonly cookie?: Uint8Array;
  /** Parameters that it asks to be told are not known, as they came. */
  readonly unrecognized: readonly Parameter[];
}

/** Reads the body of an INIT or INIT ACK; undefined when its values can't be. */
export function readInit(body: Uint8Array): Init | undefined {
  if (body.length < INIT_BYTES) return undefined;
  const view = viewOf(body);
  let cookie: Uint8Array | undefined;
  let [canReset, canPad, takesZeroChecksum] = [false, false, false];
  const unrecognized: Parameter[] = [];
  for (const parameter of readParameters(body.subarray(INIT_BYTES))) {
    const { type, value } = parameter;
    if (type === ParameterType.STATE_COOKIE) cookie = value.slice();
    else if (type === ParameterType.SUPPORTED_EXTENSIONS) {
      canReset = value.includes(ChunkType.RECONFIG);
      canPad = value.includes(ChunkType.PAD);
    } else if (type === ParameterType.ZERO_CHECKSUM) {
      takesZeroChecksum = value.length === 4 && viewOf(value).getUint32(0) === CHECKED_BY_DTLS;
    } else if (!KNOWN_PARAMETERS.has(type)) {
      if (type & REPORT_PARAMETER) unrecognized.push({ type, value: value.slice() });
      if (!(type & PASS_OVER_PARAMETER)) break;
    }
  }
  const init: Init = {
    tag: view.getUint32(0),
    window: view.getUint32(4),
    outboundStreams: view.getUint16(8),
    inboundStreams: view.getUint16(10),
    initialTsn: view.getUint32(12),
    canReset,
    canPad,
    takesZeroChecksum,
    ...(cookie === undefined ? {} : { cookie }),
    unrecognized,
  };
  // Section 3.3.2: none of them may be 0.
  return init.tag === 0 || init.outboundStreams === 0 || init.inboundStreams === 0
    ? undefined
    : init;
}

/** The two highest bits of a parameter's type (section 3.2.1). */
const REPORT_PARAMETER = 0x4000;
const PASS_OVER_PARAMETER = 0x8000;
/** Addresses mean nothing over DTLS (RFC 8261, section 6.1); the others say nothing we would need. */
const KNOWN_PARAMETERS = new Set([5, 6, 8, 9, 11, 12, ParameterType.FORWARD_TSN_SUPPORTED]);

/** Writes the body of an INIT or INIT ACK. */
export function writeInit(
  init: Omit<Init, "canReset" | "canPad" | "takesZeroChecksum" | "unrecognized" | "cookie">,
  parameters: readonly Parameter[],
): Uint8Array {
  const bytes = new Uint8Array([...new Uint8Array(INIT_BYTES), ...writeParameters(parameters)]);
  const view = viewOf(bytes);
  view.setUint32(0, init.tag);
  view.setUint32(4, init.window);
  view.setUint16(8, init.outboundStreams);
  view.setUint16(10, init.inboundStreams);
  view.setUint32(12, init.initialTsn);
  return bytes;
}

/** The error detection method that stands in for the checksum (RFC 9653, section 8.2). */
const CHECKED_BY_DTLS = 1;

/** What we can do, as INIT and INIT ACK say it. */
export const OUR_EXTENSIONS: readonly Parameter[] = [
  { type: ParameterType.FORWARD_TSN_SUPPORTED, value: new Uint8Array() },
  {
    type: ParameterType.SUPPORTED_EXTENSIONS,
    value: Uint8Array.of(ChunkType.RECONFIG, ChunkType.PAD, ChunkType.FORWARD_TSN),
  },
  { type: ParameterType.ZERO_CHECKSUM, value: Uint8Array.of(0, 0, 0, CHECKED_BY_DTLS) },
];

/** What to do with a chunk of an unknown type, by its two highest bits (section 3.2). */
export function unknownChunkRule(type: number): { passOver: boolean; report: boolean } {
  return { passOver: (type & 0x80) !== 0, report: (type & 0x40) !== 0 };
}

/** A request to reset the streams on which its sender sends (RFC 6525, section 4.1). */
export interface OutgoingReset {
  /** Number of the request. */
  readonly sequence: number;
  /** Number of the last request of the other side that was answered. */
  readonly answered: number;
  /** Last TSN that was sent on those streams. */
  readonly lastTsn: number;
  /** Which; none means all. */
  readonly streams: readonly number[];
}

/** Reads the value of an outgoing reset request. */
export function readOutgoingReset(value: Uint8Array): OutgoingReset | undefined {
  if (value.length < 12) return undefined;
  const view = viewOf(value);
  const count = (value.length - 12) >> 1;
  return {
    sequence: view.getUint32(0),
    answered: view.getUint32(4),
    lastTsn: view.getUint32(8),
    streams: Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i)),
  };
}

/** Writes a parameter with an outgoing reset request. */
export function writeOutgoingReset(reset: OutgoingReset): Parameter {
  const value = new Uint8Array(12 + 2 * reset.streams.length);
  const view = viewOf(value);
  view.setUint32(0, reset.sequence);
  view.setUint32(4, reset.answered);
  view.setUint32(8, reset.lastTsn);
  reset.streams.forEach((stream, i) => view.setUint16(12 + 2 * i, stream));
  return { type: ParameterType.OUTGOING_RESET, value };
}

/** Results of a request (RFC 6525, section 4.4). */
export const ResetResult = {
  NOTHING_TO_DO: 0,
  PERFORMED: 1,
  DENIED: 2,
  BAD_SEQUENCE: 5,
  IN_PROGRESS: 6,
} as const;

/** Reads the value of a response. */
export function readResponse(
  value: Uint8Array,
): { readonly sequence: number; readonly result: number } | undefined {
  if (value.length < 8) return undefined;
  const view = viewOf(value);
  return { sequence: view.getUint32(0), result: view.getUint32(4) };
}

/** Writes a parameter with a response. */
export function writeResponse(sequence: number, result: number): Parameter {
  const value = new Uint8Array(8);
  const view = viewOf(value);
  view.setUint32(0, sequence);
  view.setUint32(4, result);
  return { type: ParameterType.RECONFIG_RESPONSE, value };
}
