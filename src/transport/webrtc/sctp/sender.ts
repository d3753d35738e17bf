/**
 * The sending half of an association: messages into fragments, what is in flight, what a SACK says
 * of it, and what is sent again (RFC 9260 sections 6 and 7). Pure: the clock and the wire are
 * passed in; whoever owns it calls {@linkcode SctpSender.onTimeout} at its deadline.
 *
 * @module
 */
import { SCTP_LEAST_PROBE_MS } from "../../../base/timing.ts";
import { CongestionWindow } from "./congestion_window.ts";
import { DeliveryMeter } from "./delivery_meter.ts";
import { Deque } from "./deque.ts";
import type { RetransmissionTimeout } from "./retransmission_timeout.ts";
import { DATA_HEADER_BYTES, type DataChunk, DataFlag, type Sack } from "./packet.ts";
import { RELIABLE_SACK_BYTES } from "./receiver.ts";
import { MAX_HELD, RECEIVE_WINDOW } from "./receive_window.ts";
import { TimedWindow } from "./timed_window.ts";
import { tsnAdd, tsnAfter, tsnDistance, tsnNext } from "./tsn.ts";

/** A message to send. */
export interface OutgoingMessage {
  /** The stream it goes on. */
  readonly streamId: number;
  /** Payload protocol identifier. */
  readonly ppid: number;
  /** Never empty; must not be changed until it has been acknowledged. */
  readonly bytes: Uint8Array;
  /** Whether it may overtake others. */
  readonly unordered: boolean;
  /** Stream sequence number, 16 bits; 0 when unordered. */
  readonly ssn: number;
  /** Called when the peer has acknowledged it and all before it. */
  readonly onAcknowledged?: () => void;
}

/** Options of {@linkcode SctpSender}. */
export interface SctpSenderOptions {
  /** TSN of the first chunk. */
  readonly initialTsn: number;
  /** User data of a full packet, in bytes. */
  readonly packetPayload: number;
  /** User data of the largest chunk, in bytes; a packet may hold more than one. */
  readonly maxChunk: number;
  /** The receive window that the peer began with, in bytes. */
  readonly peerWindow: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** Puts one DATA chunk, with these flags, on the wire. Must not throw. */
  readonly transmit: (chunk: DataChunk, flags: number) => void;
  /** Whether the link takes more for now. @default {() => true} */
  readonly isWritable?: () => boolean;
  /** How long to wait for an acknowledgement. */
  readonly timeout: RetransmissionTimeout;
  /** New packets that one call sends at most (Max.Burst, RFC 9260 section 6.1). @default {16} */
  readonly maxBurst?: number;
  /**
   * Whether the link loses nothing: nothing is sent again, no timer runs, bursts have no bound, and
   * what may be under way is counted by time, not by losses. @default {false}
   */
  readonly isReliable?: boolean;
}

interface InFlight extends DataChunk {
  /** Of the last fragment of a message. */
  readonly onAcknowledged: (() => void) | undefined;
  /** When it was last sent. */
  sentAt: number;
  /** Bytes in flight when it was sent first, with its own. */
  readonly flightBytes: number;
  sentOnce: boolean;
  /** Counted as on its way, neither acknowledged nor found lost. */
  counted: boolean;
  /** Told in a gap block. */
  acked: boolean;
  /** How often it was reported missing since it was last sent. */
  misses: number;
  /** Found lost, to be sent again. */
  lost: boolean;
  /** Only TSNs after this one, when acknowledged, show that this chunk is missing. */
  missedAfter: number;
}

/** Reports of a TSN as missing that make it lost (RFC 9260 section 7.2.4). */
const MISSES_MEAN_LOSS = 3;
/** More in flight than this and the peer acknowledges some of it without being asked. */
const FEW_PACKETS = 16;
/** Packets that take a while to be reordered: part of a round trip (RFC 8985, section 6.2). */
const REORDERING = 1 / 4;
/** A probe goes out after so many round trips of silence (RFC 8985, section 7.2). */
const PROBE_ROUND_TRIPS = 2;
const { IMMEDIATE } = DataFlag;
/** A chunk counts at least so much in the peer's window, over a link that loses nothing. */
const LEAST_COST = RECEIVE_WINDOW.most / MAX_HELD;

