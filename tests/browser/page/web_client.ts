/**
 * A web client: meets a daemon at the rendezvous server, connects, and speaks the published protocol.
 *
 * @module
 */
import nacl from "tweetnacl";
import type { Happening, WebClientOptions } from "./options.ts";
import { sasOf, Seal } from "./sealing.ts";
import { type DescriptionData, type Signal, Signaling } from "./signaling.ts";
import { type FileMessage, Transfers } from "./transfers.ts";
import {
  type CandidateInit,
  type DataChannel,
  type Description,
  newConnection,
  type PeerConnection,
} from "./w3c.ts";

const LABEL = "fileTransfer";
const LOW_BYTES = 262_144;
/** What the published client asks for. */
const PUBLISHED_POOL = 10;
const CAPABILITIES = ["bolt.file-hash", "bolt.profile-envelope-v1", "bolt.transfer-ratchet-v1"];

/** A message of the channel, before it is opened. */
interface Frame {
  readonly type: string;
  readonly payload?: string;
  readonly code?: string;
  readonly chain_index?: number;
}

const utf8 = new TextEncoder();

/** One client, with one session. */
export class WebClient {
  readonly #options: WebClientOptions;
  #connection: PeerConnection;
  #ephemeral = nacl.box.keyPair();
  readonly #identity = nacl.box.keyPair();
  readonly #happened: Happening[] = [];
  #early: CandidateInit[] = [];
  #wake: () => void = () => {};
  #signaling: Signaling | undefined;
  #channel: DataChannel | undefined;
  #remotePublicKey: Uint8Array | undefined;
  #seal: Seal | undefined;
  #transfers: Transfers | undefined;
  #isDescribed = false;
  #isOver = false;
  #losesHello: boolean;

