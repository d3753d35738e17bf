/**
 * The headers of a tar archive, one entry at a time, so that an archive's size is known before a byte
 * of it is made. Pure.
 *
 * The same entry always gives the same bytes: no owner, times to the second, permission bits alone.
 * Long or non-ASCII names, and numbers that a plain header has no room for, stand in a pax header
 * before it.
 *
 * Our own because the packer of `modern-tar` writes whole archives into a stream: it gives no header
 * alone, none for a time before 1970, and a name in UTF-8 without saying that it is.
 *
 * @module
 */
import { BLOCK_BYTES, checksumOf, type FieldName, fieldOf, paddingOf } from "./tar_format.ts";

/** An entry of an archive: a regular file or a folder. */
export interface TarEntry {
  /** Its path in the archive, with `/` between the names and none at either end. */
  readonly path: string;
  /** Whether it is a folder. */
  readonly isFolder: boolean;
  /** Bytes of its content; 0 for a folder. */
  readonly size: number;
  /** Last change, in whole seconds since 1970. */
  readonly mtimeSecs: number;
  /** Permission bits (0o777). */
  readonly mode: number;
}

/** The largest number of a header's field of twelve bytes: eleven octal digits. */
const MAX_OCTAL = 8 ** 11 - 1;
const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/g;
const encoder = new TextEncoder();

function writeText(header: Uint8Array, name: FieldName, text: string): void {
  encoder.encodeInto(text, fieldOf(header, name));
}

function writeNumber(header: Uint8Array, name: FieldName, value: number): void {
  const digits = fieldOf(header, name).length - 1;
  writeText(header, name, value.toString(8).padStart(digits, "0"));
}

interface PlainHeader {
  readonly name: string;
  readonly type: "0" | "5" | "x";
  readonly size: number;
  readonly mtimeSecs: number;
  readonly mode: number;
}

function plainHeader({ name, type, size, mtimeSecs, mode }: PlainHeader): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(BLOCK_BYTES);
  writeText(header, "name", name);
  writeNumber(header, "mode", mode);
  writeNumber(header, "uid", 0);
  writeNumber(header, "gid", 0);
  writeNumber(header, "size", Math.min(size, MAX_OCTAL));
  writeNumber(header, "mtime", Math.min(Math.max(mtimeSecs, 0), MAX_OCTAL));
  writeText(header, "type", type);
  writeText(header, "magic", "ustar\0");
  writeText(header, "version", "00");
  writeText(header, "checksum", `${checksumOf(header).toString(8).padStart(6, "0")}\0 `);
  return header;
}

/** A record of a pax header: its own length in decimal digits, which count too, key and value. */
function paxRecord(key: string, value: string): string {
  const rest = encoder.encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** What of an entry a plain header can't say. */
function paxRecordsOf(path: string, { size, mtimeSecs }: TarEntry): string {
  const isPlainName = path.length <= 100 && path.search(NOT_PRINTABLE_ASCII) < 0;
  const isPlainTime = mtimeSecs >= 0 && mtimeSecs <= MAX_OCTAL;
  return (isPlainName ? "" : paxRecord("path", path)) +
    (size <= MAX_OCTAL ? "" : paxRecord("size", String(size))) +
    (isPlainTime ? "" : paxRecord("mtime", String(mtimeSecs)));
}

/** All that stands before the content of an entry: whole blocks. */
export function headerOf(entry: TarEntry): Uint8Array<ArrayBuffer> {
  const { isFolder, size, mtimeSecs, mode } = entry;
  const path = isFolder ? `${entry.path}/` : entry.path;
  const records = encoder.encode(paxRecordsOf(path, entry));
  // For readers that know no pax headers.
  const name = path.replaceAll(NOT_PRINTABLE_ASCII, "_").slice(0, 100);
  const type = isFolder ? "5" : "0";
  const plain = plainHeader({ name, type, size, mtimeSecs, mode: mode & 0o777 });
  if (records.length === 0) return plain;
  const before = plainHeader({
    name: `PaxHeaders/${name}`.slice(0, 100),
    type: "x",
    size: records.length,
    mtimeSecs,
    mode: 0o644,
  });
  const body = BLOCK_BYTES + records.length + paddingOf(records.length);
  const all = new Uint8Array(body + BLOCK_BYTES);
  all.set(before);
  all.set(records, BLOCK_BYTES);
  all.set(plain, body);
  return all;
}
