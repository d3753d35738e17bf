/**
 * Sending one file: hashed, offered, then read and sent chunk by chunk as the channel takes them.
 * Only the last needs a slot: however long the peer decides or pauses, nobody else waits for it.
 *
 * @module
 */
import { BackOff } from "../../../base/back_off.ts";
import { abortable } from "../../../base/deadline.ts";
import { isDiskFull, messageOf } from "../../../base/errors.ts";
import { passLimits, RateLimit } from "../../../base/rate_limit.ts";
import { sleep, systemTimer, type Timer } from "../../../base/timer.ts";
import { SPACE_RETRY } from "../../../base/timing.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import { generateTransferId, type TransferId } from "../../../protocol/messages/transfer_id.ts";
import type {
  EndedEffect,
  EndedLateEffect,
  TransferEffect,
} from "../../../protocol/transfer/effects.ts";
import type { Transfers } from "../../../protocol/transfer/transfers.ts";
import { inspectArchive, listAgain } from "../../../storage/archive/archive_file.ts";
import {
  checkUnchanged,
  inspectSource,
  isUnchanged,
  KEPT_CONTENT_BYTES,
  keptChunk,
  OutgoingFile,
  type OutgoingSource,
} from "../../../storage/outgoing_file.ts";
import type { Receipt, TransferEvent } from "../sessions/peer_session.ts";
import { Flow } from "./flow.ts";
import { EXPIRED, EXPIRED_WITHOUT_SPACE, isRepeatable } from "./queue_rules.ts";
import type { ScheduledWork } from "./scheduler.ts";
import type { SendingTurn, SessionTransfers } from "./session_transfers.ts";
import type { Slots } from "./slots.ts";
import { StageCell } from "./stage_cell.ts";
import type { TransferRegistry } from "./transfer_registry.ts";
import {
  CANCELLED_BY_RECEIVER,
  endOf,
  failureOf,
  PEER_STOPPED,
  type TransferEnd,
} from "./transfer_end.ts";
import type { TransferEntry, TransferFailure, TransferProgress } from "./transfer_entry.ts";
import { boundOf, nameOf, type SourceOptions, type TransferSource } from "./transfer_source.ts";

/** What all outgoing transfers share. */
export interface SendOptions extends SourceOptions {
  /** Which transfers that have begun flow. */
  readonly slots: Slots;
  /** Who may read a file for its hash now: our disk's work, which no peer can hold up. */
  readonly hashSlots: Slots;
  /** Keeps and publishes changes. */
  readonly registry: TransferRegistry;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Ends waits for space at the peer, and those of a rate. @default {systemTimer} */
  readonly after?: Timer;
  /** How fast all of them send together. @default {any} */
  readonly sendLimit?: RateLimit;
}

/** Options of an {@linkcode OutgoingTransfer}. */
export interface OutgoingTransferOptions extends SendOptions {
  /** The transfer; queued. */
  readonly entry: TransferEntry;
  /** The file to send, or what the archive is made of. */
  readonly source: TransferSource;
  /** The session that it is queued for, or the identity of its linked peer. */
  readonly queuedFor: object | string;
  /** The open session to its peer, if there is one now. */
  readonly session: () => SessionTransfers | undefined;
  /**
   * Why it may wait for its linked peer no longer; undefined when it may. Absent for a file that
   * waits for nobody who is away.
   */
  readonly waitRefusal?: () => TransferFailure | undefined;
  /** Called when it has waited long enough for space at its peer to be tried again. */
  readonly onRested: () => void;
}

/** The daemon's rate, and the transfer's own. */
function limitsOf(
  { sendLimit, entry: { facts: { rateLimit } }, after = systemTimer }: OutgoingTransferOptions,
): readonly RateLimit[] {
  const own = rateLimit === undefined ? undefined : new RateLimit({
    bytesPerSecond: rateLimit,
    steady: () => performance.now(),
    after,
  });
  return [sendLimit, own].filter((limit) => limit !== undefined);
}

