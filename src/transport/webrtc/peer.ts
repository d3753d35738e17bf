/**
 * One peer connection: ICE, DTLS and SCTP of the library put together by hand, without its session
 * descriptions, media, defaults and servers.
 *
 * @module
 */
import {
  CipherContext,
  IceCandidate,
  RTCCertificate,
  type RTCDataChannel,
  RTCDtlsFingerprint,
  RTCDtlsParameters,
  RTCDtlsTransport,
  RTCIceGatherer,
  RTCIceParameters,
  RTCIceTransport,
} from "werift";
import { abortable } from "../../base/deadline.ts";
import { messageOf, TransportError } from "../../base/errors.ts";
import {
  type Candidate,
  canonicalAddress,
  formatCandidate,
} from "../../protocol/network_scope/candidate.ts";
import type { DataDescription, Fingerprint } from "../../protocol/network_scope/sdp.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { ChannelEnd } from "../channel.ts";
import { Association, MAX_MESSAGE_SIZE } from "./association.ts";
import { DataChannel } from "./data_channel.ts";
import { DatagramGate, type DatagramTap } from "./datagram_gate.ts";
import { CONNECTION_SHAPE, type ConnectionInsides, insidesOf } from "./library.ts";

/** Options of a {@linkcode Peer}. */
export interface PeerOptions {
  readonly role: "offerer" | "answerer";
  readonly scope: NetworkScope;
  /** Addresses to listen on; all inside the scope. */
  readonly addresses: readonly string[];
  readonly tap?: DatagramTap;
}

/** What our own description says of the connection. */
export interface LocalParameters {
  readonly iceUfrag: string;
  readonly icePwd: string;
  readonly fingerprints: readonly Fingerprint[];
  readonly candidates: readonly Candidate[];
}

/** What the peer's description says, judged. */
export interface RemoteParameters {
  readonly description: DataDescription;
  readonly candidates: readonly Candidate[];
}

/** A connection to one peer, from gathering to its open channel. */
export class Peer {
  readonly #options: PeerOptions;
  readonly #ice: RTCIceTransport;
  readonly #dtls: RTCDtlsTransport;
  readonly #gate: DatagramGate;
  readonly #association: Association;
  readonly #failure = Promise.withResolvers<never>();
  readonly #opened = Promise.withResolvers<DataChannel>();
  #maxMessageSize = MAX_MESSAGE_SIZE;
  #channel: DataChannel | undefined;
  #handedOut = false;
  #closing: Promise<void> | undefined;

