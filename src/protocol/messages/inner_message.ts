/**
 * Everything that may travel inside an envelope, as one union: parsed once here, encoded only here.
 *
 * Parsing is strict in what it needs and blind to unknown fields. What a message alone can get wrong
 * is refused here; what only a transfer can judge (limits, order, matching an offer) is not.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../crypto/encoding.ts";
import { FileHash } from "../crypto/sha256.ts";
import { type ErrorCode, isErrorCode, ProtocolError } from "../errors.ts";
import { countField, field, type JsonObject, parseJsonObject, stringField } from "../json.ts";
import { type OfTransfer, parseTransferId, type TransferId } from "./transfer_id.ts";

/** Longest file name, in UTF-8 bytes. */
export const MAX_FILENAME_BYTES = 1024;

/** Who cancelled a transfer; web clients say `sender` and `receiver`. */
export type CancelledBy = "initiator" | "responder" | "sender" | "receiver";

/** Asks the other side for a {@linkcode Pong}. */
export interface Ping extends Tagged<"ping"> {
  /** The sender's clock, in ms. */
  readonly tsMs: number;
}

/** The answer to a ping. */
export interface Pong extends Tagged<"pong"> {
  /** The sender's clock, in ms. */
  readonly tsMs: number;
  /** `tsMs` of the ping that is answered. */
  readonly replyToMs: number;
}

/** A text from application to application. */
export interface AppMessage extends Tagged<"app_message"> {
  /** At most what fits a frame. */
  readonly text: string;
}

/** A file is offered. */
export interface FileOffer extends Tagged<"file-offer">, OfTransfer {
  /** As the peer has it: hostile text, not a path. At most {@linkcode MAX_FILENAME_BYTES}. */
  readonly filename: string;
  /** Length in bytes, from 0 up. */
  readonly size: number;
  /** ceil(size / chunkSize); 0 for an empty file. */
  readonly totalChunks: number;
  /** Bytes of plaintext in every chunk but the last. At least 1. */
  readonly chunkSize: number;
  /** SHA-256 that the file must have: INTEGRITY_FAILED ends the session when it has not. */
  readonly fileHash?: FileHash;
  /** Of the extension `resume`, as it came: `transfer/resume.ts` judges it. */
  readonly retryOf?: unknown;
}

/** The offer is accepted. */
export interface FileAccept extends Tagged<"file-accept">, OfTransfer {
  /** Of the extension `resume`, as it came: `transfer/resume.ts` judges it. */
  readonly resumeFrom?: unknown;
}

/** What each chunk repeats of its file in the published encoding. */
export interface ChunkedFile {
  /** The same as in the offer. */
  readonly filename: string;
  /** Bytes of the whole file. */
  readonly fileSize: number;
  /** On the first chunk, from web clients. */
  readonly fileHash?: FileHash;
}

/** What a chunk's message says beside the chunk. */
export interface ChunkHeader extends Tagged<"file-chunk">, OfTransfer {
  /** From 0, less than `totalChunks`. */
  readonly chunkIndex: number;
  /** ceil(size / chunk size); 0 for an empty file. */
  readonly totalChunks: number;
  /** Absent in the binary encoding, which leaves it to the offer. */
  readonly file?: ChunkedFile;
}

/** A piece of a file. */
export interface FileChunk extends ChunkHeader {
  /** Of what depends on the session (the wire format, section 6). May be overwritten. */
  readonly chunk: Uint8Array<ArrayBuffer>;
}

/** All chunks were sent. */
export interface FileFinish extends Tagged<"file-finish">, OfTransfer {
  /** An echo; the offer's hash is the one that is verified. */
  readonly fileHash?: FileHash;
}

/** Send nothing more for now. */
export interface Pause extends Tagged<"pause">, OfTransfer {}

/** Ends a pause that its sender asked for. */
export interface Resume extends Tagged<"resume">, OfTransfer {}

/** The transfer ends here. */
export interface Cancel extends Tagged<"cancel">, OfTransfer {
  /** Which side cancelled, as that side puts it. */
  readonly cancelledBy: CancelledBy;
  /** Of the extension `resume`, as it came: `transfer/resume.ts` judges it. */
  readonly resumable?: unknown;
}

/** The peer could not go on with a transfer, or with the session. */
export interface ErrorMessage extends Tagged<"error"> {
  /** The registered code. */
  readonly code: ErrorCode;
  /** For people; hostile text when it came from the peer. */
  readonly message: string;
  /** The transfer that the error is about, if it is about one. */
  readonly transferId?: TransferId;
  /** Of the extension `resume`, as it came: `transfer/resume.ts` judges it. */
  readonly resumable?: unknown;
}

