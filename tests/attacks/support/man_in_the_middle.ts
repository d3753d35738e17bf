/**
 * A man in the middle: he is the rendezvous server, and ends the connection to each victim with an
 * end, a certificate and, where he likes, keys of his own. What he tells each victim, and what he
 * does once both are connected to him, is the attack's choice; he may adapt it to all that he has
 * seen so far.
 *
 * @module
 */
import { fromBase64, fromUtf8, toBase64, toUtf8 } from "../../../src/protocol/crypto/encoding.ts";
import { type KeyPair, PublicKey, type SecretKey } from "../../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../../src/protocol/crypto/public_value.ts";
import type { RandomSource } from "../../../src/protocol/crypto/random_source.ts";
import { boxKey, open, seal } from "../../../src/protocol/crypto/sealing.ts";
import {
  type Commitment,
  proofKey,
  proofOver,
  PROVEN_IDENTITY,
  type ShownByOneSide,
  type Transcript,
  transcriptOf,
} from "../../../src/protocol/identity/proven_identity.ts";
import { encodeEnvelope } from "../../../src/protocol/messages/frame.ts";
import type { Channel } from "../../../src/transport/channel.ts";
import type { Connector } from "../../../src/transport/connector.ts";
import type { Payload, Relayed, Tamper } from "./hostile_relay.ts";
import type { Role } from "../../../src/protocol/signal/bundle.ts";

/** What he tells a victim in the name of the other. */
export interface Told {
  /** Keys of his own. @default {the other victim's key, under which he can open nothing} */
  readonly ephemeral?: KeyPair<"ephemeral">;
  /** Null takes it out. @default {the other victim's} */
  readonly commitment?: Commitment | null;
  /** What becomes of the session description that he would send. @default {it stays} */
  readonly sdp?: (his: string, theirs: string) => string;
}

/** The descriptions that the victims sent: `data` of their signals. The answer comes later. */
export interface Heard {
  /** Of the offer. */
  readonly offerer: Payload;
  /** Of the answer; undefined until the answerer was told of an offer. */
  readonly answerer?: Payload;
}

/** One attack. */
export interface Attack {
  /** What the victim in that role is told. The answerer is told first. */
  tell(victim: Role, heard: Heard): Told;
  /** What he does with his two ends: `offerer` is the one to the offerer. Until then he is mute. */
  act(ends: Ends): Promise<void>;
}

/** His two ends. */
export type Ends = { readonly [victim in Role]: MiddleEnd };

/** What a victim's HELLO said. */
export interface OpenedHello {
  /** Base64. */
  readonly identityPublicKey: string;
  readonly capabilities: readonly string[];
  /** Base64; absent when the victim was told of no commitment. */
  readonly sessionNonce?: string;
}

/** What a HELLO of his says, in place of what an honest one would. */
export interface Forged {
  /** Who he claims to be. */
  readonly identity: PublicKey<"identity">;
  /** What his commitment is said to hide; absent: he says nothing of it. */
  readonly nonce?: PublicValue<"session-nonce">;
  /** With which key he makes the proof; a string is sent as it is. Absent: no proof. */
  readonly proof?: SecretKey<"identity"> | string;
  /** Made for the role that the victim has. @default {false} */
  readonly provesOtherRole?: boolean;
  /** Whether he says that he can prove. @default {when he has a nonce} */
  readonly lists?: boolean;
}

const DECEIVED = ["file-offer", "file-accept", "file-chunk", "file-finish"];

/** His connection to one victim. */
export class MiddleEnd {
  /** Messages that the victim said to him that it should say to its peer alone. */
  readonly deceived: string[] = [];
  readonly channel: Channel;
  /** Resolves when the victim has hung up. */
  readonly over: Promise<void>;
  readonly #victim: Role;
  readonly #box: SecretKey<"box"> | undefined;
  readonly #shown: { readonly his: ShownByOneSide; readonly theirs: ShownByOneSide } | undefined;
  readonly #random: RandomSource;
  readonly #hello = Promise.withResolvers<string | undefined>();
  #onFrame: ((frame: string, inner: Payload) => Promise<void>) | undefined;

