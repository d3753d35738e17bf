/**
 * What the tries of a file that were lost have left: the part that is kept, the consent that goes on,
 * and whether it has arrived after all. Only of peers that have proven who they are, parts and consent
 * only of those that are pinned, and each for the same peer alone: what another has sent is not looked
 * at.
 *
 * @module
 */
import { abortable, Deadline } from "../../../base/deadline.ts";
import { messageOf } from "../../../base/errors.ts";
import { systemTimer, type Timer } from "../../../base/timer.ts";
import { KEPT_LOOK_MS, PREFIX_HASH_MS } from "../../../base/timing.ts";
import type { Log } from "../../../log/log.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { resumePoint } from "../../../protocol/transfer/resume.ts";
import type { PartPolicy } from "../../../storage/inbox/incoming_file.ts";
import type { Inbox } from "../../../storage/inbox/inbox.ts";
import { safeName } from "../../../storage/inbox/safe_name.ts";
import { KeptFile } from "../../../storage/inbox/kept_file.ts";
import { displayNameOf } from "../../../storage/journal_record.ts";
import {
  beyondBounds,
  KEPT_BOUNDS,
  type KeptBounds,
  nextExpiry,
} from "../../../storage/kept_parts.ts";
import type { ReceivedFiles } from "../../../storage/received_files.ts";
import type { SessionTransfers } from "./session_transfers.ts";
import { Slots } from "./slots.ts";
import type { TransferEntry } from "./transfer_entry.ts";
import type { TransferRegistry } from "./transfer_registry.ts";

/** Options of {@linkcode EarlierTries}. */
export interface EarlierTriesOptions {
  /** All transfers that are remembered. */
  readonly registry: TransferRegistry;
  /** What has arrived, also of transfers that are not remembered any more. */
  readonly received: Pick<ReceivedFiles, "find">;
  /** Where the parts are. */
  readonly inbox: Inbox;
  /** What becomes of partial files when nobody wanted the end. */
  readonly onAbort: PartPolicy;
  /** Whether a peer is let in by a decision that is kept. */
  readonly isPinned: (identity: string) => boolean;
  /** Told of parts that can't be used, or are not kept any longer. */
  readonly log: Log;
  /** Milliseconds since 1970: what counts from one run to the next. */
  readonly now: () => number;
  /** Milliseconds on a clock that never goes back: what counts in this run. */
  readonly steady: () => number;
  /** How much is kept, and how long. @default {KEPT_BOUNDS} */
  readonly bounds?: KeptBounds;
  /** Looks for parts that are too old. @default {systemTimer} */
  readonly after?: Timer;
}

/** Of whom an offer is, and over which session it came. */
export type OfferedBy = Pick<SessionTransfers, "sessionId" | "identity" | "proven" | "resumes">;

/** The tries of files that were lost. Disposing it stops looking for parts that are too old. */
export class EarlierTries implements Disposable {
  readonly #options: EarlierTriesOptions;
  /** Parts are hashed one at a time. */
  readonly #hashing = new Slots({ limit: 1 });
  /** Since when each part is kept, on the steady clock: the time of day may jump by days. */
  readonly #keptSince = new WeakMap<TransferEntry, number>();
  #stopLooking: (() => void) | undefined;
  #isDisposed = false;

  /** Those that the registry remembers. */
  constructor(options: EarlierTriesOptions) {
    this.#options = options;
  }

  /** Whether what is received of this file may be kept for another session. */
  mayKeep(file: OfferedFile, { identity, resumes }: OfferedBy): boolean {
    const { onAbort, isPinned } = this.#options;
    return onAbort === "keep" && resumes && file.fileHash !== undefined && isPinned(identity);
  }

