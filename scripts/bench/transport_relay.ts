/**
 * A bad path between two peers on this machine: delays and loses their datagrams.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Bundle } from "../interop/endpoint.ts";

/** Options of a {@linkcode BadPath}. */
export interface BadPathOptions {
  /** Probability that a datagram is lost, each way. */
  readonly loss: number;
  /** One way, in milliseconds. */
  readonly delayMs: number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
}

const ADDRESS = "127.0.0.1";

/**
 * Stands between two peers: each is told the relay's port in place of the other's. What comes in at
 * the port that stands for one goes on, from the port that stands for the other, to the one.
 */
export class BadPath implements AsyncDisposable {
  readonly #options: BadPathOptions;
  readonly #ends: readonly [End, End];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  private constructor(options: BadPathOptions, ends: readonly [End, End]) {
    this.#options = options;
    this.#ends = ends;
    for (const [end, other] of [ends, [ends[1], ends[0]]] as const) {
      end.socket.on("message", (data: Uint8Array) => this.#carry(data, end, other));
    }
  }

  /** Opens both ports. */
  static async open(options: BadPathOptions): Promise<BadPath> {
    return new BadPath(options, [await openEnd(), await openEnd()]);
  }

  /** A bundle of the first or second peer as the other must see it. */
  disguise(bundle: Bundle, peer: 0 | 1): Bundle {
    const end = this.#ends[peer];
    const disguised = (text: string) =>
      text.replaceAll(/(candidate:\S+ 1 udp \d+ 127\.0\.0\.1) (\d+)/gi, (_, head, port) => {
        end.peerPort = Number(port);
        return `${head} ${end.port}`;
      });
    return {
      description: {
        sdpType: bundle.description.sdpType,
        sdp: disguised(bundle.description.sdp),
      },
      candidates: bundle.candidates.map(({ candidate, mid }) => ({
        candidate: disguised(candidate),
        mid,
      })),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(this.#ends.map(async ({ socket }) => {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    }));
  }

  #carry(data: Uint8Array, { peerPort }: End, other: End): void {
    const { loss, delayMs, random } = this.#options;
    if (peerPort === undefined || random() < loss) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      other.socket.send(data, peerPort, ADDRESS);
    }, delayMs);
    this.#timers.add(timer);
  }
}

interface End {
  readonly socket: Socket;
  readonly port: number;
  /** Of the peer that this end stands for. */
  peerPort?: number;
}

async function openEnd(): Promise<End> {
  const socket = createSocket("udp4");
  socket.bind({ address: ADDRESS, port: 0 });
  await once(socket, "listening");
  return { socket, port: socket.address().port };
}
