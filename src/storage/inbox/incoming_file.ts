/**
 * A file being received: one partial file that grows chunk by chunk. What was written is hashed, here
 * alone, and that hash says whether it is the file that was offered.
 *
 * @module
 */
import { unlessMissing } from "../../base/system_error.ts";
import { StorageError } from "../../base/errors.ts";
import { Sha256 } from "../../protocol/crypto/sha256.ts";
import type { FileStatus, OpenFile } from "../file_system.ts";
import { isSameFile } from "../file_system.ts";
import { isTaken, withStorageErrors } from "../failure.ts";
import { isTransferId } from "../journal_record.ts";
import { writeFully } from "../whole_file.ts";
import type { CollisionPolicy } from "../../vocabulary/policies.ts";
import type { Inbox, SpaceClaim } from "./inbox.ts";
import type { KeptFile, KeptPrefix } from "./kept_file.ts";

/** After so many bytes what was received is made durable, so that a crash does not take it. */
export const SYNC_BYTES: number = 64 * 1024 ** 2;

/** What becomes of the partial file when a transfer ends early. */
export type PartPolicy = "remove" | "keep";

/** Options of {@linkcode IncomingFile.create}. */
export interface IncomingFileOptions {
  /** 32 lower-case hex digits. */
  readonly transferId: string;
  /** Bytes of the whole file, as offered. */
  readonly size: number;
  /** What disposing an unfinished file does. @default {"remove"} */
  readonly onAbort?: PartPolicy;
  /** Bytes after which {@linkcode IncomingFile.synced} makes them durable. @default {SYNC_BYTES} */
  readonly syncBytes?: number;
}

/** A file to write to, and what is in it already. */
interface Start {
  readonly file: OpenFile;
  readonly status: FileStatus;
  readonly hash: Sha256;
  readonly bytes: number;
}

/** Options of {@linkcode IncomingFile.finish}. */
export interface FinishOptions {
  /** A name that is safe to create, from `safeName`. */
  readonly name: string;
  /** SHA-256 that the file must have, 64 lower-case hex digits; null when none is known. */
  readonly expectedHash: string | null;
  /** What to do when the name is taken. @default {"number"} */
  readonly collision?: CollisionPolicy;
  /** Told each name before it is tried: the place to write the journal. */
  readonly onPublishing: (savedAs: string) => Promise<void>;
}

/** A received file. */
export interface ReceivedFile {
  /** Its name in the inbox. */
  readonly savedAs: string;
  /** Its SHA-256, 64 lower-case hex digits. */
  readonly hash: string;
}

/**
 * A partial file. Takes one write at a time: a queue before it is the caller's
 * (`ReceiveQueue`). Disposing it before {@linkcode IncomingFile.finish} has ended well aborts it.
 */
export class IncomingFile implements AsyncDisposable {
  readonly #inbox: Inbox;
  readonly #options: IncomingFileOptions;
  readonly #file: OpenFile;
  readonly #status: FileStatus;
  readonly #claim: SpaceClaim;
  readonly #hash: Sha256;
  #received: number;
  /** Bytes that are durable. */
  #synced: number;
  #writing: Promise<void> | undefined;
  #isSpoilt = false;
  #isClosed = false;

  private constructor(
    inbox: Inbox,
    options: IncomingFileOptions,
    { file, status, hash, bytes }: Start,
    claim: SpaceClaim,
  ) {
    this.#inbox = inbox;
    this.#options = options;
    this.#file = file;
    this.#status = status;
    this.#hash = hash;
    this.#received = this.#synced = bytes;
    this.#claim = claim;
  }

