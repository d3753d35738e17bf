/**
 * The DTLS handshake, made reliable and proven.
 *
 * The library's own handshake takes records as they come: lost, repeated or reordered ones make it
 * compute wrong secrets, restart, or fail; it retransmits with the same record numbers, which others
 * drop as replays; it reuses a nonce; and it believes a certificate whose key the peer never proved
 * to own. So the library gets each handshake message once, whole, in order, after it passed the
 * checks, and hands its flights to us, who retransmit them (RFC 6347, section 4.2.4). It never sees
 * or writes a record, and knows no cipher: its keys are ours.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { CipherSuiteList, DtlsClient, DtlsServer } from "werift";
import { messageOf, TransportError } from "../../../base/errors.ts";
import { DTLS_ANSWER_INTERVAL_MS, DTLS_RETRANSMIT } from "../../../base/timing.ts";
import { equalBytes } from "../../../protocol/crypto/constant_time.ts";
import type { Fingerprint } from "../../../protocol/network_scope/sdp.ts";
import { insidesOf } from "../library.ts";
import { chooseSuite, type Suite, suiteOf, SUITES } from "./cipher_suites.ts";
import {
  firstCertificate,
  HANDSHAKE,
  HandshakeAssembler,
  type HandshakeMessage,
  hasCookie,
  namedSuite,
  offeredSuites,
  writeMessage,
} from "./handshake_messages.ts";
import { deriveCipher } from "./key_schedule.ts";
import {
  isCertificateVerifyProven,
  isFinishedProven,
  isServerKeyExchangeProven,
  matchesFingerprint,
} from "./proof.ts";
import type { RecordCipher } from "./record_cipher.ts";
import { CONTENT, readRecords } from "./records.ts";

/** What a record of a flight carries. */
export interface FlightRecord {
  /** Content type. */
  readonly type: number;
  /** Whether it goes sealed. */
  readonly isProtected: boolean;
  /** What it carries, in plaintext. */
  readonly content: Uint8Array;
}

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
  /** Sends the records of a flight, each under a number of its own. */
  readonly send: (flight: readonly FlightRecord[]) => void;
  /** Told of the keys, which the peer has not proven to have; they are the other's from now on. */
  readonly onKeys: (cipher: RecordCipher) => void;
}

/** A handshake message in the library's form. */
interface LibraryMessage {
  readonly msg_type: number;
  readonly message_seq: number;
  readonly length: number;
  readonly fragment_offset: number;
  readonly fragment_length: number;
  readonly fragment: Buffer;
  readonly summary: object;
  serialize(): Buffer;
}

interface ContextInsides {
  readonly cookie?: Buffer;
  readonly sortedHandshakeCache: readonly { serialize(): Buffer }[];
}

interface CipherInsides {
  cipherSuite: number;
  readonly localRandom: { serialize(): Buffer };
  readonly remoteRandom: { serialize(): Buffer };
  readonly masterSecret?: Buffer;
  readonly localKeyPair?: { readonly privateKey: unknown };
}

/** What the library takes for a cipher. */
interface LibraryCipher {
  readonly summary: object;
  init(masterSecret: Buffer, serverRandom: Buffer, clientRandom: Buffer): void;
  encrypt(): Buffer;
}

interface SocketInsides {
  readonly dtls: ContextInsides;
  readonly cipher: CipherInsides;
  onHandleHandshakes: (messages: LibraryMessage[]) => Promise<void>;
}

type DtlsTransport = ConstructorParameters<typeof DtlsServer>[0]["transport"];

interface FlightInsides {
  readonly dtls: object;
  readonly nextFlight?: number;
  transmit(records: Buffer[]): Promise<void>;
}

/** Alerts (RFC 5246, section 7.2). */
const FATAL = 2;
const ALERT = { badCertificate: 42, decryptError: 51 } as const;

/** A forger may be quicker than the peer; a peer that fails this often is the forger. */
export const MAX_FALSE_PROOFS = 3;

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
let isLibraryOurs = false;

/** A handshake. */
export class DtlsHandshake implements Disposable {
  /** Resolves when both sides are proven. */
  readonly completed: Promise<void>;
  readonly #options: DtlsHandshakeOptions;
  readonly #socket: DtlsClient | DtlsServer;
  readonly #insides: SocketInsides;
  readonly #completion = Promise.withResolvers<void>();
  readonly #assembler = new HandshakeAssembler();
  #state: "running" | "completed" | "over" = "running";
  #suite: Suite | undefined;
  #last = 0;
  #delivering = false;
  /** How many messages the library has taken. */
  #accepted = 0;
  #firstHello: Uint8Array | undefined;
  #certificate: Uint8Array = new Uint8Array();
  #isProven = false;
  #falseProofs = 0;
  /** Our last flight. */
  #flight: readonly FlightRecord[] = [];
  #retransmitTimer: ReturnType<typeof setTimeout> | undefined;
  #sentAt = -Infinity;

