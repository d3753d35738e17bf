/**
 * One transfer as the journal keeps it, and the lines that carry it. Pure.
 *
 * A line is `{"sum":"<16 hex>","entry":<JSON>}`, the entry a record, or a list of records that were
 * written together; `sum` is the start of the SHA-256 over the sum of
 * the line before (empty for the first) and the text of the entry, so that lines changed, lost or
 * put elsewhere show.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { escapeName } from "../base/text.ts";
import { TRANSFER_STATES, type TransferState } from "../base/transfer_states.ts";
import { isCount, isJsonObject, type JsonObject } from "../protocol/json.ts";
import type { ArchiveSource } from "./archive/listing.ts";
import { hasExactly } from "./strict_json.ts";
import { isIdentity } from "./trust_file.ts";

const DIRECTIONS = ["send", "receive"] as const;

/**
 * A state as the journal spells it: `verifying` is `publishing` there, received, verified and on
 * disk, about to get the name `savedAs`. `interrupted`: the daemon ended, or the channel was lost,
 * before the transfer did.
 */
export type JournalState = Exclude<TransferState, "verifying"> | "publishing";

/** From a transfer's state to the journal's spelling. */
export function toJournalState(state: TransferState): JournalState {
  return state === "verifying" ? "publishing" : state;
}

/** Code of a transfer that the end of the daemon, in order or not, interrupted. */
export const DAEMON_STOPPED = "DAEMON_STOPPED";

const UNPACK_STATES: readonly UnpackState[] = ["pending", "ready", "done"];
const JOURNAL_STATES = TRANSFER_STATES.map(toJournalState);

/** From the journal's spelling to a transfer's state. */
export function fromJournalState(state: JournalState): TransferState {
  return state === "publishing" ? "verifying" : state;
}

/** What is known of the partial file of a transfer that can go on. */
export interface KeptPart {
  /** Bytes from its start that were on the disk when this was written: no more is believed. */
  readonly bytes: number;
  /** SHA-256 of these bytes, 64 lower-case hex digits. */
  readonly hash: string;
  /** The name that the file is to get. */
  readonly saveAs: string;
  /** Whether its next try needs no consent. */
  readonly consented: boolean;
  /** Present: it is unpacked when it has arrived. */
  readonly unpack?: true;
}

/**
 * How far an archive is that is unpacked, from when it is verified. `pending`: it is unpacked into a
 * folder that is not public. `ready`: all of it is, and is about to get its name. `done`.
 */
export type UnpackState = "pending" | "ready" | "done";

/** What has to be known of a file to send so that it waits for its peer over restarts. */
export interface QueuePlace {
  /** Of two with the same priority the lower goes first; a count that no start begins anew. */
  readonly order: number;
  /** As the application asked: higher goes first. */
  readonly priority: number;
  /** When it is given up, in milliseconds since 1970. */
  readonly expiresAt: number;
  /** How long it waits in all, in milliseconds: however the clock jumps, no longer. */
  readonly lifetimeMs: number;
  /** The source's last change when it was queued, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** How fast it is sent at most, in bytes a second. */
  readonly rateLimit?: number;
  /**
   * The source's inode then; absent where the platform has none, or none that a number holds, and in
   * records of earlier versions. Not its device: that has another number after a restart of the machine.
   */
  readonly ino?: number;
}

/** A transfer in the journal. */
export interface TransferRecord {
  /** 32 lower-case hex digits; unique only together with direction and peer. */
  readonly transferId: string;
  /** Outgoing: its id on the wire, of the same form; absent before it is offered. */
  readonly protocolTransferId?: string;
  /** Which way it goes. */
  readonly direction: "send" | "receive";
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly peer: string;
  /** Name as offered, escaped, at most {@linkcode MAX_DISPLAY_NAME} long; never a path to open. */
  readonly displayName: string;
  /** Name it has, or is about to get, in the inbox; null otherwise. */
  readonly savedAs: string | null;
  /** Bytes of the whole file. */
  readonly size: number;
  /** SHA-256 of the file, 64 lower-case hex digits; null when it is not known. */
  readonly hash: string | null;
  /** Its state, as the journal spells it. */
  readonly state: JournalState;
  /** Outgoing and completed: whether the peer has confirmed it; absent in older records. */
  readonly confirmed?: boolean;
  /** Bytes sent, or received and written. */
  readonly bytes: number;
  /** Whether a partial file of it is in the inbox. */
  readonly hasPart: boolean;
  /** What is known of that file, where another session can go on with it; since version 2. */
  readonly kept?: KeptPart;
  /** Outgoing: the source, unless its path is too long for a line; since version 2. */
  readonly sourcePath?: string;
  /** Outgoing: what the archive is made of that is sent, where that fits a line; since version 2. */
  readonly archive?: ArchiveSource;
  /** Incoming: it is unpacked, `savedAs` is the name of a folder but while `pending`; since version 2. */
  readonly unpack?: UnpackState;
  /**
   * Outgoing: of the tries to send this file the last that the peer has accepted, by its id on the
   * wire, so that the next names it; since version 2.
   */
  readonly lastTry?: string;
  /** Outgoing, and it waits for a linked peer whenever that is away; since version 2. */
  readonly queue?: QueuePlace;
  /** Code of the error that ended it, null when none did. */
  readonly error: string | null;
  /** When it was first recorded, in milliseconds since 1970. */
  readonly createdAt: number;
  /** When this state was recorded, in milliseconds since 1970. */
  readonly updatedAt: number;
}