  /**
   * Makes the partial file, mode 0600. Whatever has its name already, a planted link too, is
   * neither followed nor replaced.
   *
   * @param claimed Space for it, taken over. @default {claimed here}
   * @throws {StorageError} `DISK_FULL` when there is no room for `size` bytes; `NAME_TAKEN` when
   * there is a partial file of this id; `INBOX_CHANGED`; or a failure of the file system.
   */
  static async create(
    inbox: Inbox,
    options: IncomingFileOptions,
    claimed?: SpaceClaim,
  ): Promise<IncomingFile> {
    using owned = new DisposableStack();
    if (claimed !== undefined) owned.use(claimed);
    const { transferId, size } = options;
    if (!isTransferId(transferId)) throw idRefused();
    const { fs } = inbox;
    const path = inbox.partPath(transferId);
    return await withStorageErrors(`make ${path}`, async () => {
      await inbox.checkUnchanged();
      const claim = claimed ?? owned.use(await inbox.claimSpace(size));
      try {
        const file = owned.use(await fs.open(path, "create"));
        const status = await file.status();
        const seen = await unlessMissing(fs.lstat(path));
        if (seen === undefined || !isSameFile(seen, status)) {
          throw new StorageError("INBOX_CHANGED", `${path} was replaced while it was made`);
        }
        owned.move();
        return new IncomingFile(
          inbox,
          options,
          { file, status, hash: new Sha256(), bytes: 0 },
          claim,
        );
      } catch (error) {
        if (!isTaken(error)) throw error;
        throw new StorageError(
          "NAME_TAKEN",
          `${path} exists: a transfer with this id was begun before; have it sent anew`,
        );
      }
    });
  }

  /**
   * Goes on with what was kept of another transfer, whose partial file becomes this one's.
   *
   * @param kept Taken over; closed when this fails.
   * @throws {StorageError} `DISK_FULL` when there is no room for the rest; `NAME_TAKEN` when there is
   * a partial file of this id; `INBOX_CHANGED`; or a failure of the file system.
   */
  static async resume(
    inbox: Inbox,
    options: IncomingFileOptions,
    kept: KeptFile,
  ): Promise<IncomingFile> {
    const { transferId, size } = options;
    const { bytes } = kept.prefix;
    using stack = new DisposableStack();
    stack.use(kept);
    if (!isTransferId(transferId)) throw idRefused();
    const claim = await withStorageErrors(
      `write ${inbox.partPath(transferId)}`,
      () => inbox.claimSpace(size - bytes),
    );
    stack.use(claim);
    const moved = await kept.moveTo(inbox, transferId);
    stack.move();
    return new IncomingFile(inbox, options, { ...moved, bytes }, claim);
  }

  /** Bytes written so far, those that were kept before included. */
  get received(): number {
    return this.#received;
  }

