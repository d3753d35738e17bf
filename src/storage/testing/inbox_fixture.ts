/**
 * An inbox and a journal for one test.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { FileSystem } from "../file_system.ts";
import { Inbox } from "../inbox/inbox.ts";
import type { TransferRecord } from "../journal_record.ts";
import type { TemporaryFolder } from "./temporary_folder.ts";

/** An id with this number in it. */
export function transferId(n: number): string {
  return n.toString(16).padStart(32, "0");
}

/** SHA-256 as hex. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Opens the folder `inbox` inside, through `fs`. */
export function openInbox(
  dir: TemporaryFolder,
  fs: FileSystem = dir.fs,
  options: { readonly keepFreeBytes?: number } = {},
): Promise<Inbox> {
  return Inbox.open(fs, { path: dir.at("inbox"), uid: Deno.uid(), ...options });
}

/** A transfer being received. */
export function receivedRecord(
  n: number,
  changes: Partial<TransferRecord> = {},
): TransferRecord {
  return {
    transferId: transferId(n),
    direction: "receive",
    peer: "ab".repeat(32),
    displayName: "photo.jpg",
    savedAs: null,
    size: 100,
    hash: null,
    state: "active",
    bytes: 0,
    hasPart: false,
    error: null,
    createdAt: 1,
    updatedAt: 1,
    ...changes,
  };
}