  /** Makes the library's socket; nothing is sent before {@linkcode start}. */
  constructor(options: DtlsHandshakeOptions) {
    takeLibraryOver();
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
    this.#socket = options.role === "client"
      ? new DtlsClient(socketOptions)
      : new DtlsServer({ ...socketOptions, certificateRequest: true });
    this.#insides = insidesOf<SocketInsides>(this.#socket, {
      dtls: "object",
      cipher: "object",
      onHandleHandshakes: "function",
    });
    insidesOf(this.#insides.dtls, { sortedHandshakeCache: "object" });
    handshakes.set(this.#insides.dtls, this);
    this.#beCipher();
  }

  /** DER of the certificate that the peer showed, whose key it holds; empty before completion. */
  get remoteCertificate(): Uint8Array {
    return this.#isProven ? this.#certificate : new Uint8Array();
  }

  /** The suite that both sides have agreed on. */
  get suite(): Suite | undefined {
    return this.#suite;
  }

  /** Begins; a server waits for the client. */
  start(): void {
    if (this.#socket instanceof DtlsClient) {
      this.#socket.connect().catch((cause) => this.#fail(cause));
    }
  }

  /**
   * Takes the handshake fragments of a record.
   *
   * @param isProtected Whether the record was sealed by the holder of the keys.
   */
  receive(fragment: Uint8Array, isProtected: boolean): void {
    if (this.#state === "over" || (this.#state === "completed" && !isProtected)) return;
    // The first message under the new keys is the last one of all.
    const isExpected = (type: number) => (type === H.finished) === isProtected;
    const repeated = this.#assembler.add(fragment, isExpected);
    if (repeated.length > 0) this.#answerRepeated(repeated);
    this.#deliver().catch((cause) => this.#fail(cause));
  }

  /** Stops retransmitting; nothing is received any more. */
  [Symbol.dispose](): void {
    this.#state = "over";
    clearTimeout(this.#retransmitTimer);
    this.#flight = [];
    this.#forgetSecrets();
    this.#completion.reject(
      new TransportError("SETUP_FAILED", "the connection was closed while it was being made"),
    );
  }

  /** Sends a flight of the library's, and again until the peer has answered it. */
  transmit(records: readonly Buffer[], isLast: boolean): void {
    if (this.#state === "over") return;
    this.#flight = records.flatMap((bytes) =>
      [...readRecords(bytes)].map(({ type, epoch, fragment }): FlightRecord => {
        if (epoch === 0) return { type, isProtected: false, content: fragment };
        // The one protected message of a flight is our Finished, the last of the transcript.
        const finished = this.#insides.dtls.sortedHandshakeCache.at(-1)?.serialize();
        return { type, isProtected: true, content: finished ?? new Uint8Array() };
      })
    );
    clearTimeout(this.#retransmitTimer);
    this.#sendFlight();
    if (!isLast) this.#retransmitAfter(DTLS_RETRANSMIT.firstMs);
  }

  #sendFlight(): void {
    this.#sentAt = performance.now();
    this.#options.send(this.#flight);
  }

  #retransmitAfter(ms: number): void {
    clearTimeout(this.#retransmitTimer);
    this.#retransmitTimer = setTimeout(() => {
      this.#sendFlight();
      this.#retransmitAfter(Math.min(2 * ms, DTLS_RETRANSMIT.longestMs));
    }, ms);
  }

  /** What the library sends outside its flights: its HelloVerifyRequest. */
  #sendByLibrary(datagram: Buffer): void {
    if (this.#state === "over") return;
    const [record] = readRecords(datagram);
    if (record?.epoch !== 0 || record.type !== CONTENT.handshake) return;
    this.#flight = [{ type: record.type, isProtected: false, content: record.fragment }];
    this.#sendFlight();
  }

  /**
   * The library makes a cipher of its own, if it knows the suite, and gives it the secrets. It gets
   * this one in its place, which makes ours of them. What the library seals never leaves.
   */
  #beCipher(): void {
    const cipher: LibraryCipher = {
      summary: {},
      init: (masterSecret, serverRandom, clientRandom) => {
        const suite = this.#suite;
        if (suite === undefined) throw new Error("the library chose a suite by itself");
        const material = { masterSecret, serverRandom, clientRandom };
        this.#options.onKeys(deriveCipher(suite, this.#options.role, material));
      },
      encrypt: () => Buffer.of(),
    };
    Object.defineProperty(this.#insides.cipher, "cipher", { get: () => cipher, set: () => {} });
  }

  /** The peer sent a flight again: it has not seen our answer. */
  #answerRepeated(repeated: readonly HandshakeMessage[]): void {
    if (this.#options.role === "client" && this.#state === "completed") return;
    const [first] = repeated;
    const isNewStart = this.#options.role === "server" && first?.sequence === 0 &&
      this.#accepted === 1 && !equalBytes(first.body, this.#firstHello ?? new Uint8Array());
    // Anyone can send a hello. The library keeps only the newest one's values.
    if (isNewStart) this.#restart(first);
    else if (performance.now() - this.#sentAt >= DTLS_ANSWER_INTERVAL_MS) this.#sendFlight();
  }

  #restart(hello: HandshakeMessage): void {
    const isFirst = hasCookie(hello.body, new Uint8Array());
    if (this.#delivering || !isFirst || chooseSuite(offeredSuites(hello.body)) === undefined) {
      return;
    }
    this.#firstHello = new Uint8Array(hello.body);
    this.#insides.onHandleHandshakes([libraryMessage(hello)]).catch(() => {});
    this.#choose(hello);
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
    if (message.type === H.clientHello) this.#choose(message);
    if (message.sequence === 0) this.#firstHello = message.body;
    this.#assembler.accept();
    this.#accepted++;
    this.#last = message.type;
    if (message.type === H.finished) this.#complete();
  }

  /** The library's server knows one suite, and takes it from the first hello on. */
  #choose(hello: HandshakeMessage): void {
    this.#suite = chooseSuite(offeredSuites(hello.body));
    if (this.#suite !== undefined) this.#insides.cipher.cipherSuite = this.#suite.id;
  }

  /** Whether a message may come now, and proves what it must. */
  #isAcceptable(message: HandshakeMessage): boolean {
    const { type, sequence, body } = message;
    const { role, fingerprints } = this.#options;
    if (!FOLLOWERS[role].get(this.#last)?.includes(type)) return false;
    const { dtls, cipher } = this.#insides;
    const transcript = () => dtls.sortedHandshakeCache.map((cached) => cached.serialize());
    switch (type) {
      case H.clientHello: {
        const suite = chooseSuite(offeredSuites(body));
        // The second one has to be as the first was (RFC 6347, section 4.2.1).
        if (suite === undefined || (sequence > 0 && suite !== this.#suite)) return false;
        return sequence < 2 && hasCookie(body, sequence === 0 ? new Uint8Array() : dtls.cookie);
      }
      case H.serverHello:
        this.#suite = suiteOf(namedSuite(body) ?? 0);
        // One that we did not offer (RFC 5246, section 7.4.1.3).
        return this.#suite !== undefined;
      case H.certificate: {
        this.#certificate = firstCertificate(body);
        const matches = matchesFingerprint(this.#certificate, fingerprints);
        return this.#proven(matches, "a certificate", ALERT.badCertificate);
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
        const secret = cipher.masterSecret ?? new Uint8Array();
        const proven = isFinishedProven(sender, body, transcript(), secret);
        return this.#proven(proven, "an end of the handshake");
      }
      default:
        return true;
    }
  }

  #proven(isProven: boolean, what: string, alert: number = ALERT.decryptError): boolean {
    if (!isProven && ++this.#falseProofs >= MAX_FALSE_PROOFS) {
      // A peer that takes no alert waits for its deadline; the others know at once.
      const content = Uint8Array.of(FATAL, alert);
      this.#options.send([{ type: CONTENT.alert, isProtected: false, content }]);
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
    this.#isProven = true;
    this.#forgetSecrets();
    this.#completion.resolve();
  }

  /** What the keys were made of is needed no more. */
  #forgetSecrets(): void {
    const { masterSecret, localKeyPair } = this.#insides.cipher;
    masterSecret?.fill(0);
    if (localKeyPair?.privateKey instanceof Uint8Array) localKeyPair.privateKey.fill(0);
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
function libraryMessage({ type, sequence, body }: HandshakeMessage): LibraryMessage {
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
function inertTransport(send: (datagram: Buffer) => void): DtlsTransport {
  return {
    type: "ice",
    address: { address: "", family: "", port: 0 },
    closed: false,
    onData: () => {},
    send: (datagram) => Promise.resolve(send(datagram)),
    close: () => Promise.resolve(),
  };
}

/**
 * Has the library's clients offer our suites, and its flights handed to the handshake that they
 * belong to; flights of other sockets go as ever. Their class is not exported: a socket that never
 * sends shows it.
 */
function takeLibraryOver(): void {
  if (isLibraryOurs) return;
  // Its type names the suites that the library knows.
  const offered: number[] = CipherSuiteList;
  offered.splice(0, offered.length, ...SUITES.map(({ id }) => id));
  const probe = new DtlsServer({ transport: inertTransport(() => {}) });
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
  isLibraryOurs = true;
}