/** The sending half of an association. */
export class SctpSender {
  readonly #options: SctpSenderOptions;
  readonly #maxBurst: number;
  readonly #timeout: RetransmissionTimeout;
  readonly #isWritable: () => boolean;
  readonly #window: CongestionWindow;
  /** Of a link that loses nothing, in place of the congestion window. */
  readonly #timedWindow: TimedWindow | undefined;
  readonly #delivery = new DeliveryMeter();
  readonly #waiting = new Deque<OutgoingMessage>();
  readonly #inFlight = new Deque<InFlight>();
  /** Bytes of the first waiting message that have been sent. */
  #offset = 0;
  #waitingBytes = 0;
  #flightBytes = 0;
  #peerWindow: number;
  #nextTsn: number;
  #packetPayload: number;
  #maxChunk: number;
  #ackedTsn: number;
  /** In fast recovery until this TSN has been acknowledged. */
  #recoveryExit: number | undefined;
  #lostCount = 0;
  /** The first chunk found lost goes out at once, whatever the window (section 7.2.4). */
  #fastRetransmit = false;
  #timed: InFlight | undefined;
  /** Of the retransmission timer (T3). */
  #deadline: number | undefined;
  /** Of the probe; one goes out for each silence. */
  #probeAt: number | undefined;
  #probe: InFlight | undefined;
  #hasProbed = false;
  /** When the newest of what has been acknowledged was sent (RFC 8985, section 6.2). */
  #newestAckedSentAt = 0;
  #timeouts = 0;
  #lastSentAt = 0;
  #transmitting = false;

  /**
   * Begins with nothing in flight.
   *
   * @param options What it starts from and works with.
   */
  constructor(options: SctpSenderOptions) {
    this.#options = options;
    if (options.isReliable === true) this.#timedWindow = new TimedWindow();
    this.#maxBurst = this.#timedWindow === undefined ? options.maxBurst ?? 16 : Infinity;
    this.#timeout = options.timeout;
    this.#isWritable = options.isWritable ?? (() => true);
    this.#packetPayload = options.packetPayload;
    this.#maxChunk = options.maxChunk;
    this.#window = new CongestionWindow(options.packetPayload);
    this.#peerWindow = options.peerWindow;
    this.#nextTsn = options.initialTsn;
    this.#ackedTsn = tsnAdd(options.initialTsn, -1);
  }