  /**
   * Listens to the victim from now on.
   *
   * @param told What the victim was told.
   * @param theirs `data` of the victim's own signal.
   * @param relayed `data` of the other victim's.
   */
  constructor(
    victim: Role,
    channel: Channel,
    { told, theirs, relayed }: {
      readonly told: Told;
      readonly theirs: Payload;
      readonly relayed: Payload;
    },
    random: RandomSource,
  ) {
    this.channel = channel;
    this.#victim = victim;
    this.#random = random;
    this.over = this.#listen();
    const ephemeral = PublicKey.parse("ephemeral", theirs.publicKey);
    if (ephemeral === undefined) throw new Error("the victim's key is none");
    if (told.ephemeral !== undefined) this.#box = boxKey(told.ephemeral, ephemeral);
    const commitment = PublicValue.parse("commitment", theirs.commitment);
    const his = told.commitment === undefined
      ? PublicValue.parse("commitment", relayed.commitment)
      : told.commitment ?? undefined;
    if (told.ephemeral === undefined || commitment === undefined || his === undefined) return;
    const { certificates } = channel;
    this.#shown = {
      his: {
        ephemeral: told.ephemeral.publicKey,
        certificate: certificates.local,
        commitment: his,
      },
      theirs: { ephemeral, certificate: certificates.remote, commitment },
    };
  }

  /** Sends a frame; silently when the victim has hung up. */
  async say(frame: string): Promise<void> {
    await this.channel.send(frame).catch(() => {}); // what the daemons say of it counts
  }

  /** The victim's HELLO as it came; undefined when it hung up without one. */
  get heardHello(): Promise<string | undefined> {
    return this.#hello.promise;
  }

  /** What the victim says after its HELLO goes on to the other one. */
  passOnTo(other: MiddleEnd): void {
    this.#onFrame = (frame) => other.say(frame);
  }

  /**
   * Calls back with each frame that the victim says after its HELLO, and with what is in it:
   * undefined where he can't open it.
   */
  onFrame(call: (frame: string, inner: Payload) => Promise<void>): void {
    this.#onFrame = call;
  }

  /** A HELLO's plaintext, or undefined when it is none, or not sealed for him. */
  open(frame: string | undefined): OpenedHello | undefined {
    const inner = this.#open(frame);
    return inner?.type === "hello" ? inner : undefined;
  }

  /** His HELLO. */
  hello(forged: Forged): string {
    const { identity, nonce, lists = nonce !== undefined } = forged;
    const payload = this.#seal({
      type: "hello",
      version: 1,
      identityPublicKey: identity.base64,
      capabilities: [
        "bolt.file-hash",
        "bolt.profile-envelope-v1",
        ...(lists ? [PROVEN_IDENTITY] : []),
      ],
      sessionNonce: nonce?.base64,
    });
    return JSON.stringify({ type: "hello", payload, identityProof: this.#prove(forged, payload) });
  }

  /** A message in an envelope. */
  envelope(message: unknown): string {
    return encodeEnvelope(this.#seal(message));
  }

  /** Offers a file, as a peer that was let in would. */
  async offerForgedFile(): Promise<void> {
    await this.say(this.envelope({
      type: "file-offer",
      transferId: this.#random(16).toHex(),
      filename: "forged.bin",
      size: 5,
      totalChunks: 1,
      chunkSize: 16_384,
      fileHash: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    }));
  }

  /** Hangs up. */
  async hangUp(): Promise<void> {
    await this.channel.close({ graceful: false });
  }

  async #listen(): Promise<void> {
    let isHelloHeard = false;
    try {
      for await (const message of this.channel) {
        const frame = message instanceof Uint8Array ? fromUtf8(message) ?? "" : message;
        if (!isHelloHeard) this.#hello.resolve(frame);
        const inner = this.#open(frame);
        if (DECEIVED.includes(inner?.type)) this.deceived.push(inner.type);
        if (isHelloHeard) await this.#onFrame?.(frame, inner);
        isHelloHeard = true;
      }
    } catch {
      // The connection was lost: what the daemons say of it counts.
    } finally {
      this.#hello.resolve(undefined);
    }
  }

  /** What both sides saw before HELLO; undefined without keys of his own, or a commitment. */
  get transcript(): Transcript | undefined {
    if (this.#shown === undefined) return undefined;
    const { his, theirs } = this.#shown;
    return transcriptOf(
      this.#victim === "offerer"
        ? { offerer: theirs, answerer: his }
        : { offerer: his, answerer: theirs },
    );
  }

  #prove({ proof, provesOtherRole = false }: Forged, payload: string): string | undefined {
    if (proof === undefined || typeof proof === "string") return proof;
    const { transcript } = this;
    if (transcript === undefined || this.#shown === undefined) return undefined;
    const victim = this.#victim;
    const role = victim === "offerer" ? "answerer" : "offerer";
    const { ephemeral } = this.#shown.theirs;
    const key = proofKey(proof, ephemeral, transcript, provesOtherRole ? victim : role);
    if (key === undefined) throw new Error("the test's keys are weak");
    return proofOver(key, payload).base64;
  }

  #seal(message: unknown): string {
    if (this.#box === undefined) throw new Error("he has no keys of his own to this victim");
    return toBase64(seal(this.#box, toUtf8(JSON.stringify(message)), this.#random));
  }

  #open(frame: string | undefined): Payload {
    const outer = frame === undefined ? undefined : JSON.parse(frame);
    const sealed = typeof outer?.payload === "string" ? fromBase64(outer.payload) : undefined;
    const plain = this.#box && sealed && open(this.#box, sealed);
    return plain === undefined ? undefined : JSON.parse(fromUtf8(plain) ?? "null");
  }
}

/** Options of a {@linkcode ManInTheMiddle}. */
export interface ManInTheMiddleOptions {
  /** Makes his ends. */
  readonly connector: Connector;
  /** What he does. */
  readonly attack: Attack;
  /** Where his nonces come from. */
  readonly random: RandomSource;
}

/** Stands between the two victims of one meeting, and carries out one attack. Disposing it hangs up. */
export class ManInTheMiddle implements AsyncDisposable {
  readonly #options: ManInTheMiddleOptions;
  readonly #stack = new AsyncDisposableStack();
  readonly #over = new AbortController();
  readonly #ends = Promise.withResolvers<Ends>();
  #acted: Promise<void> | undefined;
  #offer: Promise<MiddleOffer> | undefined;
  #answered: Promise<readonly Relayed[]> | undefined;

  /** Waits for the offer. */
  constructor(options: ManInTheMiddleOptions) {
    this.#options = options;
    this.#ends.promise.catch(() => {}); // told by `leave`
  }

  /** What the relay between the two does. */
  readonly tamper: Tamper = (signal) => {
    const { type } = signal.payload;
    if (type === "offer") return this.#onOffer(signal);
    if (type === "answer") return this.#answered ??= this.#onAnswer(signal);
    return [signal]; // hello and ack
  };

  /** His ends, once both victims are connected to him. */
  get ends(): Promise<Ends> {
    return this.#ends.promise;
  }

  /** Hangs up. What the victims said to him that they should say to each other alone. */
  async leave(): Promise<readonly string[]> {
    await this[Symbol.asyncDispose]();
    const ends = await this.#ends.promise.catch(() => undefined); // they never came to him
    return ends === undefined ? [] : [...ends.offerer.deceived, ...ends.answerer.deceived];
  }

  async #onOffer(signal: Relayed): Promise<readonly Relayed[]> {
    this.#offer ??= this.#takeOffer(signal);
    const { forged } = await this.#offer;
    return [{ ...signal, payload: forged }];
  }

  async #takeOffer({ payload }: Relayed): Promise<MiddleOffer> {
    const { connector, attack } = this.#options;
    const { data } = payload;
    const options = { scope: "lan", signal: this.#over.signal } as const;
    const answering = this.#stack.use(
      await connector.answer({
        description: { sdpType: "offer", sdp: data.offer.sdp },
        candidates: [],
      }, options),
    );
    const offering = this.#stack.use(
      await connector.offer({ ...options, label: "fileTransfer" }),
    );
    const told = attack.tell("answerer", { offerer: data });
    const forged = forge(payload, "offer", told, offering.offer.description.sdp);
    return { data, answering, offering, told, forged };
  }

  async #onAnswer(signal: Relayed): Promise<readonly Relayed[]> {
    if (this.#offer === undefined) return [];
    const { attack } = this.#options;
    const offer = await this.#offer;
    const { payload } = signal;
    const heard = { offerer: offer.data, answerer: payload.data };
    const told = attack.tell("offerer", heard);
    this.#acted = this.#connect(offer, payload.data, told);
    this.#acted.catch(() => {}); // told at his end
    return [{
      ...signal,
      payload: forge(payload, "answer", told, offer.answering.answer.description.sdp),
    }];
  }

  async #connect(offer: MiddleOffer, answer: Payload, told: Told): Promise<void> {
    const { attack, random } = this.#options;
    const { answering, offering, data } = offer;
    const { signal } = this.#over;
    let channels;
    try {
      const bundle = {
        description: { sdpType: "answer", sdp: answer.answer.sdp },
        candidates: [],
      } as const;
      channels = await Promise.all([answering.connect(signal), offering.connect(bundle, signal)]);
    } catch (error) {
      return this.#ends.reject(error); // the victims do not let him: that is for the best
    }
    const [toOfferer, toAnswerer] = channels;
    for (const channel of channels) this.#stack.use(channel);
    const ends = {
      offerer: new MiddleEnd("offerer", toOfferer, { told, theirs: data, relayed: answer }, random),
      answerer: new MiddleEnd(
        "answerer",
        toAnswerer,
        { told: offer.told, theirs: answer, relayed: data },
        random,
      ),
    };
    this.#ends.resolve(ends);
    await attack.act(ends);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#acted === undefined) this.#ends.reject(new Error("the victims did not come"));
    this.#over.abort(new Error("the man in the middle leaves"));
    await this.#stack.disposeAsync();
    await this.#acted;
  }
}

interface MiddleOffer {
  readonly data: Payload;
  readonly answering: Awaited<ReturnType<Connector["answer"]>>;
  readonly offering: Awaited<ReturnType<Connector["offer"]>>;
  readonly told: Told;
  readonly forged: Payload;
}

/** A victim's signal, with what he tells in the place of what it says. */
function forge(payload: Payload, kind: "offer" | "answer", told: Told, sdp: string): Payload {
  const forged = structuredClone(payload);
  const { data } = forged;
  const theirs = data[kind].sdp;
  data[kind].sdp = told.sdp?.(sdp, theirs) ?? sdp;
  if (told.ephemeral !== undefined) data.publicKey = told.ephemeral.publicKey.base64;
  if (told.commitment === null) delete data.commitment;
  else if (told.commitment !== undefined) data.commitment = told.commitment.base64;
  return forged;
}
