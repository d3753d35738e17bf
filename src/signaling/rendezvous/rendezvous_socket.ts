/**
 * A WebSocket to the rendezvous server, bounded against a hostile one.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { messageOf, SignalError } from "../../base/errors.ts";
import { shownUrl } from "../../base/shown_url.ts";
import { SOCKET_CLOSE_MS } from "../../base/timing.ts";
import { MAX_SERVER_MESSAGE_BYTES } from "../../protocol/rendezvous/server_message.ts";

/** Most frames that may wait to be read. */
export const MAX_UNREAD_FRAMES = 1024;
/** Most bytes of frames that may wait to be read. */
export const MAX_WAITING_BYTES = 4 * MAX_SERVER_MESSAGE_BYTES;

/** Looks at a frame as it arrives; true when it has taken it, so that nobody reads it. */
export type FrameFilter = (frame: string) => boolean;

/** An open connection: text frames in order, nothing unbounded. */
export class RendezvousSocket implements AsyncDisposable {
  /** Sees each frame before it waits to be read. */
  filter: FrameFilter | undefined;
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
      throw unreachable(url, whyNotOpened(messageOf(error)));
    }
    const self = new RendezvousSocket(socket);
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    let why = whyNotOpened("");
    socket.onopen = () => resolve();
    socket.onerror = (event) => {
      event.preventDefault();
      if (event instanceof ErrorEvent) why = whyNotOpened(event.message);
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

  /** Queues a frame. False when the connection has ended, and it is lost. */
  send(frame: string): boolean {
    if (this.#end !== undefined || this.#socket.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(frame);
    return true;
  }

  /** Gives the connection up, for that reason: whoever reads from it gets the error. */
  giveUp(
    reason: string,
    code: "RENDEZVOUS_CLOSED" | "RENDEZVOUS_HOSTILE" = "RENDEZVOUS_CLOSED",
  ): void {
    this.#fail(code, reason);
    this.#socket.close();
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
    } else if (this.filter?.(data) === true) {
      return;
    } else if (
      this.#waiting.length >= MAX_UNREAD_FRAMES ||
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
    using wait = new Deadline(SOCKET_CLOSE_MS, { what: "the rendezvous server's close" });
    await abortable(this.#gone.promise, wait.signal).catch(() => {});
  }
}

function unreachable(url: string, why: string): SignalError {
  return new SignalError(
    "RENDEZVOUS_UNREACHABLE",
    `cannot reach the rendezvous server at ${shownUrl(url)}: ${why}`,
  );
}

/** What the runtime says of a failed connection, and what that means to an operator. */
const CAUSES: readonly (readonly [RegExp, string])[] = [
  [/--allow-net|net access/, "this program was started without permission to connect there"],
  [/dns error/, "there is no host of that name, or the name service does not answer"],
  [/tcp connect error/, "nothing listens there, or a firewall refuses the connection"],
  [/tls|certificate/i, "TLS failed: check the certificate, and whether the server speaks wss://"],
  [/Fragments|invalid URL/i, "that is no WebSocket URL"],
];

/** Our own sentence for why no WebSocket was opened. */
function whyNotOpened(said: string): string {
  const status = /Invalid status code: (\d{3})/.exec(said)?.[1];
  if (status !== undefined) {
    return `it answered HTTP ${status} and opened no WebSocket: check host, port and path`;
  }
  const found = CAUSES.find(([pattern]) => pattern.test(said));
  return found?.[1] ?? "what answers there is no WebSocket server";
}
