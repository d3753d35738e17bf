/**
 * A peer that reaches a daemon over a real channel and then says whatever it likes: no session of
 * ours stands between the test and the wire.
 *
 * @module
 */
import { abortable, Deadline } from "../../../src/base/deadline.ts";
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../../../src/protocol/crypto/encoding.ts";
import {
  type EphemeralPublicKey,
  KeyPair,
  PublicKey,
  type SecretKey,
} from "../../../src/protocol/crypto/keys.ts";
import { boxKey, open, seal } from "../../../src/protocol/crypto/sealing.ts";
import { BINARY_ENCODING } from "../../../src/protocol/messages/capabilities.ts";
import type { WireFrame } from "../../../src/protocol/messages/envelope.ts";
import { encodeEnvelope, type RatchetFields } from "../../../src/protocol/messages/frame.ts";
import { IdentityHandshake } from "../../../src/protocol/identity/identity_handshake.ts";
import {
  DescriptionSecrets,
  PROVEN_IDENTITY,
} from "../../../src/protocol/identity/proven_identity.ts";
import { encodeWebSignal, parseWebSignal } from "../../../src/protocol/signal/web_payload.ts";
import { rawPlain, readRawPlain } from "../../../src/protocol/testing/raw_binary.ts";
import { RawRatchet } from "../../../src/protocol/testing/raw_ratchet.ts";
import { publishSignalFile } from "../../../src/signaling/file/signal_file.ts";
import { SignalFileWatcher } from "../../../src/signaling/file/signal_file_watcher.ts";
import type { Channel } from "../../../src/transport/channel.ts";
import type { Connector } from "../../../src/transport/connector.ts";
import { type DaemonUnderTest, meetingByFile } from "../../support/daemon.ts";
import type { TempFolder } from "../../support/temp_folder.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
/** How long a peer waits for what a daemon has to say. */
const ANSWER_MS = 30_000;

/** Where a hostile peer meets its victim. */
export interface Meeting {
  /** Makes its end of the connection. */
  readonly connector: Connector;
  /** Signal files. */
  readonly folder: TempFolder;
  /** The victim. */
  readonly daemon: DaemonUnderTest;
}

/** What a daemon said, opened. */
export type Said = Readonly<Record<string, unknown>>;

/** A channel to a daemon, its keys, and whatever is to be said over it. Disposing it hangs up. */
export class HostilePeer implements AsyncDisposable {
  /** Who it claims to be. */
  readonly identity: KeyPair<"identity">;
  /** Steps as the wire format has it, or not. */
  readonly ratchet: RawRatchet;
  /** The daemon's session description; empty when it was come by otherwise. */
  readonly victimSdp: string;
  /** Whether the two HELLOs have agreed on the binary encoding. */
  isBinary = false;
  #proof: IdentityHandshake | undefined;
  readonly #channel: Channel;
  readonly #box: SecretKey<"box">;

  private constructor(
    channel: Channel,
    identity: KeyPair<"identity">,
    ephemeral: KeyPair<"ephemeral">,
    victim: EphemeralPublicKey,
    victimSdp = "",
  ) {
    const box = boxKey(ephemeral, victim);
    if (box === undefined) throw new Error("the test's keys are weak");
    this.identity = identity;
    this.victimSdp = victimSdp;
    this.#channel = channel;
    this.#box = box;
    this.ratchet = new RawRatchet({ ephemeral, victim, random });
  }

