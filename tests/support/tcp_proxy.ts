/**
 * A TCP proxy in front of a server, whose connections can be cut or fall silent: at a stable address,
 * so that a server behind it can be another one the next time.
 *
 * @module
 */

/** What is done to connections when the server says a certain thing. */
export interface Trip {
  /** What the server says; it is not passed on, and the trip is done once. */
  readonly text: string;
  /**
   * `cut` ends all connections, as a server does that restarts. `freeze` lets the one connection stand
   * open, and passes nothing on any more.
   */
  readonly how: "cut" | "freeze";
}

interface Link {
  readonly client: Deno.Conn;
  readonly server: Deno.Conn;
  frozen: boolean;
}

/** Passes bytes on, both ways, until connections are cut or frozen. Dispose it to end all. */
export class TcpProxy implements AsyncDisposable {
  /** The port of the server that new connections go to; undefined ends them at once. */
  target: number | undefined;
  /** What to wait for. */
  trip: Trip | undefined;
  /** Whether the server sees that a frozen client is gone. */
  readonly #tellsServer: boolean;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #links = new Set<Link>();
  readonly #running = new Set<Promise<void>>();
  #accepted = 0;

  /** Begins to listen. */
  constructor(target: number | undefined, options: { readonly tellsServer?: boolean } = {}) {
    this.target = target;
    this.#tellsServer = options.tellsServer ?? false;
    this.#track(this.#accept());
  }

  /** Where WebSocket clients connect. */
  get url(): string {
    return `ws://127.0.0.1:${this.#listener.addr.port}`;
  }

  /** Connections so far. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Ends all connections. */
  cut(): void {
    for (const link of this.#links) this.#end(link);
  }

  /** Passes nothing on any more over the connections that there are; new ones work. */
  freeze(): void {
    for (const link of this.#links) this.#freeze(link);
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.#accepted++;
      this.#track(this.#connect(client));
    }
  }

  async #connect(client: Deno.Conn): Promise<void> {
    const { target } = this;
    if (target === undefined) return client.close();
    const server = await Deno.connect({ hostname: "127.0.0.1", port: target });
    const link: Link = { client, server, frozen: false };
    this.#links.add(link);
    this.#track(this.#pump(link, client, server, false));
    this.#track(this.#pump(link, server, client, true));
  }

  async #pump(link: Link, from: Deno.Conn, to: Deno.Conn, isServer: boolean): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await from.read(buffer);
        if (count === null) break;
        const bytes = buffer.slice(0, count);
        if (isServer) this.#watch(link, bytes);
        if (!link.frozen) await to.write(bytes);
      }
    } catch {
      // One end is gone.
    }
    if (!link.frozen) this.#end(link);
  }

  #watch(link: Link, bytes: Uint8Array): void {
    const { trip } = this;
    if (trip === undefined || !new TextDecoder().decode(bytes).includes(trip.text)) return;
    this.trip = undefined;
    if (trip.how === "cut") this.cut();
    else this.#freeze(link);
  }

  #freeze(link: Link): void {
    link.frozen = true;
    if (this.#tellsServer) closeQuietly(link.server);
  }

  #end(link: Link): void {
    this.#links.delete(link);
    closeQuietly(link.client);
    closeQuietly(link.server);
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    work.finally(() => this.#running.delete(work));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.target = undefined;
    this.#listener.close();
    this.cut();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed before.
  }
}
