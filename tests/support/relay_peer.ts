/**
 * A hand-driven peer at the rendezvous server, for saying what no daemon would.
 *
 * @module
 */

/** A registered peer. */
export class RelayPeer implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #frames: string[] = [];
  readonly #gone = Promise.withResolvers<void>();
  #wake = Promise.withResolvers<void>();

  private constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = (event) => {
      this.#frames.push(String(event.data));
      this.#wake.resolve();
    };
    this.#socket.onclose = () => {
      this.#gone.resolve();
      this.#wake.resolve();
    };
  }

  /** Connects and registers. */
  static async register(url: string, peerCode: string): Promise<RelayPeer> {
    const peer = new RelayPeer(url);
    await new Promise((resolve) => peer.#socket.onopen = resolve);
    const device = { device_name: "test", device_type: "desktop" };
    peer.#socket.send(JSON.stringify({ type: "register", peer_code: peerCode, ...device }));
    await peer.#message("peers");
    return peer;
  }

  /** Has the server relay a payload. */
  send(to: string, payload: unknown): void {
    this.#socket.send(JSON.stringify({ type: "signal", to, payload }));
  }

  /** Resolves when somebody has registered after this peer. */
  async joined(): Promise<void> {
    await this.#message("peer_joined");
  }

  /** The payload of the next signal for this peer. */
  async signal(): Promise<Record<string, unknown>> {
    return (await this.#message("signal")).payload as Record<string, unknown>;
  }

  async #message(type: string): Promise<Record<string, unknown>> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        const message = JSON.parse(frame);
        if (message.type === type) return message;
      } else if (this.#socket.readyState > WebSocket.OPEN) {
        throw new Error(`closed without a message of type ${type}`);
      } else {
        this.#wake = Promise.withResolvers<void>();
        await this.#wake.promise;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#gone.promise;
  }
}
