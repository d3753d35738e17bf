/**
 * Who is registered, and what each message makes the server do. Pure: connections are opaque
 * handles, and what has to be sent or closed is returned, in order.
 *
 * @module
 */
import type { ClientMessage, Peer, ServerMessage } from "./messages.ts";

/** Something the server has to do: send or close the connection `to`, or tell its operator. */
export type Action<C> =
  | { readonly kind: "tell"; readonly event: "registered" | "left"; readonly peerCode: string }
  | { readonly kind: "send"; readonly to: C; readonly message: ServerMessage }
  | { readonly kind: "close"; readonly to: C; readonly reason: string };

/**
 * What the server does where its versions differ. `strict`: a code that is taken is refused, and so
 * is whoever does not register first. `replace`, as the newest server: a code that is registered
 * again goes to the newcomer, without a word to who had it before and stays connected; and an early
 * message is an error that closes nothing.
 */
export const BEHAVIOURS = ["strict", "replace"] as const;
/** See {@linkcode BEHAVIOURS}. */
export type Behaviour = typeof BEHAVIOURS[number];

/** The peers that can signal each other. `C` is a connection's handle. */
export class Room<C> {
  readonly #behaviour: Behaviour;
  readonly #byConnection = new Map<C, Peer>();
  readonly #byCode = new Map<string, C>();

  /** An empty room. */
  constructor(behaviour: Behaviour = "strict") {
    this.#behaviour = behaviour;
  }

  /** What a client's message leads to. */
  receive(from: C, message: ClientMessage): Action<C>[] {
    const sender = this.#byConnection.get(from);
    if (message.type === "register") {
      return sender === undefined
        ? this.#register(from, message.peer)
        : [errorTo(from, `already registered as '${sender.peer_code}'`)];
    }
    if (sender === undefined) return this.#refuse(from, "the first message must be register");
    if (message.type === "ping") return [];
    const target = this.#byCode.get(message.to);
    // The daemon retries on this text and on no other: it is part of the wire format.
    if (target === undefined) return [errorTo(from, `peer '${message.to}' not found`)];
    return [send(target, { type: "signal", from: sender.peer_code, payload: message.payload })];
  }

  /** What a client's unreadable message leads to: one that never registered has to go. */
  reject(from: C, reason: string): Action<C>[] {
    return this.#byConnection.has(from) ? [errorTo(from, reason)] : this.#refuse(from, reason);
  }

  /** What the end of a connection leads to. */
  leave(connection: C): Action<C>[] {
    const peer = this.#byConnection.get(connection);
    if (peer === undefined) return [];
    this.#byConnection.delete(connection);
    if (this.#byCode.get(peer.peer_code) !== connection) return []; // it was replaced before
    this.#byCode.delete(peer.peer_code);
    return [
      { kind: "tell", event: "left", peerCode: peer.peer_code },
      ...this.#toOthers(connection, { type: "peer_left", peer_code: peer.peer_code }),
    ];
  }

  #register(from: C, peer: Peer): Action<C>[] {
    if (this.#behaviour === "strict" && this.#byCode.has(peer.peer_code)) {
      return refuse(from, `peer code '${peer.peer_code}' is taken`);
    }
    const others = this.#heard().flatMap(([, other]) =>
      other.peer_code === peer.peer_code ? [] : [other]
    );
    this.#byCode.set(peer.peer_code, from);
    const joined = this.#toOthers(from, { type: "peer_joined", peer });
    this.#byConnection.set(from, peer);
    return [
      send(from, { type: "peers", peers: others }),
      ...joined,
      { kind: "tell", event: "registered", peerCode: peer.peer_code },
    ];
  }

  #toOthers(self: C, message: ServerMessage): Action<C>[] {
    return this.#heard()
      .filter(([other]) => other !== self)
      .map(([other]) => send(other, message));
  }

  /** Who is registered and not replaced: the only ones who are sent anything. */
  #heard(): [C, Peer][] {
    return [...this.#byConnection].filter(([one, { peer_code }]) =>
      this.#byCode.get(peer_code) === one
    );
  }

  #refuse(from: C, reason: string): Action<C>[] {
    return this.#behaviour === "strict" ? refuse(from, reason) : [errorTo(from, reason)];
  }
}

const send = <C>(to: C, message: ServerMessage): Action<C> => ({ kind: "send", to, message });
const errorTo = <C>(to: C, message: string): Action<C> => send(to, { type: "error", message });
const refuse = <C>(to: C, reason: string): Action<C>[] => [
  errorTo(to, reason),
  { kind: "close", to, reason },
];
