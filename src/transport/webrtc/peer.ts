/**
 * One peer connection: ICE, DTLS and SCTP put together, without the library's session descriptions,
 * media, defaults and servers.
 *
 * @module
 */
import { Candidate as IceCandidate, CipherContext, Connection, RTCCertificate } from "werift";
import { X509Certificate } from "node:crypto";
import { abortable } from "../../base/deadline.ts";
import { messageOf, TransportError } from "../../base/errors.ts";
import { systemReason } from "../../base/system_error.ts";
import { ADDRESS_LOOK_MS } from "../../base/timing.ts";
import { logFor } from "../../log/log.ts";
import { type Candidate, formatCandidate } from "../../protocol/network_scope/candidate.ts";
import type { DataDescription, Fingerprint } from "../../protocol/network_scope/sdp.ts";
import type { NetworkScope } from "../../protocol/network_scope/scope.ts";
import type { Role } from "../../protocol/signal/bundle.ts";
import { PublicValue } from "../../protocol/crypto/public_value.ts";
import { sha256 } from "../../protocol/crypto/sha256.ts";
import type { CertificateDigest } from "../../protocol/identity/proven_identity.ts";
import type { ChannelPath, ShownCertificates } from "../channel.ts";
import type { TransportChoice } from "../connector.ts";
import type { SendWindowOptions } from "../send_window.ts";
import { DataChannel } from "./data_channel.ts";
import { whyChosen } from "./ice/chosen_way.ts";
import { DatagramGate } from "./ice/datagram_gate.ts";
import { DtlsConnection } from "./dtls/dtls_connection.ts";
import type { PacketLink } from "./dtls/packet_link.ts";
import { MAX_CONTENT_BYTES } from "./dtls/record_layer.ts";
import { IceAgent } from "./ice/ice_agent.ts";
import { LocalSockets } from "./ice/local_sockets.ts";
import { NominatedPath } from "./ice/nominated_path.ts";
import { TcpConnections } from "./ice/tcp_connections.ts";
import type { BindAddress, DatagramTap, UdpSocket } from "./ice/udp_socket.ts";
import { CONNECTION_SHAPE, type ConnectionInsides, insidesOf } from "./library.ts";
import type { LibraryConnection, LibraryPair } from "./library.ts";
import { Association, type AssociationOptions, MAX_MESSAGE_SIZE } from "./sctp/association.ts";

/** ECDSA with SHA-256, by the numbers of RFC 5246, section 7.4.1.4.1. */
const SIGNATURE_HASH = { hash: 4, signature: 3 } as const;
const SECP256R1 = 23;

/** The parts of one connection below SCTP. */
export interface PeerParts {
  /** The library's ICE agent. */
  readonly connection: LibraryConnection;
  /** Its sockets. */
  readonly sockets: () => readonly UdpSocket[];
  /** Its TCP connections, where it makes and takes any. */
  readonly tcp: () => TcpConnections | undefined;
  /** What stands before both. */
  readonly gate: () => DatagramGate;
  /** DTLS, as soon as there is a path. */
  readonly dtls: () => DtlsConnection | undefined;
}

/** Where tests and measurements get at a connection. */
export interface PeerHooks {
  /** Loses or watches datagrams. */
  readonly tap?: DatagramTap;
  /** Watches or changes the packets between SCTP and DTLS. */
  readonly packetTap?: (link: PacketLink) => PacketLink;
  /** Told of each connection when its sockets are open, before anything is sent. */
  readonly inspect?: (parts: PeerParts) => void;
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
  readonly role: Role;
  /** What every address must be inside of. */
  readonly scope: NetworkScope;
  /** Our addresses inside the scope, the likely ones first: asked again when the path is in doubt. */
  readonly addresses: () => readonly BindAddress[];
  /** What may carry the connection. @default {"udp"} */
  readonly transport?: TransportChoice;
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
  readonly #connection: LibraryConnection;
  readonly #path: NominatedPath;
  readonly #sockets: LocalSockets;
  readonly #agent: IceAgent;
  readonly #gate: DatagramGate;
  /** Absent where only UDP may carry the connection. */
  readonly #tcp: TcpConnections | undefined;
  /** From the DTLS handshake on. */
  #association: Association | undefined;
  readonly #certificate: RTCCertificate;
  /** SHA-256 of its DER. */
  readonly #digest: Uint8Array;
  #dtls: DtlsConnection | undefined;
  readonly #failure = Promise.withResolvers<never>();
  readonly #opened = Promise.withResolvers<DataChannel>();
  #maxMessageSize = MAX_MESSAGE_SIZE;
  #channel: DataChannel | undefined;
  #handedOut = false;
  /** Whether the peer, as far as we know, still believes in the connection. */
  #isAlive = true;
  #closing: Promise<void> | undefined;
  /** When the machine's addresses were looked at for a refusal. */
  #lookedAt = -Infinity;

