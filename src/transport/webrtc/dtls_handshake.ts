/**
 * The DTLS handshake, made reliable and proven.
 *
 * The library's own handshake takes records as they come: lost, repeated or reordered ones make it
 * compute wrong secrets, restart, or fail; it retransmits with the same record numbers, which others
 * drop as replays; it reuses a nonce; it obeys plaintext alerts; and it believes a certificate
 * whose key the peer never proved to own. So records are read here. The library gets each handshake
 * message once, whole, in order, after it passed the checks, and hands its flights to us, who
 * retransmit them (RFC 6347, section 4.2.4).
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { DtlsClient, DtlsServer } from "werift";
import { messageOf, TransportError } from "../../base/errors.ts";
import { DTLS_ANSWER_INTERVAL_MS, DTLS_RETRANSMIT } from "../../base/timing.ts";
import { equalBytes } from "../../protocol/crypto/constant_time.ts";
import type { Fingerprint } from "../../protocol/network_scope/sdp.ts";
import {
  isCertificateVerifyProven,
  isFinishedProven,
  isServerKeyExchangeProven,
  matchesFingerprint,
} from "./dtls_proof.ts";
import {
  CONTENT,
  type DtlsRecord,
  HANDSHAKE,
  HandshakeAssembler,
  type HandshakeMessage,
  readRecords,
  writeMessage,
  writeRecord,
} from "./dtls_records.ts";
import { insidesOf } from "./library.ts";
import { ReplayWindow } from "./replay_window.ts";

/** Options of a {@linkcode DtlsHandshake}. */
export interface DtlsHandshakeOptions {
  /** Ours; the client begins. */
  readonly role: "client" | "server";
  /** What the peer's certificate must match. */
  readonly fingerprints: readonly Fingerprint[];
  /** Ours, with its key in PEM, and what it signs with (RFC 5246, section 7.4.1.4.1). */
  readonly certificate: {
    readonly certPem: string;
    readonly privateKey: string;
    readonly signatureHash: { readonly hash: 4; readonly signature: 1 | 3 };
  };
  /** Sends a datagram to the peer. */
  readonly send: (datagram: Buffer) => Promise<void>;
  /** Told of the content of each application record, once the peer is proven. */
  readonly onData: (data: Buffer) => void;
  /** Told when the peer closes DTLS, or breaks it off. */
  readonly onClosed: () => void;
}

interface Handshake {
  readonly msg_type: number;
  readonly message_seq: number;
  readonly length: number;
  readonly fragment_offset: number;
  readonly fragment_length: number;
  readonly fragment: Buffer;
  readonly summary: object;
  serialize(): Buffer;
}

interface RecordHeader {
  readonly type: number;
  readonly version: number;
  readonly epoch: number;
  readonly sequenceNumber: number;
}

interface Cipher {
  encrypt(sessionType: number, data: Buffer, header: RecordHeader): Buffer;
  decrypt(sessionType: number, data: Buffer, header: RecordHeader): Buffer;
}

interface ContextInsides {
  readonly cookie?: Buffer;
  readonly sortedHandshakeCache: readonly { serialize(): Buffer }[];
  recordSequenceNumber: number;
}

interface CipherInsides {
  readonly sessionType: number;
  readonly localRandom: { serialize(): Buffer };
  readonly remoteRandom: { serialize(): Buffer };
  readonly remoteCertificate?: Uint8Array;
  readonly masterSecret: Buffer;
  readonly cipher?: Cipher;
}

interface SocketInsides {
  readonly dtls: ContextInsides;
  readonly cipher: CipherInsides;
  onHandleHandshakes: (messages: Handshake[]) => Promise<void>;
}

type DtlsTransport = ConstructorParameters<typeof DtlsServer>[0]["transport"];

interface FlightInsides {
  readonly dtls: object;
  readonly nextFlight?: number;
  transmit(records: Buffer[]): Promise<void>;
}

