/**
 * The folder of `--data-dir`: everything that a daemon keeps.
 *
 * ```text
 * <data-dir>/            0700
 *   lock                 held by the running daemon, its process number inside
 *   identity.key         public(32) || secret(32)
 *   pins/                0700
 *     trust.json         who may and who may not, by identity key
 *     peers.json         last known key of each peer code, auto-accept
 *     links.json         pairings that are kept
 *   journal.ndjson       transfers
 *   received/            0700
 *     1.json, 65.json    files that have arrived
 *   inbox/               received files, unless --inbox names another folder
 *   daemon.sock          the local API, unless --socket-path names another path
 *   api.json             where it is served over TCP, and the token, while it is
 * ```
 *
 * @module
 */
import { unlessMissing } from "../base/system_error.ts";
import { StorageError } from "../base/errors.ts";
import { removeLeftovers } from "./atomic_write.ts";
import { bareFolder, type FileSystem, joinPath } from "./file_system.ts";
import { withStorageErrors } from "./failure.ts";
import { KnownFolder } from "./known_folder.ts";
import { LockFile } from "./lock_file.ts";
import { checkPrivate, type OwnUid, ownUid } from "./private_path.ts";

/** Names inside a data folder. */
export const DATA_NAMES = {
  lock: "lock",
  identity: "identity.key",
  pins: "pins",
  trust: "trust.json",
  peers: "peers.json",
  links: "links.json",
  journal: "journal.ndjson",
  received: "received",
  requests: "requests.json",
  inbox: "inbox",
  socket: "daemon.sock",
  api: "api.json",
} as const;

/** Names that our own writes may leave temporary files of; `owner` is the probe of `ownUid`. */
const WRITTEN = {
  top: new Set<string>([
    DATA_NAMES.identity,
    DATA_NAMES.journal,
    DATA_NAMES.requests,
    DATA_NAMES.api,
    "owner",
  ]),
  pins: new Set<string>([DATA_NAMES.trust, DATA_NAMES.peers, DATA_NAMES.links]),
};

/** Makes a folder if it is missing, and refuses one that isn't private. */
export async function privateFolder(fs: FileSystem, path: string, uid?: OwnUid): Promise<void> {
  const seen = await unlessMissing(fs.lstat(path));
  if (seen === undefined) {
    await fs.makeFolder(path);
    // The new name is durable once its parent is synced, where the flags let us open that.
    await fs.syncFolder(joinPath(path, "..")).catch((error) => {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
    });
  }
  const status = seen ?? await fs.lstat(path);
  if (status.kind !== "folder") {
    const what = status.kind === "symlink" ? "a symbolic link: give the folder it points to" : "";
    throw new StorageError("FOLDER_INVALID", `${path} is ${what || "not a folder: name another"}`);
  }
  checkPrivate(status, path, "folder", uid ?? status.uid);
}

/** Options of {@linkcode DataFolder.open}. */
export interface DataFolderOptions {
  /** Value of `--data-dir`. */
  readonly path: string;
  /** Number of this process, shown to whoever wants the same folder. @default {Deno.pid} */
  readonly pid?: number;
}

/** A data folder that this process has locked. Disposing it frees the lock. */
export class DataFolder implements Disposable {
  /** Absolute path of the folder. */
  readonly path: string;
  /** Folder of the pins, private and existing. */
  readonly pinsPath: string;
  /** The folder at {@linkcode DataFolder.path}, distinguished from another in its place. */
  readonly root: KnownFolder;
  /** The folder at {@linkcode DataFolder.pinsPath}, likewise. */
  readonly pins: KnownFolder;
  /** Who owns what is made here. */
  readonly uid: OwnUid;
  /** Temporary files of killed writes that were removed. */
  readonly leftoversRemoved: number;
  readonly #lock: LockFile;

  private constructor(
    { root, pins }: Pick<DataFolder, "root" | "pins">,
    uid: OwnUid,
    leftoversRemoved: number,
    lock: LockFile,
  ) {
    this.path = root.path;
    this.pinsPath = pins.path;
    this.root = root;
    this.pins = pins;
    this.uid = uid;
    this.leftoversRemoved = leftoversRemoved;
    this.#lock = lock;
  }

  /**
   * Makes the folder if it is missing (0700), checks it, locks it, and removes what killed writes
   * left in it.
   *
   * @throws {StorageError} `FOLDER_LOCKED`, `FOLDER_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or
   * a failure of the file system. Nothing is changed then, but that the folder may exist.
   */
  static async open(fs: FileSystem, options: DataFolderOptions): Promise<DataFolder> {
    const path = bareFolder(options.path);
    const { pid = Deno.pid } = options;
    return await withStorageErrors(`use the data folder ${path}`, async () => {
      await privateFolder(fs, path);
      const uid = await ownUid(fs, path);
      await privateFolder(fs, path, uid);
      const lock = await LockFile.acquire(fs, joinPath(path, DATA_NAMES.lock), pid);
      try {
        const pins = joinPath(path, DATA_NAMES.pins);
        await privateFolder(fs, pins, uid);
        await fs.syncFolder(path);
        const removed = await removeLeftovers(fs, path, WRITTEN.top) +
          await removeLeftovers(fs, pins, WRITTEN.pins);
        const folders = {
          root: await KnownFolder.open(fs, path),
          pins: await KnownFolder.open(fs, pins),
        };
        return new DataFolder(folders, uid, removed, lock);
      } catch (error) {
        lock[Symbol.dispose]();
        throw error;
      }
    });
  }

  /** Where the inbox is when `--inbox` says nothing. */
  get defaultInboxPath(): string {
    return joinPath(this.path, DATA_NAMES.inbox);
  }

  /** Where the socket is when `--socket-path` says nothing. */
  get defaultSocketPath(): string {
    return joinPath(this.path, DATA_NAMES.socket);
  }

  /** Frees the lock. */
  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}
