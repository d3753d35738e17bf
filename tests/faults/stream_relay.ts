/**
 * TCP connections across a bad network, as a model: a relay that two peers connect through. What a
 * network loses the system sends again, so that a loss is a stall, and a cut holds up what comes.
 *
 * @module
 */
import { abortable } from "../../src/base/deadline.ts";
import type { BadLink } from "./bad_link.ts";

/** Bytes of a segment, as they leave an Ethernet card. */
const SEGMENT_BYTES = 1448;
/** What a lost segment costs beside a round trip: Linux's least retransmission timeout. */
const RETRANSMISSION_MS = 200;
/** What a connection costs whose first segment is lost (RFC 6298, section 2). */
const LOST_SYN_MS = 1000;
/** Bytes that are on their way at once; more wait in the sender's system. */
const MAX_UNDER_WAY_BYTES = 4 * 1024 * 1024;

/** Options of a {@linkcode StreamRelay}. */
export interface StreamRelayOptions {
  /** Where connections are taken. */
  readonly hostname: string;
  /** Where they go on to; they end at once as long as that is not known. */
  readonly target: () => Deno.ConnectOptions | undefined;
  /** From who connects to the target, and back. */
  readonly links: readonly [forth: BadLink, back: BadLink];
  /** Told of segments, each with whether it was lost at first. */
  readonly onSegment?: (isLost: boolean) => void;
}

/** Takes connections, and carries their bytes over a bad link each way. */
export class StreamRelay implements AsyncDisposable {
  readonly #options: StreamRelayOptions;
  readonly #listener: Deno.TcpListener;
  readonly #closing = new AbortController();
  readonly #conns = new Set<Deno.TcpConn>();
  readonly #running = new Set<Promise<void>>();

  /** Begins to listen. */
  constructor(options: StreamRelayOptions) {
    this.#options = options;
    this.#listener = Deno.listen({ hostname: options.hostname, port: 0 });
    this.#run(this.#accept());
  }

  /** Where connections are taken. */
  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    this.#listener.close();
    for (const conn of this.#conns) close(conn);
    await Promise.all(this.#running);
  }

  #run(promise: Promise<void>): void {
    const running = promise.catch(() => {}).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #accept(): Promise<void> {
    for await (const conn of this.#listener) this.#run(this.#carry(conn));
  }

  async #carry(conn: Deno.TcpConn): Promise<void> {
    this.#conns.add(conn);
    const [forth, back] = this.#options.links;
    const { signal } = this.#closing;
    try {
      if (forth.isNextLost(performance.now())) await sleep(LOST_SYN_MS, signal);
      const target = this.#options.target();
      if (target === undefined) return;
      const other = await Deno.connect({ ...target, signal });
      this.#conns.add(other);
      try {
        for (const one of [conn, other]) one.setNoDelay(true);
        const [there, here] = [this.#direction(forth), this.#direction(back)];
        await Promise.all([there.pump(conn, other), here.pump(other, conn)]);
      } finally {
        this.#conns.delete(other);
        close(other);
      }
    } finally {
      this.#conns.delete(conn);
      close(conn);
    }
  }

  #direction(link: BadLink): Direction {
    return new Direction(link, this.#closing.signal, this.#options.onSegment ?? (() => {}));
  }
}

/** One direction of a connection. */
class Direction {
  readonly #link: BadLink;
  readonly #signal: AbortSignal;
  readonly #onSegment: (isLost: boolean) => void;
  readonly #queue: { readonly bytes: Uint8Array; readonly due: number }[] = [];
  #queued = 0;
  #isOver = false;
  #news = Promise.withResolvers<void>();
  #lastDue = 0;

  constructor(link: BadLink, signal: AbortSignal, onSegment: (isLost: boolean) => void) {
    this.#link = link;
    this.#signal = signal;
    this.#onSegment = onSegment;
  }

  /** Carries all, and then the end; what ends one way ends both. */
  async pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    try {
      await Promise.all([this.#read(from), this.#write(to)]);
    } catch (error) {
      close(from);
      close(to);
      throw error;
    }
  }

  async #read(from: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(16 * 1024);
    try {
      for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
        for (let at = 0; at < count; at += SEGMENT_BYTES) {
          await this.#take(buffer.slice(at, Math.min(count, at + SEGMENT_BYTES)));
        }
      }
    } finally {
      this.#isOver = true;
      this.#tell();
    }
  }

  async #take(bytes: Uint8Array): Promise<void> {
    const { delayMs = 0, bytesPerSecond = Infinity, queueBytes = 65_536 } = this.#link.conditions;
    const isLost = this.#link.isNextLost(performance.now());
    this.#onSegment(isLost);
    const left = this.#link.leave(bytes.length, performance.now());
    const recovery = isLost ? 2 * delayMs + RETRANSMISSION_MS : 0;
    // What comes behind a lost one waits for it.
    this.#lastDue = Math.max(this.#lastDue, left + this.#link.delay() + recovery);
    this.#queue.push({ bytes, due: this.#lastDue });
    this.#queued += bytes.length;
    this.#tell();
    // A full queue of the path's, or its cut, holds up who sends.
    const fullFor = left - performance.now() - 1000 * queueBytes / bytesPerSecond;
    if (fullFor > 0) await sleep(fullFor, this.#signal);
    while (this.#queued > MAX_UNDER_WAY_BYTES || this.#link.conditions.cut === true) {
      await this.#change();
    }
  }

  async #write(to: Deno.TcpConn): Promise<void> {
    while (true) {
      const next = this.#queue[0];
      if (next === undefined) {
        if (this.#isOver) return await to.closeWrite();
        await this.#change();
        continue;
      }
      const wait = next.due - performance.now();
      if (wait > 0) await sleep(wait, this.#signal);
      while (this.#link.conditions.cut === true) await this.#change();
      this.#queue.shift();
      for (let at = 0; at < next.bytes.length;) at += await to.write(next.bytes.subarray(at));
      this.#queued -= next.bytes.length;
      this.#tell();
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  async #change(): Promise<void> {
    await abortable(Promise.race([this.#news.promise, this.#link.changed]), this.#signal);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", stop);
    resolve();
  }, ms);
  const stop = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  signal.addEventListener("abort", stop, { once: true });
  return promise;
}

function close(conn: Deno.TcpConn): void {
  try {
    conn.close();
  } catch {
    // It is closed.
  }
}
