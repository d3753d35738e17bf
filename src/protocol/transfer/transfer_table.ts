/**
 * The transfers of a session: at most one each way on offer, at most one flowing.
 *
 * One flows at a time because both directions share the ratchet's root. Offers that cross are
 * settled alike on both sides: the side with the lesser ephemeral key gives way. A peer that offers
 * nothing has no ratchet, and sends whenever it likes: there one may flow each way.
 *
 * @module
 */
import { isTransferErrorCode, MisuseError, ProtocolError } from "../errors.ts";
import type { EnvelopeCodec } from "../messages/envelope.ts";
import type { RawRatchetFields } from "../messages/frame.ts";
import type {
  Cancel,
  ErrorMessage,
  FileAccept,
  FileChunk,
  FileOffer,
  InnerMessage,
  Ping,
  TransferMessage,
} from "../messages/inner_message.ts";
import { generateTransferId, type TransferId } from "../messages/transfer_id.ts";
import { ChunkCodec, type ChunkKeys } from "./chunk_codec.ts";
import type { CancelReason, Direction, Side, TransferEffect, TransferOutcome } from "./effects.ts";
import { FileReceiver, type OfferedFile } from "./file_receiver.ts";
import { type ChunkRequest, FileSender } from "./file_sender.ts";
import { checkLimits, limitExceeded, type TransferTiming } from "./limits.ts";
import {
  type IncomingWork,
  LiveTransfer,
  type OutgoingWork,
  type TransferSide,
} from "./live_transfer.ts";
import { describeFile, type DescribeOptions } from "./describe_file.ts";
import { RECENT_IDS, RecentIds } from "./recent_ids.ts";
import { acceptedFrom, canResumeFrom, leavesResumable, retriedBy } from "./resume.ts";
import { Unsettled } from "./unsettled.ts";
import type { FileToSend, OfferedTransfer, Transfers } from "./transfers.ts";

/** Most characters of a peer's reason that are passed on. */
const MAX_REASON = 200;

/** What there is to say of an end beside its outcome. */
interface EndDetails {
  readonly error?: ProtocolError | undefined;
  readonly reason?: CancelReason | undefined;
  readonly resumable?: boolean | undefined;
}

/** What a session gives its transfers to work with. */
export interface TransferContext extends DescribeOptions {
  /** Seals messages into frames. */
  readonly envelopes: EnvelopeCodec;
  /** What chunks are sealed with. */
  readonly keys: ChunkKeys;
  /** When offers cross, the peer's goes first. */
  readonly yields: boolean;
  /** The longest waits, in milliseconds. */
  readonly timing: TransferTiming;
}

/** The transfers of a session, with what the session itself needs of them. */
export class TransferTable implements Transfers {
  readonly #context: TransferContext;
  readonly #ended = new RecentIds();
  /** Those of them that we have sent whole. */
  readonly #sentWhole = new RecentIds();
  /** Those of them that we have received whole. */
  readonly #receivedWhole = new RecentIds();
  /** Those of them that have no name yet, where the session can resume. */
  readonly #unsettled = new Unsettled();
  #outgoing: LiveTransfer<OutgoingWork> | undefined;
  #incoming: LiveTransfer<IncomingWork> | undefined;
  /** Cancels that wait until the file that the peer sends has ended: {@linkcode RECENT_IDS} at most. */
  readonly #cancelsToSend: Cancel[] = [];
  /** Of the incoming transfer: our pause has ended, and that waits until the peer ends its own. */
  #owesResume = false;
  #peerGaveWay = false;
  #approved = false;
  #closed = false;
  #effects: TransferEffect[] = [];

  /** Starts empty, and unapproved: offers are held, not reported. */
  constructor(context: TransferContext) {
    this.#context = context;
  }

  /** Whether a file may be offered. */
  get idle(): boolean {
    return !this.#closed && this.#outgoing === undefined && this.#incoming === undefined;
  }

  /** See {@linkcode Transfers.peerGaveWay}. */
  get peerGaveWay(): boolean {
    return this.#peerGaveWay;
  }

  /** See {@linkcode Transfers.resumes}. */
  get resumes(): boolean {
    return this.#context.resume === "used";
  }

  /** Whether answers to pings are kept back: the peer must hear of us in another way. */
  get keepsPongs(): boolean {
    return this.#unsettled.any;
  }

