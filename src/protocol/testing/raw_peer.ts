/**
 * A peer that owns its keys and sends whatever it likes, for tests only.
 *
 * @module
 */
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../crypto/encoding.ts";
import { KeyPair, type SecretKey } from "../crypto/keys.ts";
import type { RandomSource } from "../crypto/random_source.ts";
import { boxKey, open, seal } from "../crypto/sealing.ts";
import { BINARY_ENCODING } from "../messages/capabilities.ts";
import type { WireFrame } from "../messages/envelope.ts";
import { encodeEnvelope, type RatchetFields } from "../messages/frame.ts";
import type { SessionEffect } from "../session/effects.ts";
import { Session, type SessionOptions } from "../session/session.ts";
import type { Transfers } from "../transfer/transfers.ts";
import { ableTo, listed } from "./both_encodings.ts";
import { type RawMessage, rawPlain, readRawPlain } from "./raw_binary.ts";
import { seededRandom } from "./seeded_random.ts";

/** All that is registered. */
export const ALL_CAPABILITIES = [
  "bolt.file-hash",
  "bolt.profile-envelope-v1",
  "bolt.transfer-ratchet-v1",
];

/** A raw peer and the session of ours that it talks to. */
export class RawPeer {
  /** The session of ours. */
  readonly session: Session;
  /** The raw peer's keys for the connection. */
  readonly ephemeral: KeyPair<"ephemeral">;
  /** The session's keys for the connection. */
  readonly victimEphemeral: KeyPair<"ephemeral">;
  /** Who the raw peer claims to be. */
  readonly identity: KeyPair<"identity">;
  /** Where nonces and ratchet keys come from. */
  readonly random: RandomSource;
  readonly #box: SecretKey<"box">;

  /** Makes keys for both sides from a seed, and the session. */
  constructor(options: Partial<SessionOptions> = {}, seed: string | number = "raw") {
    this.random = seededRandom(seed);
    this.identity = KeyPair.generate("identity", this.random);
    this.ephemeral = KeyPair.generate("ephemeral", this.random);
    this.victimEphemeral = KeyPair.generate("ephemeral", this.random);
    const box = boxKey(this.ephemeral, this.victimEphemeral.publicKey);
    if (box === undefined) throw new Error("the test's keys are weak");
    this.#box = box;
    this.session = new Session({
      identity: KeyPair.generate("identity", this.random).publicKey,
      ephemeral: this.victimEphemeral,
      remoteEphemeral: this.ephemeral.publicKey,
      random: this.random,
      ...options,
      capabilities: ableTo(options.capabilities),
    });
  }

  /** Whether the two HELLOs have agreed on the binary encoding. */
  get isBinary(): boolean {
    return this.session.peer?.capabilities.has(BINARY_ENCODING) ?? false;
  }

  /** A session that has our HELLO and approves of us. */
  static open(
    options: Partial<SessionOptions> = {},
    capabilities: readonly unknown[] = ALL_CAPABILITIES,
    seed: string | number = "raw",
  ): { peer: RawPeer; transfers: Transfers } {
    const peer = new RawPeer(options, seed);
    peer.session.start(0);
    peer.session.receive(peer.hello({ capabilities }), 0);
    const { transfers } = peer.session.approve(0);
    return { peer, transfers };
  }

  /** Bytes sealed for the session, in base64. */
  seal(plaintext: Uint8Array): string {
    return toBase64(seal(this.#box, plaintext, this.random));
  }

  /** Our HELLO's frame, with fields replaced. */
  hello(fields: Readonly<Record<string, unknown>> = {}): string {
    const hello = {
      type: "hello",
      version: 1,
      identityPublicKey: this.identity.publicKey.base64,
      ...fields,
      capabilities: listed(
        Object.hasOwn(fields, "capabilities") ? fields.capabilities : ALL_CAPABILITIES,
      ),
    };
    return JSON.stringify({ type: "hello", payload: this.seal(toUtf8(JSON.stringify(hello))) });
  }

  /** Bytes in an envelope of the binary encoding. */
  binaryEnvelope(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    return new Uint8Array([1, ...seal(this.#box, plain, this.random)]);
  }

  /** Any JSON, or text, sealed in an envelope of the session's encoding. */
  envelope(inner: unknown, ratchet?: RatchetFields): WireFrame {
    if (this.isBinary) return this.binaryEnvelope(rawPlain(inner, ratchet));
    const text = typeof inner === "string" ? inner : JSON.stringify(inner);
    return encodeEnvelope(this.seal(toUtf8(text)), ratchet);
  }

  /** Sends any JSON in an envelope; gives what the session answers. */
  send(inner: unknown, now = 0, ratchet?: RatchetFields): readonly SessionEffect[] {
    return this.session.receive(this.envelope(inner, ratchet), now);
  }

  /** What a frame of the session says: opened where it is sealed. */
  read(frame: WireFrame): RawMessage {
    if (typeof frame !== "string") {
      const plain = frame[0] === 1 ? open(this.#box, frame.subarray(1)) : undefined;
      if (plain === undefined) throw new Error("the session's frame does not open");
      return readRawPlain(plain);
    }
    const outer = JSON.parse(frame);
    if (outer.type !== "profile-envelope" && outer.type !== "hello") return outer;
    const sealed = fromBase64(outer.payload);
    const plaintext = sealed && open(this.#box, sealed);
    if (plaintext === undefined) throw new Error("the session's frame does not open");
    return JSON.parse(fromUtf8(plaintext) ?? "");
  }

  /** What the session's effects say to us, opened. */
  said(effects: readonly SessionEffect[]): RawMessage[] {
    return effects.flatMap((effect) => effect.type === "send" ? [this.read(effect.frame)] : []);
  }
}

/** The code of the error that closed a session, if that is among the effects. */
export function closedWith(effects: readonly SessionEffect[]): string | undefined {
  const closed = effects.find((effect) => effect.type === "closed");
  return closed?.type === "closed" ? closed.end.error?.code ?? "in order" : undefined;
}
