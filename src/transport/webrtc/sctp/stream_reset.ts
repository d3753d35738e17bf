/**
 * Resets of streams (RFC 6525), with which data channels are closed (RFC 8831, section 6.7). Pure.
 *
 * One stream is used and reset once, so there is one request of ours at most.
 *
 * @module
 */
import {
  type Parameter,
  ParameterType,
  readOutgoingReset,
  readParameters,
  readResponse,
  ResetResult,
  writeOutgoingReset,
  writeParameters,
  writeResponse,
} from "./chunks.ts";
import { ChunkType, type ControlChunk, viewOf } from "./packet.ts";
import { tsnAdd, tsnAfter, tsnNext } from "./tsn.ts";

/** Options of a {@linkcode StreamReset}. */
export interface StreamResetOptions {
  /** Our first TSN, which our requests are numbered from. */
  readonly initialTsn: number;
  /** The peer's, which its requests are numbered from. */
  readonly peerInitialTsn: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
  /** How long to wait for an answer, in milliseconds. */
  readonly timeoutMs: () => number;
  /** The TSN up to which everything of the peer's has come. */
  readonly cumulativeTsn: () => number;
  /** Sends a chunk. */
  readonly send: (chunk: ControlChunk) => void;
  /** The peer sends nothing more on these streams; none means all. */
  readonly onIncoming: (streams: readonly number[]) => void;
  /** The peer has answered our request. */
  readonly onConfirmed: () => void;
}

/** Both directions of the resets of an association. */
export class StreamReset {
  readonly #options: StreamResetOptions;
  readonly #sequence: number;
  #request: { readonly stream: number; readonly lastTsn: number } | undefined;
  #isConfirmed = false;
  #deadline: number | undefined;
  /** Number of the peer's next request. */
  #nextOfPeer: number;
  #lastResult: number = ResetResult.NOTHING_TO_DO;
  /** A request of the peer's that waits for what was sent before it. */
  #waiting: { readonly streams: readonly number[]; readonly lastTsn: number } | undefined;

  /** Begins without a request. */
  constructor(options: StreamResetOptions) {
    this.#options = options;
    this.#sequence = options.initialTsn;
    this.#nextOfPeer = options.peerInitialTsn;
  }

  /** When {@linkcode StreamReset.onDeadline} is due. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Asks the peer to take the end of a stream of ours. The first call counts. */
  request(stream: number, lastTsn: number): void {
    if (this.#request !== undefined) return;
    this.#request = { stream, lastTsn };
    this.onDeadline();
  }

  /** No answer has come: the request goes again. */
  onDeadline(): void {
    if (this.#request === undefined || this.#isConfirmed) return;
    const { stream, lastTsn } = this.#request;
    this.#deadline = this.#options.now() + this.#options.timeoutMs();
    this.#send([writeOutgoingReset({
      sequence: this.#sequence,
      answered: tsnAdd(this.#nextOfPeer, -1),
      lastTsn,
      streams: [stream],
    })]);
  }

  /** Ends it: nothing is sent again. */
  stop(): void {
    this.#deadline = undefined;
  }

  /** A RECONFIG chunk has come. */
  onReconfig(body: Uint8Array): void {
    for (const { type, value } of readParameters(body)) {
      if (type === ParameterType.RECONFIG_RESPONSE) this.#onResponse(value);
      else if (type === ParameterType.OUTGOING_RESET) this.#onRequest(value);
      // What else can be asked for no data channel needs: more streams, numbers set back.
      else if (value.length >= 4) this.#deny(viewOf(value).getUint32(0));
    }
  }

  /** More has come in order: a request may have waited for it. */
  onAdvance(): void {
    const waiting = this.#waiting;
    if (waiting === undefined || !this.#hasAll(waiting.lastTsn)) return;
    this.#waiting = undefined;
    this.#lastResult = ResetResult.PERFORMED;
    this.#answer(tsnAdd(this.#nextOfPeer, -1), this.#lastResult);
    this.#options.onIncoming(waiting.streams);
  }

  #onRequest(value: Uint8Array): void {
    const request = readOutgoingReset(value);
    if (request === undefined) return;
    const { sequence, lastTsn, streams } = request;
    if (sequence === tsnAdd(this.#nextOfPeer, -1)) return this.#answer(sequence, this.#lastResult);
    if (sequence !== this.#nextOfPeer) return this.#answer(sequence, ResetResult.BAD_SEQUENCE);
    this.#nextOfPeer = tsnNext(sequence);
    if (!this.#hasAll(lastTsn)) {
      this.#waiting = { streams, lastTsn };
      return this.#answer(sequence, this.#lastResult = ResetResult.IN_PROGRESS);
    }
    this.#answer(sequence, this.#lastResult = ResetResult.PERFORMED);
    this.#options.onIncoming(streams);
  }

  #deny(sequence: number): void {
    if (sequence === this.#nextOfPeer) {
      this.#nextOfPeer = tsnNext(sequence);
      this.#lastResult = ResetResult.DENIED;
    }
    this.#answer(sequence, ResetResult.DENIED);
  }

  #onResponse(value: Uint8Array): void {
    const response = readResponse(value);
    if (response?.sequence !== this.#sequence || this.#request === undefined) return;
    // What is in progress is asked for again; whatever else the peer says is its last word.
    if (response.result === ResetResult.IN_PROGRESS || this.#isConfirmed) return;
    this.#isConfirmed = true;
    this.#deadline = undefined;
    this.#options.onConfirmed();
  }

  #hasAll(lastTsn: number): boolean {
    return !tsnAfter(lastTsn, this.#options.cumulativeTsn());
  }

  #answer(sequence: number, result: number): void {
    this.#send([writeResponse(sequence, result)]);
  }

  #send(parameters: readonly Parameter[]): void {
    this.#options.send({ type: ChunkType.RECONFIG, flags: 0, body: writeParameters(parameters) });
  }
}