  /** The next moment at which {@linkcode tick} has something to do, in ms. */
  get nextDeadline(): number | undefined {
    const deadlines = [this.#outgoing?.deadline, this.#incoming?.deadline]
      .filter((deadline) => deadline !== undefined);
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  /** What is to be done since the last call, in order. */
  drain(): readonly TransferEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The program trusts the peer: an offer that was held is reported. */
  approve(now: number): void {
    this.#approved = true;
    const held = this.#incoming;
    if (held === undefined) return;
    held.announced = true;
    held.touch(now);
    this.#emit({ type: "transfer-offered", file: held.work.file });
  }

  /** Ends what has waited too long. */
  tick(now: number): void {
    for (const live of [this.#outgoing, this.#incoming]) {
      if (live === undefined || live.deadline > now) continue;
      const { transferId } = live.work.file;
      const message = live.waitsFor;
      if (live.work.flow === undefined) this.#cancelLive(live, message, { reason: "unanswered" });
      else this.#failLive(live, new ProtocolError("TRANSFER_FAILED", message, { transferId }));
    }
  }

  /**
   * The session ends: cancels what lives, telling the peer. Frames can still be sealed.
   *
   * @param resumable It is to go on in another session, where this one can resume.
   */
  cancelAll(message: string, resumable = false): void {
    for (const live of [this.#outgoing, this.#incoming]) {
      if (live === undefined) continue;
      this.#cancelLive(live, message, { resumable: resumable && this.resumes });
    }
  }

  /** Answers a ping, now or when all that came whole has its name. */
  answer(ping: Ping, now: number): void {
    if (this.keepsPongs) this.#unsettled.keep(ping);
    else this.#pong(ping, now);
  }

  /** The session has ended: nothing can be sent any more. */
  close(by: Side, error: ProtocolError | undefined): void {
    this.#closed = true;
    const message = error?.message ?? "the session ended";
    for (const live of [this.#outgoing, this.#incoming]) {
      if (live !== undefined) {
        this.#end(live, error === undefined ? "cancelled" : "failed", by, message, { error });
      }
    }
  }

  /** Refuses what broke a rule that is about one transfer only: one that lives, or an offer. */
  refuseInbound(id: TransferId, error: ProtocolError): void {
    const isOffer = this.#find(id) === undefined;
    this.refuse(id, error);
    if (isOffer) this.#emit({ type: "transfer-refused", transferId: id, error });
  }

  /** Refuses one transfer with a code that is only about it; `resumable` when it may come again. */
  refuse(id: TransferId, error: ProtocolError, resumable = false): void {
    const live = this.#find(id);
    const direction = live?.direction ?? "incoming";
    // CONNECTION_LOST is never sent.
    if (error.code === "CONNECTION_LOST") this.#sendCancel(id, direction);
    else {
      const refusal = this.#context.dialect.refuse(id, direction, error);
      this.#send(resumable ? { ...refusal, resumable } : refusal);
    }
    if (live !== undefined) this.#end(live, "failed", "local", error.message, { error });
    else this.#ended.add(id);
  }

  /**
   * Handles an inbound transfer message; {@linkcode drain} gives what follows, also after a throw.
   *
   * @throws {ProtocolError} When the peer may not send it now.
   */
  receive(
    message: TransferMessage,
    ratchet: RawRatchetFields,
    now: number,
  ): void {
    switch (message.type) {
      case "file-chunk":
        return this.#onChunk(message, ratchet, now);
      case "file-offer":
        return this.#onOffer(message, now);
      case "file-accept":
        return this.#onAccept(message, now);
      case "file-finish":
        return this.#onFinish(message.transferId);
      case "pause":
      case "resume":
        return this.#onPause(message.transferId, message.type === "pause", now);
      case "cancel":
        return this.#onCancel(message);
    }
  }

  /** Handles an inbound error that is about one transfer only. Says whether it was that. */
  receiveError(message: ErrorMessage): boolean {
    const { code, transferId } = message;
    if (transferId === undefined || !isTransferErrorCode(code)) return false;
    const resumable = leavesResumable(message.resumable, this.#context.resume);
    const live = this.#find(transferId);
    const why = message.message === "" ? code : message.message.slice(0, MAX_REASON);
    const error = new ProtocolError(code, `the peer can't take the file: ${why}`, { transferId });
    if (live === undefined) this.#endLate(transferId, { error, resumable });
    else this.#end(live, "failed", "remote", error.message, { error, resumable });
    return true;
  }

  /** See {@linkcode Transfers.offer}. */
  offer(file: FileToSend, now: number): OfferedTransfer {
    const { dialect, keys, timing } = this.#context;
    if (!this.idle) throw new MisuseError("a transfer is offered or flowing: wait until it ended");
    this.#peerGaveWay = false;
    const { transferId = generateTransferId(keys.random) } = file;
    const offer = describeFile(file, transferId, this.#context);
    const codec = new ChunkCodec(keys, transferId, !dialect.offersFiles);
    const work: OutgoingWork = { direction: "outgoing", file: offer };
    this.#outgoing = new LiveTransfer(work, codec, timing, now, true);
    if (this.resumes) this.#outgoing.extend(now, timing.offerMs + timing.resumeMs);
    if (dialect.offersFiles) this.#send(offer);
    else this.#startSending(this.#outgoing, now);
    return { transferId, effects: this.drain() };
  }

  /** See {@linkcode Transfers.willAccept}. */
  willAccept(id: TransferId, now: number): readonly TransferEffect[] {
    const live = this.#incoming;
    if (live?.work.file.transferId !== id) return this.#endedOrMisused(id);
    if (this.resumes) live.extend(now, this.#context.timing.resumeMs);
    return this.drain();
  }

  /** See {@linkcode Transfers.accept}. */
  accept(id: TransferId, now: number, resumeFrom?: number): readonly TransferEffect[] {
    const live = this.#incoming;
    if (live?.work.file.transferId !== id) return this.#endedOrMisused(id);
    if (live.work.flow !== undefined) throw new MisuseError("the transfer was already accepted");
    if (resumeFrom !== undefined) this.#checkOwnResume(live.work.file, resumeFrom);
    if (this.#outgoing !== undefined) {
      const message = "both sides offered at once: the peer's offer goes first";
      this.#cancelLive(this.#outgoing, message, { reason: "crossed" });
    }
    const from = resumeFrom === undefined ? {} : { resumeFrom };
    this.#send({ type: "file-accept", transferId: id, ...from });
    this.#startReceiving(live, now, resumeFrom);
    return this.drain();
  }

  /** See {@linkcode Transfers.settled}. */
  settled(id: TransferId, now: number): readonly TransferEffect[] {
    const ping = this.#unsettled.settle(id);
    if (ping !== undefined && !this.#closed) this.#pong(ping, now);
    return this.drain();
  }

  /** See {@linkcode Transfers.pause}. */
  pause(id: TransferId, now: number): readonly TransferEffect[] {
    return this.#setPaused(id, true, now);
  }

  /** See {@linkcode Transfers.resume}. */
  resume(id: TransferId, now: number): readonly TransferEffect[] {
    return this.#setPaused(id, false, now);
  }

  /** See {@linkcode Transfers.cancel}. */
  cancel(id: TransferId, message: string, resumable = false): readonly TransferEffect[] {
    const live = this.#find(id);
    if (live === undefined) return this.#endedOrMisused(id);
    this.#cancelLive(live, message, { resumable: resumable && this.resumes });
    return this.drain();
  }

  /** See {@linkcode Transfers.fail}. */
  fail(id: TransferId, message: string): readonly TransferEffect[] {
    const live = this.#find(id);
    if (live === undefined && this.#receivedWhole.has(id)) {
      this.#sendCancel(id, "incoming");
      return this.drain();
    }
    if (live === undefined) return this.#endedOrMisused(id);
    this.#failLive(live, new ProtocolError("TRANSFER_FAILED", message, { transferId: id }));
    return this.drain();
  }

  /** See {@linkcode Transfers.failWithReason}. */
  failWithReason(
    id: TransferId,
    message: string,
    resumable = false,
  ): readonly TransferEffect[] {
    if (this.#find(id) === undefined && !this.#receivedWhole.has(id)) {
      return this.#endedOrMisused(id);
    }
    this.refuse(id, limitExceeded(id, message), resumable && this.resumes);
    return this.drain();
  }

  /** See {@linkcode Transfers.takeBack}. */
  takeBack(id: TransferId): readonly TransferEffect[] {
    this.#sendCancel(id, "incoming");
    return this.drain();
  }

  /** See {@linkcode Transfers.nextChunk}. */
  nextChunk(id: TransferId): ChunkRequest | undefined {
    const live = this.#outgoing;
    return live?.work.file.transferId === id && !live.paused ? live.work.flow?.next : undefined;
  }

  /** See {@linkcode Transfers.sendChunk}. */
  sendChunk(id: TransferId, plaintext: Uint8Array, now: number): readonly TransferEffect[] {
    const live = this.#outgoing;
    if (live?.work.file.transferId !== id) return this.#endedOrMisused(id);
    const { file, flow } = live.work;
    if (flow === undefined) throw new MisuseError("the peer has not accepted the offer");
    const { index, last } = flow.advance(plaintext);
    const { transferId, filename, size: fileSize } = file;
    const header = {
      type: "file-chunk",
      transferId,
      chunkIndex: index,
      totalChunks: flow.totalChunks,
      file: { filename, fileSize },
    } as const;
    const { dialect, envelopes } = this.#context;
    const chunk = live.codec.encode(plaintext);
    this.#emit({ type: "send", frame: envelopes.sealChunk(dialect.chunk(header, file), chunk) });
    live.touch(now);
    if (last) this.#finishSending(live);
    return this.drain();
  }

  #onOffer(offer: FileOffer, now: number): void {
    const { keys, limits, timing, fileHash, yields, resume } = this.#context;
    const { transferId } = offer;
    if (this.#find(transferId) !== undefined || this.#ended.has(transferId)) {
      throw new ProtocolError("REPLAY_DETECTED", "the peer offers a transfer again", {
        transferId,
      });
    }
    if (fileHash && offer.fileHash === undefined) {
      throw new ProtocolError("INVALID_MESSAGE", "the peer's file-offer lacks the agreed fileHash");
    }
    checkLimits(offer, limits);
    const retryOf = retriedBy(offer.retryOf, resume);
    if (this.#unsettled.isFull) {
      throw limitExceeded(transferId, "too many files came whole and are not saved yet");
    }
    if (this.#incoming !== undefined || this.#outgoing?.work.flow !== undefined) {
      throw limitExceeded(transferId, "one transfer at a time, and one offer waiting");
    }
    if (this.#outgoing !== undefined && !yields) {
      this.#peerGaveWay = true;
      this.#sendCancel(transferId, "incoming");
      this.#ended.add(transferId);
      return;
    }
    const { type: _, fileHash: hash, retryOf: __, ...described } = offer;
    const file: OfferedFile = {
      ...described,
      implied: false,
      ...(fileHash && hash !== undefined ? { fileHash: hash } : {}),
      ...(retryOf === undefined ? {} : { retryOf }),
    };
    const codec = new ChunkCodec(keys, transferId, false);
    const work: IncomingWork = { direction: "incoming", file };
    this.#incoming = new LiveTransfer(work, codec, timing, now, this.#approved);
    if (this.#approved) this.#emit({ type: "transfer-offered", file });
  }

  #onAccept({ transferId: id, resumeFrom: said }: FileAccept, now: number): void {
    const live = this.#outgoing;
    if (live?.work.file.transferId !== id || live.work.flow !== undefined) {
      return this.#expectEnded(id, live, "accept");
    }
    const resumeFrom = acceptedFrom(said, live.work.file, this.#context.resume);
    // Their offer crossed ours and they took ours: it goes first, theirs may come again.
    if (this.#incoming !== undefined) {
      this.#peerGaveWay = true;
      const message = "both sides offered at once: our offer goes first";
      this.#cancelLive(this.#incoming, message, { reason: "crossed" });
    }
    this.#startSending(live, now, resumeFrom);
  }

  #onChunk(message: FileChunk, ratchet: RawRatchetFields, now: number): void {
    const { transferId } = message;
    const live = this.#incoming?.work.file.transferId === transferId
      ? this.#incoming
      : this.#unofferedChunk(message, ratchet, now);
    if (live === undefined) return;
    const receiver = live.work.flow;
    if (receiver === undefined) {
      throw new ProtocolError("INVALID_STATE", "a chunk came before its offer was accepted");
    }
    receiver.checkHeader(message);
    if (this.#context.keys.ratchet === undefined) receiver.checkOrder(message.chunkIndex);
    const chunk = receiver.advance(live.codec.decode(message, ratchet));
    this.#emit({ type: "transfer-chunk", transferId, ...chunk });
    live.touch(now);
    if (chunk.last && live.work.file.implied) this.#finishReceiving(live, receiver);
  }

  /** A chunk of no live incoming transfer: a late one, the first without an offer, or a violation. */
  #unofferedChunk(
    message: FileChunk,
    ratchet: RawRatchetFields,
    now: number,
  ): LiveTransfer<IncomingWork> | undefined {
    const { dialect, keys, limits, timing, fileHash: isHashed } = this.#context;
    const { transferId } = message;
    const codec = new ChunkCodec(keys, transferId, true);
    if (this.#ended.has(transferId)) {
      codec.skip(message, ratchet);
      return undefined;
    }
    const begun = dialect.begunBy(message);
    if (begun === undefined) {
      throw new ProtocolError("INVALID_STATE", "a chunk came without an offer");
    }
    if (!this.#approved || this.#incoming !== undefined) {
      codec.skip(message, ratchet);
      this.#send(dialect.cancel(transferId, "incoming"));
      this.#ended.add(transferId);
      return undefined;
    }
    checkLimits(begun, limits);
    const { fileHash: _, ...unhashed } = begun;
    const file = isHashed ? begun : unhashed;
    const work: IncomingWork = { direction: "incoming", file };
    const live = new LiveTransfer(work, codec, timing, now, true);
    this.#incoming = live;
    this.#emit({ type: "transfer-offered", file });
    this.#startReceiving(live, now);
    return live;
  }

  #onFinish(id: TransferId): void {
    const live = this.#incoming;
    const receiver = live?.work.flow;
    if (live?.work.file.transferId !== id || receiver === undefined) {
      return this.#expectEnded(id, live, "finish");
    }
    this.#finishReceiving(live, receiver);
  }

  #onPause(id: TransferId, paused: boolean, now: number): void {
    const live = this.#find(id);
    if (live?.work.flow === undefined) return this.#expectEnded(id, live, "pause or resume");
    // A peer may take its own resume for the end of our pause as well: it is sent our pause again.
    if (!paused && live.pausedByUs) this.#send({ type: "pause", transferId: id });
    else if (!paused && this.#owesResume) this.#sayResume(id);
    if (!live.setPaused("remote", paused, now)) return;
    const type = paused ? "transfer-paused" : "transfer-resumed";
    this.#emit({ type, transferId: id, by: "remote" });
  }

  #onCancel({ transferId: id, resumable: said }: Cancel): void {
    const live = this.#find(id);
    const resumable = leavesResumable(said, this.#context.resume);
    if (live !== undefined) {
      this.#end(live, "cancelled", "remote", "the peer cancelled", { resumable });
    } // Without an offer, a cancel may come before the first chunk made the transfer known.
    else if (!this.#endLate(id, { resumable }) && this.#context.dialect.offersFiles) {
      this.#expectEnded(id, live, "cancel");
    }
  }

  /** The peer ends what was sent whole and crossed its word. False when it was not that. */
  #endLate(transferId: TransferId, { error, resumable }: EndDetails): boolean {
    if (!this.#sentWhole.has(transferId)) return false;
    this.#emit({
      type: "transfer-ended-late",
      transferId,
      ...(error && { error }),
      ...(resumable && { resumable }),
    });
    return true;
  }

  /** Lets pass what was under way when its transfer ended; anything else is out of place. */
  #expectEnded(id: TransferId, live: LiveTransfer<TransferSide> | undefined, what: string): void {
    if (live?.work.file.transferId !== id && this.#ended.has(id)) return;
    throw new ProtocolError("INVALID_STATE", `the peer's ${what} fits no transfer as it is now`);
  }

  #startSending(live: LiveTransfer<OutgoingWork>, now: number, resumeFrom?: number): void {
    const flow = new FileSender(live.work.file, resumeFrom);
    live.work.flow = flow;
    this.#started(live, now, resumeFrom);
    if (flow.totalChunks === 0) this.#finishSending(live);
  }

  #startReceiving(live: LiveTransfer<IncomingWork>, now: number, resumeFrom?: number): void {
    live.work.flow = new FileReceiver(live.work.file, resumeFrom);
    this.#started(live, now, resumeFrom);
  }

  #started(live: LiveTransfer<TransferSide>, now: number, resumeFrom: number | undefined): void {
    const { direction, work: { file: { transferId } } } = live;
    live.touch(now);
    const from = resumeFrom === undefined ? {} : { resumeFrom };
    this.#emit({ type: "transfer-started", transferId, direction, ...from });
  }

  #checkOwnResume({ size, chunkSize = 0 }: OfferedFile, resumeFrom: number): void {
    if (this.resumes && canResumeFrom(resumeFrom, { size, chunkSize })) return;
    throw new MisuseError("the transfer can't go on there");
  }

  #finishSending(live: LiveTransfer<OutgoingWork>): void {
    const { file } = live.work;
    const finish = this.#context.dialect.finish(file);
    if (finish !== undefined) this.#send(finish);
    this.#sentWhole.add(file.transferId);
    this.#end(live, "completed", "local", "all was sent");
  }