/** A message about one transfer, but for its errors. */
export type TransferMessage =
  | FileOffer
  | FileAccept
  | FileChunk
  | FileFinish
  | Pause
  | Resume
  | Cancel;

/** Everything that may travel inside an envelope. */
export type InnerMessage = Ping | Pong | AppMessage | TransferMessage | ErrorMessage;

/** The JSON text of an inner message, with exactly the wire's names. */
export function encodeInnerMessage(message: InnerMessage): string {
  switch (message.type) {
    case "file-chunk":
      return encodeChunk(message);
    case "ping":
      return JSON.stringify({ type: "ping", ts_ms: message.tsMs });
    case "pong":
      return JSON.stringify({ type: "pong", ts_ms: message.tsMs, reply_to_ms: message.replyToMs });
    case "file-offer":
    case "file-finish":
      return JSON.stringify({ ...message, fileHash: message.fileHash?.hex });
    default:
      // These have the wire's names already.
      return JSON.stringify(message);
  }
}

function encodeChunk(
  { type, transferId, file, chunkIndex, totalChunks, chunk }: FileChunk,
): string {
  return JSON.stringify({
    type,
    transferId,
    filename: file?.filename,
    chunkIndex,
    totalChunks,
    chunk: toBase64(chunk),
    fileSize: file?.fileSize,
    // JSON leaves out what is undefined.
    fileHash: file?.fileHash?.hex,
  });
}

function invalid(type: string, what: string): ProtocolError {
  return new ProtocolError("INVALID_MESSAGE", `the peer's ${type} has no valid ${what}`);
}

/** A field that must be there: the value, or INVALID_MESSAGE. */
function required<T>(value: T | undefined, type: string, what: string): T {
  if (value === undefined) throw invalid(type, what);
  return value;
}

function requiredCount(object: JsonObject, type: string, key: string): number {
  return required(countField(object, key), type, key);
}

function requiredId(object: JsonObject, type: string): TransferId {
  return required(parseTransferId(field(object, "transferId")), type, "transferId");
}

/** A field that not every session may have, as it came. */
function unjudged<K extends string>(object: JsonObject, key: K): { readonly [k in K]?: unknown } {
  const value = field(object, key);
  // The key is of type K, which TypeScript can't say of a computed one.
  return value === undefined ? {} : { [key]: value } as { readonly [k in K]?: unknown };
}

/** An absent hash is fine, a malformed one is not. JSON null counts as absent. */
function optionalHash(object: JsonObject, type: string): { readonly fileHash?: FileHash } {
  const value = field(object, "fileHash") ?? undefined;
  return value === undefined ? {} : { fileHash: required(FileHash.parse(value), type, "fileHash") };
}

/** Whether a text can be a file's name on the wire: 1 to 1024 bytes of well-formed UTF-8. */
export function isFilename(name: string): boolean {
  // A UTF-16 unit takes three bytes at most, so a short name need not be encoded to be measured.
  const short = name.length * 3 <= MAX_FILENAME_BYTES;
  const fits = short ||
    (name.length <= MAX_FILENAME_BYTES && toUtf8(name).length <= MAX_FILENAME_BYTES);
  return name !== "" && fits && name.isWellFormed();
}

function filename(object: JsonObject, type: string): string {
  const name = required(stringField(object, "filename"), type, "filename");
  if (!isFilename(name)) throw invalid(type, "filename");
  return name;
}

/** ceil(size / chunkSize), exact for all safe integers. */
export function chunkCount(size: number, chunkSize: number): number {
  return (size - size % chunkSize) / chunkSize + (size % chunkSize === 0 ? 0 : 1);
}

function fileOffer(object: JsonObject): FileOffer {
  const type = "file-offer";
  const offer: FileOffer = {
    type,
    transferId: requiredId(object, type),
    filename: filename(object, type),
    size: requiredCount(object, type, "size"),
    totalChunks: requiredCount(object, type, "totalChunks"),
    chunkSize: requiredCount(object, type, "chunkSize"),
    ...optionalHash(object, type),
    ...unjudged(object, "retryOf"),
  };
  if (offer.chunkSize === 0) throw invalid(type, "chunkSize");
  if (offer.totalChunks !== chunkCount(offer.size, offer.chunkSize)) {
    throw invalid(type, "totalChunks");
  }
  return offer;
}

