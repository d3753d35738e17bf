/**
 * A TCP connection that carries datagrams (RFC 6544, section 3), as the library's ICE protocol and
 * DTLS see it.
 *
 * What is sent in one turn of the event loop goes to the system in one write. What the system does
 * not take waits, and the link says so: SCTP sends no more data until most of it has left. Nothing
 * of what waits may be lost, so whoever sends on all the same, beyond a bound, ends the connection.
 *
 * @module
 */
import { abortable, Deadline } from "../../../base/deadline.ts";
import { TCP_CLOSE_MS } from "../../../base/timing.ts";
import { canonicalAddress } from "../../../protocol/network_scope/candidate.ts";
import type { LibraryAddress } from "../library.ts";
import {
  BATCH_BYTES,
  FRAME_HEADER_BYTES,
  FrameError,
  FrameReader,
  FULL_LINK_BYTES,
  MAX_LINK_QUEUE_BYTES,
  READ_BYTES,
  WRITABLE_LINK_BYTES,
  writeFrameHeader,
} from "./framing.ts";

const FIRST_BATCH_BYTES = 4096;
/**
 * Bytes that are read at once before that, and so the longest frame; also all that is read from
 * whoever has not shown to be the peer. A check has some hundred.
 */
export const UNPROVEN_BYTES = 2048;

const DONE = Promise.resolve();

/** The part of Deno's connections that is used. */
export type StreamConn =
  & Pick<Deno.TcpConn, "localAddr" | "remoteAddr" | "read" | "write" | "close">
  & Pick<Deno.TcpConn, "closeWrite">
  & { setNoDelay?: (noDelay?: boolean) => void };

/** Options of a {@linkcode TcpLink}. */
export interface TcpLinkOptions {
  /** Where the connection leads, in the spelling of candidates. @default {what the system says} */
  readonly remote?: LibraryAddress;
}

/** A connection, with what the library expects of a transport below its STUN protocol. */
export class TcpLink {
  /** To the library: what this is. */
  readonly type = "tcp";
  /** Our end. */
  readonly address: { readonly address: string; readonly port: number };
  /** 4 or 6. */
  readonly addressFamily: 4 | 6;
  /** The peer's end. */
  readonly remote: LibraryAddress;
  /** Takes what comes in; the array is a view that is valid until it returns. */
  onDatagram: (data: Uint8Array, from: LibraryAddress) => void = () => {};
  /** Told when so much has left that more may follow, after it was not writable. */
  onWritable: () => void = () => {};
  /** Told once when the connection is over, unless it was closed here. */
  onClosed: (reason: unknown) => void = () => {};
  readonly #conn: StreamConn;
  readonly #reader: FrameReader;
  #state: "open" | "closing" | "closed" = "open";
  #closing: Promise<void> | undefined;
  /** What is put together for the next write. */
  #batch = new Uint8Array(FIRST_BATCH_BYTES);
  #length = 0;
  /** Whole batches that wait for the write under way. */
  readonly #full: Uint8Array<ArrayBuffer>[] = [];
  #spare: Uint8Array<ArrayBuffer> | undefined;
  #queued = 0;
  #isFull = false;
  #written = 0;
  #writing: Promise<void> | undefined;
  #reading: Promise<void> = DONE;
  /** Bytes that may still come from whoever has not shown to be the peer. */
  #unprovenLeft = UNPROVEN_BYTES;

