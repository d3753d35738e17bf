/**
 * The bound on connections and on the time that each may make the server wait.
 *
 * A connection is either waited for (its request, its body, its reading of the answer) or worked
 * for. Waiting has a deadline; when all places are taken, whoever has made the server wait the
 * longest makes room, so that a thousand silent connections do not keep a good client out.
 *
 * @module
 */
import type { Socket } from "node:net";

/** One connection of a client. */
export class Connection {
  /** The stream of bytes. */
  readonly socket: Socket;
  /** Requests that have come and are not answered. */
  pending = 0;
  /** Settles when the last request that came is answered. */
  tail: Promise<void> = Promise.resolve();
  #awaited = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * A connection that is not waited for yet.
   *
   * @param socket Just accepted.
   */
  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Whether the server waits for the client, and not the other way round. */
  get awaited(): boolean {
    return this.#awaited;
  }

  /** From now on the client is waited for, at most `ms` milliseconds. */
  await(ms: number, onLate: () => void): void {
    this.work();
    if (this.socket.destroyed) return;
    this.#awaited = true;
    this.#timer = setTimeout(onLate, ms);
  }

  /** From now on the server works: no deadline here, and no eviction. */
  work(): void {
    clearTimeout(this.#timer);
    this.#awaited = false;
  }
}

/** Options of {@linkcode Connections}. */
export interface ConnectionsOptions {
  /** Most connections at once. */
  readonly limit: number;
  /** Called when a connection is refused or has to make room. */
  readonly onRefused: () => void;
}

/** All connections of a server. */
export class Connections {
  /** Those that are waited for are in the order in which their waits began. */
  readonly #all = new Map<Socket, Connection>();
  readonly #options: ConnectionsOptions;

  /**
   * No connections yet.
   *
   * @param options The bound, and whom to tell.
   */
  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Connections at present. */
  get size(): number {
    return this.#all.size;
  }

  /**
   * Takes a connection in. When all places are taken, the longest waited-for connection is closed
   * for it; when none is waited for, the new one is closed.
   */
  admit(socket: Socket): Connection | undefined {
    if (this.#all.size >= this.#options.limit && !this.#makeRoom()) {
      this.#options.onRefused();
      socket.destroy();
      return undefined;
    }
    const connection = new Connection(socket);
    this.#all.set(socket, connection);
    socket.once("close", () => {
      connection.work();
      this.#all.delete(socket);
    });
    return connection;
  }

  /** The connection over `socket`, if it was admitted and is open. */
  get(socket: Socket): Connection | undefined {
    return this.#all.get(socket);
  }

  /**
   * The client of `connection` is waited for from now on; it is the last to make room.
   *
   * @param ms Milliseconds after which `onLate` is called, unless the wait has ended before.
   */
  await(connection: Connection, ms: number, onLate: () => void): void {
    connection.await(ms, onLate);
    if (this.#all.delete(connection.socket)) this.#all.set(connection.socket, connection);
  }

  /** Closes all connections that are not worked for. */
  closeIdle(): void {
    for (const connection of this.#all.values()) {
      if (connection.pending === 0) connection.socket.destroy();
    }
  }

  /** Closes all connections. */
  closeAll(): void {
    for (const connection of this.#all.values()) connection.socket.destroy();
  }

  #makeRoom(): boolean {
    for (const [socket, connection] of this.#all) {
      if (!connection.awaited) continue;
      this.#options.onRefused();
      connection.work();
      this.#all.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }
}