  /** Has the daemon answer an offer through files; gives an open channel, before any HELLO. */
  static async connect(
    { connector, folder, daemon }: Meeting,
    identity: KeyPair<"identity"> = KeyPair.generate("identity", random),
    { proves = false }: { readonly proves?: boolean } = {},
  ): Promise<HostilePeer> {
    using deadline = new Deadline(ANSWER_MS, { what: "the connection" });
    const { signal } = deadline;
    const { answerer: request } = meetingByFile(folder);
    if (request.signal !== "file") throw new Error("unreachable");
    await daemon.pair(request);
    const secrets = new DescriptionSecrets(identity.publicKey, random);
    const { ephemeral, publicKey, nonce, commitment } = secrets;
    await using offering = await connector.offer({ scope: "lan", signal, label: "fileTransfer" });
    const answers = new SignalFileWatcher({
      path: request.answer,
      kind: "answer",
      parse: (text) => parseWebSignal(JSON.parse(text)),
    });
    const { sdp } = offering.offer.description;
    const route = { from: "mallory", to: "bob", peerCode: "mallory" } as const;
    const offer = {
      type: "offer",
      sdp,
      publicKey,
      ...route,
      ...(proves ? { commitment } : {}),
    } as const;
    await publishSignalFile(request.offer, "offer", JSON.stringify(encodeWebSignal(offer)), {
      signal,
    });
    const { value: answer } = await answers.next({ signal });
    if (answer.type !== "answer") throw new Error("the daemon's file holds no answer");
    const bundle = {
      description: { sdpType: "answer", sdp: answer.sdp },
      candidates: [],
    } as const;
    const channel = await offering.connect(bundle, signal);
    const peer = new HostilePeer(channel, identity, ephemeral, answer.publicKey, answer.sdp);
    if (proves) {
      const { certificates } = channel;
      const { secretKey: identitySecret } = identity;
      const { commitment: remoteCommitment } = answer;
      const role = "offerer";
      peer.#proof = new IdentityHandshake(
        { role, identitySecret, nonce, commitment, remoteCommitment, certificates },
        { identity: identity.publicKey, ephemeral, remoteEphemeral: answer.publicKey },
      );
    }
    return peer;
  }

  /**
   * Over a channel that was come by otherwise.
   *
   * @param channel Owned by the peer from here on.
   * @param victim The victim's half of the connection's keys, in base64.
   * @param ephemeral The peer's keys.
   */
  static over(channel: Channel, victim: string, ephemeral: KeyPair<"ephemeral">): HostilePeer {
    const publicKey = PublicKey.parse("ephemeral", victim);
    if (publicKey === undefined) throw new Error("the victim's key is none");
    return new HostilePeer(channel, KeyPair.generate("identity", random), ephemeral, publicKey);
  }

  /** Sends a frame, whatever it is; silently when the daemon has hung up. */
  async say(frame: WireFrame): Promise<void> {
    await this.#channel.send(frame).catch(() => {}); // what the daemon said before is what counts
  }

  /** Any bytes sealed for the daemon, in base64. */
  seal(plaintext: Uint8Array): string {
    return toBase64(seal(this.#box, plaintext, random));
  }

  /** A HELLO's frame, with fields replaced; with the proof of its identity, where it proves one. */
  hello(fields: Said = {}): string {
    const sessionNonce = this.#proof?.nonce?.base64;
    const hello = {
      type: "hello",
      version: 1,
      identityPublicKey: this.identity.publicKey.base64,
      capabilities: ["bolt.file-hash", "bolt.profile-envelope-v1"],
      sessionNonce,
      ...fields,
    };
    const payload = this.seal(toUtf8(JSON.stringify(hello)));
    const identityProof = this.#proof?.prove(payload)?.base64;
    return JSON.stringify({ type: "hello", payload, identityProof });
  }

  /** Bytes in an envelope of the binary encoding. */
  binaryEnvelope(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    return new Uint8Array([1, ...seal(this.#box, plain, random)]);
  }

  /** Any JSON, or text, sealed in an envelope of the session's encoding. */
  envelope(inner: unknown, ratchet?: RatchetFields): WireFrame {
    if (this.isBinary) return this.binaryEnvelope(rawPlain(inner, ratchet));
    const text = typeof inner === "string" ? inner : JSON.stringify(inner);
    return encodeEnvelope(this.seal(toUtf8(text)), ratchet);
  }

  /** The next thing that the daemon says; undefined when it has hung up. */
  async hear(): Promise<Said | undefined> {
    using deadline = new Deadline(ANSWER_MS, { what: "the daemon to say something" });
    let frame;
    try {
      frame = await this.#channel.receive({ signal: deadline.signal });
    } catch (error) {
      if (deadline.signal.aborted) throw error;
      return undefined; // the path was cut
    }
    if (frame === undefined) return undefined;
    if (typeof frame !== "string" && frame[0] === 1) {
      const plain = open(this.#box, frame.subarray(1));
      if (plain === undefined) throw new Error("the daemon's frame does not open");
      return readRawPlain(plain);
    }
    const outer = JSON.parse(typeof frame === "string" ? frame : fromUtf8(frame) ?? "");
    if (outer.type !== "profile-envelope" && outer.type !== "hello") return outer;
    const sealed = fromBase64(outer.payload);
    const plaintext = sealed && open(this.#box, sealed);
    if (plaintext === undefined) throw new Error("the daemon's frame does not open");
    return JSON.parse(fromUtf8(plaintext) ?? "");
  }

  /** The next thing of that type that the daemon says. Fails when it hangs up before. */
  async hearOf(type: string): Promise<Said> {
    for (;;) {
      const said = await this.hear();
      if (said === undefined) throw new Error(`the daemon hung up without a ${type}`);
      if (said.type === type) return said;
    }
  }

  /** The code of the next error that it is told; `hung up` without one. */
  async verdict(): Promise<string> {
    for (;;) {
      const said = await this.hear();
      if (said === undefined) return "hung up";
      if (said.type === "error") return String(said.code);
    }
  }

  /** Whether the session still answers. */
  async isServed(): Promise<boolean> {
    await this.say(this.envelope({ type: "ping", ts_ms: 4711 }));
    for (;;) {
      const said = await this.hear();
      if (said === undefined) return false;
      if (said.type === "pong" && said.reply_to_ms === 4711) return true;
    }
  }

  /** Resolves when the daemon has closed the channel. */
  async hungUp(): Promise<void> {
    using deadline = new Deadline(ANSWER_MS, { what: "the daemon to hang up" });
    await abortable(this.#channel.closed, deadline.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel.close({ graceful: false });
  }
}

/** Options of {@linkcode openHostileSession}. */
export interface HostileSessionOptions {
  /** Who it claims to be. @default {a fresh key} */
  readonly identity?: KeyPair<"identity">;
  /** Whether the transfer ratchet is negotiated. @default {false} */
  readonly ratchet?: boolean;
  /** Whether the binary encoding is negotiated. @default {false} */
  readonly binary?: boolean;
}

/** A hostile peer that is past its HELLO, at a daemon that lets everyone in and accepts its offers. */
export async function openHostileSession(
  meeting: Meeting,
  { identity, ratchet = false, binary = false }: HostileSessionOptions = {},
): Promise<HostilePeer> {
  await using stack = new AsyncDisposableStack();
  const peer = stack.use(await HostilePeer.connect(meeting, identity, { proves: true }));
  const capabilities = ["bolt.file-hash", "bolt.profile-envelope-v1", PROVEN_IDENTITY];
  if (ratchet) capabilities.push("bolt.transfer-ratchet-v1");
  if (binary) capabilities.push(BINARY_ENCODING);
  await peer.say(peer.hello({ capabilities }));
  await peer.hearOf("hello");
  peer.isBinary = binary;
  // The daemon answers a ping when it has concluded the handshake.
  if (!await peer.isServed()) throw new Error("the daemon refused the hostile peer's HELLO");
  const hex = peer.identity.publicKey.hex;
  await meeting.daemon.event("session-opened", ({ session }) => session.identity === hex);
  await meeting.daemon.client.setAutoAccept(hex, { enabled: true });
  stack.move();
  return peer;
}