const KEYS = [
  "transferId",
  "direction",
  "peer",
  "displayName",
  "savedAs",
  "size",
  "hash",
  "state",
  "bytes",
  "hasPart",
  "error",
  "createdAt",
  "updatedAt",
] as const satisfies readonly (keyof TransferRecord)[];

const TRANSFER_ID = /^[0-9a-f]{32}$/;
const ERROR_CODE = /^[A-Z][A-Z_]{0,63}$/;
/** Longest display name, in UTF-16 units. */
export const MAX_DISPLAY_NAME = 2048;
/** What an escaped name has none of: control, format, lone surrogate, line and paragraph ends. */
const UNESCAPED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Whether this is a transfer id as the journal and the inbox write it. */
export function isTransferId(value: unknown): value is string {
  return typeof value === "string" && TRANSFER_ID.test(value);
}

/** A name as a record has it, and lists show it: escaped, and cut where it would be too long. */
export function displayNameOf(name: string): string {
  // Not in the middle of a character.
  return escapeName(name).slice(0, MAX_DISPLAY_NAME).replace(/[\ud800-\udbff]$/, "");
}

function isDisplayName(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_DISPLAY_NAME && !UNESCAPED.test(value);
}

function isSavedName(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= 255 &&
    !/[/\\\p{Cc}]/u.test(value);
}

function isOneOf<T extends string>(all: readonly T[], value: unknown): value is T {
  return all.some((one) => one === value);
}

function isOptionalBoolean(value: unknown): value is boolean | undefined {
  return value === undefined || typeof value === "boolean";
}

function isKeptPart(value: unknown): value is KeptPart {
  return isJsonObject(value) &&
    hasExactly(value, ["bytes", "hash", "saveAs", "consented"], ["unpack"]) &&
    (value["unpack"] === undefined || value["unpack"] === true) &&
    isCount(value["bytes"]) && isIdentity(value["hash"]) && isSavedName(value["saveAs"]) &&
    typeof value["consented"] === "boolean";
}

function isQueuePlace(value: unknown): value is QueuePlace {
  const keys = ["order", "priority", "expiresAt", "lifetimeMs", "mtimeMs"];
  return isJsonObject(value) && hasExactly(value, keys, ["rateLimit", "ino"]) &&
    (value["rateLimit"] === undefined || (isCount(value["rateLimit"]) && value["rateLimit"] > 0)) &&
    (value["ino"] === undefined || isCount(value["ino"])) &&
    isCount(value["order"]) && Number.isSafeInteger(value["priority"]) &&
    isCount(value["expiresAt"]) && isCount(value["lifetimeMs"]) &&
    Number.isSafeInteger(value["mtimeMs"]);
}

/** Longest source path that a record has, in bytes of its JSON. */
export const MAX_PATH_BYTES = 4096;

/** Whether a record can have this path of a source. */
export function isSourcePath(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.isWellFormed() &&
    new TextEncoder().encode(JSON.stringify(value)).length <= MAX_PATH_BYTES;
}

/** Whether a record can have this as what an archive is made of. */
export function isArchiveSource(value: unknown): value is ArchiveSource {
  if (!isJsonObject(value) || !hasExactly(value, ["name", "paths"])) return false;
  const { name, paths } = value;
  if (!isSavedName(name) || !Array.isArray(paths) || paths.length === 0) return false;
  return paths.every(isSourcePath) &&
    new TextEncoder().encode(JSON.stringify(value)).length <= MAX_PATH_BYTES;
}

const OPTIONAL_KEYS = [
  "protocolTransferId",
  "confirmed",
  "kept",
  "sourcePath",
  "archive",
  "unpack",
  "lastTry",
  "queue",
] as const satisfies readonly (keyof TransferRecord)[];

