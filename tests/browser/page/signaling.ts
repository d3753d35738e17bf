/**
 * A web client at the rendezvous server.
 *
 * @module
 */
import type { CandidateInit, Description } from "./w3c.ts";

/** An offer or an answer. */
export interface DescriptionData {
  readonly offer?: Description;
  readonly answer?: Description;
  readonly publicKey: string;
}

/** What the daemon says. */
export type Signal =
  | { readonly type: "connection_request" | "connection_accepted"; readonly data: unknown }
  | { readonly type: "connection_declined"; readonly data: { readonly reason: string } }
  | { readonly type: "offer" | "answer"; readonly data: DescriptionData }
  | { readonly type: "ice-candidate"; readonly data: CandidateInit };

/** What the server says. */
type ServerMessage =
  | { readonly type: "peers"; readonly peers: readonly { readonly peer_code: string }[] }
  | { readonly type: "peer_joined"; readonly peer: { readonly peer_code: string } }
  | { readonly type: "signal"; readonly from: string; readonly payload: Signal }
  | { readonly type: "peer_left" | "error" };

/** A registered connection. */
export class Signaling {
  readonly #socket: WebSocket;
  readonly #self: string;
  readonly #peer: string;
  readonly #present = new Set<string>();
  #onPresent: () => void = () => {};

  private constructor(socket: WebSocket, self: string, peer: string) {
    this.#socket = socket;
    this.#self = self;
    this.#peer = peer;
  }

  /** Registers, and waits until the peer is there too. */
  static async meet(
    { url, code, peer }: { readonly url: string; readonly code: string; readonly peer: string },
    onSignal: (signal: Signal) => void,
  ): Promise<Signaling> {
    const socket = new WebSocket(url);
    const signaling = new Signaling(socket, code, peer);
    const met = new Promise<void>((resolve) => signaling.#onPresent = resolve);
    socket.onmessage = ({ data }) => signaling.#take(JSON.parse(data), onSignal);
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error("the rendezvous server is not there"));
    });
    const device = { device_name: "a page", device_type: "laptop" };
    socket.send(JSON.stringify({ type: "register", peer_code: code, ...device }));
    await met;
    return signaling;
  }

  /** Has the peer told something. */
  say(type: Signal["type"], data: unknown): void {
    const payload = { type, data, from: this.#self, to: this.#peer };
    this.#socket.send(JSON.stringify({ type: "signal", to: this.#peer, payload }));
  }

  /** Leaves. */
  close(): void {
    this.#socket.close();
  }

  #take(message: ServerMessage, onSignal: (signal: Signal) => void): void {
    if (message.type === "peers") {
      for (const { peer_code } of message.peers) this.#present.add(peer_code);
    } else if (message.type === "peer_joined") this.#present.add(message.peer.peer_code);
    else if (message.type === "signal" && message.from === this.#peer) onSignal(message.payload);
    if (this.#present.has(this.#peer)) this.#onPresent();
  }
}
