/**
 * Receiving one file: a decision, then chunks queued for the disk, then the name in the inbox.
 *
 * @module
 */
import type { StorageError } from "../../../base/errors.ts";
import type { RateLimit } from "../../../base/rate_limit.ts";
import { systemTimer, type Timer } from "../../../base/timer.ts";
import { OFFER_MS } from "../../../base/timing.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { Log } from "../../../log/log.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { EndedEffect } from "../../../protocol/transfer/effects.ts";
import type { OfferedFile } from "../../../protocol/transfer/file_receiver.ts";
import { ReceiveQueue } from "../../../storage/inbox/receive_queue.ts";
import { NAME_REFUSALS, safeName } from "../../../storage/inbox/safe_name.ts";
import type { TransferEvent } from "../sessions/peer_session.ts";
import type { AcceptedByRule } from "./accept_rules.ts";
import { Flow } from "./flow.ts";
import type { HeldFiles } from "./held_files.ts";
import { type Consent, IncomingPart, type PartEnd, type PartOptions } from "./incoming_part.ts";
import type { Work } from "./scheduler.ts";
import { type SessionTransfers, SMALL_FILE_BYTES } from "./session_transfers.ts";
import type { Slots } from "./slots.ts";
import { StageCell } from "./stage_cell.ts";
import { endOf, failureOf, type TransferEnd } from "./transfer_end.ts";
import type { TransferEntry, TransferFailure } from "./transfer_entry.ts";

/**
 * The error for the peer when its file is beyond what we can take, by our own code. Of all else
 * that goes wrong here it learns that it is over.
 */
export const PEER_REASONS = {
  NAME_REFUSED: "the file's name can't be used",
  NAME_TAKEN: "a file of that name is here already",
  DISK_FULL: "there is not enough space for it",
} as const;

function reasonFor(code: string): string | undefined {
  return Object.entries(PEER_REASONS).find(([key]) => key === code)?.[1];
}

/** Nobody has decided about a file that came without an offer. */
const UNANSWERED = {
  state: "cancelled",
  failure: { code: "OFFER_EXPIRED", message: "nobody decided about the file in time" },
} as const;

/** What all incoming transfers share. */
export interface ReceiveOptions extends PartOptions {
  /** Which transfers that have begun flow. */
  readonly slots: Slots;
  /** Which files may wait that have come whole without an offer. */
  readonly held: HeldFiles;
  /** How fast files come, all of them together. @default {any} */
  readonly receiveLimit?: RateLimit;
  /** Told of what goes wrong. */
  readonly log: Log;
  /** Ends the wait for a decision about a file that came without an offer. @default {systemTimer} */
  readonly after?: Timer;
}

/** Options of an {@linkcode IncomingTransfer}. */
export interface IncomingTransferOptions extends ReceiveOptions {
  /** The transfer; offered. */
  readonly entry: TransferEntry;
  /** What the peer offers. */
  readonly file: OfferedFile;
  /** The session that it came by. */
  readonly session: SessionTransfers;
}

/** How a file is taken. */
export interface Acceptance {
  /** The name that it is to get. */
  readonly saveAs: string;
  /** Who has accepted it. */
  readonly consent: Consent;
  /** Whether it is unpacked, if it is an archive. */
  readonly unpack: boolean;
}

/** How far an incoming file is, and what there is of it only then. */
type Stage =
  /** A decision is awaited; of a file without an offer all may have come. */
  | { readonly name: "offered" }
  /** It is to get this name; its partial file is not there yet. */
  | ({ readonly name: "accepted" } & Acceptance)
  /** Chunks come, or are held, and are written to the partial file. */
  | { readonly name: "receiving" }
  /** All have come. */
  | { readonly name: "received" }
  /** It has its name in the inbox. */
  | { readonly name: "completed" }
  /** It ended before it had its name. */
  | { readonly name: "ended"; readonly end: TransferEnd; readonly partEnd: PartEnd };

/** One file on its way in, from the offer to its end. */
export class IncomingTransfer implements Work {
  readonly #options: IncomingTransferOptions;
  readonly #id: TransferId;
  readonly #stage = new StageCell<Stage>({ name: "offered" });
  /** Aborted when it ends early. */
  readonly #ended = new AbortController();
  readonly #queue: ReceiveQueue;
  readonly #flow: Flow;
  /** Whether the peer was told to send. */
  #isSaid = false;
  /** All has come: to be resolved when the file is on disk, or can't be. */
  #settled: PromiseWithResolvers<void> | undefined;
  /** All of a file without an offer has come, and the core is done with it. */
  #isWhole = false;
  /** Its place among the files that wait whole. */
  #held: Disposable | undefined;
  #stopWaiting = () => {};
  #byRule: AcceptedByRule | undefined;

