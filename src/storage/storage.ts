/**
 * All that a daemon keeps on disk, opened in the order that keeps it safe: lock, identity, pins,
 * journal, inbox, then what the last run left unfinished.
 *
 * @module
 */
import type { Log } from "../log/log.ts";
import type { IdentityKeyPair } from "../protocol/crypto/keys.ts";
import { ApiFile } from "./api_file.ts";
import { DataFolder } from "./data_folder.ts";
import { denoFileSystem, type FileSystem } from "./file_system.ts";
import { openIdentity } from "./identity_file.ts";
import type { PartPolicy } from "./inbox/incoming_file.ts";
import { Inbox } from "./inbox/inbox.ts";
import { Journal } from "./journal.ts";
import type { TransferRecord } from "./journal_record.ts";
import { LinkStore } from "./link_store.ts";
import { ReceivedFiles } from "./received_files.ts";
import { RequestStore } from "./request_store.ts";
import { recoverTransfers } from "./recovery.ts";
import { TrustStore } from "./trust_store.ts";

/** Options of {@linkcode openStorage}. */
export interface StorageOptions {
  /** Value of `--data-dir`. */
  readonly dataDir: string;
  /** Value of `--inbox`. @default {"<dataDir>/inbox"} */
  readonly inbox?: string;
  /** What becomes of partial files of transfers that were interrupted. @default {"keep"} */
  readonly onAbort?: PartPolicy;
  /** Bytes that a received file must leave free on the disk. @default {16 MiB} */
  readonly keepFreeBytes?: number;
  /** Most transfers that the journal remembers, those under way too. @default {1000} */
  readonly maxTransfers?: number;
  /** What to write to. @default {denoFileSystem} */
  readonly fs?: FileSystem;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
  /** Told what was recovered. */
  readonly log?: Log;
}

/** An opened data folder and all in it. Disposing it closes the journal and frees the lock. */
export interface Storage extends Disposable {
  /** The file system that all of it uses. */
  readonly fs: FileSystem;
  /** The folder and its paths. */
  readonly folder: DataFolder;
  /** The daemon's identity; its secret is zeroed when this is disposed. */
  readonly identity: IdentityKeyPair;
  /** The pinned decisions about peers. */
  readonly trust: TrustStore;
  /** The links that were added over the API. */
  readonly links: LinkStore;
  /** Requests that are not carried out twice. */
  readonly requests: RequestStore;
  /** Where the local API is told, when it is served over TCP. */
  readonly api: ApiFile;
  /** Transfers, past ones too. */
  readonly journal: Journal;
  /** Where received files go. */
  readonly inbox: Inbox;
  /** Files that have arrived. */
  readonly received: ReceivedFiles;
  /** Transfers that this start ended in the journal. */
  readonly recovered: readonly TransferRecord[];
}

/**
 * Opens everything, or nothing: on an error the lock is free again, and no file that could not be
 * used was changed.
 *
 * @throws {StorageError} As the parts say.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { dataDir, onAbort = "keep", fs = denoFileSystem, now = Date.now, log } = options;
  using stack = new DisposableStack();
  const folder = stack.use(await DataFolder.open(fs, { path: dataDir }));
  const identity = await openIdentity(fs, folder);
  stack.use(identity);
  const trust = await TrustStore.open(fs, folder);
  const links = await LinkStore.open(fs, folder);
  const requests = await RequestStore.open(fs, folder);
  const api = await ApiFile.open(fs, folder);
  const { maxTransfers } = options;
  const journal = stack.use(
    await Journal.open(fs, folder, maxTransfers === undefined ? {} : { maxTransfers }),
  );
  const inbox = await Inbox.open(fs, {
    path: options.inbox ?? folder.defaultInboxPath,
    uid: folder.uid,
    ...(options.keepFreeBytes === undefined ? {} : { keepFreeBytes: options.keepFreeBytes }),
    ...(log === undefined ? {} : { log }),
  });
  const received = await ReceivedFiles.open(fs, folder, log === undefined ? {} : { log });
  const recovered = await recoverTransfers(fs, journal, inbox, received, { onAbort, now: now() });
  if (folder.leftoversRemoved > 0 || recovered.length > 0) {
    log?.info("recovered from an unfinished run", {
      leftovers_removed: folder.leftoversRemoved,
      transfers: recovered.length,
    });
  }
  const owned = stack.move();
  return {
    fs,
    folder,
    identity,
    trust,
    links,
    requests,
    api,
    journal,
    inbox,
    received,
    recovered,
    [Symbol.dispose]: () => owned.dispose(),
  };
}