function fileChunk(object: JsonObject): FileChunk {
  const type = "file-chunk";
  const transferId = requiredId(object, type);
  const file: ChunkedFile = {
    filename: filename(object, type),
    fileSize: requiredCount(object, type, "fileSize"),
    ...optionalHash(object, type),
  };
  const base64 = required(stringField(object, "chunk"), type, "chunk");
  const chunk: FileChunk = {
    type,
    transferId,
    chunkIndex: requiredCount(object, type, "chunkIndex"),
    totalChunks: requiredCount(object, type, "totalChunks"),
    file,
    chunk: required(fromBase64(base64), type, "chunk"),
  };
  checkPlace(chunk);
  // No chunk is empty, so there are never more of them than bytes.
  if (chunk.totalChunks > file.fileSize) throw invalid(type, "totalChunks");
  return chunk;
}

/**
 * Checks a chunk's place in its file.
 *
 * @throws {ProtocolError} INVALID_MESSAGE when it is not before the end.
 */
export function checkPlace({ type, chunkIndex, totalChunks }: ChunkHeader): void {
  if (chunkIndex >= totalChunks) throw invalid(type, "chunkIndex");
}

const CANCELLED_BY: ReadonlySet<unknown> = new Set<CancelledBy>([
  "initiator",
  "responder",
  "sender",
  "receiver",
]);

function isCancelledBy(value: unknown): value is CancelledBy {
  return CANCELLED_BY.has(value);
}

function cancel(object: JsonObject): Cancel {
  const cancelledBy = field(object, "cancelledBy");
  if (!isCancelledBy(cancelledBy)) throw invalid("cancel", "cancelledBy");
  const transferId = requiredId(object, "cancel");
  return { type: "cancel", transferId, cancelledBy, ...unjudged(object, "resumable") };
}

function errorMessage(object: JsonObject): ErrorMessage {
  const code = field(object, "code");
  if (!isErrorCode(code)) {
    throw new ProtocolError("PROTOCOL_VIOLATION", "the peer's error has an unregistered code");
  }
  const message = field(object, "message") ?? "";
  if (typeof message !== "string") {
    throw new ProtocolError(
      "PROTOCOL_VIOLATION",
      "the peer's error has a message that is not text",
    );
  }
  const id = field(object, "transferId") ?? undefined;
  if (id === undefined) return { type: "error", code, message };
  return {
    type: "error",
    code,
    message,
    transferId: required(parseTransferId(id), "error", "transferId"),
    ...unjudged(object, "resumable"),
  };
}

/**
 * Parses the JSON object of an opened envelope.
 *
 * @throws {ProtocolError} UNKNOWN_MESSAGE_TYPE for a type that the wire format does not have,
 * PROTOCOL_VIOLATION for an error with an unregistered code, INVALID_MESSAGE for fields that are
 * absent, of the wrong type, out of bounds or at odds with one another.
 */
export function parseInnerMessage(object: JsonObject): InnerMessage {
  const type = stringField(object, "type");
  switch (type) {
    case "file-chunk":
      return fileChunk(object);
    case "ping":
      return { type, tsMs: requiredCount(object, type, "ts_ms") };
    case "pong":
      return {
        type,
        tsMs: requiredCount(object, type, "ts_ms"),
        replyToMs: requiredCount(object, type, "reply_to_ms"),
      };
    case "app_message":
      return { type, text: required(stringField(object, "text"), type, "text") };
    case "file-offer":
      return fileOffer(object);
    case "file-accept":
      return { type, transferId: requiredId(object, type), ...unjudged(object, "resumeFrom") };
    case "pause":
    case "resume":
      return { type, transferId: requiredId(object, type) };
    case "file-finish":
      return { type, transferId: requiredId(object, type), ...optionalHash(object, type) };
    case "cancel":
      return cancel(object);
    case "error":
      return errorMessage(object);
    case undefined:
      throw new ProtocolError("INVALID_MESSAGE", "the peer's message has no type");
    default:
      throw new ProtocolError("UNKNOWN_MESSAGE_TYPE", "the peer's message has an unknown type");
  }
}

/**
 * Parses the text that was sealed.
 *
 * @throws {ProtocolError} INVALID_MESSAGE when it is not the UTF-8 of a JSON object, and the codes of
 * {@linkcode parseInnerMessage}.
 */
export function parseInnerText(plaintext: Uint8Array): InnerMessage {
  const text = fromUtf8(plaintext);
  const object = text === undefined ? undefined : parseJsonObject(text);
  if (object !== undefined) return parseInnerMessage(object);
  throw new ProtocolError("INVALID_MESSAGE", "the peer's envelope holds no JSON object");
}
