/**
 * What applications ask of transfers: send, accept, reject, cancel, pause, resume.
 *
 * @module
 */
import { isDiskFull, messageOf } from "../../../base/errors.ts";
import type { SendParameters } from "../../../ipc/api/operations.ts";
import type { AcceptRequest } from "../../../ipc/api/schemas.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import type { RefusedEffect } from "../../../protocol/transfer/effects.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { DAEMON_STOPPED } from "../../../storage/journal_record.ts";
import type { Tally } from "../tally.ts";
import type { AcceptRules } from "./accept_rules.ts";
import { IncomingTransfer, PEER_REASONS, type ReceiveOptions } from "./incoming_transfer.ts";
import type { ChosenIds } from "./keyed_sends.ts";
import {
  OutgoingTransfer,
  type OutgoingTransferOptions,
  type SendOptions,
} from "./outgoing_transfer.ts";
import type { PeerQueue } from "./peer_queue.ts";
import type { Scheduler } from "./scheduler.ts";
import { SessionTransfers, type SessionTransfersOptions } from "./session_transfers.ts";
import type { TransferEntry, TransferFailure } from "./transfer_entry.ts";
import {
  factsOf,
  lookAtSources,
  mayBeKept,
  nameOf,
  type TransferSource,
} from "./transfer_source.ts";

const STOPPING = "the daemon is stopping";
const PEER_LEFT = "the session with that peer has just ended, or its link was just removed";

/** Offers that the protocol's rules refused are logged up to so many a session. */
const MAX_LOGGED_REFUSALS = 20;

/** Options of a {@linkcode TransferService}. */
export interface TransferServiceOptions extends SendOptions, ReceiveOptions {
  /** Counts refusals. */
  readonly tally: Tally;
  /** When those to send begin. */
  readonly scheduler: Scheduler;
  /** Which wait for linked peers that are away. */
  readonly queue: PeerQueue;
  /** The open session with a peer: a proven one, where it has ever proven who it is. */
  readonly sessionWith: (identity: string) => SessionTransfers | undefined;
  /** An open session, by its id. */
  readonly sessionOf: (sessionId: string) => SessionTransfers | undefined;
  /** Which offers are accepted without asking, once their peer has proven who it is. */
  readonly rules: AcceptRules;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Files to send. */
export type FilesToSend = Pick<
  SendParameters,
  "paths" | "as" | "priority" | "expireSecs" | "rateLimit"
>;

/** Who gets files. */
export interface Receiver {
  /** Identity key of the peer, 64 lower-case hex digits. */
  readonly identity: string;
  /** The open session with it; undefined for a linked peer that is away. */
  readonly session: SessionTransfers | undefined;
}

/** What was looked up of an offered file before it is decided about. */
interface LookedUp {
  /** The transfer that has brought it already, where that was looked for. */
  readonly published?: { readonly by: string | undefined };
  /** There is space for it, though an earlier try found none. */
  readonly hasRoom?: boolean;
}

/** Begins, ends and holds transfers, as applications and peers ask. */
export class TransferService {
  readonly #options: TransferServiceOptions;
  readonly #transfers = new Map<TransferEntry, OutgoingTransfer | IncomingTransfer>();
  #stopping = false;

  /** Starts with nothing under way. */
  constructor(options: TransferServiceOptions) {
    this.#options = options;
  }

