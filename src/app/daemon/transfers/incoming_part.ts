/**
 * The partial file of an incoming transfer, from its making, or from what an earlier try has left, to
 * its name or its end; and what the journal knows of it.
 *
 * @module
 */
import { messageOf } from "../../../base/errors.ts";
import type { Log } from "../../../log/log.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { withStorageErrors } from "../../../storage/failure.ts";
import {
  IncomingFile,
  type IncomingFileOptions,
  SYNC_BYTES,
  type UnpackWish,
} from "../../../storage/inbox/incoming_file.ts";
import {
  folderNameOf,
  isArchiveName,
  type UnpackOutcome,
} from "../../../storage/inbox/unpack_part.ts";
import type { Inbox, SpaceClaim } from "../../../storage/inbox/inbox.ts";
import type { KeptPrefix } from "../../../storage/inbox/kept_file.ts";
import type { KeptPart } from "../../../storage/journal_record.ts";
import type { CollisionPolicy } from "../../../vocabulary/policies.ts";
import { Sha256 } from "../../../protocol/crypto/sha256.ts";
import type { EarlierTries } from "./earlier_tries.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import { failureOf } from "./transfer_end.ts";
import type { TransferEntry, TransferProgress } from "./transfer_entry.ts";
import type { TransferRegistry } from "./transfer_registry.ts";

/**
 * What becomes of a partial file when its transfer ends early: it goes; it stays for another try, who
 * needs consent anew; or it stays and consent goes on, as far as it can.
 */
export type PartEnd = "remove" | "keep" | "keep with consent";

/**
 * Who has accepted a try: a person; a person who had accepted an earlier one, which goes on; or a
 * rule, or a session that was let in with its files, which give no consent to the next try.
 */
export type Consent = "person" | "earlier try" | "rule";

/** What partial files share. */
export interface PartOptions {
  /** Keeps changes. */
  readonly registry: TransferRegistry;
  /** What lost tries have left. */
  readonly tries: EarlierTries;
  /** Where received files go. */
  readonly inbox: Inbox;
  /** What happens when a name is taken. */
  readonly collision: CollisionPolicy;
  /** Told of what goes wrong. */
  readonly log: Log;
  /** Bytes after which what has come is made durable. @default {SYNC_BYTES} */
  readonly syncBytes?: number;
}

/** Options of {@linkcode IncomingPart.make}. */
export interface IncomingPartOptions extends PartOptions {
  /** The transfer; accepted. */
  readonly entry: TransferEntry;
  /** What the peer offers. */
  readonly file: OfferedFile;
  /** The session that it came by. */
  readonly session: SessionTransfers;
  /** The name that it is to get. */
  readonly saveAs: string;
  /** Whether it is unpacked, if it is an archive. */
  readonly unpack: boolean;
  /** Who has accepted this try. */
  readonly consent: Consent;
  /** Aborted when the transfer ends. */
  readonly ended: AbortSignal;
  /**
   * Told when nothing is known that speaks against the file, and it comes from its first byte: what
   * comes may wait for the partial file.
   */
  readonly onPossible?: () => void;
}

/** Options of {@linkcode IncomingPart.finish}. */
export interface PartFinish {
  /** Called before it gets its name. */
  readonly onPublishing?: () => Promise<void>;
  /** Told when it has its name, durably; the journal's last word on it follows. */
  readonly onNamed?: () => void;
}

const NOTHING: KeptPrefix = { bytes: 0, hash: new Sha256().digest().hex };

/** A partial file that is written to. */
export class IncomingPart {
  readonly #options: IncomingPartOptions;
  readonly #file: IncomingFile;
  /** Whether it can be of use to another try. */
  readonly #isResumable: boolean;
  /** Bytes of an earlier try that it began with. */
  readonly resumedFrom: number;

  private constructor(options: IncomingPartOptions, file: IncomingFile) {
    const { tries, session } = options;
    this.#options = options;
    this.#file = file;
    this.#isResumable = tries.mayKeep(options.file, session);
    this.resumedFrom = file.received;
  }

  /**
   * Makes it, or goes on with what an earlier try has left.
   *
   * @throws {StorageError} As `IncomingFile.create` and `IncomingFile.resume`; the signal's reason
   * when the transfer ended meanwhile.
   */
  static async make(options: IncomingPartOptions): Promise<IncomingPart> {
    const { registry, inbox, collision, entry, file, session, saveAs, ended, tries } = options;
    const { transferId } = entry.facts;
    const fileOptions = {
      transferId,
      size: file.size,
      ...(options.syncBytes === undefined ? {} : { syncBytes: options.syncBytes }),
    };
    // Not only when all of it has come.
    await inbox.checkFree(saveAs, collision);
    const kept = await tries.open(file, session, ended);
    // First the journal: after a crash only partial files that it knows of are looked after.
    const known = tries.mayKeep(file, session)
      ? {
        ...(kept?.prefix ?? NOTHING),
        saveAs,
        consented: options.consent === "person",
        ...(options.unpack ? { unpack: true as const } : {}),
      }
      : undefined;
    using owned = new DisposableStack();
    if (kept !== undefined) owned.use(kept);
    const claim = kept === undefined ? owned.use(await claimSpace(inbox, fileOptions)) : undefined;
    const journaled = registry.change(entry, { hasPart: true, kept: known });
    if (kept === undefined) options.onPossible?.();
    await journaled;
    ended.throwIfAborted(); // taken back meanwhile
    if (kept === undefined) {
      await tries.dropPartsOf(file, session);
      owned.move();
      return new IncomingPart(options, await IncomingFile.create(inbox, fileOptions, claim));
    }
    owned.move();
    const part = await IncomingFile.resume(inbox, fileOptions, kept);
    entry.update({ transferred: part.received, resumedFrom: part.received });
    await tries.taken(kept.transferId, session);
    return new IncomingPart(options, part);
  }

