/**
 * A peer of a daemon that a test drives by hand: it speaks the protocol, and says what no daemon
 * would.
 *
 * @module
 */
import { PeerSession, type TransferEvent } from "../../src/app/daemon/sessions/peer_session.ts";
import {
  type EphemeralKeyPair,
  type EphemeralPublicKey,
  KeyPair,
  readSecret,
} from "../../src/protocol/crypto/keys.ts";
import type { ProofOptions } from "../../src/protocol/identity/identity_handshake.ts";
import { DescriptionSecrets } from "../../src/protocol/identity/proven_identity.ts";
import type { PeerFacts, SessionEnd } from "../../src/protocol/session/effects.ts";
import { Session } from "../../src/protocol/session/session.ts";
import { encodeWebSignal, parseWebSignal } from "../../src/protocol/signal/web_payload.ts";
import type { TransferId } from "../../src/protocol/messages/transfer_id.ts";
import { ProtocolError, type WireErrorCode } from "../../src/protocol/errors.ts";
import { TransferTable } from "../../src/protocol/transfer/transfer_table.ts";
import type { Transfers } from "../../src/protocol/transfer/transfers.ts";
import type { PairingDecision, SessionView } from "../../src/ipc/api/schemas.ts";
import { publishSignalFile } from "../../src/signaling/file/signal_file.ts";
import { SignalFileWatcher } from "../../src/signaling/file/signal_file_watcher.ts";
import type { Channel, ChannelMessage } from "../../src/transport/channel.ts";
import type { Connector } from "../../src/transport/connector.ts";
import type { MemoryPair } from "../../src/transport/testing/memory_channel.ts";
import type { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { type DaemonUnderTest, meeting, meetingByFile } from "./daemon.ts";
import { overriding } from "./overriding.ts";
import { RelayPeer } from "./relay_peer.ts";
import { sha256 } from "./transfers.ts";
import type { TempFolder } from "./temp_folder.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** Bytes of a chunk of the published web client. */
export const WEB_CHUNK_BYTES = 65_536;

/** A file as a peer describes it, true or not. */
export interface Described {
  readonly filename: string;
  readonly size: number;
  readonly fileHash: string;
  /** Bytes of plaintext in a chunk. @default {as its dialect has it} */
  readonly chunkSize?: number;
  /** Its id on the wire. @default {a fresh one} */
  readonly transferId?: TransferId;
}

/** How a peer meets a daemon through files. */
export interface MeetOptions {
  /** Who it is, or claims to be. @default {a fresh key} */
  readonly identity?: KeyPair<"identity">;
  /** Whether it proves that; else it only claims it. @default {true} */
  readonly proves?: boolean;
  /** Whether it says no HELLO, though it has committed itself. @default {false} */
  readonly silent?: boolean;
  /** Whom the daemon expects. */
  readonly expectIdentity?: string;
}

/** A fresh identity. */
export const newIdentity = (): KeyPair<"identity"> => KeyPair.generate("identity", random);

/** What a peer stands on. */
export interface Parts {
  readonly channel: Channel;
  /** Absent where it is a real one. */
  readonly path?: MemoryPair;
  readonly identity: KeyPair<"identity">;
  readonly ephemeral: EphemeralKeyPair;
  readonly remoteEphemeral: EphemeralPublicKey;
  /** What proves its identity; absent for a peer that proves none. */
  readonly proof?: Omit<ProofOptions, "certificates">;
  /** What it takes the daemon for: what web clients send is what they expect. */
  readonly peerKind: "daemon" | "web";
  /** The daemon's offer or answer. */
  readonly signal: unknown;
}

/** A channel whose messages are written down as they are received. */
function tapped(channel: Channel, heard: ChannelMessage[]): Channel {
  const receive: Channel["receive"] = async (options) => {
    const message = await channel.receive(options);
    if (message !== undefined) heard.push(message);
    return message;
  };
  return overriding(channel, { receive });
}

function lastOf(network: MemoryNetwork): MemoryPair {
  const path = network.paths.at(-1);
  if (path === undefined) throw new Error("no offer was made in this network");
  return path;
}

/** Has a daemon offer to the web client with the code `web`. */
export async function askForWebClient(daemon: DaemonUnderTest, url: string): Promise<SessionView> {
  const { offerer } = meeting(url);
  if (offerer.role !== "offerer" || offerer.signal !== "rendezvous") {
    throw new Error("unreachable");
  }
  return await daemon.pair({ ...offerer, to: "web", web: true, webConsent: "off" });
}

/** Takes the next offer of a daemon as a web client does: for a new attempt, with keys of its own. */
export async function answerAsWebClient(
  network: { readonly connector: Connector },
  relay: RelayPeer,
  identity: KeyPair<"identity"> = newIdentity(),
): Promise<Parts> {
  const said = await relay.signal();
  const offer = parseWebSignal(said);
  if (offer.type !== "offer") throw new Error("the daemon's signal is no offer");
  const { signal } = new AbortController();
  const ephemeral = KeyPair.generate("ephemeral", random);
  const description = { sdpType: "offer", sdp: offer.sdp } as const;
  const answering = await network.connector.answer(
    { description, candidates: [] },
    { scope: "lan", signal },
  );
  const { sdp } = answering.answer.description;
  const route = { from: "web", to: offer.from, peerCode: "web" } as const;
  const answer = { type: "answer", sdp, publicKey: ephemeral.publicKey, ...route } as const;
  relay.send(offer.from, encodeWebSignal(answer));
  return {
    channel: await answering.connect(signal),
    identity,
    ephemeral,
    remoteEphemeral: offer.publicKey,
    peerKind: "web",
    signal: said,
  };
}

/** A peer whose handshake with a daemon is done. Disposing it hangs up. */
export class HandDrivenPeer implements AsyncDisposable {
  /** Its end of the channel, for frames that no session would send. */
  readonly channel: Channel;
  /** Identity key, 64 hex digits. */
  readonly identity: string;
  /** The daemon's offer or answer, as it came. */
  readonly signal: unknown;
  /** All that the daemon has said over the channel, as it came. */
  readonly heard: ChannelMessage[] = [];
  /** What opens that: its own secret half of the connection's keys, and the daemon's half. */
  readonly keys: { readonly secretKey: Uint8Array; readonly remotePublicKey: Uint8Array };
  readonly #path: MemoryPair | undefined;
  readonly #peer: PeerSession;
  readonly #established = Promise.withResolvers<PeerFacts>();
  readonly #events: TransferEvent[] = [];
  #wake = Promise.withResolvers<void>();
  /** Called with each event before the next message is read. */
  onEvent: ((event: TransferEvent) => void) | undefined;

  private constructor(parts: Parts) {
    const { channel, path, ephemeral, remoteEphemeral, peerKind, proof } = parts;
    this.signal = parts.signal;
    this.keys = {
      secretKey: readSecret(ephemeral.secretKey).slice(), // the session zeroes its own
      remotePublicKey: remoteEphemeral.bytes,
    };
    const identity = parts.identity.publicKey;
    // What it may offer is not bounded on its side.
    const limits = { maxFileBytes: 2 ** 50, maxTotalChunks: 2 ** 40 };
    this.channel = channel;
    this.#path = path;
    this.identity = identity.hex;
    const { certificates } = this.channel;
    this.#peer = new PeerSession({
      session: new Session({
        identity,
        ephemeral,
        remoteEphemeral,
        ...(proof === undefined ? {} : { proof: { ...proof, certificates } }),
        random,
        limits,
        peerKind,
      }),
      channel: tapped(this.channel, this.heard),
      listener: {
        established: (facts) => this.#established.resolve(facts),
        ending: () => {},
      },
    });
  }

  /**
   * Offers itself to a daemon through files, and shakes hands.
   *
   * @param options `proves`: false for a peer that speaks the published protocol and nothing else.
   */
  static async meet(
    network: MemoryNetwork,
    folder: TempFolder,
    daemon: DaemonUnderTest,
    options: MeetOptions = {},
  ): Promise<HandDrivenPeer> {
    const { answerer: request } = meetingByFile(folder);
    if (request.signal !== "file") throw new Error("unreachable");
    const { expectIdentity, proves = true, silent = false } = options;
    await daemon.pair({ ...request, ...(expectIdentity === undefined ? {} : { expectIdentity }) });
    const { signal } = new AbortController();
    const { identity = newIdentity() } = options;
    const secrets = new DescriptionSecrets(identity.publicKey, random);
    const { publicKey, commitment } = secrets;
    const offering = await network.connector.offer({ scope: "lan", signal });
    const { sdp } = offering.offer.description;
    const route = { from: "mallory", to: "bob", peerCode: "mallory" } as const;
    const bound = proves ? { commitment } : {};
    const offer = { type: "offer", sdp, publicKey, ...bound, ...route } as const;
    let said: unknown;
    const answers = new SignalFileWatcher({
      path: request.answer,
      kind: "answer",
      parse: (text) => {
        said = JSON.parse(text);
        return parseWebSignal(said);
      },
    });
    await publishSignalFile(request.offer, "offer", JSON.stringify(encodeWebSignal(offer)), {
      signal,
    });
    const { value: answer } = await answers.next({ signal });
    if (answer.type !== "answer") throw new Error("the daemon's file holds no answer");
    await offering.connect(
      { description: { sdpType: "answer", sdp: answer.sdp }, candidates: [] },
      signal,
    );
    const remoteEphemeral = answer.publicKey;
    const proof = {
      role: "offerer",
      identitySecret: identity.secretKey,
      nonce: secrets.nonce,
      commitment,
      remoteCommitment: answer.commitment,
    } as const;
    const path = lastOf(network);
    const peer = new HandDrivenPeer({
      ...{ path, channel: path.offerer },
      identity,
      ephemeral: secrets.ephemeral,
      remoteEphemeral,
      ...(proves ? { proof } : {}),
      peerKind: "daemon",
      signal: said,
    });
    return silent ? peer : await peer.#shakeHands();
  }

  /**
   * Answers a daemon at a rendezvous server as a web client does, and shakes hands.
   *
   * @param lost Told of the first channels, whose browser loses the HELLO: nothing is said there.
   */
  static async meetAsWebClient(
    network: { readonly connector: Connector },
    url: string,
    daemon: DaemonUnderTest,
    identity: KeyPair<"identity"> = newIdentity(),
    lost: readonly ((channel: Channel) => void)[] = [],
  ): Promise<HandDrivenPeer> {
    await using relay = await RelayPeer.register(url, "web");
    await askForWebClient(daemon, url);
    for (const onLost of lost) onLost((await answerAsWebClient(network, relay, identity)).channel);
    return await new HandDrivenPeer(await answerAsWebClient(network, relay, identity))
      .#shakeHands();
  }

  /** The path between it and the daemon, where that is in memory. */
  get path(): MemoryPair {
    if (this.#path === undefined) throw new Error("the path is a real one");
    return this.#path;
  }

  async #shakeHands(): Promise<this> {
    this.#peer.start();
    await this.#established.promise;
    return this;
  }

  /**
   * Is let in by the daemon, and lets it in.
   *
   * @param more What else the decision says.
   */
  async befriend(
    daemon: DaemonUnderTest,
    decision: "allow_always" | "allow_once" = "allow_always",
    more: Pick<PairingDecision, "acceptFiles"> = {},
  ): Promise<SessionView> {
    // Of the sessions in which this identity is proven or claimed, this one.
    const { sas } = await this.#established.promise;
    const { pairing } = await daemon.event(
      "pairing-requested",
      ({ pairing }) => pairing.identity === this.identity && pairing.sas === sas,
    );
    const { pairingId, sessionId } = pairing;
    const unproven = !pairing.proven;
    await daemon.client.decidePairing(pairingId, { decision, unproven, ...more });
    const { session } = await daemon.event(
      "session-opened",
      ({ session }) => session.sessionId === sessionId,
    );
    this.approve();
    return session;
  }

  /** Lets the daemon in. */
  approve(): void {
    this.#peer.approve({
      onTransferEvent: (event) => this.#hear(event),
      backpressure: () => undefined,
    });
  }

  /** Calls its transfers. */
  act(call: Parameters<PeerSession["act"]>[0]): void {
    this.#peer.act(call);
  }

  /** Offers a file. Gives its id on the wire. */
  offer(file: Described): TransferId {
    let id: TransferId | undefined;
    this.#peer.act((transfers: Transfers, now) => {
      const { transferId, effects } = transfers.offer(file, now);
      id = transferId;
      return effects;
    });
    if (id === undefined) throw new Error("the session is not open");
    return id;
  }

  /** Sends the next chunk of an accepted file, or nothing when that can't be now. */
  sendChunk(id: TransferId, bytes: (length: number) => Uint8Array<ArrayBuffer>): void {
    this.#peer.act((transfers, now) => {
      const next = transfers.nextChunk(id);
      return next === undefined ? [] : transfers.sendChunk(id, bytes(next.length), now);
    });
  }

  /**
   * Sends a whole file at once, as a web client does: what answers come is not looked at. Gives its
   * id on the wire.
   *
   * @param as The id that it is to have. @default {a fresh one}
   */
  sendWhole(filename: string, bytes: Uint8Array<ArrayBuffer>, as?: TransferId): TransferId {
    const { length: size } = bytes;
    const fileHash = sha256(bytes);
    const named = as === undefined ? {} : { transferId: as };
    const id = this.offer({ filename, size, fileHash, chunkSize: WEB_CHUNK_BYTES, ...named });
    for (let sent = 0; sent < size; sent += WEB_CHUNK_BYTES) {
      this.sendChunk(id, (length) => bytes.subarray(sent, sent + length));
    }
    return id;
  }

  /** Says that it cancels a transfer, or that its own code ended it: for one that has ended too. */
  refuse(id: TransferId, code?: WireErrorCode): void {
    this.#peer.act((transfers) => {
      if (!(transfers instanceof TransferTable)) throw new Error("unreachable");
      // CONNECTION_LOST is never said: a plain cancel takes its place.
      transfers.refuse(id, new ProtocolError(code ?? "CONNECTION_LOST", "refused by hand"));
      return transfers.drain();
    });
  }

  /** Ends the session in order. */
  close(): void {
    this.#peer.close();
  }

  /** Ends the session with a code. */
  fail(code: WireErrorCode): void {
    this.#peer.fail(code, "failed by hand");
  }

  /** The next event of that type, or past ones that no wait has taken. */
  async event<T extends TransferEvent["type"]>(
    type: T,
  ): Promise<Extract<TransferEvent, { type: T }>> {
    for (;;) {
      const at = this.#events.findIndex((event) => event.type === type);
      const [found] = at < 0 ? [] : this.#events.splice(at, 1);
      if (found !== undefined) return found as Extract<TransferEvent, { type: T }>;
      await this.#wake.promise;
    }
  }

  /** Resolves with how the session ended. */
  get ended(): Promise<SessionEnd> {
    return this.#peer.ended;
  }

  #hear(event: TransferEvent): void {
    this.#events.push(event);
    this.onEvent?.(event);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#peer[Symbol.asyncDispose]();
  }
}
