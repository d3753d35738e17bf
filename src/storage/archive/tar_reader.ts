/**
 * Reads a tar archive that a peer sent, entry by entry. Pure but for the bytes that it is given to
 * read, and within bounds whatever they are.
 *
 * Taken are plain, POSIX, pax and GNU archives. What is no regular file or folder is told by its kind
 * and has no content; what is ambiguous, or more than an honest archive needs, is refused as a whole:
 * sparse files, links with content, unknown kinds, sizes beyond the archive, long headers.
 *
 * Our own because the reader of `modern-tar`, which the tests write archives with, takes unknown kinds
 * of entries, sparse files among them, for regular files.
 *
 * @module
 */
import { StorageError } from "../../base/errors.ts";
import { BLOCK_BYTES, checksumOf, type FieldName, fieldOf, paddingOf } from "./tar_format.ts";

/** Bytes that are read at a time. */
const BUFFER_BYTES = 256 * 1024;
/** Longest pax header or long name. */
export const MAX_HEADER_BYTES: number = 256 * 1024;
/** Headers before one entry. */
const MAX_HEADERS = 8;
/** Longest path of an entry, in bytes. */
const MAX_PATH_BYTES = 4096;

/** What stands in an archive. */
export interface ReadEntry {
  /** What it is; all but files and folders are `other`. */
  readonly kind: "file" | "folder" | "other";
  /** What an `other` is, for people. */
  readonly what?: string;
  /** Its path as it was written: hostile text. */
  readonly path: string;
  /** Bytes of its content; 0 but for files. */
  readonly size: number;
  /** Permission bits (0o777). */
  readonly mode: number;
  /** Last change in seconds since 1970, from 0 up; undefined when it is not known, or before. */
  readonly mtimeSecs: number | undefined;
}

/** Where the bytes come from. */
export interface TarInput {
  /** Reads at the position; the count, or null at the end. */
  read(into: Uint8Array): Promise<number | null>;
}

/** The failure of an archive that is not taken. */
export function archiveRefused(why: string): StorageError {
  return new StorageError("ARCHIVE_REFUSED", `the archive is not unpacked: ${why}`);
}

const notTar = () => archiveRefused("it is no tar archive, or damaged");

const OTHERS: ReadonlyMap<string, string> = new Map([
  ["1", "hard link"],
  ["2", "symbolic link"],
  ["3", "device"],
  ["4", "device"],
  ["6", "pipe"],
]);

/** What headers before an entry say of it. */
interface Overrides {
  path?: string;
  size?: number;
  mtimeSecs?: number;
}

/** Reads an archive from its beginning. */
export class TarReader {
  readonly #input: TarInput;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #from = 0;
  #to = 0;
  /** Bytes of the archive that were not taken out of the buffer yet. */
  #left: number;
  /** Bytes of the entry's content that were not read, and of the padding after it. */
  #body = 0;
  #padding = 0;
  #hasEntry = false;

  /**
   * Begins at the input's position.
   *
   * @param size Bytes of the archive.
   */
  constructor(input: TarInput, size: number) {
    this.#input = input;
    this.#left = size;
  }

