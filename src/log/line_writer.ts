/**
 * A bounded queue of lines before a stream that somebody may have stopped reading.
 *
 * Whoever logs never waits. When the queue is full the oldest of the least important lines is
 * dropped, and counted: a line says how many, as soon as the stream takes lines again.
 *
 * @module
 */
import { abortable, Deadline } from "../base/deadline.ts";
import { type ByteStream, writeAll } from "../base/write_all.ts";

/** How much a line matters, least first: the first are dropped first. */
export const IMPORTANCES = ["ordinary", "token", "error"] as const;
/** How much a line matters. */
export type Importance = typeof IMPORTANCES[number];

/** Options of a {@linkcode LineWriter}. */
export interface LineWriterOptions {
  /** The line, without a line feed, that says how many were dropped. */
  readonly noticeOf: (dropped: number) => string;
  /** Most bytes that wait or are being written. @default {524288} */
  readonly maxBytes?: number;
  /** Most lines that wait or are being written. @default {4096} */
  readonly maxLines?: number;
}

interface WaitingLine {
  /** Its place in the order of all lines. */
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Lines that are written in one piece. */
interface Batch {
  readonly bytes: Uint8Array;
  readonly lines: number;
  /** How many dropped lines it tells of. */
  readonly told: number;
}

/** What a pipe takes in one piece or not at all (PIPE_BUF of Linux). */
const BATCH_BYTES = 4096;

/** Writes lines in order, each one whole. */
export class LineWriter {
  readonly #stream: ByteStream;
  readonly #noticeOf: (dropped: number) => string;
  readonly #maxBytes: number;
  readonly #maxLines: number;
  readonly #encoder = new TextEncoder();
  /** By importance, least first; each in order. */
  readonly #waiting: readonly WaitingLine[][] = IMPORTANCES.map(() => []);
  #nextNumber = 0;
  /** Of the lines that wait or are being written. */
  #bytes = 0;
  #lines = 0;
  #dropped = 0;
  #writing: Promise<void> | undefined;

  /** Writes nothing yet. */
  constructor(stream: ByteStream, options: LineWriterOptions) {
    this.#stream = stream;
    this.#noticeOf = options.noticeOf;
    this.#maxBytes = options.maxBytes ?? 512 * 1024;
    this.#maxLines = options.maxLines ?? 4096;
  }

  /** Bytes that wait or are being written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a line, or drops it. Never waits, never throws. */
  write(line: string, importance: Importance): void {
    const bytes = this.#encoder.encode(`${line}\n`);
    const rank = IMPORTANCES.indexOf(importance);
    if (!this.#makeRoom(bytes.length, rank)) {
      this.#dropped++;
      return;
    }
    this.#waiting[rank]?.push({ number: this.#nextNumber++, bytes });
    this.#bytes += bytes.length;
    this.#lines++;
    this.#writing ??= this.#writeOut();
  }

  /** Resolves when all is written or could not be, after that time at the latest. */
  async flush(ms: number): Promise<void> {
    if (this.#writing === undefined) return;
    using deadline = new Deadline(ms, { what: "the log to be read" });
    await abortable(this.#writing, deadline.signal).catch(() => {}); // what is left is lost
  }

  /** Drops lines that matter no more than the new one until that fits. */
  #makeRoom(bytes: number, rank: number): boolean {
    if (bytes > this.#maxBytes) return false;
    while (this.#bytes + bytes > this.#maxBytes || this.#lines >= this.#maxLines) {
      const victims = this.#waiting.slice(0, rank + 1).find((lines) => lines.length > 0);
      if (victims === undefined) return false;
      this.#release(victims.shift());
      this.#dropped++;
    }
    return true;
  }

  #release(line: WaitingLine | undefined): void {
    if (line === undefined) return;
    this.#bytes -= line.bytes.length;
    this.#lines--;
  }

  /** Writes what waits, one line at least, until nothing does. */
  async #writeOut(): Promise<void> {
    for (let batch = this.#takeBatch(); batch !== undefined; batch = this.#takeBatch()) {
      let failed = false;
      try {
        await writeAll(this.#stream, batch.bytes);
      } catch {
        failed = true;
      }
      this.#bytes -= batch.bytes.length;
      this.#lines -= batch.lines;
      if (!failed) continue;
      // stderr is closed, or its disk is full: nowhere is left to say so. The next line tries again.
      this.#dropped += batch.told + batch.lines + this.#dropWaiting();
      break;
    }
    // In the same turn as the last look at the queue: a line that comes later starts anew.
    this.#writing = undefined;
  }

  /** The next lines, as many as are written in one piece; a longer line comes alone. */
  #takeBatch(): Batch | undefined {
    const parts: Uint8Array[] = [];
    let length = 0;
    let lines = 0;
    const told = this.#dropped;
    if (told > 0) {
      // What was dropped is older than nearly all that waits.
      const notice = this.#encoder.encode(`${this.#noticeOf(told)}\n`);
      parts.push(notice);
      this.#bytes += length = notice.length;
      this.#dropped = 0;
    }
    for (;;) {
      const queue = this.#firstWaiting();
      const line = queue?.[0];
      if (line === undefined || (length > 0 && length + line.bytes.length > BATCH_BYTES)) break;
      queue?.shift();
      parts.push(line.bytes);
      length += line.bytes.length;
      lines++;
    }
    return length === 0 ? undefined : { bytes: joined(parts, length), lines, told };
  }

  /** The queue that holds the oldest line. */
  #firstWaiting(): WaitingLine[] | undefined {
    let oldest: WaitingLine[] | undefined;
    for (const lines of this.#waiting) {
      const [head] = lines;
      if (head === undefined) continue;
      const [other] = oldest ?? [];
      if (other === undefined || head.number < other.number) oldest = lines;
    }
    return oldest;
  }

  #dropWaiting(): number {
    const lines = this.#waiting.flatMap((queue) => queue.splice(0));
    for (const line of lines) this.#release(line);
    return lines.length;
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