  private constructor(options: PeerOptions, certificate: RTCCertificate) {
    this.#options = options;
    const gatherer = new RTCIceGatherer({
      useIpv4: false,
      useIpv6: false,
      additionalHostAddresses: [...options.addresses],
    });
    const { connection } = gatherer;
    // The library asks a public server when it is told to ask none.
    delete connection.stunServer;
    const insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
    // Its own credentials are shorter than RFC 8445, section 5.3, asks for.
    connection.localUsername = randomIceString(8);
    connection.localPassword = randomIceString(32);
    insides.userHistory = { [connection.localUsername]: connection.localPassword };
    connection.iceControlling = options.role === "offerer";
    this.#gate = new DatagramGate(connection, {
      scope: options.scope,
      onSocketError: () => {},
      ...(options.tap === undefined ? {} : { tap: options.tap }),
    });
    this.#ice = new RTCIceTransport(gatherer);
    this.#dtls = new RTCDtlsTransport({}, this.#ice, certificate);
    this.#association = new Association(this.#dtls, {
      onFailure: (error) => this.#fail(error),
      onChannel: (channel) => this.#adopt(channel),
      onClosed: () => this.#onEnd({ by: "remote" }),
    });
    this.#failure.promise.catch(() => {});
  }

  /** Makes a certificate and opens a socket for each address. */
  static async gather(options: PeerOptions): Promise<Peer> {
    const { certPem, keyPem, signatureHash } = await CipherContext
      .createSelfSignedCertificateWithKey({ hash: 4, signature: 3 }, 23);
    const peer = new Peer(options, new RTCCertificate(keyPem, certPem, signatureHash));
    await peer.#ice.gather();
    return peer;
  }

  /** What our description must say. */
  get local(): LocalParameters {
    const { localUsername, localPassword, localCandidates } = this.#ice.connection;
    return {
      iceUfrag: localUsername,
      icePwd: localPassword,
      fingerprints: this.#dtls.localParameters.fingerprints.map(({ value }) => ({
        hash: "sha-256",
        digest: value.toUpperCase(),
      })),
      candidates: localCandidates.map((candidate, i) => ({
        foundation: String(i + 1),
        priority: candidate.priority,
        address: canonicalAddress(candidate.host),
        port: candidate.port,
        type: "host",
      })),
    };
  }

  /** Connects. Resolves with the open channel; on failure nothing is left. */
  async connect(
    remote: RemoteParameters,
    dtlsRole: "client" | "server",
    label: string,
    signal: AbortSignal,
  ): Promise<DataChannel> {
    try {
      const setup = this.#connect(remote, dtlsRole, label);
      const channel = await abortable(Promise.race([setup, this.#failure.promise]), signal);
      this.#handedOut = true;
      return channel;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #connect(
    { description, candidates }: RemoteParameters,
    dtlsRole: "client" | "server",
    label: string,
  ): Promise<DataChannel> {
    const { connection } = this.#ice;
    this.#ice.setRemoteParams(
      new RTCIceParameters({
        iceLite: description.iceLite,
        usernameFragment: description.iceUfrag,
        password: description.icePwd,
      }),
    );
    for (const candidate of candidates) {
      const parsed = IceCandidate.fromJSON({ candidate: formatCandidate(candidate) });
      if (parsed !== undefined) await this.#ice.addRemoteCandidate(parsed);
    }
    this.#maxMessageSize = Math.min(description.maxMessageSize, MAX_MESSAGE_SIZE);
    this.#dtls.role = dtlsRole;
    this.#dtls.setRemoteParams(
      new RTCDtlsParameters(
        description.fingerprints.map(({ hash, digest }) => new RTCDtlsFingerprint(hash, digest)),
        dtlsRole === "client" ? "server" : "client",
      ),
    );
    await this.#ice.start();
    const pair = connection.nominated;
    if (pair === undefined || !this.#gate.isPairAllowed(pair)) {
      throw new TransportError("SETUP_FAILED", "the path to the peer is outside the network scope");
    }
    await this.#dtls.start();
    this.#association.transport.setRemoteMaxMessageSize(this.#maxMessageSize);
    if (this.#options.role === "offerer") this.#adopt(this.#association.open(label));
    await this.#association.transport.start(description.sctpPort);
    return await this.#opened.promise;
  }

  /** Takes a channel over in the turn in which it appears: later its first messages are lost. */
  #adopt(inner: RTCDataChannel): void {
    if (this.#channel !== undefined) return;
    const channel = new DataChannel(inner, this.#association, {
      maxMessageSize: this.#maxMessageSize,
      release: () => this.close(),
    });
    this.#channel = channel;
    inner.stateChanged.subscribe((state) => {
      if (state === "open") this.#opened.resolve(channel);
    });
  }

  /** Closes what has no channel yet: an open channel belongs to whoever asked for it. */
  async release(): Promise<void> {
    if (!this.#handedOut) await this.close();
  }

  /** Closes everything; resolves when nothing is left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#channel?.end({ by: "local" });
    await this.#association.stop();
    await this.#dtls.stop();
  }

  #fail(cause: unknown): void {
    const error = cause instanceof TransportError
      ? cause
      : new TransportError("CHANNEL_LOST", `the connection failed: ${messageOf(cause)}`, { cause });
    this.#onEnd({ by: "failure", error });
  }

  #onEnd(end: ChannelEnd): void {
    this.#channel?.end(end);
    this.#failure.reject(
      end.error ?? new TransportError("SETUP_FAILED", "the peer ended the connection"),
    );
  }
}

/** Letters and digits, 62 of them: near enough to 6 bits each. */
function randomIceString(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => alphabet[byte & 63])
    .join("");
}