/** One offer of the file over one session. */
interface Attempt {
  readonly session: SessionTransfers;
  readonly id: TransferId;
  readonly flow: Flow;
  /** Whether the peer has accepted it. */
  isAccepted: boolean;
  /** What of the file the peer has by its own account, in bytes; undefined while it says nothing. */
  claimed?: number;
  /** Whether the peer had no space for it and says that this passes. */
  lacksSpace: boolean;
  /** Why it was given up here. */
  failure?: TransferFailure;
  /** Aborted when the core is done with it. */
  readonly over: AbortController;
  /** Where its id is known before the peer accepts: whether the journal has it. */
  named?: Promise<boolean>;
}

/** What a try of the file is named by. */
interface TryNames {
  /** The try before, which the peer may have published. */
  readonly retryOf?: string;
  /** Its own, where that is chosen before it is offered. */
  readonly transferId?: TransferId;
}

/** How far an outgoing file is, and what there is of it only then. */
type Stage =
  /** Waits for its session, its hash or a slot. */
  | { readonly name: "queued" }
  /** The peer is to decide. */
  | { readonly name: "offered"; readonly attempt: Attempt }
  /** Chunks are read and sent, or held. */
  | { readonly name: "sending"; readonly attempt: Attempt }
  /** All was sent: the peer's last word is awaited, and may have come early. */
  | { readonly name: "sent"; readonly attempt: Attempt; readonly late?: EndedLateEffect }
  /** It ended early. `isUnstarted`: by a cancel before the peer had accepted. */
  | {
    readonly name: "ended";
    readonly attempt: Attempt;
    readonly end: TransferEnd;
    readonly isUnstarted: boolean;
  };

/** Why it is not to be offered (again): its end; without one it stays in its queue. */
class Stopped extends Error {
  constructor(readonly end?: TransferEnd) {
    super();
  }
}

/** One file on its way out, from the queue to its end. */
export class OutgoingTransfer implements ScheduledWork {
  readonly #options: OutgoingTransferOptions;
  readonly #stage = new StageCell<Stage>({ name: "queued" });
  /** Aborted, with {@linkcode Stopped}, when it is not to be offered any more. */
  readonly #stopping = new AbortController();
  readonly #spaceRetry = new BackOff(SPACE_RETRY);
  /** What its bytes are booked with: the daemon's rate, and its own. */
  readonly #limits: readonly RateLimit[];
  #source: OutgoingSource | undefined;
  /** The file as it is read before its turn. */
  #ahead: Promise<OutgoingSource> | undefined;
  #isHeld = false;
  /** Whether the last try found no space at the peer. */
  #lacksSpace = false;
  /** Ends the wait for space at the peer, while that lasts. */
  #stopResting: (() => void) | undefined;

  /** Waits to be scheduled. */
  constructor(options: OutgoingTransferOptions) {
    this.#options = options;
    this.#limits = limitsOf(options);
    this.#stopping.signal.addEventListener("abort", () => this.#stopResting?.());
  }

  /** The transfer. */
  get entry(): TransferEntry {
    return this.#options.entry;
  }

  /** As the application asked. */
  get priority(): number {
    return this.entry.facts.priority;
  }

  /** See {@linkcode ScheduledWork.queuedFor}. */
  get queuedFor(): object | string {
    return this.#options.queuedFor;
  }

  /** Whether it waits for space at its peer, and what is behind it may go first. */
  get rests(): boolean {
    return this.#stopResting !== undefined;
  }

  /** Whether there is a session for it to be sent over. */
  get hasSession(): boolean {
    return this.#options.session() !== undefined;
  }

  /** Whether its peer is there and has no transfer under way. */
  ready(): boolean {
    return !this.#isHeld && (this.#options.session()?.isFree ?? false);
  }

  /** Keeps it from beginning until the journal has it: what is refused must not have been sent. */
  holdUntilStored(): void {
    this.#isHeld = true;
  }