  /**
   * The next entry; what is left of the one before is passed over.
   *
   * @returns Undefined at the end.
   * @throws {StorageError} `ARCHIVE_REFUSED`; or what the input throws.
   */
  async next(): Promise<ReadEntry | undefined> {
    await this.#pass(this.#body + this.#padding);
    this.#body = this.#padding = 0;
    const overrides: Overrides = {};
    for (let headers = 0; headers <= MAX_HEADERS; headers++) {
      const header = await this.#header();
      if (header === undefined) {
        if (!this.#hasEntry) throw archiveRefused("there is no file or folder in it");
        return undefined;
      }
      const type = textOf(header, "type");
      if (type === "x" || type === "g" || type === "L" || type === "K") {
        const bytes = await this.#headerBody(numberOf(header, "size"));
        if (type === "x") readPax(bytes, overrides);
        else if (type === "g") checkGlobal(bytes);
        else if (type === "L") overrides.path = decode(upToNul(bytes));
        continue;
      }
      return this.#enter(header, type, overrides);
    }
    throw archiveRefused("an entry has too many headers");
  }

  /**
   * Reads of the entry's content.
   *
   * @returns The count; null at its end.
   * @throws {StorageError} `ARCHIVE_REFUSED` when the archive ends before; or what the input throws.
   */
  async read(into: Uint8Array): Promise<number | null> {
    if (this.#body === 0) return null;
    if (this.#from === this.#to) await this.#fill();
    const some = this.#buffer.subarray(
      this.#from,
      this.#from + Math.min(this.#to - this.#from, into.length, this.#body),
    );
    into.set(some);
    this.#take(some.length);
    this.#body -= some.length;
    return some.length;
  }

  #enter(header: Uint8Array, type: string, overrides: Overrides): ReadEntry {
    this.#hasEntry = true;
    const path = overrides.path ?? plainPath(header);
    const size = overrides.size ?? numberOf(header, "size");
    const seconds = overrides.mtimeSecs ?? numberOf(header, "mtime");
    if (path === "") throw archiveRefused("an entry has no name");
    if (new TextEncoder().encode(path).length > MAX_PATH_BYTES) {
      throw archiveRefused(`an entry's path is longer than ${MAX_PATH_BYTES} bytes`);
    }
    const about = {
      path,
      mode: numberOf(header, "mode") % 0o1000,
      mtimeSecs: seconds >= 0 ? Math.floor(seconds) : undefined,
    };
    // Before there was a kind for folders, they were files whose names ended so.
    const isFile = type === "0" || type === "\0" || type === "7";
    if (type === "5" || (isFile && path.endsWith("/"))) {
      if (isFile && size > 0) throw archiveRefused("a folder has content");
      return { ...about, kind: "folder", size: 0 }; // its size is a hint of old systems
    }
    if (isFile) {
      if (size > this.#left) throw archiveRefused("a file in it is larger than the archive");
      this.#body = size;
      this.#padding = Math.min(paddingOf(size), this.#left - size);
      return { ...about, kind: "file", size };
    }
    const what = OTHERS.get(type);
    if (what === undefined) throw archiveRefused("an entry is of an unknown kind");
    if (size > 0) throw archiveRefused(`a ${what} has content`);
    return { ...about, kind: "other", what, size: 0 };
  }

  /** A header; undefined at the end of the archive, whether or not that is marked. */
  async #header(): Promise<Uint8Array | undefined> {
    if (this.#left === 0) return undefined;
    if (this.#left < BLOCK_BYTES) throw archiveRefused("it is cut off");
    const header = await this.#bytes(BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) return undefined;
    if (numberOf(header, "checksum") !== checksumOf(header)) throw notTar();
    return header;
  }

  async #headerBody(size: number): Promise<Uint8Array> {
    if (size > MAX_HEADER_BYTES) {
      throw archiveRefused(`a header is longer than ${MAX_HEADER_BYTES} bytes`);
    }
    if (size + paddingOf(size) > this.#left) throw archiveRefused("it is cut off");
    return (await this.#bytes(size + paddingOf(size))).subarray(0, size);
  }

  /** So many bytes, in memory of their own. */
  async #bytes(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let done = 0; done < count;) {
      if (this.#from === this.#to) await this.#fill();
      const some = this.#buffer.subarray(
        this.#from,
        Math.min(this.#to, this.#from + count - done),
      );
      bytes.set(some, done);
      this.#take(some.length);
      done += some.length;
    }
    return bytes;
  }

  async #pass(count: number): Promise<void> {
    for (let left = count; left > 0;) {
      if (this.#from === this.#to) await this.#fill();
      const some = Math.min(left, this.#to - this.#from);
      this.#take(some);
      left -= some;
    }
  }

  #take(count: number): void {
    this.#from += count;
    this.#left -= count;
  }

  async #fill(): Promise<void> {
    const room = this.#buffer.subarray(0, Math.min(BUFFER_BYTES, this.#left));
    const count = room.length === 0 ? null : await this.#input.read(room);
    if (count === null || count === 0) throw archiveRefused("it is cut off");
    [this.#from, this.#to] = [0, count];
  }
}

function upToNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw archiveRefused("a name in it is not UTF-8");
  }
}

function textOf(header: Uint8Array, name: FieldName): string {
  const bytes = fieldOf(header, name);
  return name === "type" ? String.fromCharCode(bytes[0] ?? 0) : decode(upToNul(bytes));
}

function plainPath(header: Uint8Array): string {
  const name = textOf(header, "name");
  // GNU archives have other things in that place.
  const isPosix = textOf(header, "magic") === "ustar" && fieldOf(header, "magic")[5] === 0;
  const prefix = isPosix ? textOf(header, "prefix") : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** A number in octal digits; sizes and times also as a signed number of 12 bytes. */
function numberOf(header: Uint8Array, name: "mode" | "size" | "mtime" | "checksum"): number {
  const bytes = fieldOf(header, name);
  const first = bytes[0] ?? 0;
  let value = NaN;
  if ((first & 0x80) !== 0 && (name === "size" || name === "mtime")) {
    value = first === 0xff ? -1 : first & 0x7f;
    for (const byte of bytes.subarray(1)) value = value * 256 + byte;
  } else {
    const text = String.fromCharCode(...bytes);
    const digits = /^ *([0-7]*)[ \0]*$/.exec(text.split("\0", 1)[0] ?? "")?.[1];
    if (digits !== undefined) value = digits === "" ? 0 : parseInt(digits, 8);
  }
  if (Number.isSafeInteger(value) && (value >= 0 || name === "mtime")) return value;
  throw name === "checksum" ? notTar() : archiveRefused(`an entry's ${name} is no number`);
}

/** The records of a pax header: `<length> <key>=<value>\n` each. */
function* recordsOf(bytes: Uint8Array): Generator<readonly [key: string, value: Uint8Array]> {
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(0x20, at);
    const digits = blank === -1
      ? ""
      : String.fromCharCode(...bytes.subarray(at, Math.min(blank, at + 8)));
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, blank);
    const isRecord = /^[1-9]\d{0,6}$/.test(digits) && end <= bytes.length && equals > blank &&
      equals < end - 1 && bytes[end - 1] === 0x0a;
    if (!isRecord) throw archiveRefused("a pax header is damaged");
    yield [decode(bytes.subarray(blank + 1, equals)), bytes.subarray(equals + 1, end - 1)];
    at = end;
  }
}

function readPax(bytes: Uint8Array, overrides: Overrides): void {
  for (const [key, value] of recordsOf(bytes)) {
    if (key.startsWith("GNU.sparse.")) throw archiveRefused("a file in it is sparse");
    if (key === "path") overrides.path = decode(value);
    else if (key === "size") overrides.size = paxNumber(value, /^\d{1,16}$/);
    else if (key === "mtime") overrides.mtimeSecs = paxNumber(value, /^-?\d{1,16}(\.\d*)?$/);
  }
}

function paxNumber(bytes: Uint8Array, form: RegExp): number {
  const text = decode(bytes);
  const value = form.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(Math.trunc(value))) throw archiveRefused("a pax header is damaged");
  return value;
}

/** A header for all entries may hold remarks, such as a commit; nothing that makes them others. */
function checkGlobal(bytes: Uint8Array): void {
  for (const [key] of recordsOf(bytes)) {
    if (key === "path" || key === "size" || key.startsWith("GNU.")) {
      throw archiveRefused("a header is for all entries that can be for one only");
    }
  }
}