  private constructor(options: PeerOptions, certificate: RTCCertificate) {
    this.#options = options;
    this.#certificate = certificate;
    this.#digest = sha256(new X509Certificate(certificate.certPem).raw);
    const connection = new Connection(options.role === "offerer", {});
    this.#connection = connection;
    // The library asks a public server where none is configured.
    delete connection.stunServer;
    const insides = insidesOf<ConnectionInsides>(connection, CONNECTION_SHAPE);
    // Its own credentials are shorter than RFC 8445, section 5.3, asks for.
    connection.localUsername = randomIceString(8);
    connection.localPassword = randomIceString(32);
    insides.userHistory = { [connection.localUsername]: connection.localPassword };
    this.#agent = new IceAgent(connection, options.scope);
    this.#gate = new DatagramGate(connection, {
      scope: options.scope,
      onDatagram: (datagram) => this.#path.onDatagram(datagram),
      isNominated: (pair) => this.#agent.isNominated(pair),
    });
    this.#sockets = new LocalSockets(connection, {
      onSocket: (protocol, socket) => this.#gate.guard(protocol, socket),
      onFailure: (error) => this.#fail(error),
      onRefused: () => this.#onRefused(),
      ...(options.tap === undefined ? {} : { tap: options.tap }),
    });
    if (options.transport !== undefined && options.transport !== "udp") {
      this.#tcp = new TcpConnections(connection, {
        gate: this.#gate,
        onPair: () => this.#agent.reconsider(),
        onFailed: () => this.#agent.reconsider(),
        onLost: (reason) => this.#fail(brokenError(reason)),
      });
    }
    this.#path = new NominatedPath(connection, {
      socketOf: (protocol) => this.#sockets.socketOf(protocol) ?? this.#tcp?.linkOf(protocol),
      onAuthentic: () => this.#agent.heard(),
    });
    this.#failure.promise.catch(() => {});
  }

  /** Makes a certificate, and opens a socket and listens on each address, as the transport allows. */
  static async gather(options: PeerOptions): Promise<Peer> {
    const peer = new Peer(options, options.certificate ?? await newCertificate());
    try {
      const addresses = options.addresses();
      if (options.transport !== "tcp") peer.#sockets.open(addresses);
      peer.#tcp?.listen(addresses);
      options.inspect?.({
        connection: peer.#connection,
        sockets: () => peer.#sockets.all,
        tcp: () => peer.#tcp,
        gate: () => peer.#gate,
        dtls: () => peer.#dtls,
      });
    } catch (error) {
      await peer.close();
      throw error;
    }
    return peer;
  }

  /** What our description must say. */
  get local(): LocalParameters {
    const { localUsername, localPassword } = this.#connection;
    return {
      iceUfrag: localUsername,
      icePwd: localPassword,
      fingerprints: [fingerprintOf(this.#digest)],
      candidates: [
        ...this.#sockets.offered.map((offered) => ({ ...offered, transport: "udp" as const })),
        ...(this.#tcp?.offered ?? []).map((offered) => ({ ...offered, transport: "tcp" as const })),
      ].map((offered, i) => ({ ...offered, foundation: String(i + 1), type: "host" })),
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
    if (this.#closing === undefined) this.#addRemote([candidate]);
  }

  async #connect(
    { description, candidates }: RemoteParameters,
    dtlsRole: "client" | "server",
    label: string,
  ): Promise<DataChannel> {
    // Of a full and a lite agent the full one controls (RFC 8445, section 6.1.1).
    if (description.iceLite) this.#connection.iceControlling = true;
    this.#connection.setRemoteParams({
      iceLite: description.iceLite,
      usernameFragment: description.iceUfrag,
      password: description.icePwd,
    });
    const { transport } = this.#options;
    const isTcp = candidates.some((candidate) => candidate.transport === "tcp");
    const usesTcp = this.#tcp !== undefined && (isTcp || transport === "tcp");
    this.#agent.nominateOne(() => usesTcp && this.#tcp?.mayConnect === true);
    if (!usesTcp) await this.#tcp?.close();
    this.#addRemote(candidates);
    this.#maxMessageSize = Math.min(description.maxMessageSize, MAX_MESSAGE_SIZE);
    const pair = await this.#agent.connect();
    // Closed in the meantime: the handshake would outlive the connection.
    if (this.#closing !== undefined) throw new Error("closed");
    if (!this.#gate.isPairAllowed(pair)) {
      throw new TransportError("SETUP_FAILED", "the path to the peer is outside the network scope");
    }
    this.#settle(pair, description);
    this.#tellChoice(isTcp);
    const dtls = this.#secure(dtlsRole, description);
    const association = this.#associate(this.#options.packetTap?.(dtls) ?? dtls, description);
    await dtls.connect();
    if (this.#options.role === "offerer") {
      association.open(dtlsRole === "client" ? 0 : 1, label);
      association.start();
    }
    return await this.#opened.promise;
  }

  #addRemote(candidates: readonly Candidate[]): void {
    const ofTransport = (wanted: "udp" | "tcp") =>
      candidates.filter(({ transport }) => transport === wanted);
    if (this.#options.transport !== "tcp") {
      for (const candidate of ofTransport("udp")) {
        this.#agent.addRemote(libraryCandidate(candidate));
      }
    }
    this.#tcp?.connect(ofTransport("tcp"));
  }

  /** The pair is chosen: what it does not need goes. */
  #settle(pair: LibraryPair, { maxRecord }: DataDescription): void {
    const onGone = () => this.#fail(lostError());
    const link = this.#tcp?.settle(pair.protocol);
    if (link === undefined) {
      return this.#agent.watch({
        onDoubt: () => this.#renewSockets(),
        onMove: () => this.#association?.onPathChange(),
        onGone,
      });
    }
    this.#sockets.closeAll();
    // Other stacks take what a datagram has, and acknowledge as over UDP.
    this.#path.useConnection(link, maxRecord >= MAX_CONTENT_BYTES);
    this.#agent.watchLink(pair, link, onGone);
  }

  /** Puts DTLS on the path. */
  #secure(role: "client" | "server", { fingerprints }: DataDescription): DtlsConnection {
    const { certPem, privateKey } = this.#certificate;
    return this.#dtls = new DtlsConnection(this.#path, {
      role,
      fingerprints,
      certificate: { certPem, privateKey, signatureHash: SIGNATURE_HASH },
    });
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

  /** A datagram was refused: the address that it was to go out from may have gone. */
  #onRefused(): void {
    const now = performance.now();
    if (now - this.#lookedAt < ADDRESS_LOOK_MS || this.#closing !== undefined) return;
    this.#lookedAt = now;
    const addresses = this.#currentAddresses();
    if (addresses !== undefined && this.#sockets.hasLost(addresses)) this.#agent.suspect();
  }

  /** This machine may have other addresses now than when the connection was made. */
  #renewSockets(): void {
    const addresses = this.#currentAddresses();
    if (addresses !== undefined && this.#sockets.renew(addresses)) this.#agent.pair();
  }

  /** Undefined when the system does not tell them. */
  #currentAddresses(): readonly BindAddress[] | undefined {
    try {
      return this.#options.addresses();
    } catch (error) {
      const reason = messageOf(error);
      logFor("transport").debug("the machine's addresses can't be listed", { reason });
      return undefined;
    }
  }

  /** The channel is there in the turn in which it opens: its first messages follow. */
  #open(association: Association, label: string): void {
    this.#channel = new DataChannel(association, {
      ...this.#options.bounds,
      label,
      maxMessageSize: this.#maxMessageSize,
      certificates: this.#shownCertificates(),
      path: () => this.#currentPath,
      release: () => this.close(),
    });
    this.#opened.resolve(this.#channel);
  }

  get #currentPath(): ChannelPath | undefined {
    const { nominated } = this.#connection;
    if (nominated === undefined) return undefined;
    const { protocol, localCandidate, remoteAddr } = nominated;
    const link = this.#tcp?.linkOf(protocol);
    // A candidate of the end that connects has no port.
    const port = link?.address.port ?? localCandidate.port;
    return {
      transport: link === undefined ? "udp" : "tcp",
      local: literal(localCandidate.host, port),
      remote: literal(...remoteAddr),
    };
  }

  /** Once: which pair was chosen, and why. */
  #tellChoice(isTcpOffered: boolean): void {
    const path = this.#currentPath;
    if (path === undefined) return;
    const why = whyChosen({
      allowed: this.#options.transport ?? "udp",
      transport: path.transport,
      isTcpOffered,
      isControlling: this.#connection.iceControlling,
    });
    logFor("transport").info("the way to the peer is chosen", { ...path, why });
  }

  #shownCertificates(): ShownCertificates {
    const remote = this.#dtls?.remoteCertificate ?? new Uint8Array();
    return { local: digestOf(this.#digest), remote: digestOf(sha256(remote)) };
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
    this.#dtls?.close();
    await this.#tcp?.close();
    await this.#connection.close();
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

function digestOf(sha256Digest: Uint8Array): CertificateDigest {
  return new PublicValue("certificate-digest", sha256Digest);
}

/** As descriptions have it (RFC 8122, section 5). */
function fingerprintOf(sha256Digest: Uint8Array): Fingerprint {
  const digest = sha256Digest.toHex().toUpperCase().replace(/..(?=.)/g, "$&:");
  return { hash: "sha-256", digest };
}

/** A candidate in the form that the library's agent pairs. */
function libraryCandidate(candidate: Candidate): IceCandidate {
  return IceCandidate.fromSdp(formatCandidate(candidate).replace(/^candidate:/, ""));
}

/** A fresh key and certificate: nobody can link two connections to one peer by it. */
async function newCertificate(): Promise<RTCCertificate> {
  const { certPem, keyPem, signatureHash } = await CipherContext
    .createSelfSignedCertificateWithKey(SIGNATURE_HASH, SECP256R1);
  return new RTCCertificate(keyPem, certPem, signatureHash);
}

function brokenError(cause: unknown): TransportError {
  const why = systemReason(cause) ?? messageOf(cause);
  return new TransportError("CHANNEL_LOST", `the connection to the peer is lost: ${why}`, {
    cause,
  });
}

function literal(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
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