  /** Waits for a decision. */
  constructor(options: IncomingTransferOptions) {
    this.#options = options;
    this.#id = options.file.transferId;
    this.#queue = new ReceiveQueue({
      onPause: () => this.#flow.hold("disk", true),
      onResume: () => this.#flow.hold("disk", false),
      onFailure: (error) => this.#fail(error),
    });
    const { peer } = options.session;
    this.#flow = new Flow({
      slots: options.slots,
      peer: options.session.identity,
      priority: options.entry.facts.priority,
      sendPaused: (paused) =>
        peer.act((transfers, now) =>
          paused ? transfers.pause(this.#id, now) : transfers.resume(this.#id, now)
        ),
      onChange: ({ event, ...change }) => {
        options.registry.change(options.entry, change, event);
      },
    });
    // A file that comes without an offer is held until it is accepted.
    if (options.file.implied) {
      this.#flow.hold("decision", true);
      const { after = systemTimer } = options;
      this.#stopWaiting = after(
        OFFER_MS,
        () => this.#endByUs(UNANSWERED, UNANSWERED.failure.message),
      );
    }
    options.session.route(this.#id, (event) => this.#onEvent(event));
  }

  /** The transfer. */
  get entry(): TransferEntry {
    return this.#options.entry;
  }

  /**
   * Checks that the file can be taken, under its own name or another; `run` then accepts it.
   *
   * @throws {OperationError} INVALID_STATE, NAME_REFUSED
   */
  prepare({ name, unpack = false }: { readonly name?: string; readonly unpack?: boolean }): void {
    if (this.#stage.current.name !== "offered") {
      throw new OperationError("INVALID_STATE", "the offer was accepted, or has ended, already");
    }
    const safe = safeName(name ?? this.#options.file.filename);
    if (!safe.safe) {
      throw new OperationError(
        "NAME_REFUSED",
        `the file's name can't be used (${
          NAME_REFUSALS[safe.reason]
        }): accept it under another name`,
      );
    }
    this.#accept({ saveAs: safe.name, consent: "person", unpack });
  }

  /** Accepts the offer as it was consented to in a try that was lost. */
  prepareAgain(consented: Pick<Acceptance, "saveAs" | "unpack">): void {
    this.#accept({ ...consented, consent: "earlier try" });
  }

  /** Whether it came in a session in which its peer has proven who it is. */
  get isProven(): boolean {
    return this.#options.session.proven;
  }

  /** Whether a decision is awaited, and can be made. */
  get isOffered(): boolean {
    return this.#stage.current.name === "offered" && !this.#options.session.isClosing;
  }

  /** The name that the file would get, or is offered under where that can't be used. */
  get offeredName(): string {
    const { filename } = this.#options.file;
    const safe = safeName(filename);
    return safe.safe ? safe.name : filename;
  }

  /**
   * Accepts the offer without asking: by the rule of its peer, or as its session was let in with its
   * files. What can't be accepted is refused at once, and both sides get the reason: nobody is there
   * to choose another name.
   *
   * @param byRule Is counted before the file gets its name, and disposed of at the end.
   * @returns Whether it is to be run.
   */
  prepareUnasked(byRule?: AcceptedByRule): boolean {
    const safe = safeName(this.#options.file.filename);
    if (safe.safe) {
      this.#accept({ saveAs: safe.name, consent: "rule", unpack: byRule?.unpack ?? false });
      this.#byRule = byRule;
    } else {
      const why = NAME_REFUSALS[safe.reason];
      this.#fail(
        new OperationError(
          "NAME_REFUSED",
          `the file's name can't be used (${why}): have it sent under another name, or turn off ` +
            "auto-accept for this peer and accept it under another name",
        ),
        `the file's name can't be used: ${why}`,
      );
    }
    return safe.safe;
  }

  /** It can't be taken: both sides get the reason. */
  refuse(error: StorageError): void {
    this.#fail(error);
  }

  #accept(acceptance: Acceptance): void {
    this.#stopWaiting();
    this.#stage.enter({ name: "accepted", ...acceptance });
  }

  /** What was accepted, to its name in the inbox or to an earlier end. */
  async run(): Promise<"done"> {
    using _underWay = this.#byRule;
    const accepted = this.#stage.current;
    if (accepted.name !== "accepted") return "done"; // it ended while it waited for its turn
    const part = await this.#makePart(accepted);
    if (part !== undefined) this.#receiveInto(part);
    const over = await this.#stage.after("accepted", "receiving");
    const settle = () => {
      if (this.#settled === undefined) return;
      this.#settled.resolve();
      // What is to be said of it is said: the peer may take our answer to its ping for that.
      this.#options.session.peer.act((transfers, now) => transfers.settled(this.#id, now));
    };
    try {
      if (over.name === "received" && part !== undefined) await this.#publish(part, settle);
      const last = this.#stage.current;
      if (last.name === "ended") await this.#discard(part, last.end, last.partEnd);
    } finally {
      settle();
      this.#held?.[Symbol.dispose]();
    }
    return "done";
  }

  /** Ends it without having begun: the peer gets a cancel, nothing is kept. */
  reject(): void {
    this.#endByUs({ state: "rejected" }, "declined");
  }

  /** Ends it with a cancel to the peer. */
  cancel(): void {
    this.#endByUs({ state: "cancelled" }, "cancelled by the receiver");
  }

  /** The daemon stops: a file that waits whole, which no session ends, is over. */
  interrupt(failure: TransferFailure): void {
    if (this.isWaitingWhole) this.#endByUs({ state: "interrupted", failure }, failure.message);
  }

  /** Whether it waits for a decision though all of it is here, so that no session ends it. */
  get isWaitingWhole(): boolean {
    return this.#isWhole && this.#stage.current.name === "offered";
  }

  /** What is kept of it, for it to go on with, in bytes. */
  get kept(): number {
    const { tries, file, session } = this.#options;
    return tries.keptOf(file, session);
  }

  /** The session that it came by. */
  get session(): SessionTransfers {
    return this.#options.session;
  }

  /** Holds it, or lets it go on. False when it was not accepted, or has ended. */
  setPaused(paused: boolean): boolean {
    if (this.#stage.current.name === "offered" || !this.#flow.isLive) return false;
    this.#flow.hold("user", paused);
    return true;
  }

  /** Makes the partial file; undefined when it ended meanwhile, or that failed, which ends it. */
  async #makePart(
    { saveAs, consent, unpack }: Acceptance,
  ): Promise<IncomingPart | undefined> {
    const { session, file } = this.#options;
    if (!file.implied) session.peer.act((transfers, now) => transfers.willAccept(this.#id, now));
    try {
      // The answer to the peer's ping waits for the file anyway, and what is small waits in memory.
      const mayWait = session.resumes && !file.implied && file.size <= SMALL_FILE_BYTES;
      const onPossible = () => {
        if (mayWait && this.#stage.current.name === "accepted") this.#sayAccepted();
      };
      const ended = this.#ended.signal;
      const options = { ...this.#options, saveAs, consent, unpack, ended, onPossible };
      return await IncomingPart.make(options);
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  /** Tells the peer to send; what comes, or came without an offer, is written. */
  #receiveInto(part: IncomingPart): void {
    const { file } = this.#options;
    this.#queue.start((bytes) => part.write(bytes));
    if (this.#stage.current.name !== "accepted") return; // all of it came already, or it ended
    if (this.#isWhole) return this.#enterReceived();
    this.#stage.enter({ name: "receiving" });
    if (file.implied) return this.#flow.hold("decision", false);
    if (!this.#isSaid) this.#sayAccepted(part.resumedFrom === 0 ? undefined : part.resumedFrom);
  }

  /** @param from Where the peer is to begin, in bytes. */
  #sayAccepted(from?: number): void {
    this.#isSaid = true;
    const { peer } = this.#options.session;
    peer.act((transfers, now) => transfers.accept(this.#id, now, from));
  }

  /**
   * All has come: writes the rest, has it verified and named. What fails ends the transfer.
   *
   * @param onNamed Told when it has its name, durably: a start finds it by that, whether or not the
   * journal says so yet.
   */
  async #publish(part: IncomingPart, onNamed: () => void): Promise<void> {
    await this.#queue.drained();
    if (this.#stage.current.name === "ended") return; // it could not be written
    try {
      await part.finish({
        onPublishing: async () => await this.#byRule?.count(),
        onNamed: () => {
          this.#stage.enter({ name: "completed" });
          onNamed();
        },
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** It ended early: the partial file goes, or stays for another try when nobody wanted the end. */
  async #discard(part: IncomingPart | undefined, end: TransferEnd, partEnd: PartEnd) {
    const { registry, tries } = this.#options;
    await this.#queue.drained();
    if (part === undefined) await registry.change(this.entry, { hasPart: false, kept: undefined });
    else await part.giveUp(partEnd);
    // Before others learn of the end: the next try of the file may be judged then.
    this.#byRule?.[Symbol.dispose]();
    await registry.change(this.entry, end, "transfer-failed");
    await tries.review(this.entry);
  }

  #onEvent(event: TransferEvent): void {
    switch (event.type) {
      case "transfer-started":
        this.#flow.start();
        break;
      case "transfer-chunk":
        try {
          this.#flow.received(event.data.length);
          this.#options.receiveLimit?.book(event.data.length);
          this.#queue.push(event.data);
        } catch (error) {
          this.#fail(error);
        }
        break;
      case "transfer-paused":
      case "transfer-resumed":
        if (event.by === "remote") this.#flow.hold("peer", event.type === "transfer-paused");
        break;
      case "transfer-ended":
        this.#flow[Symbol.dispose]();
        this.#onEnded(event);
        break;
    }
  }

  /** The core is done with it: all has come, or it is over. */
  #onEnded(ended: EndedEffect): void {
    const { session, file } = this.#options;
    if (ended.outcome === "completed") {
      if (file.implied && !this.#holdWhole()) return;
      const { name } = this.#stage.current;
      if (name === "accepted" || name === "receiving") this.#enterReceived();
      return;
    }
    const end = endOf("incoming", ended, true, session.lost);
    this.#end(end, end.state === "interrupted" ? "keep with consent" : "remove");
  }

  /** All has come: until it is on disk no more is read than the session allows. */
  #enterReceived(): void {
    const { session, file } = this.#options;
    this.#settled = Promise.withResolvers<void>();
    session.keep(this.#settled.promise, file.size);
    this.#stage.enter({ name: "received" });
  }

  /** All of a file without an offer has come. False when it is more than may wait. */
  #holdWhole(): boolean {
    const { held, file: { size }, session: { identity } } = this.#options;
    this.#isWhole = true;
    const { name } = this.#stage.current;
    if (name !== "offered" && name !== "accepted") return true; // it is being written, or has ended
    this.#held = held.hold(identity, size);
    if (this.#held !== undefined) return true;
    this.#fail(
      new OperationError(
        "LIMIT_EXCEEDED",
        "too many files of peers that send without asking wait already, for a decision or for the " +
          "disk: decide about those, and have it sent again",
      ),
    );
    return false;
  }

  /** It is ended here. When all has come and was accepted it is too late for that. */
  #endByUs(end: TransferEnd, message: string): void {
    if (this.#stage.current.name === "received") return;
    if (!this.#end(end, "remove")) return;
    this.#options.session.peer.act((transfers) =>
      this.#isWhole ? transfers.takeBack(this.#id) : transfers.cancel(this.#id, message)
    );
  }

  /**
   * Something on our side went wrong: the peer gets an error, with the reason if it may know; also
   * when all has come, as it believes that it is kept.
   */
  #fail(error: unknown, reason?: string): void {
    const { log, session: { peer } } = this.#options;
    const failure = failureOf(error);
    const { code, message } = failure;
    // When there is space again it can go on.
    const partEnd = code === "DISK_FULL" ? "keep" : "remove";
    if (!this.#end({ state: "failed", failure }, partEnd)) return;
    log.warn("a file could not be received", {
      transfer: this.entry.facts.transferId,
      peer: this.entry.facts.identity,
      code,
      reason: message,
    });
    if (code === "INTEGRITY_FAILED") {
      return peer.fail(code, "the received file does not have the offered hash");
    }
    const peerReason = reason ?? reasonFor(code);
    peer.act((transfers) =>
      this.#isWhole
        ? transfers.takeBack(this.#id)
        : peerReason === undefined
        ? transfers.fail(this.#id, message)
        : transfers.failWithReason(this.#id, peerReason, code === "DISK_FULL")
    );
  }

  /** Ends it early, unless it has ended. Says whether it did. */
  #end(end: TransferEnd, partEnd: PartEnd): boolean {
    const { name } = this.#stage.current;
    if (name === "ended" || name === "completed") return false;
    this.#stage.enter({ name: "ended", end, partEnd });
    this.#ended.abort();
    this.#stopWaiting();
    // What has come and is kept need not come again.
    if (partEnd === "remove") this.#queue.stop();
    this.#held?.[Symbol.dispose]();
    // A transfer that was accepted is reported by `run`, once its partial file is removed or kept.
    if (name === "offered") this.#options.registry.change(this.entry, end, "transfer-failed");
    return true;
  }
}