  /** What was written so far. Durable after {@linkcode IncomingFile.synced}, and when it was kept. */
  get prefix(): KeptPrefix {
    return { bytes: this.#received, hash: this.#hash.digest().hex };
  }

  /**
   * Makes what was written durable when enough has come since the last time. To be called when no
   * write is under way.
   *
   * @returns What is durable now; undefined when it was not time for it.
   * @throws {StorageError} When it can't be synced, after which only aborting is left.
   */
  async synced(): Promise<KeptPrefix | undefined> {
    const { syncBytes = SYNC_BYTES, transferId } = this.#options;
    if (this.#isClosed || this.#received - this.#synced < syncBytes) return undefined;
    const { prefix } = this;
    this.#writing = withStorageErrors(
      `sync ${this.#inbox.partPath(transferId)}`,
      () => this.#file.sync(),
    );
    try {
      await this.#writing;
      this.#synced = prefix.bytes;
      return prefix;
    } catch (error) {
      this.#isSpoilt = true;
      throw error;
    } finally {
      this.#writing = undefined;
    }
  }

  /**
   * Appends a chunk. `bytes` must not change until it resolves.
   *
   * @throws {StorageError} `SIZE_MISMATCH` beyond the offered size; `DISK_FULL`, `IO_FAILED`,
   * `ACCESS_DENIED`, after which only aborting is left; `QUEUE_FULL` while another write runs.
   */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#writing !== undefined || this.#isSpoilt || this.#isClosed) {
      throw new StorageError(
        "QUEUE_FULL",
        "a received file takes one write at a time, and none when it failed or is closed",
      );
    }
    const { size, transferId } = this.#options;
    if (this.#received + bytes.length > size) {
      throw new StorageError("SIZE_MISMATCH", `the peer sends more than the ${size} bytes offered`);
    }
    const path = this.#inbox.partPath(transferId);
    this.#writing = withStorageErrors(`write ${path}`, () => writeFully(this.#file, bytes));
    try {
      await this.#writing;
      this.#hash.update(bytes);
      this.#received += bytes.length;
      this.#claim.spend(bytes.length);
    } catch (error) {
      this.#isSpoilt = true;
      throw error;
    } finally {
      this.#writing = undefined;
    }
  }

  /**
   * Verifies the file, makes it durable and gives it its name.
   *
   * @throws {StorageError} `SIZE_MISMATCH` when bytes are missing; `HASH_MISMATCH`, after which the
   * partial file is removed whatever the policy; `NAME_TAKEN`, `INBOX_CHANGED`, or a failure of
   * the file system. The caller disposes the file then.
   */
  async finish(options: FinishOptions): Promise<ReceivedFile> {
    const { name, expectedHash, collision = "number", onPublishing } = options;
    const { size, transferId } = this.#options;
    if (this.#received !== size || this.#writing || this.#isSpoilt || this.#isClosed) {
      throw new StorageError(
        "SIZE_MISMATCH",
        `${this.#received} of ${size} bytes were received: the file is not whole`,
      );
    }
    const hash = this.#hash.digest().hex;
    if (expectedHash !== null && hash !== expectedHash) {
      await this.abort("remove");
      throw new StorageError(
        "HASH_MISMATCH",
        "the file received is not the one that was offered (SHA-256 differs): it was discarded",
      );
    }
    const path = this.#inbox.partPath(transferId);
    await withStorageErrors(`sync ${path}`, () => this.#file.sync());
    const part = { ...this.#status, size };
    const savedAs = await this.#inbox.publish({ transferId, part, name, collision, onPublishing });
    this.#close();
    return { savedAs, hash };
  }

  /**
   * Ends an unfinished file, after the write that is under way. Does nothing after
   * {@linkcode IncomingFile.finish} or a first call.
   *
   * @param policy What becomes of the partial file; `keep` cuts it to the bytes of whole chunks.
   * @returns Whether a partial file is left.
   * @throws {StorageError} When the partial file can't be removed or kept; the handle is closed.
   */
  async abort(policy: PartPolicy = this.#options.onAbort ?? "remove"): Promise<boolean> {
    if (this.#isClosed) return false;
    this.#isClosed = true;
    const path = this.#inbox.partPath(this.#options.transferId);
    try {
      // Its failure is reported to whoever wrote.
      await this.#writing?.catch(() => {});
      return await withStorageErrors(`${policy} ${path}`, async () => {
        if (policy === "keep") {
          await this.#file.truncate(this.#received);
          await this.#file.sync();
          return true;
        }
        const seen = await unlessMissing(this.#inbox.fs.lstat(path));
        // What was put in its place is not ours to remove.
        if (seen === undefined || !isSameFile(seen, this.#status)) {
          // Where the folder was swapped, it is in the other one: a start with that removes it.
          return !await this.#inbox.isUnchanged();
        }
        await this.#inbox.fs.remove(path);
        await this.#inbox.fs.syncFolder(this.#inbox.path);
        return false;
      });
    } finally {
      this.#close();
    }
  }

  #close(): void {
    this.#isClosed = true;
    this.#claim[Symbol.dispose]();
    this.#file[Symbol.dispose]();
  }

  /** Aborts the file unless it is finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }
}

function idRefused(): StorageError {
  return new StorageError("NAME_REFUSED", "a transfer id is 32 lower-case hex digits");
}
