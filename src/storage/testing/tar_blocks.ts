/**
 * Tar archives put together by hand, hostile ones too, and trees to compare, for tests.
 *
 * @module
 */
import {
  BLOCK_BYTES,
  checksumOf,
  type FieldName,
  FIELDS,
  paddingOf,
} from "../archive/tar_format.ts";
import { headerOf } from "../archive/tar_header.ts";
import type { TarInput } from "../archive/tar_reader.ts";

/** An entry as it is to be written, right or wrong. */
export interface Written {
  /** The name in its header. */
  readonly name: string;
  /** Its content. */
  readonly content?: string | Uint8Array;
  /** Fields to write over, as they stand. */
  readonly fields?: { readonly [name in FieldName]?: string | Uint8Array };
}

const bytesOf = (content: string | Uint8Array) =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** An entry with its content, whose checksum is right whatever its fields are. */
export function entryBytes({ name, content = "", fields = {} }: Written): Uint8Array<ArrayBuffer> {
  const body = bytesOf(content);
  const plain = { isFolder: false, size: body.length, mtimeSecs: 1000, mode: 0o644 };
  const header = headerOf({ ...plain, path: "x" });
  const set = (field: FieldName, value: string | Uint8Array) => {
    const [offset, length] = FIELDS[field];
    header.fill(0, offset, offset + length);
    header.set(bytesOf(value).subarray(0, length), offset);
  };
  set("name", name);
  for (const field of Object.keys(FIELDS) as FieldName[]) {
    const value = fields[field];
    if (value !== undefined) set(field, value);
  }
  if (fields.checksum === undefined) {
    set("checksum", `${checksumOf(header).toString(8).padStart(6, "0")}\0 `);
  }
  return joined([header, body, new Uint8Array(paddingOf(body.length))]);
}

/** A record of a pax header. */
export function paxRecord(key: string, value: string): string {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** A pax header for the next entry, or with type `g` for all. */
export function paxBytes(records: string | Uint8Array, type = "x"): Uint8Array<ArrayBuffer> {
  return entryBytes({ name: "pax", content: records, fields: { type } });
}

/** An archive of these parts, with its end. */
export function archiveOf(...parts: (Uint8Array | Written)[]): Uint8Array<ArrayBuffer> {
  const written = parts.map((part) => part instanceof Uint8Array ? part : entryBytes(part));
  return joined([...written, new Uint8Array(2 * BLOCK_BYTES)]);
}

/** Bytes to read, so many at a time. */
export function inputOf(bytes: Uint8Array, atOnce = Infinity): TarInput {
  let at = 0;
  return {
    read(into) {
      const some = bytes.subarray(at, at + Math.min(into.length, atOnce));
      into.set(some);
      at += some.length;
      return Promise.resolve(some.length === 0 ? null : some.length);
    },
  };
}

/** What is in a folder: kind, permission bits, time in seconds and text by path. */
export async function treeOf(
  root: string,
  path = "",
  tree: Record<string, string> = {},
): Promise<Record<string, string>> {
  for await (const { name } of Deno.readDir(`${root}${path}`)) {
    const at = `${path}/${name}`;
    const { isDirectory, isFile, mode, mtime } = await Deno.lstat(root + at);
    const about = `${((mode ?? 0) & 0o7777).toString(8)} ${(mtime?.getTime() ?? 0) / 1000}`;
    tree[at] = isFile ? `file ${about} ${await Deno.readTextFile(root + at)}` : `folder ${about}`;
    if (isDirectory) await treeOf(root, at, tree);
  }
  return tree;
}