  /** Tries of this file by this peer over other sessions that have not ended yet. */
  unfinished(file: OfferedFile, from: OfferedBy): readonly TransferEntry[] {
    if (!from.resumes) return [];
    return this.#of(file, from).filter((entry) =>
      !entry.isFinal && entry.progress.sessionId !== from.sessionId
    );
  }

  /** Whether an offer names a try as lost, which may have arrived all the same. */
  namesTry(file: OfferedFile, { resumes }: OfferedBy): boolean {
    return resumes && file.retryOf !== undefined && file.fileHash !== undefined;
  }

  /**
   * The id of the try that an offer names as lost, if that has arrived: as the transfer is remembered,
   * or as the record of what arrived has it, which remembers longer. Also of a peer that is not
   * pinned, as nothing more is kept for that: it learns only of its own file.
   */
  async published(file: OfferedFile, from: OfferedBy): Promise<string | undefined> {
    const { retryOf, fileHash, size } = file;
    if (retryOf === undefined || fileHash === undefined || !from.resumes) return undefined;
    const transferId = retryOf.toLowerCase();
    const isRemembered = this.#of(file, from).some(({ facts, progress }) =>
      facts.transferId === transferId && progress.state === "completed"
    );
    if (isRemembered) return transferId;
    const { received } = this.#options;
    const wanted = { transferId, peer: from.identity, size, hash: fileHash.hex };
    return await received.find(wanted) === undefined ? undefined : transferId;
  }

  /** Bytes of all parts that are kept. */
  get keptBytes(): number {
    return this.#kept().reduce((sum, { progress }) => sum + (progress.kept?.bytes ?? 0), 0);
  }

  /** Bytes of this file that are here already, for it to go on with. */
  keptOf(file: OfferedFile, from: OfferedBy): number {
    if (!this.mayKeep(file, from)) return 0;
    return Math.max(
      0,
      ...this.#keptOf(file, from).map(({ progress }) => progress.kept?.bytes ?? 0),
    );
  }

  /**
   * Bytes of this file that there was no space for when its last try ended; undefined when it ended in
   * another way.
   */
  lackingSpace(file: OfferedFile, from: OfferedBy): number | undefined {
    if (!from.resumes) return undefined;
    const tries = this.#of(file, from);
    if (tries.at(-1)?.progress.failure?.code !== "DISK_FULL") return undefined;
    const kept = tries.filter(isKept).map(({ progress }) => progress.kept?.bytes ?? 0);
    return file.size - Math.max(0, ...kept);
  }

  /** How this file was consented to, when that consent goes on; it is used up. */
  takeConsent(
    file: OfferedFile,
    from: OfferedBy,
  ): { readonly saveAs: string; readonly unpack: boolean } | undefined {
    if (!this.mayKeep(file, from)) return undefined;
    const name = displayNameOf(file.filename);
    const entry = this.#keptOf(file, from).findLast((entry) =>
      entry.progress.kept?.consented === true && entry.displayName === name
    );
    const kept = entry?.progress.kept;
    if (entry === undefined || kept === undefined) return undefined;
    this.#options.registry.change(entry, { kept: { ...kept, consented: false } });
    // As all that comes from the disk it is looked at before it is used.
    const safe = safeName(kept.saveAs);
    return safe.safe ? { saveAs: safe.name, unpack: kept.unpack === true } : undefined;
  }

  /**
   * The part that a file can go on with, hashed anew and held open.
   *
   * @param signal Ends the hashing with its reason.
   * @returns Undefined when there is none, it is not what was kept, or that takes too long.
   */
  async open(
    file: OfferedFile,
    from: OfferedBy,
    signal: AbortSignal,
  ): Promise<KeptFile | undefined> {
    const { size, chunkSize } = file;
    if (chunkSize === undefined || !this.mayKeep(file, from)) return undefined;
    const entry = this.#keptOf(file, from).reduce<TransferEntry | undefined>(longer, undefined);
    const kept = entry?.progress.kept;
    if (entry === undefined || kept === undefined || kept.bytes === 0) return undefined;
    const { inbox, log } = this.#options;
    const { transferId } = entry.facts;
    const goesOnAt = resumePoint(kept.bytes, { size, chunkSize });
    using deadline = new Deadline(PREFIX_HASH_MS, {
      what: "what is kept of a file to be hashed",
      parent: signal,
    });
    try {
      using _slot = await this.#hashSlot(from.identity, deadline.signal);
      const options = { goesOnAt, signal: deadline.signal };
      const part = await KeptFile.open(inbox, transferId, kept, options);
      if (part !== undefined) return part;
      log.warn("what was kept of a file is not what it was, and all of it is received anew", {
        transfer: transferId,
        peer: from.identity,
      });
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn("what was kept of a file can't be used, and all of it is received anew", {
        transfer: transferId,
        peer: from.identity,
        reason: messageOf(error),
      });
    }
    return undefined;
  }

  /** A part was taken over by another transfer. */
  async taken(transferId: string, { identity }: Pick<OfferedBy, "identity">): Promise<void> {
    const entry = this.#options.registry.find("incoming", identity, transferId);
    if (entry !== undefined) await this.#forget(entry);
  }

  /** Removes what is kept of a file: it has come, or comes anew from its first byte. */
  async dropPartsOf(file: OfferedFile, from: OfferedBy): Promise<void> {
    if (!from.proven) return;
    for (const entry of this.#keptOf(file, from)) await this.drop(entry);
  }

  /** Removes all that is kept of a peer, as it is not trusted any more. */
  async dropAllOf(identity: string): Promise<void> {
    for (const entry of this.#kept()) {
      if (entry.facts.identity === identity) await this.drop(entry);
    }
  }

  /** Removes a part, and with it the consent. What can't be removed is logged. */
  async drop(entry: TransferEntry): Promise<void> {
    const { inbox, log } = this.#options;
    try {
      await inbox.removePart(entry.facts.transferId);
    } catch (error) {
      log.warn("a partial file could not be removed", {
        transfer: entry.facts.transferId,
        reason: messageOf(error),
      });
      return;
    }
    await this.#forget(entry);
  }

  /** A try was lost: what it has left is kept within the bounds, if its peer is still trusted. */
  async review(entry: TransferEntry): Promise<void> {
    if (!isKept(entry)) return;
    if (this.#options.isPinned(entry.facts.identity)) await this.prune();
    else await this.drop(entry);
  }

  /** Removes what is beyond the bounds, and looks again when the next is too old. */
  async prune(): Promise<void> {
    const { steady, log, bounds = KEPT_BOUNDS, after = systemTimer } = this.#options;
    const parts = () =>
      this.#kept().map((entry) => ({
        entry,
        peer: entry.facts.identity,
        bytes: entry.progress.kept?.bytes ?? 0,
        since: this.#since(entry),
      }));
    for (const { entry, bytes } of beyondBounds(parts(), steady(), bounds)) {
      log.info("a part of a file is not kept any longer", {
        transfer: entry.facts.transferId,
        peer: entry.facts.identity,
        bytes,
      });
      await this.drop(entry);
    }
    this.#stopLooking?.();
    const next = nextExpiry(parts(), bounds);
    if (next === undefined || this.#isDisposed) return;
    const wait = Math.max(KEPT_LOOK_MS, Math.min(next - steady(), bounds.maxAgeMs));
    this.#stopLooking = after(wait, () => {
      this.prune().catch((error) => {
        log.error("parts of files could not be looked at", { reason: messageOf(error) });
      });
    });
  }

  /** Since when a part is kept, on the steady clock: no longer than the time of day said at first. */
  #since(entry: TransferEntry): number {
    const known = this.#keptSince.get(entry);
    if (known !== undefined) return known;
    const { now, steady } = this.#options;
    const since = steady() - Math.max(0, now() - entry.progress.updatedAt);
    this.#keptSince.set(entry, since);
    return since;
  }

  /** Stops looking. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stopLooking?.();
  }

  async #hashSlot(peer: string, signal: AbortSignal): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slot = this.#hashing.claim({ peer, priority: 0, onGranted: resolve });
    try {
      if (!slot.held) await abortable(promise, signal);
      return slot;
    } catch (error) {
      slot[Symbol.dispose]();
      throw error;
    }
  }

  async #forget(entry: TransferEntry): Promise<void> {
    await this.#options.registry.change(entry, { hasPart: false, kept: undefined });
  }

  #of({ size, fileHash }: OfferedFile, { identity }: Pick<OfferedBy, "identity">): TransferEntry[] {
    if (fileHash === undefined) return [];
    return this.#options.registry.incomingOf(identity, { size, hash: fileHash.hex });
  }

  #keptOf(file: OfferedFile, from: Pick<OfferedBy, "identity">): TransferEntry[] {
    return this.#of(file, from).filter(isKept);
  }

  #kept(): TransferEntry[] {
    return this.#options.registry.incomingFrom().filter(isKept);
  }
}

function isKept(entry: TransferEntry): boolean {
  return entry.isFinal && entry.progress.hasPart && entry.progress.kept !== undefined;
}

function longer(a: TransferEntry | undefined, b: TransferEntry): TransferEntry {
  return (a?.progress.kept?.bytes ?? -1) > (b.progress.kept?.bytes ?? 0) ? a ?? b : b;
}
