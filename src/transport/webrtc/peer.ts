/**
 * One peer connection: ICE, DTLS and SCTP of the library put together by hand, without its session
 * descriptions, media, defaults and servers.
 *
 * @module
 */
import { isIP } from "node:net";
import {
  CipherContext,
  IceCandidate,
  RTCCertificate,
  RTCDtlsTransport,
  RTCIceGatherer,
  RTCIceParameters,
  RTCIceTransport,
} from "werift";
import { X509Certificate } from "node:crypto";
import { abortable } from "../../base/deadline.ts";
import { messageOf, TransportError } from "../../base/errors.ts";
import { type Candidate, formatCandidate } from "../../protocol/network_scope/candidate.ts";
import type { DataDescription, Fingerprint } from "../../protocol/network_scope/sdp.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import { PublicValue } from "../../protocol/crypto/public_value.ts";
import { sha256 } from "../../protocol/crypto/sha256.ts";
import type { CertificateDigest } from "../../protocol/identity/proven_identity.ts";
import type { ShownCertificates } from "../channel.ts";
import type { SendWindowOptions } from "../send_window.ts";
import { DataChannel } from "./data_channel.ts";
import { DatagramGate, type DatagramTap } from "./datagram_gate.ts";
import { DtlsHandshake } from "./dtls_handshake.ts";
import type { FastPath } from "./fast_path.ts";
import { IceAgent } from "./ice_agent.ts";
import { libraryLink } from "./dtls/library_link.ts";
import type { PacketLink } from "./dtls/packet_link.ts";
import { CONNECTION_SHAPE, type ConnectionInsides, insidesOf } from "./library.ts";
import { Association, type AssociationOptions, MAX_MESSAGE_SIZE } from "./sctp/association.ts";

/** ECDSA with SHA-256, by the numbers of RFC 5246, section 7.4.1.4.1. */
const SIGNATURE_HASH = { hash: 4, signature: 3 } as const;
const SECP256R1 = 23;

/** Of our first candidate; each further one stands a local preference lower (RFC 8445, 5.1.2.1). */
const HOST_PRIORITY = 2 ** 24 * 126 + 2 ** 8 * 65535 + 255;

interface DtlsTransportInsides {
  setState(state: "connecting" | "connected"): void;
}

/** Where tests and measurements, and a faster path, get at a connection. */
export interface PeerHooks {
  /** Loses or watches datagrams. */
  readonly tap?: DatagramTap;
  /** Put into each connection. */
  readonly fastPath?: FastPath;
  /** Watches or changes the packets between SCTP and DTLS. */
  readonly packetTap?: (link: PacketLink) => PacketLink;
  /** Bounds of the channel. */
  readonly bounds?: SendWindowOptions & { readonly receive?: AssociationOptions["window"] };
  /** Our certificate. @default {a new one for each connection} */
  readonly certificate?: RTCCertificate;
  /** First SCTP sequence number. @default {a random one far from a wrap} */
  readonly firstTsn?: number;
}

/** Options of a {@linkcode Peer}. */
export interface PeerOptions extends PeerHooks {
  /** The offerer controls ICE and opens the channel. */
  readonly role: "offerer" | "answerer";
  /** What every address must be inside of. */
  readonly scope: NetworkScope;
  /** Canonical addresses to offer, the likely ones first; all inside the scope. */
  readonly addresses: readonly string[];
}

/** What our own description says of the connection. */
export interface LocalParameters {
  /** Our ICE user name fragment. */
  readonly iceUfrag: string;
  /** Our ICE password; a secret until it is signaled. */
  readonly icePwd: string;
  /** Digests of our certificate. */
  readonly fingerprints: readonly Fingerprint[];
  /** Our host candidates, inside the network scope. */
  readonly candidates: readonly Candidate[];
}

/** What the peer's description says, judged. */
export interface RemoteParameters {
  /** What it says. */
  readonly description: DataDescription;
  /** Those of its candidates that may be used. */
  readonly candidates: readonly Candidate[];
}