  /** Takes over a connection; nothing is read before {@linkcode start}. */
  constructor(conn: StreamConn, options: TcpLinkOptions = {}) {
    this.#conn = conn;
    const [localHost, localPort] = endOf(conn.localAddr);
    this.address = { address: localHost, port: localPort };
    this.addressFamily = localHost.includes(":") ? 6 : 4;
    this.remote = options.remote ?? endOf(conn.remoteAddr);
    this.#reader = new FrameReader({
      capacity: UNPROVEN_BYTES,
      onFrame: (frame) => {
        if (this.#state === "open") this.onDatagram(frame, this.remote);
      },
    });
  }

  /** Whether it is closed, or about to be. */
  get closed(): boolean {
    return this.#state !== "open";
  }

  /** Bytes that wait for the system. */
  get queuedBytes(): number {
    return this.#queued;
  }

  /** Whether more data may follow: what waits for the system is not too much. */
  get isWritable(): boolean {
    return !this.#isFull;
  }

  /** Bytes that the system has taken so far. */
  get writtenBytes(): number {
    return this.#written;
  }

  /** Begins to read. */
  start(): void {
    // Small writes are put together here already.
    try {
      this.#conn.setNoDelay?.(true);
    } catch {
      // It is closed already: the first read tells.
    }
    this.#reading = this.#read();
  }

  /** The other end has shown to be the peer, or is where its candidate says. */
  prove(): void {
    this.#unprovenLeft = Infinity;
  }

  /** It carries data from now on: more is read at once, and frames may be longer. */
  grow(): void {
    this.#reader.grow(READ_BYTES);
  }

  /** Hands a datagram over before it returns: its array may be used again. */
  send(data: Uint8Array, _to?: LibraryAddress): Promise<void> {
    if (this.#state !== "open") return DONE;
    const bytes = FRAME_HEADER_BYTES + data.length;
    if (this.#queued + bytes > MAX_LINK_QUEUE_BYTES) {
      this.#end(new Error("the peer does not take what is sent to it"));
      return DONE;
    }
    this.#makeRoom(bytes);
    writeFrameHeader(this.#batch, this.#length, data.length);
    this.#batch.set(data, this.#length + FRAME_HEADER_BYTES);
    this.#length += bytes;
    this.#queued += bytes;
    this.#isFull ||= this.#queued >= FULL_LINK_BYTES;
    this.#writing ??= this.#write();
    return DONE;
  }

  /**
   * Sends what waits, tells the peer of the end, and waits for the peer's: bytes of the peer's that
   * were not read would have the system drop what is under way to it.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes at once: what waits is lost. */
  abort(): void {
    this.onClosed = () => {};
    this.#end(undefined);
  }

  async #close(): Promise<void> {
    this.onClosed = () => {};
    if (this.#state === "open") {
      this.#state = "closing";
      using deadline = new Deadline(TCP_CLOSE_MS, { what: "the end of a TCP connection" });
      const left = async () => {
        await this.#writing;
        await this.#conn.closeWrite();
        await this.#reading;
      };
      await abortable(left(), deadline.signal).catch(() => {});
    }
    this.#end(undefined);
    await this.#reading;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#batch.length) return;
    if (needed <= BATCH_BYTES) {
      const grown = new Uint8Array(Math.min(BATCH_BYTES, Math.max(needed, 2 * this.#batch.length)));
      grown.set(this.#batch.subarray(0, this.#length));
      this.#batch = grown;
    } else {
      this.#full.push(this.#batch.subarray(0, this.#length));
      const spare = this.#spare;
      this.#batch = spare?.length === BATCH_BYTES ? spare : new Uint8Array(BATCH_BYTES);
      this.#spare = undefined;
      this.#length = 0;
    }
  }

  /** At the end of the turn, then as long as there is something. */
  async #write(): Promise<void> {
    await DONE;
    try {
      for (let batch = this.#next(); batch !== undefined; batch = this.#next()) {
        for (let at = 0; at < batch.length;) {
          const bytes = await this.#conn.write(batch.subarray(at));
          at += bytes;
          this.#written += bytes;
          this.#queued -= bytes;
        }
        this.#spare = new Uint8Array(batch.buffer);
        this.#tellWritable();
      }
    } catch (error) {
      this.#end(error);
    }
    this.#writing = undefined;
  }

  #tellWritable(): void {
    if (!this.#isFull || this.#queued > WRITABLE_LINK_BYTES || this.#state !== "open") return;
    this.#isFull = false;
    this.onWritable();
  }

  #next(): Uint8Array<ArrayBuffer> | undefined {
    const full = this.#full.shift();
    if (full !== undefined || this.#length === 0 || this.#state === "closed") return full;
    const batch = this.#batch.subarray(0, this.#length);
    this.#batch = this.#spare ?? new Uint8Array(FIRST_BATCH_BYTES);
    this.#spare = undefined;
    this.#length = 0;
    return batch;
  }

  async #read(): Promise<void> {
    try {
      while (this.#state !== "closed") {
        if (this.#state === "open") {
          const bytes = await this.#conn.read(this.#reader.room);
          if (bytes === null) break;
          this.#unprovenLeft -= bytes;
          if (this.#unprovenLeft < 0) throw new FrameError("too much from a stranger");
          this.#reader.take(bytes);
        } else if (await this.#conn.read(new Uint8Array(BATCH_BYTES)) === null) break;
      }
      if (this.#state === "open") this.#end(new Error("the peer closed its TCP connection"));
    } catch (error) {
      this.#end(error);
    }
  }

  #end(reason: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#full.length = this.#length = this.#queued = 0;
    try {
      this.#conn.close();
    } catch {
      // The system has closed it already.
    }
    this.onClosed(reason);
  }
}

function endOf(addr: Deno.Addr): LibraryAddress {
  if (!("hostname" in addr)) throw new Error("not a TCP connection");
  return [canonicalAddress(addr.hostname), addr.port];
}
