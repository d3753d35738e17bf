/**
 * Notices that the rendezvous server does not pass signals on to us any more.
 *
 * Its `ping` has no answer. So each beat sends a signal to our own code, which comes back. When it
 * does not, a signal to a code that nobody has shows why: the server's error about that one shows
 * that the connection is alive, and that somebody else has registered our code; silence shows that
 * the connection is dead. What a lying server can do with this is keep us waiting, until the
 * deadline that we have anyway.
 *
 * @module
 */
import { HEARTBEAT_ANSWER_MS, HEARTBEAT_MS } from "../../base/timing.ts";
import { encodeProbe, parseProbe } from "../../protocol/rendezvous/probe.ts";
import {
  encodePing,
  encodeSignal,
  isPeerAbsent,
  isRateLimited,
  parseServerMessage,
  type ServerMessage,
} from "../../protocol/rendezvous/server_message.ts";
import { normalizePeerCode, type PeerCode } from "../../protocol/signal/peer_code.ts";
import type { Pace } from "./pace.ts";

/** Longer frames are neither probes nor errors about them, in UTF-16 units. */
const LONGEST_ANSWER = 512;

/** Called with what the heartbeat finds. */
export interface HeartbeatListener {
  /** Sends a frame; it may be lost. */
  send(frame: string): void;
  /** The connection is dead. */
  dead(): void;
  /** The server does not know our code any more. */
  forgotten(): void;
  /** Somebody else has registered our code, and receives what is meant for us. */
  replaced(): void;
}

/** Checks one connection to the server, again and again. Dispose it with the connection. */
export class Heartbeat implements Disposable {
  readonly #self: PeerCode;
  readonly #pace: Pace;
  readonly #listener: HeartbeatListener;
  /** Tells our probes from those of another program under our code. */
  readonly #id = crypto.randomUUID();
  readonly #nobody = randomCode();
  #stop: () => void;
  /** What has come back since the last beat. */
  #back: "nothing" | "error" | "probe" = "nothing";
  #asking = false;

  /** Starts the first interval. */
  constructor(self: PeerCode, pace: Pace, listener: HeartbeatListener) {
    this.#self = self;
    this.#pace = pace;
    this.#listener = listener;
    this.#stop = pace.timer(HEARTBEAT_MS, () => this.#beat());
  }

  /** Looks at a frame as it arrives. True when it was about a probe, and is for nobody else. */
  hear(frame: string): boolean {
    if (frame.length > LONGEST_ANSWER) return false;
    const message = parseServerMessage(frame);
    if (message === undefined || message === "unknown") return false;
    if (message.type === "signal") return this.#hearSignal(message);
    return message.type === "error" && this.#hearError(message.message);
  }

  #hearSignal({ from, payload }: Extract<ServerMessage, { type: "signal" }>): boolean {
    if (normalizePeerCode(from) !== this.#self) return false;
    const id = parseProbe(payload);
    // One that isn't ours is of a program that had our code before us: it gets the error, we need
    // nothing.
    if (id === this.#id) this.#back = "probe";
    return id !== undefined;
  }

  #hearError(message: string): boolean {
    if (isPeerAbsent(message, this.#self)) {
      this.#listener.forgotten();
      return true;
    }
    if (isPeerAbsent(message, this.#nobody)) {
      if (this.#back === "nothing") this.#back = "error";
      return true;
    }
    if (!this.#asking || /^peer '/.test(message)) return false;
    // A server that does not pass a signal on to its sender says so in its own words.
    this.#back = "probe";
    return !isRateLimited(message);
  }

  #beat(): void {
    this.#back = "nothing";
    this.#asking = true;
    this.#listener.send(encodePing());
    this.#listener.send(this.#probe(this.#self));
    this.#stop = this.#pace.timer(HEARTBEAT_ANSWER_MS / 2, () => {
      if (this.#back === "nothing") this.#listener.send(this.#probe(this.#nobody));
      this.#stop = this.#pace.timer(HEARTBEAT_ANSWER_MS / 2, () => this.#judge());
    });
  }

  #judge(): void {
    this.#asking = false;
    if (this.#back === "nothing") return this.#listener.dead();
    this.#stop = this.#pace.timer(HEARTBEAT_MS - HEARTBEAT_ANSWER_MS, () => this.#beat());
    if (this.#back === "error") this.#listener.replaced();
  }

  #probe(to: PeerCode): string {
    return encodeSignal(to, encodeProbe(this.#id));
  }

  /** Stops: no timer is left. */
  [Symbol.dispose](): void {
    this.#stop();
  }
}

/** A code that nobody has: 16 random hexadecimal digits. */
function randomCode(): PeerCode {
  const code = normalizePeerCode(crypto.getRandomValues(new Uint8Array(8)).toHex());
  if (code === undefined) throw new RangeError("Cannot make a peer code");
  return code;
}