  /** The journal has it: it may begin. */
  release(): void {
    this.#isHeld = false;
  }

  /** Offers the file and sends it to the end; `again` when the peer's own offer goes first. */
  async run(): Promise<"done" | "again"> {
    const session = this.#options.session();
    if (session === undefined) return "again";
    using turn = session.beginSending();
    const { signal } = this.#stopping;
    try {
      if (await this.#attempt(session, turn) === "done") return "done";
      signal.throwIfAborted();
      return "again";
    } catch (error) {
      const cause = signal.aborted ? signal.reason : error;
      const end: TransferEnd | undefined = cause instanceof Stopped
        ? cause.end
        : { state: "failed", failure: failureOf(cause) };
      if (end !== undefined) await this.#end(end);
      return "done";
    }
  }

  /** Ends it: out of the queue, or with a cancel to the peer. */
  async cancel(): Promise<void> {
    this.#act((transfers, id) => transfers.cancel(id, "cancelled by the sender"));
    await this.#stop({ state: "cancelled" });
  }

  /** Holds it, or lets it go on. False when it was not accepted, or has ended. */
  setPaused(paused: boolean): boolean {
    const stage = this.#stage.current;
    if (stage.name !== "sending") return false;
    stage.attempt.flow.hold("user", paused);
    return true;
  }

  /** The peer can't be reached any more, or the daemon stops: it waits no longer to begin. */
  async interrupt(failure: TransferFailure): Promise<void> {
    await this.#stop({ state: "interrupted", failure });
  }

  /** The daemon stops: its next run goes on with it. */
  leave(): void {
    this.#stopping.abort(new Stopped());
  }

  /** Whether it waits for its linked peer whatever becomes of sessions. */
  get isKept(): boolean {
    return this.#options.waitRefusal !== undefined;
  }

  /** Ends it when it waits for its linked peer and may no longer. Says whether it did. */
  endUnlessItMayWait(): boolean {
    const failure = this.#stage.current.name === "queued" && !this.entry.isFinal
      ? this.#waitRefusal()
      : undefined;
    if (failure === undefined) return false;
    this.#stop({ state: "interrupted", failure });
    return true;
  }

  /** From the queue to the end over this session, or back into the queue. */
  async #attempt(session: SessionTransfers, turn: SendingTurn): Promise<"done" | "again"> {
    const { registry } = this.#options;
    const { peer } = session;
    const source = await this.#lookAt();
    // Its content is only kept while it is sent.
    const { content: _content, ...kept } = source;
    this.#source = kept;
    using flow = this.#newFlow();
    // Such a peer can be sent nothing before the first chunk, so the slot is waited for first.
    if (!peer.dialect.offersFiles) {
      this.entry.update({ waitingFor: "slot" });
      await flow.slotFirst(this.#stopping.signal);
    }
    const names = await this.#nameTry(source, session);
    // That took time: the session may have ended, or the peer's offer may have come first.
    if (session !== this.#options.session() || peer.transfers?.idle !== true) {
      this.entry.update({ waitingFor: this.#awaited });
      return "again";
    }
    this.#offer(source, names, session, flow);
    const answered = await this.#stage.after("offered");
    if (answered.name === "sending") {
      // Before anything is sent that the peer may publish, the journal has what the next try needs.
      const { over, named } = answered.attempt;
      if (await named !== true) {
        const journaled = this.#journal({}, over.signal, (isHeld) => flow.hold("disk", isHeld));
        await journaled.catch((error) => {
          if (!over.signal.aborted) throw error;
        });
      }
    }
    if (answered.name === "sending") await this.#send(source, answered.attempt);
    const over = await this.#stage.after("offered", "sending");
    if (over.name === "sent") {
      const confirmed = this.#confirm(over.attempt);
      // What such a peer is offered it reads when it has kept what came before.
      if (peer.dialect.offersFiles) turn.passOn();
      return await confirmed;
    }
    const isCrossed = over.name === "ended" && over.isUnstarted && session.hasIncoming;
    if (over.name === "queued" || (isCrossed && peer.transfers !== undefined)) {
      // Offers crossed and the peer's goes first: ours is made anew after it.
      this.#stage.enter({ name: "queued" });
      await registry.change(
        this.entry,
        { state: "queued", waitingFor: "session" },
        "transfer-queued",
      );
      return "again";
    }
    return await this.#conclude(over.end, over.attempt);
  }

  /** A try was over early: for good, or to be made again when its linked peer is there. */
  async #conclude(end: TransferEnd, attempt: Attempt): Promise<"done" | "again"> {
    const { registry } = this.#options;
    const { size } = this.entry.facts;
    const { isAccepted, lacksSpace, session: { resumes } } = attempt;
    const goesBack = this.isKept && (end.state === "interrupted" || lacksSpace) &&
      isRepeatable({ resumes, isAccepted, size });
    this.#lacksSpace = lacksSpace;
    const refusal = goesBack ? this.#waitRefusal() : undefined;
    if (!goesBack || refusal !== undefined) {
      await this.#end(refusal === undefined ? end : { state: "interrupted", failure: refusal });
      return "done";
    }
    this.#stage.enter({ name: "queued" });
    // Not counted: what came is told again by the peer, and what did not is sent again.
    this.entry.update({ transferred: 0, resumedFrom: undefined });
    if (lacksSpace) this.#rest();
    await registry.change(
      this.entry,
      { state: "queued", waitingFor: this.#awaited, sessionId: undefined },
      "transfer-queued",
    );
    return "again";
  }

  /** Lets others go first for a while: the peer has no space for it. */
  #rest(): void {
    const { after = systemTimer, now, onRested } = this.#options;
    const wait = this.#spaceRetry.next();
    const stop = after(wait, () => {
      this.#stopResting = undefined;
      this.entry.update({ nextTryAt: undefined });
      this.peerChanged();
      onRested();
    });
    this.#stopResting = () => {
      stop();
      this.#stopResting = undefined;
    };
    this.entry.update({ nextTryAt: now() + wait });
  }

  /** Why it may wait no longer; undefined when it may. */
  #waitRefusal(): TransferFailure | undefined {
    const failure = this.#options.waitRefusal?.();
    return failure === EXPIRED && this.#lacksSpace ? EXPIRED_WITHOUT_SPACE : failure;
  }

