/**
 * A rendezvous server that is the attacker: it relays what it likes.
 *
 * @module
 */

/** A payload on its way, as JSON has it. */
// deno-lint-ignore no-explicit-any
export type Payload = any;

/** A signal that is to be relayed. */
export interface Relayed {
  /** Code of who sent it. */
  readonly from: string;
  /** Code of who is to get it. */
  readonly to: string;
  /** What it carries. */
  readonly payload: Payload;
}

/** What the relay makes of a signal: what is delivered in its place. */
export type Tamper = (signal: Relayed) => readonly Relayed[] | Promise<readonly Relayed[]>;

/** Relays signals, and tampers with them where it is told to. Tampering is chosen by the code of the offerer or answerer. */
export class HostileRelay implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #sockets = new Map<string, WebSocket>();
  readonly #open = new Set<WebSocket>();
  readonly #tampers = new Map<string, Tamper>();

  /** Begins to listen. @param hostname At which address. */
  constructor(hostname = "127.0.0.1") {
    this.#server = Deno.serve({ port: 0, hostname, onListen: () => {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request);
      this.#open.add(socket);
      socket.onmessage = ({ data }) => this.#hear(socket, JSON.parse(String(data)));
      socket.onclose = () => {
        this.#open.delete(socket);
        for (const [code, one] of this.#sockets) if (one === socket) this.#sockets.delete(code);
      };
      return response;
    });
  }

  /** Where peers connect, on this machine. */
  get url(): string {
    return this.urlAt("127.0.0.1");
  }

  /** Where peers connect who know this machine by another address. */
  urlAt(hostname: string): string {
    return `ws://${hostname}:${this.#server.addr.port}`;
  }

  /** What is done to signals between these two. */
  between(a: string, b: string, tamper: Tamper): void {
    for (const code of [a, b]) this.#tampers.set(code, tamper);
  }

  /** Delivers a signal that nobody may have sent. */
  deliver({ from, to, payload }: Relayed): void {
    this.#sockets.get(to)?.send(JSON.stringify({ type: "signal", from, payload }));
  }

  /** Hangs up on everybody; they may register again. */
  loseConnections(): void {
    for (const socket of this.#open) socket.close();
  }

  async #hear(socket: WebSocket, message: Payload): Promise<void> {
    if (message.type === "register") {
      this.#sockets.set(message.peer_code, socket);
      socket.send(JSON.stringify({ type: "peers", peers: [] }));
    } else if (message.type === "signal") {
      const [from] = [...this.#sockets].find(([, one]) => one === socket) ?? [""];
      if (!this.#sockets.has(message.to)) {
        const error = `peer '${message.to}' not found`;
        socket.send(JSON.stringify({ type: "error", message: error }));
        return;
      }
      const signal = { from, to: message.to, payload: message.payload };
      const tamper = this.#tampers.get(from) ?? ((one: Relayed) => [one]);
      for (const one of await tamper(signal)) this.deliver(one);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.close();
    await this.#server.shutdown();
  }
}