/** A connection to one peer, from gathering to its open channel. */
export class Peer {
  readonly #options: PeerOptions;
  readonly #ice: RTCIceTransport;
  readonly #dtls: RTCDtlsTransport;
  readonly #agent: IceAgent;
  readonly #gate: DatagramGate;
  /** From the DTLS handshake on. */
  #association: Association | undefined;
  readonly #certificate: RTCCertificate;
  #handshake: DtlsHandshake | undefined;
  readonly #failure = Promise.withResolvers<never>();
  readonly #opened = Promise.withResolvers<DataChannel>();
  #maxMessageSize = MAX_MESSAGE_SIZE;
  #channel: DataChannel | undefined;
  #handedOut = false;
  /** Whether the peer, as far as we know, still believes in the connection. */
  #isAlive = true;
  #closing: Promise<void> | undefined;

  private constructor(options: PeerOptions, certificate: RTCCertificate) {
    this.#options = options;
    this.#certificate = certificate;
    const gatherer = new RTCIceGatherer({
      useIpv4: false,
      useIpv6: false,
      additionalHostAddresses: oneOfEachFamily(options.addresses),
    });
    const { connection } = gatherer;
    // The library asks a public server where none is configured.
    delete connection.stunServer;
    const insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
    // Its own credentials are shorter than RFC 8445, section 5.3, asks for.
    connection.localUsername = randomIceString(8);
    connection.localPassword = randomIceString(32);
    insides.userHistory = { [connection.localUsername]: connection.localPassword };
    connection.iceControlling = options.role === "offerer";
    this.#agent = new IceAgent(connection, options.scope);
    this.#gate = new DatagramGate(connection, {
      scope: options.scope,
      onSocketError: () => {},
      ...(options.tap === undefined ? {} : { tap: options.tap }),
    });
    this.#ice = new RTCIceTransport(gatherer);
    this.#dtls = new RTCDtlsTransport({}, this.#ice, certificate);
    this.#failure.promise.catch(() => {});
  }

  /** Makes a certificate and opens a socket for each family of addresses. */
  static async gather(options: PeerOptions): Promise<Peer> {
    const peer = new Peer(options, options.certificate ?? await newCertificate());
    try {
      await peer.#ice.gather();
      // Without any address in scope no socket was asked for.
      const { refusal } = peer.#gate;
      if (refusal !== undefined && peer.local.candidates.length === 0) throw refusal;
      options.fastPath?.({
        iceTransports: [peer.#ice],
        dtlsTransports: [peer.#dtls],
        replays: () => peer.#handshake?.replays,
      });
    } catch (error) {
      await peer.close();
      throw error;
    }
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
      candidates: this.#options.addresses.flatMap((address, i): Candidate[] => {
        const socket = localCandidates.find(({ host }) => isIP(host) === isIP(address));
        // Without a socket the system has none of this family.
        if (socket === undefined) return [];
        const priority = HOST_PRIORITY - 256 * i;
        return [{ foundation: String(i + 1), priority, address, port: socket.port, type: "host" }];
      }),
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

  /** Checks also a candidate that came after the peer's description; it was judged before. */
  addCandidate(candidate: Candidate): void {
    const parsed = IceCandidate.fromJSON({ candidate: formatCandidate(candidate) });
    if (parsed !== undefined && this.#closing === undefined) this.#agent.addRemote(parsed);
  }

  async #connect(
    { description, candidates }: RemoteParameters,
    dtlsRole: "client" | "server",
    label: string,
  ): Promise<DataChannel> {
    // Of a full and a lite agent the full one controls (RFC 8445, section 6.1.1).
    if (description.iceLite) this.#ice.connection.iceControlling = true;
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
    const pair = await this.#agent.connect();
    // Closed in the meantime: the handshake would outlive the connection.
    if (this.#closing !== undefined) throw new Error("closed");
    if (!this.#gate.isPairAllowed(pair)) {
      throw new TransportError("SETUP_FAILED", "the path to the peer is outside the network scope");
    }
    this.#agent.watch(() => this.#fail(lostError()));
    const link = libraryLink(this.#dtls);
    const association = this.#associate(this.#options.packetTap?.(link) ?? link, description);
    await this.#startDtls(dtlsRole, description, link);
    if (this.#options.role === "offerer") {
      association.open(dtlsRole === "client" ? 0 : 1, label);
      association.start();
    }
    return await this.#opened.promise;
  }

  /** Puts SCTP on the link before anything can come from there. */
  #associate(link: PacketLink, { sctpPort }: DataDescription): Association {
    const { role, bounds, firstTsn } = this.#options;
    const association = new Association(link, {
      remotePort: sctpPort,
      peerOpens: role === "answerer",
      onOpen: (label) => this.#open(association, label),
      onMessage: (content) => this.#channel?.take(content),
      onChannelClosed: () => this.#onPeerClosed(),
      onEnd: (error) => error === undefined ? this.#onPeerClosed() : this.#fail(error),
      ...(bounds?.receive === undefined ? {} : { window: bounds.receive }),
      ...(firstTsn === undefined ? {} : { firstTsn }),
    });
    this.#association = association;
    return association;
  }

  async #startDtls(
    role: "client" | "server",
    { fingerprints }: DataDescription,
    link: PacketLink,
  ): Promise<void> {
    const { certPem, privateKey } = this.#certificate;
    const { connection } = this.#ice;
    const insides = insidesOf<DtlsTransportInsides>(this.#dtls, { setState: "function" });
    const handshake = new DtlsHandshake({
      role,
      fingerprints,
      certificate: { certPem, privateKey, signatureHash: SIGNATURE_HASH },
      send: (datagram) => connection.send(datagram),
      onData: (data) => this.#dtls.dataReceiver(data),
      onClosed: () => link.onClosed(),
    });
    this.#handshake = handshake;
    this.#dtls.role = role;
    this.#dtls.dtls = handshake.socket;
    connection.onData.subscribe((datagram) => handshake.receive(datagram));
    insides.setState("connecting");
    handshake.start();
    await handshake.completed;
    insides.setState("connected");
  }

  /** The channel is there in the turn in which it opens: its first messages follow. */
  #open(association: Association, label: string): void {
    this.#channel = new DataChannel(association, {
      ...this.#options.bounds,
      label,
      maxMessageSize: this.#maxMessageSize,
      certificates: this.#shownCertificates(),
      release: () => this.close(),
    });
    this.#opened.resolve(this.#channel);
  }

  #shownCertificates(): ShownCertificates {
    const remote = this.#handshake?.remoteCertificate ?? new Uint8Array();
    return {
      local: digestOf(new X509Certificate(this.#certificate.certPem).raw),
      remote: digestOf(remote),
    };
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
    this.#agent[Symbol.dispose]();
    await this.#association?.stop(this.#isAlive);
    this.#handshake?.[Symbol.dispose]();
    await this.#dtls.stop();
  }

  #fail(cause: unknown): void {
    const error = cause instanceof TransportError ? cause : new TransportError(
      "CHANNEL_LOST",
      `the connection failed: ${messageOf(cause) || "the peer broke the protocol"}`,
      { cause },
    );
    this.#isAlive = false;
    this.#channel?.end({ by: "failure", error });
    this.#failure.reject(error);
  }

  #onPeerClosed(): void {
    this.#isAlive = false;
    this.#channel?.onPeerClosed();
    this.#failure.reject(new TransportError("SETUP_FAILED", "the peer ended the connection"));
  }
}

function digestOf(der: Uint8Array): CertificateDigest {
  return new PublicValue("certificate-digest", sha256(der));
}

/**
 * The library binds each socket to all addresses of a family, and leaves it to the system from which
 * one a datagram goes out: so one socket serves every address of its family.
 */
function oneOfEachFamily(addresses: readonly string[]): string[] {
  return [4, 6].flatMap((family) =>
    addresses.filter((address) => isIP(address) === family).slice(0, 1)
  );
}

/** A fresh key and certificate: nobody can link two connections to one peer by it. */
async function newCertificate(): Promise<RTCCertificate> {
  const { certPem, keyPem, signatureHash } = await CipherContext
    .createSelfSignedCertificateWithKey(SIGNATURE_HASH, SECP256R1);
  return new RTCCertificate(keyPem, certPem, signatureHash);
}

function lostError(): TransportError {
  return new TransportError("CHANNEL_LOST", "the peer has not answered for 10 s");
}

/** 6 random bits a character, of the alphabet of RFC 8839, section 5.4. */
function randomIceString(length: number): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => alphabet[byte & 63])
    .join("");
}