  /** The last TSN that has been sent; the one before the first when none has. */
  get lastTsn(): number {
    return tsnAdd(this.#nextTsn, -1);
  }

  /** Retransmission timers that ran out in a row, with nothing acknowledged since. */
  get timeouts(): number {
    return this.#timeouts;
  }

  /** The TSN up to which the peer has acknowledged everything. */
  get ackedTsn(): number {
    return this.#ackedTsn;
  }

  /** The receive window that the peer advertised last, in bytes. */
  get peerWindow(): number {
    return this.#peerWindow;
  }

  /** Bytes that wait for their first transmission. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Bytes on their way: sent, not acknowledged, not found lost. */
  get flightBytes(): number {
    return this.#flightBytes;
  }

  /** Bytes that may be on their way. */
  get congestionWindow(): number {
    return this.#timedWindow?.bytes ?? this.#window.bytes;
  }

  /** Bytes that the path delivered in the last round trip that was in use. */
  get deliveredBytes(): number {
    return this.#delivery.bytes;
  }

  /** Whether all that was sent has been acknowledged in order and nothing waits. */
  get isIdle(): boolean {
    return this.#inFlight.length === 0 && this.#waiting.length === 0;
  }

  /** When {@linkcode SctpSender.onDeadline} is due, on the clock passed in. */
  get deadline(): number | undefined {
    const [timer, probe] = [this.#deadline, this.#probeAt];
    return probe !== undefined && (timer === undefined || probe < timer) ? probe : timer;
  }

  /**
   * From now on packets are of another size: what is not cut into chunks yet is cut for it.
   *
   * @param packetPayload See {@linkcode SctpSenderOptions}.
   * @param maxChunk See {@linkcode SctpSenderOptions}.
   */
  resize(packetPayload: number, maxChunk: number): void {
    this.#packetPayload = packetPayload;
    this.#maxChunk = maxChunk;
    this.#window.resize(packetPayload);
  }

  /** Queues a message; {@linkcode SctpSender.transmit} sends what may be sent. */
  send(message: OutgoingMessage): void {
    this.#waiting.push(message);
    this.#waitingBytes += message.bytes.length;
  }

  /** Takes a SACK in; {@linkcode SctpSender.transmit} sends what it makes room for. */
  onSack(sack: Sack): void {
    const advance = tsnDistance(this.#ackedTsn, sack.cumulativeTsn);
    // One from before, or one that acknowledges what was never sent.
    if (advance < 0 || !tsnAfter(this.#nextTsn, sack.cumulativeTsn)) return;
    const wasProbing = this.#isProbing;
    const windowInUse = this.#flightBytes + this.#packetPayload > this.#window.bytes;
    this.#ackedTsn = sack.cumulativeTsn;
    const acked = this.#acknowledgeCumulative() + this.#acknowledgeGaps(sack, advance > 0);
    const isRecovering = this.#recoveryExit !== undefined;
    if (isRecovering && !tsnAfter(this.#recoveryExit ?? 0, this.#ackedTsn)) {
      this.#recoveryExit = undefined;
    }
    if (!isRecovering && advance > 0 && windowInUse) this.#window.onAcknowledged(acked);
    this.#peerWindow = sack.window;
    const first = this.#inFlight.first;
    // The window has opened, but the probe did not get in: not lost on the way.
    if (wasProbing && !this.#isProbing && first?.counted === true) this.#markLost(first);
    if (acked > 0) {
      this.#timeouts = 0;
      this.#hasProbed = false;
      this.#delivery.onAcknowledged(acked, this.#options.now(), this.#timeout.leastMs);
    }
    if (this.#inFlight.length === 0) this.#deadline = undefined;
    else if (advance > 0) this.#startTimer();
    if (acked > 0 || this.#inFlight.length === 0) this.#scheduleProbe();
  }

  /** The deadline has come: a probe is due, or the retransmission timer has run out. */
  onDeadline(): void {
    const probe = this.#probeAt;
    if (probe !== undefined && (this.#deadline === undefined || probe < this.#deadline)) {
      this.#sendProbe();
    } else this.#onTimeout();
  }

  /** Sends what both windows allow: first what is lost. */
  transmit(): void {
    // `transmit` of the options may call back into send(): the loop under way will see what it queued.
    if (this.#transmitting) return;
    this.#transmitting = true;
    try {
      const now = this.#options.now();
      let burst = this.#maxBurst * this.#packetPayload;
      if (this.#lostCount > 0) burst -= this.#sendLost(now, burst);
      const before = this.#nextTsn;
      while (burst > 0 && this.#isWritable()) {
        const sent = this.#sendNext(now, burst);
        if (sent === 0) break;
        burst -= sent;
      }
      if (this.#nextTsn !== before) this.#scheduleProbe();
    } finally {
      this.#transmitting = false;
    }
  }

  /** Drops what has not been sent yet: the stream is being closed. */
  dropWaiting(): void {
    // What has begun would never be whole; the peer drops it with the stream.
    this.#waiting.clear();
    this.#waitingBytes = this.#offset = 0;
  }

  /**
   * The path has changed (RFC 9260, sections 6.3.1 and 7.2: each has its own): nothing that was
   * measured holds, and what is in flight may have gone with the old one. It goes again at once.
   */
  onPathChange(): void {
    this.#timeouts = 0;
    this.#timeout.reset();
    this.#window.reset();
    this.#delivery.reset();
    this.#hasProbed = false;
    this.#probe = undefined;
    this.#newestAckedSentAt = 0;
    this.#loseAll();
  }

  /** The retransmission timer has run out (section 6.3.3). */
  #onTimeout(): void {
    this.#timeouts++;
    this.#timeout.onTimeout();
    if (!this.#isProbing) this.#window.onTimeout();
    this.#loseAll();
  }

  /** All in flight counts as lost. */
  #loseAll(): void {
    this.#deadline = this.#probeAt = undefined;
    this.#recoveryExit = undefined;
    this.#timed = undefined;
    // A peer that acknowledged the earliest chunk and still lacks it has dropped it again (section
    // 6.2).
    const hasReneged = this.#inFlight.first?.acked === true;
    for (const chunk of this.#inFlight) {
      if (hasReneged) chunk.acked = false;
      if (!chunk.acked) this.#markLost(chunk);
    }
  }

  /**
   * When nothing more comes that could tell of a loss, the last packet goes again, or the next one,
   * so that its acknowledgement tells (RFC 8985, section 7). Not while losses are known.
   */
  #scheduleProbe(): undefined {
    if (this.#timedWindow !== undefined) return undefined;
    const { smoothedMs } = this.#timeout;
    const canProbe = smoothedMs !== undefined && this.#inFlight.length > 0 && !this.#hasProbed &&
      this.#lostCount === 0 && this.#recoveryExit === undefined && !this.#isProbing;
    if (!canProbe) return this.#probeAt = undefined;
    // From when the last packet went: acknowledgements of those before it say nothing of its own,
    // as long as they still come.
    const silence = Math.max(smoothedMs / 2, SCTP_LEAST_PROBE_MS);
    const answer = Math.max(PROBE_ROUND_TRIPS * smoothedMs, SCTP_LEAST_PROBE_MS);
    this.#probeAt = Math.max(this.#lastSentAt + answer, this.#options.now() + silence);
  }

  #sendProbe(): void {
    this.#probeAt = undefined;
    this.#hasProbed = true;
    const now = this.#options.now();
    const message = this.#waiting.first;
    const next = message === undefined ? 0 : this.#nextLength(message);
    this.#startTimer();
    if (next > 0 && this.#flightBytes + next <= this.#peerWindow) {
      this.#sendNext(now, 0, true);
      return;
    }
    let last: InFlight | undefined;
    for (const chunk of this.#inFlight) if (!chunk.acked) last = chunk;
    if (last === undefined) return;
    this.#probe = last;
    this.#resend(last, now);
  }

  /** Drops everything; nothing is sent any more. */
  clear(): void {
    this.#waiting.clear();
    this.#inFlight.clear();
    this.#waitingBytes = this.#flightBytes = this.#lostCount = 0;
    this.#deadline =
      this.#probeAt =
      this.#timed =
      this.#probe =
        undefined;
  }

  /** Takes away what is acknowledged in order. Returns the bytes that were not acknowledged before. */
  #acknowledgeCumulative(): number {
    let bytes = 0;
    let last: InFlight | undefined;
    for (let chunk = this.#inFlight.first; chunk !== undefined; chunk = this.#inFlight.first) {
      if (tsnAfter(chunk.tsn, this.#ackedTsn)) break;
      this.#inFlight.shift();
      bytes += this.#acknowledge(chunk);
      last = chunk;
      chunk.onAcknowledged?.();
    }
    if (last !== undefined) this.#timedWindow?.onAcknowledged(last, this.#options.now());
    return bytes;
  }

  /** Takes gap blocks in, and counts what they show to be missing. Returns the bytes newly acked. */
  #acknowledgeGaps(sack: Sack, advanced: boolean): number {
    const { gaps } = sack;
    const lastGap = gaps[gaps.length - 1];
    if (lastGap === undefined) return 0;
    let bytes = 0;
    let block = 0;
    let newest = sack.cumulativeTsn;
    const missing: InFlight[] = [];
    for (const chunk of this.#inFlight) {
      const at = tsnDistance(sack.cumulativeTsn, chunk.tsn);
      if (at > lastGap.end) break;
      while (at > (gaps[block]?.end ?? Infinity)) block++;
      if (at < (gaps[block]?.start ?? Infinity)) {
        if (!chunk.acked && !chunk.lost) missing.push(chunk);
      } else if (!chunk.acked) {
        bytes += this.#acknowledge(chunk);
        newest = chunk.tsn;
      }
    }
    this.#countMissing(missing, newest, advanced);
    return bytes;
  }

  /** Fast retransmit on the third report (section 7.2.4). */
  #countMissing(missing: readonly InFlight[], newest: number, advanced: boolean): void {
    const isRecovering = this.#recoveryExit !== undefined;
    const reordering = Math.max(REORDERING * (this.#timeout.smoothedMs ?? Infinity), 1);
    let isLost = false;
    for (const chunk of missing) {
      // The highest TSN newly acknowledged bounds what this SACK can say is missing, except that in
      // fast recovery one that moves the cumulative TSN speaks for all of them. A chunk sent again
      // is only missing when something sent after that has arrived.
      const isReported = tsnAfter(newest, chunk.missedAfter) ||
        (isRecovering && advanced && chunk.sentOnce);
      if (!isReported) continue;
      // Either by number, or by time: what was sent well after it has arrived.
      const isLate = chunk.sentAt + reordering < this.#newestAckedSentAt;
      if (++chunk.misses < MISSES_MEAN_LOSS && !isLate) continue;
      // The loss of a retransmission is a new sign of congestion, inside of recovery too.
      isLost ||= !isRecovering || !chunk.sentOnce;
      this.#markLost(chunk);
    }
    if (!isLost) return;
    this.#window.onLoss();
    this.#fastRetransmit = true;
    this.#recoveryExit = this.#inFlight.last?.tsn;
  }

  #acknowledge(chunk: InFlight): number {
    if (chunk.acked) return 0;
    chunk.acked = true;
    this.#uncount(chunk);
    if (chunk.lost) {
      chunk.lost = false;
      this.#lostCount--;
    }
    const now = this.#options.now();
    if (this.#timed === chunk) {
      this.#timed = undefined;
      this.#timeout.onRoundTrip(now - chunk.sentAt);
    }
    // An answer that comes sooner than any did is one to what was sent before.
    const { leastMs } = this.#timeout;
    const isOfLast = chunk.sentOnce || leastMs === undefined || now - chunk.sentAt >= leastMs;
    if (isOfLast && chunk.sentAt > this.#newestAckedSentAt) this.#newestAckedSentAt = chunk.sentAt;
    if (this.#probe === chunk) {
      this.#probe = undefined;
      // The probe itself has mended a loss (RFC 8985, section 7.4).
      if (isOfLast && this.#recoveryExit === undefined) this.#window.onLoss();
    }
    return chunk.payload.length;
  }

  #markLost(chunk: InFlight): void {
    this.#uncount(chunk);
    if (chunk.lost) return;
    chunk.lost = true;
    this.#lostCount++;
  }

  #count(chunk: InFlight): void {
    if (chunk.counted) return;
    chunk.counted = true;
    this.#flightBytes += chunk.payload.length;
  }

  #uncount(chunk: InFlight): void {
    if (!chunk.counted) return;
    chunk.counted = false;
    this.#flightBytes -= chunk.payload.length;
  }

  /** Sends again what is lost, as far as the window allows. Returns the bytes that were sent. */
  #sendLost(now: number, burst: number): number {
    let sent = 0;
    for (const chunk of this.#inFlight) {
      if (this.#lostCount === 0 || sent >= burst || !this.#isWritable()) break;
      if (!chunk.lost) continue;
      if (!this.#fastRetransmit && this.#flightBytes >= this.#window.bytes) break;
      this.#fastRetransmit = false;
      chunk.lost = false;
      this.#lostCount--;
      // The earliest chunk is the one that the timer is for.
      if (chunk === this.#inFlight.first || this.#deadline === undefined) this.#startTimer();
      sent += chunk.payload.length;
      this.#resend(chunk, now);
    }
    return sent;
  }

  #resend(chunk: InFlight, now: number): void {
    chunk.sentOnce = false;
    chunk.misses = 0;
    chunk.missedAfter = tsnAdd(this.#nextTsn, -1);
    chunk.sentAt = this.#lastSentAt = now;
    if (this.#timed === chunk) this.#timed = undefined;
    this.#count(chunk);
    this.#options.transmit(chunk, chunk.flags | IMMEDIATE);
  }

  /**
   * Sends the next new chunk, if there is one and both windows allow it. Returns its bytes.
   *
   * @param isProbe It goes whatever the congestion window.
   */
  #sendNext(now: number, burst: number, isProbe = false): number {
    const message = this.#waiting.first;
    if (message === undefined || this.#lostCount > 0) return 0;
    const length = this.#nextLength(message);
    const end = this.#offset + length;
    if (this.#flightBytes === 0) this.#afterIdle(now);
    if (!isProbe && !this.#hasSpaceFor(length)) return 0;
    const isLast = end === message.bytes.length;
    const chunk: InFlight = {
      tsn: this.#nextTsn,
      flags: (message.unordered ? DataFlag.UNORDERED : 0) |
        (this.#offset === 0 ? DataFlag.FIRST : 0) | (isLast ? DataFlag.LAST : 0),
      streamId: message.streamId,
      ssn: message.ssn,
      ppid: message.ppid,
      payload: message.bytes.subarray(this.#offset, end),
      onAcknowledged: isLast ? message.onAcknowledged : undefined,
      sentAt: now,
      flightBytes: this.#flightBytes + length,
      sentOnce: true,
      counted: false,
      acked: false,
      misses: 0,
      lost: false,
      missedAfter: this.#nextTsn,
    };
    this.#nextTsn = tsnNext(this.#nextTsn);
    this.#waitingBytes -= length;
    this.#offset = isLast ? 0 : end;
    if (isLast) this.#waiting.shift();
    this.#count(chunk);
    this.#inFlight.push(chunk);
    this.#timed ??= chunk;
    if (this.#deadline === undefined) this.#startTimer();
    this.#lastSentAt = now;
    const asks = isProbe || this.#asksForSack(burst - length);
    this.#options.transmit(chunk, asks ? IMMEDIATE | chunk.flags : chunk.flags);
    // A message costs something however small it is: a burst is not of thousands.
    return length + DATA_HEADER_BYTES;
  }

  #nextLength(message: OutgoingMessage): number {
    const left = message.bytes.length - this.#offset;
    if (this.#timedWindow === undefined) return Math.min(left, this.#maxChunk);
    // Evenly: the last of a message is no small one.
    const even = Math.ceil(left / Math.ceil(left / this.#maxChunk));
    // With nothing under way no window is told before more has come than there is room for.
    const isAlone = this.#inFlight.length === 0 && this.#peerWindow > 0;
    return isAlone ? Math.min(even, this.#peerWindow) : even;
  }

  /**
   * Whether the peer should not wait for more before it acknowledges (RFC 7053): there is no more,
   * or it may be too little to make it acknowledge by itself.
   */
  #asksForSack(burstLeft: number): boolean {
    if (this.#timedWindow !== undefined) {
      // No timer waits for it, but a small window that is used up: it is to grow, or is that slow.
      return this.#timedWindow.bytes < 2 * RELIABLE_SACK_BYTES && !this.#hasSpaceFor(1);
    }
    if (this.#waiting.length === 0) return true;
    const isSmallFlight = this.#flightBytes < FEW_PACKETS * this.#packetPayload;
    return isSmallFlight && (burstLeft <= 0 || !this.#hasSpaceFor(1));
  }

  #hasSpaceFor(length: number): boolean {
    if (this.#flightBytes >= this.congestionWindow) return false;
    if (this.#timedWindow !== undefined) {
      // What finds no room would be lost for ever.
      const cost = (this.#inFlight.length + 1) * LEAST_COST;
      return Math.max(this.#flightBytes + length, cost) <= this.#peerWindow;
    }
    // With nothing in flight one chunk may go whatever the window: it probes (section 6.1 A).
    return this.#inFlight.length === 0 || this.#flightBytes + length <= this.#peerWindow;
  }

  /** Whether what is in flight is one chunk for which the peer had no burst (section 6.1 A). */
  get #isProbing(): boolean {
    const first = this.#inFlight.first;
    return this.#timedWindow === undefined && first !== undefined && this.#inFlight.length === 1 &&
      this.#peerWindow < first.payload.length;
  }

  #afterIdle(now: number): void {
    if (this.#inFlight.length > 0 || this.#lastSentAt === 0) return;
    const timeouts = Math.floor((now - this.#lastSentAt) / this.#timeout.ms);
    if (timeouts > 0) this.#window.onIdle(timeouts);
  }

  #startTimer(): void {
    if (this.#timedWindow !== undefined) return;
    this.#deadline = this.#options.now() + this.#timeout.ms;
  }
}