const DTLS_1_2 = 0xfefd;
/** Room that is safe on every path, less what UDP and IPv6 take (RFC 8200, section 5). */
const MAX_DATAGRAM = 1200;
/** A forger may be quicker than the peer; a peer that fails this often is the forger. */
const MAX_FALSE_PROOFS = 3;
/** Protected records that wait for the keys. */
const MAX_EARLY_RECORDS = 8;
/** Nonce and tag of an AES-GCM record. */
const PROTECTION_LENGTH = 24;
const ALERT_CLOSE_NOTIFY = 0;
const ALERT_FATAL = 2;

/** Which message may follow which (RFC 5246, section 7.3; RFC 6347, section 4.2). */
const H = HANDSHAKE;
const FOLLOWERS: Record<"client" | "server", ReadonlyMap<number, readonly number[]>> = {
  client: new Map([
    [0, [H.helloVerifyRequest, H.serverHello]],
    [H.helloVerifyRequest, [H.serverHello]],
    [H.serverHello, [H.certificate]],
    [H.certificate, [H.serverKeyExchange]],
    // Both sides show a certificate (RFC 8827, section 6.5).
    [H.serverKeyExchange, [H.certificateRequest]],
    [H.certificateRequest, [H.serverHelloDone]],
    [H.serverHelloDone, [H.finished]],
  ]),
  server: new Map([
    [0, [H.clientHello]],
    [H.clientHello, [H.clientHello, H.certificate]],
    [H.certificate, [H.clientKeyExchange]],
    [H.clientKeyExchange, [H.certificateVerify]],
    [H.certificateVerify, [H.finished]],
  ]),
};

/** Handshakes by the library's context object, which its flights know. */
const handshakes = new WeakMap<object, DtlsHandshake>();
let flightsAreOurs = false;

/** A handshake, and the protected records after it. */
export class DtlsHandshake implements Disposable {
  /** The library's socket; it sends application data. */
  readonly socket: DtlsClient | DtlsServer;
  /** Resolves when both sides are proven. */
  readonly completed: Promise<void>;
  /** DER of the certificate that the peer showed, whose key it holds; empty before completion. */
  get remoteCertificate(): Uint8Array {
    return this.#state === "running" ? new Uint8Array() : this.#certificate;
  }

  /** Which protected records have been received, here or by whoever else opens some. */
  readonly replays: ReplayWindow = new ReplayWindow();
  readonly #options: DtlsHandshakeOptions;
  readonly #insides: SocketInsides;
  readonly #completion = Promise.withResolvers<void>();
  readonly #assembler = new HandshakeAssembler();
  #state: "running" | "completed" | "over" = "running";
  #last = 0;
  #delivering = false;
  /** How many messages the library has taken. */
  #accepted = 0;
  #firstHello: Uint8Array = new Uint8Array();
  #certificate: Uint8Array = new Uint8Array();
  #early: DtlsRecord[] = [];
  #falseProofs = 0;
  /** Our last flight: its records' contents, to be numbered anew each time. */
  #flight: Omit<DtlsRecord, "sequence">[] = [];
  #plainSequence = 0;
  #retransmitTimer: ReturnType<typeof setTimeout> | undefined;
  #sentAt = -Infinity;