  /** Appends a chunk. What has come is made durable now and then, and the journal learns of it. */
  async write(bytes: Uint8Array): Promise<void> {
    const { registry, entry } = this.#options;
    await this.#file.write(bytes);
    registry.moved(entry, this.#file.received);
    if (!this.#isResumable) return;
    const prefix = await this.#file.synced();
    if (prefix !== undefined) await registry.change(entry, { kept: this.#known(prefix) });
  }

  /**
   * Has it verified and named, and the journal know that.
   *
   * @throws {StorageError}
   */
  async finish({ onPublishing, onNamed }: PartFinish = {}): Promise<void> {
    const { registry, inbox, collision, entry, file, session, saveAs, tries } = this.#options;
    const publishing = async (change: Partial<TransferProgress>) => {
      await onPublishing?.();
      // A crash after it has its name must find that name: else the file would come once more.
      const verifying = { state: "verifying", waitingFor: undefined, ...change } as const;
      await registry.changeDurably(entry, verifying);
    };
    const { savedAs, hash, unpacking } = await this.#file.finish({
      name: saveAs,
      expectedHash: file.fileHash?.hex ?? null,
      collision,
      onPublishing: (savedAs) => publishing({ savedAs, unpack: undefined }),
      ...(this.#isUnpacked ? { unpack: this.#unpackWish(publishing) } : {}),
    });
    onNamed?.();
    this.#logUnpacking(unpacking);
    await registry.change(entry, {
      state: "completed",
      transferred: file.size,
      savedAs,
      savedPath: inbox.pathOf(savedAs),
      ...(unpacking === undefined ? {} : unpackingIn(unpacking)),
      fileHash: hash,
      hasPart: false,
      kept: undefined,
    }, "transfer-finished");
    await tries.dropPartsOf(file, session);
  }

  /** Removes it, or keeps what has come for another try, and the journal learns of that. */
  async giveUp(end: PartEnd): Promise<void> {
    const { registry, entry, tries, log, file, session } = this.#options;
    const keeps = end !== "remove" && this.#isResumable && tries.mayKeep(file, session);
    const hasPart = await this.#file.abort(keeps ? "keep" : "remove").catch((error) => {
      log.warn("a partial file could not be kept or removed", {
        transfer: entry.facts.transferId,
        reason: messageOf(error),
      });
      return true; // the next start looks after it
    });
    const kept = keeps ? this.#known(this.#file.prefix, end) : undefined;
    await registry.change(entry, { hasPart, kept });
  }

  #known(prefix: KeptPrefix, end: PartEnd = "keep with consent"): KeptPart {
    const { saveAs, consent } = this.#options;
    const { syncBytes = SYNC_BYTES } = this.#options;
    // Consent is used up by each try, but for one that has brought the file on.
    const goesOn = consent === "person" ||
      consent === "earlier try" && prefix.bytes - this.resumedFrom >= syncBytes;
    return {
      ...prefix,
      saveAs,
      consented: goesOn && end === "keep with consent",
      ...(this.#options.unpack ? { unpack: true } : {}),
    };
  }

  /** Whether it is an archive, by the name that it was offered under, that is to be unpacked. */
  get #isUnpacked(): boolean {
    return this.#options.unpack && isArchiveName(this.#options.file.filename);
  }

  #unpackWish(publishing: (change: Partial<TransferProgress>) => Promise<void>): UnpackWish {
    const { saveAs } = this.#options;
    return {
      name: folderNameOf(saveAs),
      onUnpacking: () => publishing({ savedAs: saveAs, unpack: "pending" }),
      onPublishing: (savedAs) => publishing({ savedAs, unpack: "ready" }),
    };
  }

  #logUnpacking(unpacking: UnpackOutcome | undefined): void {
    if (unpacking === undefined) return;
    const { log, entry: { facts: { transferId, identity } } } = this.#options;
    const about = { transfer: transferId, peer: identity };
    if ("failure" in unpacking) {
      const { code, message } = unpacking.failure;
      log.warn("an archive is kept as it is", { ...about, code, reason: message });
      return;
    }
    const { entries, renamed, skipped } = unpacking.unpacked;
    log.info("an archive was unpacked", {
      ...about,
      entries,
      renamed,
      skipped: skipped.count,
      ...(skipped.count === 0 ? {} : { skipped_names: skipped.names.join(", ") }),
    });
  }
}

/** What a transfer tells of its unpacking. */
function unpackingIn(
  unpacking: UnpackOutcome,
): Pick<TransferProgress, "unpack" | "unpackFailure"> {
  return "failure" in unpacking
    ? { unpack: undefined, unpackFailure: failureOf(unpacking.failure) }
    : { unpack: "done" };
}

function claimSpace(
  inbox: Inbox,
  { transferId, size }: IncomingFileOptions,
): Promise<SpaceClaim> {
  return withStorageErrors(`make ${inbox.partPath(transferId)}`, async () => {
    try {
      return await inbox.claimSpace(size);
    } catch (error) {
      // Of an inbox that is gone nothing else can be said.
      await inbox.checkUnchanged();
      throw error;
    }
  });
}