  /**
   * Queues files for a peer: all or none. Those for a linked peer wait for it whenever it is away; all
   * others are for the peer of an open session.
   *
   * @param ids Ids that are chosen already, and what is to be done before the first begins.
   * @throws {OperationError} FILE_UNREADABLE, LIMIT_EXCEEDED, STOPPING
   */
  async send(
    files: FilesToSend,
    { identity, session }: Receiver,
    ids?: ChosenIds,
  ): Promise<TransferEntry[]> {
    const { registry, scheduler, queue } = this.#options;
    const { priority, expireSecs } = files;
    const rate = files.rateLimit === undefined ? {} : { rateLimit: files.rateLimit };
    const mayWait = () => queue.takes(identity) && session?.proven !== false;
    const waits = mayWait() || session === undefined;
    const sources = await lookAtSources(this.#options, files, { session, waits });
    const checkRoom = () => {
      this.#expectRunning();
      scheduler.checkCapacity(sources.length);
      if (session === undefined) queue.checkRoom(identity, sources.length);
    };
    checkRoom();
    await ids?.commit();
    checkRoom(); // others may have come meanwhile
    const takes = mayWait();
    const isThere = session !== undefined && this.#successorOf(session) !== undefined;
    // Its session has ended meanwhile, or its link was removed: nothing would ever end the wait.
    if (!takes && !isThere) throw new OperationError("PEER_NOT_CONNECTED", PEER_LEFT);
    this.#forgetEnded();
    const lifetime = expireSecs === undefined ? {} : { lifetimeMs: expireSecs * 1000 };
    const createdAt = this.#options.now();
    const entries = sources.map(({ source, size, mtimeMs, ino, skipped }, i) => {
      const isKept = takes && mayBeKept(source);
      const seen = { mtimeMs, ...(ino === undefined ? {} : { ino }) };
      const entry = registry.begin(
        {
          transferId: ids?.transferIds[i] ?? this.#options.random(16).toHex(),
          direction: "outgoing",
          identity,
          name: nameOf(source),
          size,
          priority,
          ...rate,
          createdAt,
          ...factsOf(source),
          ...(skipped === undefined ? {} : { skipped }),
          ...(isKept
            ? { queue: queue.place({ priority, ...seen, now: createdAt, ...rate, ...lifetime }) }
            : {}),
        },
        "queued",
        session === undefined ? { waitingFor: "peer" } : { sessionId: session.sessionId },
      );
      // A receiver without a session is linked: the queue had room for its files.
      const transfer = isKept || session === undefined
        ? this.#kept(entry, source)
        : this.#outgoing(entry, source, {
          queuedFor: session,
          session: () => this.#successorOf(session),
        });
      if (isKept) transfer.holdUntilStored();
      scheduler.add(transfer);
      this.#logSkipped(entry);
      return entry;
    });
    await registry.settled();
    await this.#makeDurable(entries);
    for (const entry of entries) {
      const transfer = this.#transfers.get(entry);
      if (transfer instanceof OutgoingTransfer) transfer.release();
    }
    scheduler.wake();
    return entries;
  }