  /** Begins at once. */
  constructor(options: WebClientOptions) {
    this.#options = options;
    this.#losesHello = options.losesHello === true;
    this.#connection = this.#newConnection();
    this.#guarded(async () => {
      this.#signaling = await Signaling.meet(
        options,
        (signal) => this.#guarded(() => this.#onSignal(signal)),
      );
      if (options.role === "offers") await this.#begin();
    });
  }

  /** All that has happened. */
  get happened(): readonly Happening[] {
    return this.#happened;
  }

  /** The first, second ... of a kind, past ones too; rejects when the session has ended without. */
  async nth(kind: Happening["kind"], name: string | undefined, n: number): Promise<Happening> {
    for (;;) {
      const fits = this.#happened.filter((one) =>
        one.kind === kind && (name === undefined || one.name === name)
      );
      const [found] = fits.slice(n - 1);
      if (found !== undefined) return found;
      if (this.#isOver) throw new Error(`${kind} can't come any more`);
      await new Promise<void>((resolve) => {
        const before = this.#wake;
        this.#wake = () => {
          before();
          resolve();
        };
      });
    }
  }

  /** Sends a file; gives its hash. */
  send(name: string, size: number, seed: number): Promise<string> {
    if (this.#transfers === undefined) throw new Error("the session is not open");
    return this.#transfers.send(name, size, seed);
  }

  /** Pauses, resumes or cancels a file. */
  steer(type: "pause" | "resume" | "cancel", name: string): void {
    this.#transfers?.steer(type, name);
  }

  /** Its people leave. */
  close(): void {
    this.#end("closed by its people");
  }

  #newConnection(): PeerConnection {
    const connection = newConnection(this.#options.asPublished ? PUBLISHED_POOL : 0);
    connection.ondatachannel = ({ channel }) => this.#use(channel);
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "failed") this.#end("the connection failed");
    };
    return connection;
  }

  /** An offer that comes again is a new attempt: the earlier connection is given up, with its keys. */
  #startOver(): void {
    const [channel, connection] = [this.#channel, this.#connection];
    if (channel !== undefined) channel.onopen = channel.onclose = channel.onmessage = null;
    connection.ondatachannel = connection.onconnectionstatechange = null;
    connection.onicecandidate = null;
    connection.close();
    this.#losesHello = false;
    this.#connection = this.#newConnection();
    this.#ephemeral = nacl.box.keyPair();
    this.#channel = this.#seal = this.#transfers = undefined;
    this.#isDescribed = false;
    this.#early = [];
  }

  async #begin(): Promise<void> {
    if (this.#options.asks === false) return await this.#offer();
    this.#signaling?.say("connection_request", { deviceName: "a page", deviceType: "laptop" });
  }

  async #onSignal(signal: Signal): Promise<void> {
    const isOfferer = this.#options.role === "offers";
    switch (signal.type) {
      case "connection_request":
        this.#note("asked");
        if (this.#options.consents !== false) this.#signaling?.say("connection_accepted", {});
        else this.#signaling?.say("connection_declined", { reason: "not now" });
        break;
      case "connection_accepted":
        if (isOfferer) await this.#offer();
        break;
      case "connection_declined":
        this.#note("declined", "", signal.data.reason);
        break;
      case "offer":
        if (!isOfferer) await this.#answer(signal.data);
        break;
      case "answer":
        if (isOfferer && signal.data.answer !== undefined) {
          await this.#describe(signal.data, signal.data.answer);
        }
        break;
      case "ice-candidate":
        if (this.#isDescribed) await this.#connection.addIceCandidate(signal.data);
        else this.#early.push(signal.data);
    }
  }

  async #offer(): Promise<void> {
    this.#use(this.#connection.createDataChannel(LABEL, { ordered: true }));
    await this.#tell("offer", await this.#connection.createOffer());
  }

  async #answer(data: DescriptionData): Promise<void> {
    if (data.offer === undefined) throw new Error("an offer without one");
    if (this.#isDescribed) this.#startOver();
    await this.#describe(data, data.offer);
    await this.#tell("answer", await this.#connection.createAnswer());
  }

  async #describe({ publicKey }: DescriptionData, { type, sdp }: Description): Promise<void> {
    this.#remotePublicKey = Uint8Array.fromBase64(publicKey);
    const lines = sdp.split("\r\n").filter((line) =>
      !line.startsWith("a=candidate:") || this.#isOfFamily(line)
    );
    await this.#connection.setRemoteDescription({ type, sdp: lines.join("\r\n") });
    this.#isDescribed = true;
    for (const candidate of this.#early) await this.#connection.addIceCandidate(candidate);
  }

  /** Sends a description, and its candidates as they are found: before it, or after it. */
  async #tell(type: "offer" | "answer", description: Description): Promise<void> {
    const data = {
      [type]: { type, sdp: description.sdp },
      publicKey: this.#ephemeral.publicKey.toBase64(),
      peerCode: this.#options.code,
    };
    const gathered = new Promise<void>((resolve) => {
      this.#connection.onicecandidate = ({ candidate }) => {
        if (candidate === null) return resolve();
        const told = candidate.toJSON();
        if (this.#isOfFamily(told.candidate)) this.#signaling?.say("ice-candidate", told);
      };
    });
    const isBefore = this.#options.candidates === "before";
    if (!isBefore) this.#signaling?.say(type, data);
    await this.#connection.setLocalDescription(description);
    if (!isBefore) return;
    await gathered;
    this.#signaling?.say(type, data);
  }

  #isOfFamily(line: string): boolean {
    const { family } = this.#options;
    const [, , , , address = ""] = line.split(" ");
    return family === undefined || address.includes(":") === (family === 6);
  }

  #use(channel: DataChannel): void {
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_BYTES;
    channel.onmessage = ({ data }) => this.#guarded(() => this.#onMessage(JSON.parse(data)));
    channel.onclose = () => this.#end("the channel closed");
    // Of a channel that the peer made Chromium tells the open event too soon: what is sent then may
    // get lost, and the event may come again. Whoever waits for the peer's HELLO is on safe ground.
    if (this.#options.role === "answers" && this.#options.asPublished !== true) return;
    channel.onopen = () => this.#guarded(() => this.#sayHello());
  }

  #sayHello(): void {
    if (this.#remotePublicKey === undefined) throw new Error("open before there is a key");
    this.#seal ??= new Seal(this.#remotePublicKey, this.#ephemeral.secretKey);
    const identityPublicKey = this.#identity.publicKey.toBase64();
    const hello = { type: "hello", version: 1, identityPublicKey, capabilities: CAPABILITIES };
    const payload = this.#seal.seal(utf8.encode(JSON.stringify(hello)));
    if (!this.#losesHello) this.#channel?.send(JSON.stringify({ type: "hello", payload }));
  }

  async #onMessage(message: Frame): Promise<void> {
    if (this.#remotePublicKey === undefined) throw new Error("a message before there is a key");
    this.#seal ??= new Seal(this.#remotePublicKey, this.#ephemeral.secretKey);
    if (message.payload === undefined) return this.#end(`${message.type} ${message.code}`);
    const inner = JSON.parse(new TextDecoder().decode(this.#seal.open(message.payload)));
    if (message.type === "hello") {
      if (this.#channel?.onopen === null) this.#sayHello();
      return await this.#onHello(inner);
    }
    if (inner.type === "error") return this.#end(`error ${inner.code}`);
    const isKnown = ["file-chunk", "pause", "resume", "cancel"].includes(inner.type);
    if (!isKnown || message.type !== "profile-envelope") {
      throw new Error(`the daemon said ${inner.type}, which web clients do not know`);
    }
    // As published, what the ratchet seals is not taken where it was not agreed on.
    if (message.chain_index !== undefined) throw new Error("the daemon used the ratchet");
    this.#transfers?.take(inner as FileMessage);
  }

  async #onHello(
    { identityPublicKey, capabilities }: {
      readonly identityPublicKey: string;
      readonly capabilities: readonly string[];
    },
  ): Promise<void> {
    const [channel, seal, remote] = [this.#channel, this.#seal, this.#remotePublicKey];
    if (channel === undefined || seal === undefined || remote === undefined) {
      throw new Error("HELLO before there is a channel");
    }
    if (capabilities.includes("bolt.transfer-ratchet-v1")) {
      throw new Error("the daemon offers the ratchet");
    }
    this.#transfers = new Transfers({
      channel,
      seal,
      say: (message) => this.#say(seal, message),
      note: (...what) => this.#note(...what),
    });
    const identities = [
      this.#identity.publicKey,
      Uint8Array.fromBase64(identityPublicKey),
    ] as const;
    const sas = await sasOf(identities, [this.#ephemeral.publicKey, remote]);
    this.#note("opened", sas);
  }

  #say(seal: Seal, message: object): void {
    const payload = seal.seal(utf8.encode(JSON.stringify(message)));
    const envelope = { type: "profile-envelope", version: 1, encoding: "base64", payload };
    this.#channel?.send(JSON.stringify(envelope));
  }

  #note(kind: Happening["kind"], name = "", detail = "", size = 0): void {
    this.#happened.push({ kind, name, detail, size, at: Date.now() });
    const wake = this.#wake;
    this.#wake = () => {};
    wake();
  }

  /** What fails ends the session, as it does the published client's. */
  async #guarded(step: () => void | Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      this.#end(String(error));
    }
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#note("ended", "", reason);
    this.#transfers?.end();
    this.#channel?.close();
    this.#connection.close();
    this.#signaling?.close();
  }
}