function isRecordShape(value: JsonObject): value is JsonObject & TransferRecord {
  return hasExactly(value, KEYS, OPTIONAL_KEYS) &&
    (value["kept"] === undefined || isKeptPart(value["kept"])) &&
    (value["sourcePath"] === undefined || isSourcePath(value["sourcePath"])) &&
    (value["archive"] === undefined || isArchiveSource(value["archive"])) &&
    (value["unpack"] === undefined || isOneOf(UNPACK_STATES, value["unpack"])) &&
    (value["lastTry"] === undefined || isTransferId(value["lastTry"])) &&
    (value["queue"] === undefined || isQueuePlace(value["queue"])) &&
    isOptionalBoolean(value["confirmed"]) &&
    (value["protocolTransferId"] === undefined || isTransferId(value["protocolTransferId"])) &&
    isTransferId(value["transferId"]) &&
    isOneOf(DIRECTIONS, value["direction"]) &&
    isIdentity(value["peer"]) &&
    isDisplayName(value["displayName"]) &&
    (value["savedAs"] === null || isSavedName(value["savedAs"])) &&
    isCount(value["size"]) &&
    (value["hash"] === null || isIdentity(value["hash"])) &&
    isOneOf(JOURNAL_STATES, value["state"]) &&
    isCount(value["bytes"]) &&
    typeof value["hasPart"] === "boolean" &&
    (value["error"] === null ||
      (typeof value["error"] === "string" && ERROR_CODE.test(value["error"]))) &&
    isCount(value["createdAt"]) && isCount(value["updatedAt"]);
}

/** Whether a value is a record as the journal may hold it. */
export function isTransferRecord(value: unknown): value is TransferRecord {
  return isJsonObject(value) && isRecordShape(value);
}

/** What distinguishes records: another state of the same transfer has the same key. */
export function recordKey(
  record: Pick<TransferRecord, "transferId" | "direction" | "peer">,
): string {
  return `${record.direction} ${record.peer} ${record.transferId}`;
}

/**
 * Longest line: names of the longest kind at three bytes a unit, and the rest. Who has a path has
 * short names.
 */
export const MAX_LINE_BYTES = 8 * 1024;

/** The first entry of a journal. Version 1 had no lists, and none of the optional members but two. */
export const JOURNAL_HEADER = { version: 2 } as const;

/** The first entry of a journal of an earlier version, which can be read. */
const EARLIER_HEADER = { version: 1 } as const;

/** Whether a first entry is of a journal that can be read: as it is written now, or earlier. */
export function headerAge(entry: unknown): "current" | "earlier" | undefined {
  const text = JSON.stringify(entry);
  if (text === JSON.stringify(JOURNAL_HEADER)) return "current";
  return text === JSON.stringify(EARLIER_HEADER) ? "earlier" : undefined;
}

/** A line and the sum that the next one builds on. */
export interface ChainedLine {
  /** With its line feed; at most {@linkcode MAX_LINE_BYTES}. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Checksum over this entry and those before, 16 hex digits. */
  readonly sum: string;
}

function sumOf(previous: string, entry: string): string {
  return createHash("sha256").update(previous).update(entry).digest("hex").slice(0, 16);
}

/** The line of an entry that follows the line with the sum `previous`. */
export function formatLine(
  previous: string,
  entry: TransferRecord | readonly TransferRecord[] | { readonly version: number },
): ChainedLine {
  const text = JSON.stringify(entry);
  const sum = sumOf(previous, text);
  return { bytes: new TextEncoder().encode(`{"sum":"${sum}","entry":${text}}\n`), sum };
}

/** The changes that a line has, one or several; undefined when its entry is nothing of that kind. */
export function changesOf(entry: unknown): readonly TransferRecord[] | undefined {
  const changes: readonly unknown[] = Array.isArray(entry) ? entry : [entry];
  return changes.length > 0 && changes.every(isTransferRecord) ? changes : undefined;
}

const LINE = /^\{"sum":"([0-9a-f]{16})","entry":(.+)\}$/s;

/**
 * The entry of a line (without its line feed) that follows the one with the sum `previous`.
 *
 * @returns Undefined when the line is damaged or does not belong there.
 */
export function parseLine(
  previous: string,
  line: Uint8Array,
): { readonly entry: unknown; readonly sum: string } | undefined {
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const [, sum, text] = LINE.exec(decoder.decode(line)) ?? [];
    if (sum === undefined || text === undefined || sumOf(previous, text) !== sum) return undefined;
    return { entry: JSON.parse(text), sum };
  } catch {
    return undefined;
  }
}