  /**
   * Whoever is told that files wait may count on it: all that are to outlive the daemon are on disk.
   *
   * @throws {StorageError} When they can't be; none of them is sent then, or remembered.
   */
  async #makeDurable(entries: readonly TransferEntry[]): Promise<void> {
    const { registry } = this.#options;
    const isWaiting = ({ facts, isFinal }: TransferEntry) => facts.queue !== undefined && !isFinal;
    try {
      await Promise.all(entries.filter(isWaiting).map((entry) => registry.stored(entry)));
    } catch (error) {
      await Promise.all(
        entries.filter(({ isFinal }) => !isFinal).map((entry) => this.cancel(entry)),
      );
      for (const entry of entries) registry.forget(entry);
      throw error;
    }
  }

  /** Goes on with the files that the run before has left in the queues of linked peers. */
  restore(): void {
    const { registry, scheduler } = this.#options;
    const orderOf = ({ facts }: TransferEntry) => facts.queue?.order ?? 0;
    const left = registry.live().filter((entry) => entry.isKeptInQueue);
    for (const entry of left.toSorted((a, b) => orderOf(a) - orderOf(b))) {
      const { sourcePath, archive } = entry.facts;
      const source = archive ?? sourcePath;
      if (source !== undefined) scheduler.restore(this.#kept(entry, source));
    }
  }

  /** Links, or whom they lead to, have changed: who waits for nobody any more ends. */
  reviewQueue(): void {
    for (const transfer of this.#allOutgoing()) {
      if (transfer.endUnlessItMayWait()) this.#options.scheduler.remove(transfer);
    }
    this.#forgetEnded();
  }

  /** A file that waits for its linked peer, and is sent over proven sessions only. */
  #kept(entry: TransferEntry, source: TransferSource): OutgoingTransfer {
    const { queue, sessionWith } = this.#options;
    queue.add(entry);
    const session = () => {
      const found = sessionWith(entry.facts.identity);
      return found?.proven === true ? found : undefined;
    };
    const waitRefusal = () => queue.refusal(entry);
    return this.#outgoing(entry, source, { queuedFor: entry.facts.identity, session, waitRefusal });
  }

  #outgoing(
    entry: TransferEntry,
    source: TransferSource,
    waits: Pick<OutgoingTransferOptions, "queuedFor" | "session" | "waitRefusal">,
  ): OutgoingTransfer {
    const transfer = new OutgoingTransfer({
      ...this.#options,
      ...{ entry, source, ...waits },
      onRested: () => this.#options.scheduler.wake(),
    });
    this.#transfers.set(entry, transfer);
    return transfer;
  }

  /**
   * Where what was queued in a session is sent now: over it, or over a newer one with its peer. What
   * was meant for a peer that has proven itself goes to nobody who does not.
   */
  #successorOf({ identity, sessionId, proven }: SessionTransfers): SessionTransfers | undefined {
    const { sessionWith, sessionOf } = this.#options;
    const newest = sessionWith(identity);
    if (newest !== undefined && (newest.proven || !proven)) return newest;
    return sessionOf(sessionId);
  }

  /** The transfers of a session whose peer is about to be let in. */
  attach(
    options: Pick<
      SessionTransfersOptions,
      "sessionId" | "identity" | "proven" | "acceptsFiles" | "resumes" | "peer"
    >,
  ): SessionTransfers {
    const { registry, scheduler, receiveLimit } = this.#options;
    return new SessionTransfers({
      ...options,
      onOffer: (file, session) => this.#offered(file, session),
      onRefused: (refused, count) => this.#refused(options.identity, refused, count),
      onEnded: () => scheduler.wake(),
      onClosing: (session) => this.#cancelWaitingWhole(session),
      // A peer can bring changes faster than the disk takes them.
      backpressure: () => registry.backpressure() ?? receiveLimit?.settled(),
    });
  }

  /** The session is open: its peer's transfers begin, and so does what waits for it. */
  start(session: SessionTransfers): void {
    session.peer.approve(session);
    this.#peerChanged(session);
    this.#options.scheduler.wake();
  }

  /** A rule of this peer's was set: what waits already is taken by it too. */
  acceptWaiting(identity: string): void {
    for (const [{ facts }, transfer] of this.#transfers) {
      if (facts.identity === identity && transfer instanceof IncomingTransfer) {
        this.#acceptByRule(transfer);
      }
    }
  }

  /** Takes an offer by the rule of its peer, or leaves it to people. */
  #acceptByRule(transfer: IncomingTransfer): void {
    this.#askRule(transfer).catch((error) => {
      // Nobody may be there, and the peer can try again when there is space.
      if (isDiskFull(error) && transfer.isOffered) return transfer.refuse(error);
      this.#options.log.error("a rule could not be asked: the offer waits for people", {
        transfer: transfer.entry.facts.transferId,
        reason: messageOf(error),
      });
    });
  }

  async #askRule(transfer: IncomingTransfer): Promise<void> {
    const { rules, scheduler, log } = this.#options;
    const { transferId, identity, size } = transfer.entry.facts;
    // Whoever only claims an identity must not put files into the inbox in its name.
    if (!transfer.isProven || !transfer.isOffered) return;
    const { offeredName: name, kept } = transfer;
    const verdict = await rules.judge(identity, { name, size, kept });
    if (verdict.kind === "broken") {
      const { why } = verdict;
      log.info("an offer is not within its peer's rule: it waits for people", {
        transfer: transferId,
        peer: identity,
        reason: why,
      });
    }
    if (verdict.kind !== "met") return;
    // It may have been decided, or have ended, meanwhile.
    const isToRun = !this.#stopping && transfer.isOffered &&
      transfer.prepareUnasked(verdict.accepted);
    if (isToRun) scheduler.begin(transfer);
    else verdict.accepted[Symbol.dispose]();
  }

  /**
   * A peer offers a file: it waits for a decision, unless that was made before, or the file is here.
   *
   * @param found What was looked up so far.
   */
  #offered(file: OfferedFile, session: SessionTransfers, found: LookedUp = {}): void {
    if (this.#stopping || session.isClosing) {
      // Nobody will decide about it any more.
      const message = "the session is being closed";
      session.peer.act((transfers) => transfers.cancel(file.transferId, message, true));
      return;
    }
    const { registry, tries, log } = this.#options;
    // Peers choose the ids. Whoever accepts by one must get the file that he was shown under it.
    if (registry.isUnderWay(idOf(file))) {
      const message = "another file is under way under its id: have it sent again";
      log.warn("an offered file was refused", {
        transfer: idOf(file),
        peer: session.identity,
        reason: message,
      });
      session.peer.act((transfers) => transfers.fail(file.transferId, message));
      return;
    }
    const unfinished = tries.unfinished(file, session);
    if (unfinished.length > 0) {
      // Another session was lost, and what it has of the file is not settled yet.
      const settled = registry.allEnded((entry) => unfinished.includes(entry));
      return this.#afterwards(file, session, settled, () => this.#offered(file, session));
    }
    if (found.published === undefined && tries.namesTry(file, session)) {
      const published = tries.published(file, session).catch((error) => {
        log.warn("what has arrived could not be looked at", { reason: messageOf(error) });
        return undefined;
      });
      return this.#afterwards(
        file,
        session,
        published,
        (by) => this.#offered(file, session, { published: { by } }),
      );
    }
    const by = found.published?.by;
    if (by !== undefined) return this.#acceptPublished(file, session, by);
    const lacking = found.hasRoom ? undefined : tries.lackingSpace(file, session);
    if (lacking === undefined) return this.#begin(file, session);
    const room = this.#hasRoom(lacking);
    this.#afterwards(file, session, room, (hasRoom) => {
      if (hasRoom) return this.#offered(file, session, { ...found, hasRoom });
      // Its failure is known here. One for each time that the peer asks would displace others.
      log.debug("there is still no space for an offered file", {
        protocol_transfer: idOf(file),
        peer: session.identity,
      });
      session.peer.act((transfers) =>
        transfers.failWithReason(file.transferId, PEER_REASONS.DISK_FULL, true)
      );
    });
  }

  /** Goes on with an offer when something is known, unless it has ended by then. */
  #afterwards<T>(
    { transferId }: OfferedFile,
    session: SessionTransfers,
    known: Promise<T>,
    act: (value: T) => void,
  ): void {
    let isOver = false;
    session.route(transferId, (event) => {
      isOver ||= event.type === "transfer-ended";
    });
    known.then((value) => {
      if (!isOver) act(value);
    });
  }

  /** Whether there is room; where that can't be found out, its transfer tells. */
  async #hasRoom(bytes: number): Promise<boolean> {
    try {
      return await this.#options.inbox.hasRoom(bytes);
    } catch {
      return true;
    }
  }

  /** Begins a transfer that a peer offers. */
  #begin(file: OfferedFile, session: SessionTransfers): void {
    const { registry, scheduler, tries } = this.#options;
    this.#forgetEnded();
    const { identity, sessionId } = session;
    const entry = registry.begin(
      {
        transferId: idOf(file),
        direction: "incoming",
        identity,
        name: file.filename,
        size: file.size,
        priority: 0,
        createdAt: this.#options.now(),
      },
      "offered",
      { sessionId, ...(file.fileHash === undefined ? {} : { fileHash: file.fileHash.hex }) },
    );
    const transfer = new IncomingTransfer({ ...this.#options, entry, file, session });
    this.#transfers.set(entry, transfer);
    if (session.acceptsFiles) { // what people let in with its files asks no rule
      if (transfer.prepareUnasked()) scheduler.begin(transfer);
      return;
    }
    const consent = tries.takeConsent(file, session);
    if (consent === undefined) return this.#acceptByRule(transfer);
    transfer.prepareAgain(consent);
    scheduler.begin(transfer);
  }

  /** A session is closed here: of its peer's files those go, too, that wait for a decision. */
  #cancelWaitingWhole(session: SessionTransfers): void {
    for (const transfer of this.#waitingWhole()) {
      if (transfer.session === session) transfer.cancel();
    }
  }

  /** A file arrived whose sender did not hear of it: it is told, and nothing else begins. */
  #acceptPublished(file: OfferedFile, session: SessionTransfers, published: string): void {
    const { transferId } = file;
    session.route(transferId, (event) => {
      if (event.type !== "transfer-ended") return;
      session.peer.act((transfers, now) => transfers.settled(transferId, now));
    });
    session.peer.act((transfers, now) => transfers.accept(transferId, now, file.size));
    this.#options.log.info("a file that has arrived was offered again: its sender is told so", {
      transfer: published,
      protocol_transfer: transferId,
      peer: session.identity,
    });
  }

  #waitingWhole(): IncomingTransfer[] {
    return [...this.#transfers.values()]
      .filter((transfer) => transfer instanceof IncomingTransfer)
      .filter((transfer) => transfer.isWaitingWhole);
  }

  /**
   * The protocol's rules refused an offer. It is no transfer of ours, so this log line is its only
   * report.
   */
  #refused(identity: string, { transferId, error }: RefusedEffect, count: number): void {
    const { log, tally } = this.#options;
    tally.refused(error.code);
    if (count > MAX_LOGGED_REFUSALS) return;
    const last = count === MAX_LOGGED_REFUSALS;
    const more = last ? "; further ones of this session are not logged" : "";
    log.warn(`an offered file was refused by the protocol's rules${more}`, {
      transfer: transferId,
      peer: identity,
      code: error.code,
      reason: error.message,
    });
  }

  /**
   * Accepts an offer.
   *
   * @throws {OperationError} INVALID_STATE, NAME_REFUSED, STOPPING
   */
  accept(entry: TransferEntry, how: AcceptRequest): void {
    this.#expectRunning();
    const transfer = this.#offer(entry);
    transfer.prepare(how);
    this.#options.scheduler.begin(transfer);
  }

  /** Declines an offer. @throws {OperationError} INVALID_STATE */
  reject(entry: TransferEntry): void {
    this.#offer(entry).reject();
  }

  /** Ends a transfer. @throws {OperationError} INVALID_STATE */
  async cancel(entry: TransferEntry): Promise<void> {
    this.#expectLive(entry);
    const transfer = this.#transfers.get(entry);
    if (transfer instanceof OutgoingTransfer) this.#options.scheduler.remove(transfer);
    await transfer?.cancel();
  }

  /** Holds a transfer, or lets it go on. @throws {OperationError} INVALID_STATE */
  setPaused(entry: TransferEntry, paused: boolean): void {
    this.#expectLive(entry);
    if (this.#transfers.get(entry)?.setPaused(paused) === true) return;
    const { state } = entry.progress;
    const message = `the transfer is ${state}: only one that was accepted can be paused or resumed`;
    throw new OperationError("INVALID_STATE", message);
  }

  /** A session has ended: what waited for it can't begin any more. */
  sessionEnded(session: SessionTransfers, message: string): void {
    const { identity } = session;
    this.#forgetEnded();
    this.#peerChanged(session);
    const failure = { code: "CONNECTION_LOST", message };
    const isStranded = (transfer: OutgoingTransfer) =>
      !transfer.isKept && transfer.entry.facts.identity === identity && !transfer.hasSession;
    this.#interrupt(failure, isStranded).catch((error) => {
      this.#options.log.error("transfers could not be ended", { reason: messageOf(error) });
    });
  }

  /** The daemon stops: nothing is begun any more, and what has not begun is over. */
  async stop(message: string): Promise<void> {
    this.#stopping = true;
    const failure = { code: DAEMON_STOPPED, message };
    for (const transfer of this.#waitingWhole()) transfer.interrupt(failure);
    for (const transfer of this.#allOutgoing()) {
      if (transfer.isKept) transfer.leave();
    }
    await this.#interrupt(failure, (transfer) => !transfer.isKept);
  }

  #peerChanged({ identity }: SessionTransfers): void {
    for (const transfer of this.#allOutgoing()) {
      if (transfer.entry.facts.identity === identity) transfer.peerChanged();
    }
  }

  #allOutgoing(): OutgoingTransfer[] {
    return [...this.#transfers.values()]
      .filter((transfer) => transfer instanceof OutgoingTransfer);
  }

  async #interrupt(
    failure: TransferFailure,
    which: (transfer: OutgoingTransfer) => boolean,
  ): Promise<void> {
    const waiting = this.#allOutgoing().filter(which);
    for (const transfer of waiting) this.#options.scheduler.remove(transfer);
    await Promise.all(waiting.map((transfer) => transfer.interrupt(failure)));
  }

  #expectRunning(): void {
    if (this.#stopping) throw new OperationError("STOPPING", STOPPING);
  }

  #offer(entry: TransferEntry): IncomingTransfer {
    const transfer = this.#transfers.get(entry);
    const { state } = entry.progress;
    if (transfer instanceof IncomingTransfer && state === "offered") return transfer;
    throw new OperationError("INVALID_STATE", `the transfer is ${state}, not an offer to us`);
  }

  #expectLive(entry: TransferEntry): void {
    if (!entry.isFinal) return;
    const message = `the transfer is ${entry.progress.state} already`;
    throw new OperationError("INVALID_STATE", message);
  }

  /** Links and the like are not sent, and whoever looks for them finds out why. */
  #logSkipped({ facts: { transferId, identity, skipped } }: TransferEntry): void {
    if (skipped === undefined || skipped.count === 0) return;
    this.#options.log.info(
      "an archive leaves out what is no regular file or folder, or not to be sent",
      {
        transfer: transferId,
        peer: identity,
        count: skipped.count,
        names: skipped.names.join(", "),
      },
    );
  }

  #forgetEnded(): void {
    for (const entry of this.#transfers.keys()) {
      if (entry.isFinal) this.#transfers.delete(entry);
    }
  }
}

/** The id of an offered file, as the API has it. */
function idOf({ transferId }: OfferedFile): string {
  return transferId.toLowerCase();
}