  /** What it waits for in its queue. */
  get #awaited(): "session" | "peer" | "peer-space" {
    if (this.isKept && !this.hasSession) return "peer";
    return this.rests ? "peer-space" : "session";
  }

  /** Its peer has come, or gone, while it is in its queue. */
  peerChanged(): void {
    if (this.#stage.current.name === "queued" && !this.entry.isFinal) {
      this.entry.update({ waitingFor: this.#awaited });
    }
  }

  /**
   * A small file is read before its turn, while the one before it is on its way: then it waits for
   * its peer only.
   */
  prepare(): void {
    if (this.#ahead !== undefined || this.#source !== undefined) return;
    if (this.entry.facts.size > KEPT_CONTENT_BYTES || this.#stopping.signal.aborted) return;
    this.#ahead = this.#inspect()
      .finally(() => this.entry.update({ waitingFor: this.#awaited }));
    // What went wrong is found again in its turn.
    this.#ahead.catch(() => {});
  }

  /** The file as it is to be offered. */
  async #lookAt(): Promise<OutgoingSource> {
    const ahead = await this.#ahead?.catch(() => undefined);
    this.#ahead = undefined;
    this.#stopping.signal.throwIfAborted();
    if (ahead !== undefined && await isUnchanged(this.#options.fs, ahead)) return ahead;
    if (this.#source === undefined) return await this.#inspect();
    await this.#lookAgain();
    return this.#source;
  }

  /** It has waited since it was queued or cut off: whether the file is still what it was. */
  async #lookAgain(): Promise<void> {
    const { source, fs, own, entry: { facts: { size, queue } } } = this.#options;
    if (queue === undefined) return;
    const known = { ...queue, size };
    const bound = boundOf(this.#options);
    if (typeof source === "string") await checkUnchanged(fs, source, known, bound);
    else await listAgain(fs, source, known, { own, signal: this.#stopping.signal, ...bound });
  }

  /** Reads the file for its hash, in its turn. */
  async #inspect(): Promise<OutgoingSource> {
    const { source, fs, own, registry, hashSlots } = this.#options;
    const { signal } = this.#stopping;
    this.entry.update({ waitingFor: "hash" });
    const { promise: granted, resolve } = Promise.withResolvers<void>();
    using slot = hashSlots.claim({
      peer: this.entry.facts.identity,
      priority: this.priority,
      onGranted: resolve,
    });
    if (!slot.held) await abortable(granted, signal);
    const onHashed = (bytes: number) => registry.hashing(this.entry, bytes);
    const inspect = { signal, onHashed, ...boundOf(this.#options) };
    if (typeof source !== "string") {
      const { size, queue } = this.entry.facts;
      const known = { size, mtimeMs: queue?.mtimeMs };
      return await inspectArchive(fs, source, known, { own, ...inspect });
    }
    await this.#lookAgain();
    await own.refuse(source);
    return await inspectSource(fs, source, inspect);
  }

  #newFlow(): Flow {
    return new Flow({
      slots: this.#options.slots,
      peer: this.entry.facts.identity,
      priority: this.priority,
      sendPaused: (paused) =>
        this.#act((transfers, id, now) =>
          paused ? transfers.pause(id, now) : transfers.resume(id, now)
        ),
      onChange: ({ event, ...change }) => {
        this.#options.registry.change(this.entry, change, event);
        this.#stage.enter(this.#stage.current); // it may go on
      },
    });
  }

  #offer(
    { status, hash: fileHash }: OutgoingSource,
    names: TryNames,
    session: SessionTransfers,
    flow: Flow,
  ): void {
    const { source: origin } = this.#options;
    session.peer.act((transfers, now) => {
      const file = { filename: nameOf(origin), size: status.size, fileHash, ...names };
      const { transferId: id, effects } = transfers.offer(file, now);
      const over = new AbortController();
      const attempt: Attempt = { session, id, flow, over, isAccepted: false, lacksSpace: false };
      this.#stage.enter({ name: "offered", attempt });
      const journaled = this.#options.registry.changeDurably(this.entry, {
        state: "offered",
        sessionId: session.sessionId,
        protocolTransferId: id,
      }, "transfer-offered").then(() => true, () => false); // what failed is logged
      if (names.transferId !== undefined) attempt.named = journaled;
      session.route(id, (event) => this.#onEvent(event, attempt));
      return effects;
    });
  }

  /** Reads a chunk, sends it, waits until the channel has taken it; the next is read meanwhile. */
  async #send(source: OutgoingSource, attempt: Attempt): Promise<void> {
    const { registry, fs } = this.#options;
    const { session: { peer }, id, flow, over, claimed = 0 } = attempt;
    try {
      const { content, status } = source;
      const isKept = content !== undefined && claimed === 0 &&
        status.size <= peer.dialect.chunkBytes;
      await using file = isKept
        ? undefined
        : await OutgoingFile.open(fs, source, peer.dialect.chunkBytes, claimed);
      while (this.#stage.current.name === "sending") {
        const request = peer.transfers?.nextChunk(id);
        if (request === undefined) {
          await this.#stage.entered();
          continue;
        }
        await this.#passLimits(request.length, over.signal);
        if (over.signal.aborted) continue;
        const chunk = file === undefined
          ? await keptChunk(fs, { ...source, content: content ?? new Uint8Array() })
          : await file.readChunk(request.index);
        this.#act((transfers, id, now) => transfers.sendChunk(id, chunk, now));
        flow.sent(request.length);
        registry.moved(this.entry, request.offset + request.length);
        await peer.flushed(over.signal).catch(() => {}); // it ended: see the loop
      }
    } catch (error) {
      attempt.failure = failureOf(error);
      this.#act((transfers, id) => transfers.fail(id, messageOf(error)));
    }
  }

  /** Waits for its turn where a rate is set; until it ends at most. */
  async #passLimits(bytes: number, signal: AbortSignal): Promise<void> {
    const { after = systemTimer } = this.#options;
    if (this.#limits.length === 0) return;
    await passLimits(this.#limits, bytes, { after, signal }).catch(() => {}); // it ended
  }

  /** The names of a try, as far as they are needed before it is offered. */
  async #nameTry(
    { status, hash: fileHash }: OutgoingSource,
    { resumes }: SessionTransfers,
  ): Promise<TryNames> {
    const { registry, random } = this.#options;
    this.entry.update({ fileHash });
    if (!resumes) return {};
    const lastTry = this.entry.progress.lastTry ?? registry.lostTryOf(this.entry);
    if (lastTry !== undefined) {
      this.entry.update({ lastTry });
      return { retryOf: lastTry };
    }
    // Nothing of a large file is sent before the journal has been written once more.
    if (status.size > KEPT_CONTENT_BYTES) return {};
    const transferId = generateTransferId(random);
    this.entry.update({ lastTry: transferId });
    // An empty file is whole as soon as the peer accepts it; of others a chunk has to be sent first.
    if (status.size === 0) await this.#journal({}, this.#stopping.signal);
    return { transferId };
  }

  /**
   * Has the journal know of a change on which what follows rests. While our disk is full it waits for
   * space, as anything sent then could arrive twice after a crash.
   *
   * @param signal Ends the wait with its reason.
   * @param onHeld Told when it begins to wait, and when that is over.
   */
  async #journal(
    changes: Partial<TransferProgress>,
    signal: AbortSignal,
    onHeld: (isHeld: boolean) => void = () => {},
  ): Promise<void> {
    const { registry, after = systemTimer } = this.#options;
    const waits = new BackOff(SPACE_RETRY);
    for (;;) {
      try {
        await registry.changeDurably(this.entry, changes);
        return onHeld(false);
      } catch (error) {
        if (!isDiskFull(error)) return; // it is logged: no wait will mend that disk
        onHeld(true);
        await sleep(after, waits.next(), signal);
      }
    }
  }

  /** The peer has accepted it: the next try of the file names this one, if it can. */
  #nameAsLast({ session, id, claimed }: Attempt): void {
    // Nothing names this try: should it be cut off, it is not known whether the file has arrived.
    if (!session.resumes) return this.entry.update({ lastTry: undefined });
    if (claimed !== undefined) this.entry.update({ transferred: claimed, resumedFrom: claimed });
    // What the peer has already stays known by the try that it was published in.
    if (claimed !== this.entry.facts.size) this.entry.update({ lastTry: id });
  }

  /** All was handed to the channel; what the peer makes of it is still to come. */
  async #confirm(attempt: Attempt): Promise<"done" | "again"> {
    const { session, id } = attempt;
    const { registry } = this.#options;
    this.entry.update({ waitingFor: "confirmation" });
    const word = await this.#lastWord(attempt);
    session.unroute(id);
    if ("state" in word) return await this.#conclude(word, attempt);
    const { confirmed } = word;
    const transferred = this.entry.facts.size;
    const completed = { state: "completed", transferred, confirmed } as const;
    await registry.change(this.entry, completed, "transfer-finished");
    return "done";
  }

  /**
   * Whether the peer has confirmed it, or how it ended when it has not taken it after all. The
   * protocol has no receipt: the peer has it when it answers a ping that came after the last chunk,
   * since a cancel or an error of its would have come before that answer. Only in a session that is
   * proven is nobody between the two who could let the ping pass and keep the file.
   */
  async #lastWord(
    attempt: Attempt,
  ): Promise<TransferEnd | { readonly confirmed: boolean }> {
    const { session: { peer, proven } } = attempt;
    let receipt: Receipt | undefined;
    let lost = "";
    try {
      receipt = await peer.confirmed();
    } catch (error) {
      lost = messageOf(error);
    }
    const stage = this.#stage.current;
    const late = stage.name === "sent" ? stage.late : undefined;
    if (late !== undefined && late.error === undefined) {
      return late.resumable === true
        ? { state: "interrupted", failure: PEER_STOPPED }
        : { state: "cancelled", failure: CANCELLED_BY_RECEIVER };
    }
    attempt.lacksSpace = late?.resumable === true;
    const error = late?.error ?? peer.end?.error;
    if (error !== undefined && error.code !== "CONNECTION_LOST") {
      return { state: "failed", failure: { code: error.code, message: error.message } };
    }
    if (receipt !== undefined) return { confirmed: proven && receipt === "answer" };
    const message = `all was sent, but the peer did not confirm it before the end (${lost}): ` +
      "ask there whether the file has arrived, or send it again";
    return { state: "interrupted", failure: { code: "CONNECTION_LOST", message } };
  }

  #onEvent(event: TransferEvent, attempt: Attempt): void {
    const { flow, over } = attempt;
    switch (event.type) {
      case "transfer-started":
        attempt.isAccepted = true;
        if (event.resumeFrom !== undefined) attempt.claimed = event.resumeFrom;
        this.#nameAsLast(attempt);
        this.#stage.enter({ name: "sending", attempt });
        flow.start();
        break;
      case "transfer-paused":
      case "transfer-resumed":
        if (event.by === "remote") flow.hold("peer", event.type === "transfer-paused");
        break;
      case "transfer-ended":
        this.#onEnded(event, attempt);
        flow[Symbol.dispose]();
        over.abort();
        break;
      case "transfer-ended-late": {
        const stage = this.#stage.current;
        if (stage.name === "sent") this.#stage.enter({ late: event, ...stage });
      }
    }
  }

  /** The core is done with it: all was sent, or it is over. */
  #onEnded(ended: EndedEffect, attempt: Attempt): void {
    if (ended.outcome === "completed") return this.#stage.enter({ name: "sent", attempt });
    const isStarted = this.#stage.current.name === "sending";
    const { failure, session: { lost } } = attempt;
    attempt.lacksSpace = ended.outcome === "failed" && ended.resumable === true;
    const isOurs = failure !== undefined && ended.outcome === "failed" && ended.by === "local";
    const end: TransferEnd = isOurs
      ? { state: "failed", failure }
      : endOf("outgoing", ended, isStarted, lost);
    const isUnstarted = !isStarted && end.state !== "interrupted" && ended.outcome === "cancelled";
    this.#stage.enter({ name: "ended", attempt, end, isUnstarted });
  }

  /** Calls the core about the offer that is under way; nothing when there is none. */
  #act(
    call: (transfers: Transfers, id: TransferId, now: number) => readonly TransferEffect[],
  ): void {
    const stage = this.#stage.current;
    if (stage.name !== "offered" && stage.name !== "sending") return;
    const { session, id } = stage.attempt;
    session.peer.act((transfers, now) => call(transfers, id, now));
  }

  /** It is not offered any more. What is offered already ends by itself. */
  async #stop(end: TransferEnd): Promise<void> {
    this.#stopping.abort(new Stopped(end));
    if (this.#stage.current.name === "queued") await this.#end(end);
  }

  async #end(end: TransferEnd): Promise<void> {
    if (!this.entry.isFinal) {
      await this.#options.registry.change(this.entry, end, "transfer-failed");
    }
  }
}
