/**
 * What the interop tests and the transport bench drive: one side of a connection, whatever stack
 * it is made of. Runs under Deno, Node and in a browser, so it uses nothing of them.
 *
 * @module
 */

/** An offer or answer with its candidates, as the daemon's signal bundle spells it. */
export interface Bundle {
  readonly description: { readonly sdpType: "offer" | "answer"; readonly sdp: string };
  readonly candidates: readonly { readonly candidate: string; readonly mid: string }[];
}

/** A message: a string is sent as text, bytes as binary. */
export type Message = string | Uint8Array<ArrayBuffer>;

/** An open channel. */
export interface Link {
  /** Resolves when the next message may follow. */
  send(message: Message): Promise<void>;
  /** Undefined at the end. */
  receive(): Promise<Message | undefined>;
  close(): Promise<void>;
}

/** One side of a connection, before it is open. */
export interface Endpoint {
  /** Makes an offer, candidates gathered to completion. */
  offer(): Promise<Bundle>;
  /** Takes the answer to it. */
  accept(answer: Bundle): Promise<void>;
  /** Makes an answer. */
  answer(offer: Bundle): Promise<Bundle>;
  /** Resolves with the open channel. */
  readonly opened: Promise<Link>;
}

/** What a process has used so far. */
export interface Meter {
  /** CPU time of all threads, in milliseconds. */
  cpuMs(): number;
  /** Resident memory, in bytes. */
  residentBytes(): number;
}