  /** Makes the socket; nothing is sent before {@linkcode start}. */
  constructor(options: DtlsHandshakeOptions) {
    takeOverFlights();
    this.#options = options;
    this.completed = this.#completion.promise;
    this.completed.catch(() => {});
    const { certPem, privateKey, signatureHash } = options.certificate;
    const socketOptions = {
      cert: certPem,
      key: privateKey,
      signatureHash,
      transport: inertTransport((datagram) => this.#sendByLibrary(datagram)),
      extendedMasterSecret: true,
    };
    this.socket = options.role === "client"
      ? new DtlsClient(socketOptions)
      : new DtlsServer({ ...socketOptions, certificateRequest: true });
    this.#insides = insidesOf<SocketInsides>(this.socket, {
      dtls: "object",
      cipher: "object",
      onHandleHandshakes: "function",
    });
    insidesOf(this.#insides.dtls, {
      sortedHandshakeCache: "object",
      recordSequenceNumber: "number",
    });
    insidesOf(this.#insides.cipher, { sessionType: "number" });
    handshakes.set(this.#insides.dtls, this);
  }

  /** Begins; a server waits for the client. */
  start(): void {
    if (this.socket instanceof DtlsClient) {
      this.socket.connect().catch((cause) => this.#fail(cause));
    }
  }

  /** Takes a datagram from the peer. */
  receive(datagram: Uint8Array): void {
    if (this.#state === "over") return;
    for (const record of readRecords(datagram)) {
      if (record.epoch === 1) this.#receiveProtected(record);
      else if (record.epoch === 0 && this.#state === "running") this.#receivePlain(record);
      // Nothing that is not protected counts after the handshake. In it, an alert proves nothing:
      // if the peer meant it, the handshake does not go on, and a deadline ends it.
    }
  }

  /** Stops retransmitting; nothing is received any more. */
  [Symbol.dispose](): void {
    this.#state = "over";
    clearTimeout(this.#retransmitTimer);
    this.#early = [];
    this.#completion.reject(
      new TransportError("SETUP_FAILED", "the connection was closed while it was being made"),
    );
  }

  /** Sends a flight of the library's, and again until the peer has answered it. */
  transmit(records: readonly Buffer[], isLast: boolean): void {
    if (this.#state === "over") return;
    const parsed = records.flatMap((bytes) => [...readRecords(bytes)]);
    this.#flight = parsed.map((record) => this.#contentOf(record));
    clearTimeout(this.#retransmitTimer);
    this.#sendFlight();
    if (!isLast) this.#retransmitAfter(DTLS_RETRANSMIT.firstMs);
  }

  #contentOf({ type, epoch, sequence, fragment }: DtlsRecord): Omit<DtlsRecord, "sequence"> {
    if (epoch === 0) {
      this.#plainSequence = Math.max(this.#plainSequence, sequence);
      return { type, epoch, fragment };
    }
    // The one protected message of a flight is our Finished, the last of the transcript.
    const finished = this.#insides.dtls.sortedHandshakeCache.at(-1)?.serialize() ?? Buffer.of();
    return { type, epoch, fragment: finished };
  }

  #sendFlight(): void {
    this.#sentAt = performance.now();
    let datagram: Uint8Array[] = [];
    let length = 0;
    for (const content of this.#flight) {
      const record = this.#number(content);
      if (length + record.length > MAX_DATAGRAM && length > 0) {
        this.#send(datagram);
        [datagram, length] = [[], 0];
      }
      datagram.push(record);
      length += record.length;
    }
    if (length > 0) this.#send(datagram);
  }

  /**
   * A record with a number that was not used before: receivers drop repeated ones, and a nonce is
   * made of it. The library's own sealed Finished, whose number it uses again, never leaves.
   */
  #number({ type, epoch, fragment }: Omit<DtlsRecord, "sequence">): Uint8Array {
    if (epoch === 0) return writeRecord({ type, epoch, fragment, sequence: ++this.#plainSequence });
    const { dtls, cipher } = this.#insides;
    const sequence = ++dtls.recordSequenceNumber;
    const header = { type, version: DTLS_1_2, epoch, sequenceNumber: sequence };
    const sealed = cipher.cipher?.encrypt(cipher.sessionType, Buffer.from(fragment), header);
    return writeRecord({ type, epoch, sequence, fragment: sealed ?? Buffer.of() });
  }

  #send(records: readonly Uint8Array[]): void {
    // What can't be sent now is sent again later.
    this.#options.send(Buffer.concat(records)).catch(() => {});
  }

  #retransmitAfter(ms: number): void {
    clearTimeout(this.#retransmitTimer);
    this.#retransmitTimer = setTimeout(() => {
      this.#sendFlight();
      this.#retransmitAfter(Math.min(2 * ms, DTLS_RETRANSMIT.longestMs));
    }, ms);
  }

  /** What the library sends outside its flights: application data, and its HelloVerifyRequest. */
  #sendByLibrary(datagram: Buffer): Promise<void> {
    const [record] = readRecords(datagram);
    if (record?.epoch === 0 && record.type === CONTENT.handshake) {
      this.#flight = [this.#contentOf(record)];
      this.#sendFlight();
      return Promise.resolve();
    }
    return this.#options.send(datagram);
  }

  #receivePlain({ type, fragment }: DtlsRecord): void {
    if (type === CONTENT.handshake) this.#addFragments(fragment);
  }

  #receiveProtected(record: DtlsRecord): void {
    const isReady = this.#insides.cipher.cipher !== undefined && !this.#delivering;
    if (!isReady) {
      if (this.#early.length < MAX_EARLY_RECORDS) this.#early.push(record);
      return;
    }
    const content = this.#open(record);
    if (content === undefined) return;
    if (record.type === CONTENT.data) {
      if (this.#state === "completed") this.#options.onData(content);
    } else if (record.type === CONTENT.handshake) this.#addFragments(content);
    else if (record.type === CONTENT.alert && this.#state === "completed") {
      if (content[1] === ALERT_CLOSE_NOTIFY || content[0] === ALERT_FATAL) this.#options.onClosed();
    }
  }

  #open({ type, epoch, sequence, fragment }: DtlsRecord): Buffer | undefined {
    const { cipher, sessionType } = this.#insides.cipher;
    if (fragment.length < PROTECTION_LENGTH || !this.replays.isNew(sequence)) return undefined;
    try {
      const header = { type, version: DTLS_1_2, epoch, sequenceNumber: sequence };
      const content = cipher?.decrypt(sessionType, Buffer.from(fragment), header);
      this.replays.mark(sequence);
      return content;
    } catch {
      return undefined; // not from the peer
    }
  }

  #addFragments(fragment: Uint8Array): void {
    const repeated = this.#assembler.add(fragment);
    if (repeated.length > 0) this.#answerRepeated(repeated);
    this.#deliver().catch((cause) => this.#fail(cause));
  }

  /** The peer sent a flight again: it has not seen our answer. */
  #answerRepeated(repeated: readonly HandshakeMessage[]): void {
    if (this.#options.role === "client" && this.#state === "completed") return;
    const [first] = repeated;
    const isNewStart = this.#options.role === "server" && first?.sequence === 0 &&
      this.#accepted === 1 && !equalBytes(first.body, this.#firstHello);
    // Anyone can send a hello. The library keeps only the newest one's values.
    if (isNewStart) this.#restart(first);
    else if (performance.now() - this.#sentAt >= DTLS_ANSWER_INTERVAL_MS) this.#sendFlight();
  }

  #restart(hello: HandshakeMessage): void {
    if (this.#delivering || !hasCookie(hello.body, new Uint8Array())) return;
    this.#firstHello = new Uint8Array(hello.body);
    this.#insides.onHandleHandshakes([libraryMessage(hello)]).catch(() => {});
  }

  async #deliver(): Promise<void> {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let message = this.#assembler.peek(); message; message = this.#assembler.peek()) {
        if (this.#state !== "running") return;
        if (this.#isAcceptable(message)) await this.#handOver(message);
        else this.#assembler.refuse();
      }
    } finally {
      this.#delivering = false;
    }
    const early = this.#early;
    this.#early = [];
    for (const record of early) this.#receiveProtected(record);
  }

  async #handOver(message: HandshakeMessage): Promise<void> {
    try {
      await this.#insides.onHandleHandshakes([libraryMessage(message)]);
    } catch (cause) {
      // Anyone can send a hello: a bad one must not end the wait for the peer's.
      if (message.type === H.clientHello) this.#assembler.refuse();
      else this.#fail(cause);
      return;
    }
    if (message.sequence === 0) this.#firstHello = message.body;
    this.#assembler.accept();
    this.#accepted++;
    this.#last = message.type;
    if (message.type === H.finished) this.#complete();
  }

  /** Whether a message may come now, and proves what it must. */
  #isAcceptable(message: HandshakeMessage): boolean {
    const { type, sequence, body } = message;
    const { role, fingerprints } = this.#options;
    if (!FOLLOWERS[role].get(this.#last)?.includes(type)) return false;
    const { dtls, cipher } = this.#insides;
    const transcript = () => dtls.sortedHandshakeCache.map((cached) => cached.serialize());
    switch (type) {
      case H.clientHello:
        return sequence < 2 && hasCookie(body, sequence === 0 ? new Uint8Array() : dtls.cookie);
      case H.certificate: {
        this.#certificate = firstCertificate(body);
        return this.#proven(matchesFingerprint(this.#certificate, fingerprints), "a certificate");
      }
      case H.serverKeyExchange: {
        const [client, server] = [cipher.localRandom.serialize(), cipher.remoteRandom.serialize()];
        const proven = isServerKeyExchangeProven(this.#certificate, body, client, server);
        return this.#proven(proven, "a key exchange");
      }
      case H.certificateVerify: {
        const proven = isCertificateVerifyProven(this.#certificate, body, transcript());
        return this.#proven(proven, "a proof of its key");
      }
      case H.finished: {
        const sender = role === "client" ? "server" : "client";
        const proven = isFinishedProven(sender, body, transcript(), cipher.masterSecret);
        return this.#proven(proven, "an end of the handshake");
      }
      default:
        return true;
    }
  }

  #proven(isProven: boolean, what: string): boolean {
    if (!isProven && ++this.#falseProofs >= MAX_FALSE_PROOFS) {
      this.#fail(
        new TransportError(
          "PEER_UNPROVEN",
          `the other side is not the peer that the session description names: ${what} is false`,
        ),
      );
    }
    return isProven;
  }

  #complete(): void {
    if (this.#options.role === "client") clearTimeout(this.#retransmitTimer);
    this.#state = "completed";
    this.#completion.resolve();
  }

  #fail(cause: unknown): void {
    if (this.#state !== "running") return;
    const failure = cause instanceof TransportError
      ? cause
      : new TransportError("SETUP_FAILED", `the DTLS handshake failed: ${messageOf(cause)}`, {
        cause,
      });
    this.#completion.reject(failure);
    this[Symbol.dispose]();
  }
}