  #finishReceiving(live: LiveTransfer<IncomingWork>, receiver: FileReceiver): void {
    receiver.finish();
    const { transferId } = live.work.file;
    // It would hold the peer's next file.
    const isHeldUp = live.pausedByUs && !this.#context.dialect.steersEachTransfer;
    if (isHeldUp) this.#sayResume(transferId);
    this.#receivedWhole.add(transferId);
    if (this.resumes) this.#unsettled.add(transferId);
    this.#end(live, "completed", "remote", "all was received");
  }

  #setPaused(id: TransferId, paused: boolean, now: number): readonly TransferEffect[] {
    const live = this.#find(id);
    if (live === undefined) return this.#endedOrMisused(id);
    if (live.work.flow === undefined) throw new MisuseError("the transfer is not flowing yet");
    if (live.setPaused("local", paused, now)) {
      if (!this.#isToldOfPause(live, paused)) this.#owesResume = live.direction === "incoming";
      else if (paused) this.#send({ type: "pause", transferId: id });
      else this.#sayResume(id);
      const type = paused ? "transfer-paused" : "transfer-resumed";
      this.#emit({ type, transferId: id, by: "local" });
    }
    return this.drain();
  }

  /**
   * Whether our pause, or its end, is said. A peer that takes it for whatever it sends would hold a
   * file of its own for a pause of ours, and end a pause of its own with ours.
   */
  #isToldOfPause(live: LiveTransfer<TransferSide>, paused: boolean): boolean {
    if (this.#context.dialect.steersEachTransfer) return true;
    if (live.direction === "outgoing") return this.#incoming === undefined;
    return paused || !live.pausedByPeer;
  }

  #sayResume(transferId: TransferId): void {
    this.#owesResume = false;
    this.#send({ type: "resume", transferId });
  }

  #find(id: TransferId): LiveTransfer<TransferSide> | undefined {
    return [this.#outgoing, this.#incoming].find((live) => live?.work.file.transferId === id);
  }

  #endedOrMisused(id: TransferId): readonly TransferEffect[] {
    if (this.#ended.has(id)) return [];
    throw new MisuseError("there is no such transfer in this session");
  }

  #cancelLive(
    live: LiveTransfer<TransferSide>,
    message: string,
    details: Pick<EndDetails, "reason" | "resumable"> = {},
  ): void {
    this.#sendCancel(live.work.file.transferId, live.direction, details.resumable);
    this.#end(live, "cancelled", "local", message, details);
  }

  #failLive(live: LiveTransfer<TransferSide>, error: ProtocolError): void {
    this.#sendCancel(live.work.file.transferId, live.direction);
    this.#end(live, "failed", "local", error.message, { error });
  }

  #end(
    live: LiveTransfer<TransferSide>,
    outcome: TransferOutcome,
    by: Side,
    message: string,
    { error, reason, resumable }: EndDetails = {},
  ): void {
    const { transferId } = live.work.file;
    live[Symbol.dispose]();
    this.#ended.add(transferId);
    if (live.direction === "outgoing") this.#outgoing = undefined;
    else {
      this.#incoming = undefined;
      this.#owesResume = false;
      const cancels = this.#cancelsToSend.splice(0);
      if (!this.#closed) cancels.forEach((cancel) => this.#send(cancel));
    }
    if (!live.announced) return;
    this.#emit({
      type: "transfer-ended",
      transferId,
      direction: live.direction,
      outcome,
      by,
      message,
      ...(error === undefined ? {} : { error }),
      ...(reason === undefined ? {} : { reason }),
      ...(resumable ? { resumable } : {}),
    });
  }

  #sendCancel(transferId: TransferId, direction: Direction, resumable = false): void {
    const { dialect } = this.#context;
    const plain = dialect.cancel(transferId, direction);
    const cancel = resumable ? { ...plain, resumable } : plain;
    const incoming = this.#incoming?.work.file.transferId ?? transferId;
    // It would end the other file that the peer sends.
    const waits = !dialect.steersEachTransfer && incoming !== transferId;
    if (waits && this.#cancelsToSend.length < RECENT_IDS) this.#cancelsToSend.push(cancel);
    else this.#send(cancel);
  }

  #pong({ tsMs: replyToMs }: Ping, now: number): void {
    this.#send({ type: "pong", tsMs: Math.trunc(now), replyToMs });
  }

  #send(message: Exclude<InnerMessage, FileChunk>): void {
    this.#emit({ type: "send", frame: this.#context.envelopes.seal(message) });
  }

  #emit(effect: TransferEffect): void {
    this.#effects.push(effect);
  }
}
