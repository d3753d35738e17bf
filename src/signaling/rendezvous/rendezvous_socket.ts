/**
 * A WebSocket to the rendezvous server, bounded against a hostile one.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { messageOf, SignalError } from "../../base/errors.ts";
import { MAX_SERVER_MESSAGE_BYTES } from "../../protocol/rendezvous/server_message.ts";

/** Most frames that may wait to be read. */
export const MAX_WAITING_FRAMES = 1024;
/** Most bytes of frames that may wait to be read. */
export const MAX_WAITING_BYTES = 4 * MAX_SERVER_MESSAGE_BYTES;
/** How long a close waits for the server's own, in milliseconds. */
const CLOSE_WAIT_MS = 500;

/** An open connection: text frames in order, nothing unbounded. */
export class RendezvousSocket implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #waiting: string[] = [];
  #waitingBytes = 0;
  #end: SignalError | undefined;
  #wake = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = (event) => this.#onFrame(event.data);
    socket.onerror = (event) => {
      event.preventDefault();
    };
    socket.onclose = (event) => {
      this.#fail("RENDEZVOUS_CLOSED", `the rendezvous server closed (code ${event.code})`);
      this.#gone.resolve();
    };
  }

  /**
   * Connects.
   *
   * @throws {SignalError} RENDEZVOUS_UNREACHABLE; or the signal's reason.
   */
  static async open(url: string, signal: AbortSignal): Promise<RendezvousSocket> {
    signal.throwIfAborted();
    let socket: WebSocket;
    try {
      socket = new WebSocket(url);
    } catch (error) {
      throw unreachable(url, messageOf(error));
    }
    const self = new RendezvousSocket(socket);
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    let why = "connection refused, no such host, or no WebSocket there";
    socket.onopen = () => resolve();
    socket.onerror = (event) => {
      event.preventDefault();
      if (event instanceof ErrorEvent && event.message !== "") why = event.message;
    };
    self.#gone.promise.then(() => reject(unreachable(url, why)));
    try {
      await abortable(opened, signal);
      return self;
    } catch (error) {
      await self[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Queues a frame. */
  send(frame: string): void {
    if (this.#end !== undefined) throw this.#end;
    this.#socket.send(frame);
  }

  /**
   * The next text frame.
   *
   * @throws {SignalError} RENDEZVOUS_CLOSED, RENDEZVOUS_HOSTILE; or the signal's reason.
   */
  async receive(signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      const frame = this.#waiting.shift();
      if (frame !== undefined) {
        this.#waitingBytes -= frame.length;
        return frame;
      }
      if (this.#end !== undefined) throw this.#end;
      this.#wake = Promise.withResolvers<void>();
      await abortable(this.#wake.promise, signal);
    }
  }

  #onFrame(data: unknown): void {
    if (this.#end !== undefined) return;
    if (typeof data !== "string") {
      this.#hostile("sent a binary frame");
    } else if (data.length > MAX_SERVER_MESSAGE_BYTES) {
      this.#hostile("sent a message over 1 MiB");
    } else if (
      this.#waiting.length >= MAX_WAITING_FRAMES ||
      this.#waitingBytes + data.length > MAX_WAITING_BYTES
    ) {
      this.#hostile("sends faster than its messages can be read");
    } else {
      this.#waiting.push(data);
      this.#waitingBytes += data.length;
      this.#wake.resolve();
    }
  }

  #hostile(what: string): void {
    const advice = "check --rendezvous-url";
    this.#waiting.length = 0;
    this.#fail("RENDEZVOUS_HOSTILE", `the rendezvous server ${what}: ${advice}`);
    this.#socket.close();
  }

  #fail(code: "RENDEZVOUS_CLOSED" | "RENDEZVOUS_HOSTILE", message: string): void {
    this.#end ??= new SignalError(code, message);
    this.#wake.resolve();
  }

  /** Closes; what was sent leaves first. A server that does not answer is waited for only briefly. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end ??= new SignalError("RENDEZVOUS_CLOSED", "the connection was closed by this side");
    this.#wake.resolve();
    this.#socket.close();
    using wait = new Deadline(CLOSE_WAIT_MS, { what: "the rendezvous server's close" });
    await abortable(this.#gone.promise, wait.signal).catch(() => {});
  }
}

function unreachable(url: string, why: string): SignalError {
  return new SignalError(
    "RENDEZVOUS_UNREACHABLE",
    `cannot reach the rendezvous server at ${url}: ${why}`,
  );
}