/** The library's form of a whole handshake message. */
function libraryMessage({ type, sequence, body }: HandshakeMessage): Handshake {
  return {
    msg_type: type,
    message_seq: sequence,
    length: body.length,
    fragment_offset: 0,
    fragment_length: body.length,
    fragment: Buffer.from(body),
    summary: {},
    serialize: () => Buffer.from(writeMessage({ type, sequence, body })),
  };
}

/** What the library's socket needs below it. */
function inertTransport(send: (datagram: Buffer) => Promise<void>): DtlsTransport {
  return {
    type: "ice",
    address: { address: "", family: "", port: 0 },
    closed: false,
    onData: () => {},
    send,
    close: () => Promise.resolve(),
  };
}

/** Whether a ClientHello carries this cookie (RFC 6347, section 4.2.1). */
function hasCookie(hello: Uint8Array, cookie: Uint8Array | undefined): boolean {
  const at = 35 + (hello[34] ?? 0);
  const length = hello[at];
  return cookie !== undefined && equalBytes(hello.subarray(at + 1, at + 1 + (length ?? 0)), cookie);
}

/** The first of a Certificate message's list, in DER; empty when there is none. */
function firstCertificate(body: Uint8Array): Uint8Array {
  const length = ((body[3] ?? 0) << 16) | ((body[4] ?? 0) << 8) | (body[5] ?? 0);
  return body.subarray(6, 6 + length);
}

/**
 * Has the library's flights handed to the handshake that they belong to; flights of other sockets go
 * as ever. Their class is not exported: a socket that never sends shows it.
 */
function takeOverFlights(): void {
  if (flightsAreOurs) return;
  const probe = new DtlsServer({ transport: inertTransport(() => Promise.resolve()) });
  const keyExchange = { type: H.clientKeyExchange, sequence: 0, body: Uint8Array.of(0) };
  // It fails for want of a client, after it has made a flight.
  insidesOf<SocketInsides>(probe, { onHandleHandshakes: "function" })
    .onHandleHandshakes([libraryMessage(keyExchange)]).catch(() => {});
  const { flight6 } = insidesOf<{ flight6: object }>(probe, { flight6: "object" });
  const prototype: object = Object.getPrototypeOf(Object.getPrototypeOf(flight6));
  const flight = insidesOf<FlightInsides>(prototype, { transmit: "function" });
  const { transmit } = flight;
  flight.transmit = function (records) {
    const handshake = handshakes.get(this.dtls);
    if (handshake === undefined) return transmit.call(this, records);
    handshake.transmit(records, this.nextFlight === undefined);
    return Promise.resolve();
  };
  flightsAreOurs = true;
}
