/**
 * The DTLS layer of the fast path: application data is sealed and opened in one step, past the
 * library's layers of events, promises and copies. Handshakes, alerts, and whatever does not look
 * like plain application data of the peer go the library's way.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { RTCDtlsTransport, RTCIceTransport, StunProtocol } from "werift";
import type { FastPathTarget } from "../fast_path.ts";
import { hasMembers, type IceInsides, iceInsides, UnexpectedInside } from "./insides.ts";
import {
  applicationRecordEnds,
  type RecordAlgorithm,
  RecordCipher,
  recordSequence,
} from "../dtls/record_cipher.ts";

type Address = readonly [string, number];

/** The negotiated cipher, in the library's object. */
interface CipherInsides {
  readonly blockAlgorithm: string;
  readonly authTagLength: number;
  readonly nonceImplicitLength: number;
  readonly nonceExplicitLength: number;
  readonly clientWriteKey: Uint8Array;
  readonly serverWriteKey: Uint8Array;
  readonly clientNonce: Uint8Array;
  readonly serverNonce: Uint8Array;
}

const CIPHER_MEMBERS = {
  blockAlgorithm: "string",
  authTagLength: "number",
  nonceImplicitLength: "number",
  nonceExplicitLength: "number",
  clientWriteKey: "object",
  serverWriteKey: "object",
  clientNonce: "object",
  serverNonce: "object",
} as const;

/** The counters of the library's DTLS session: shared, as a sequence number must not come twice. */
interface RecordCounter {
  epoch: number;
  recordSequenceNumber: number;
}

/** Protocols whose datagrams are watched. */
interface ProtocolInsides {
  readonly type: string;
  readonly transport: { readonly closed: boolean; send: StunProtocol["transport"]["send"] };
  datagramReceived: (data: Buffer, address: Address) => void;
}

/** `SessionType.CLIENT` of the library. */
const CLIENT = 1;
const DONE = Promise.resolve();

/** Seals and opens the application data of one DTLS transport. */
export class FastRecords {
  readonly #target: FastPathTarget;
  readonly #dtls: RTCDtlsTransport;
  readonly #connection: RTCIceTransport["connection"];
  readonly #ice: IceInsides;
  readonly #warn: (message: string) => void;
  #cipherOf: object | undefined;
  #cipher: RecordCipher | undefined;
  #counterOf: object | undefined;
  #counter: RecordCounter | undefined;
  #socketOf: object | undefined;
  #socket: ProtocolInsides["transport"] | undefined;

  /**
   * Takes over the application data of a connection whose sockets are open.
   *
   * @throws {UnexpectedInside} When the library is not built as expected; nothing was changed.
   */
  constructor(target: FastPathTarget, warn: (message: string) => void) {
    this.#target = target;
    this.#warn = warn;
    const [dtls] = target.dtlsTransports;
    this.#dtls = dtls;
    this.#connection = dtls.iceTransport.connection;
    this.#ice = iceInsides(this.#connection);
    if (!hasMembers(dtls, { sendData: "function", dataReceiver: "function" })) {
      throw new UnexpectedInside("the library's DTLS transport");
    }
    for (const protocol of this.#ice.protocols) this.#watch(protocol);
    const { sendData } = dtls;
    const send = (data: Uint8Array) => this.#send(data) ?? sendData(asBuffer(data));
    Object.defineProperty(dtls, "sendData", { value: send, writable: true, configurable: true });
  }

  /** Undefined when this must go the library's way. */
  #send(data: Uint8Array): Promise<void> | undefined {
    const pair = this.#connection.nominated;
    const counter = this.#currentCounter();
    const cipher = this.#currentCipher();
    if (pair === undefined || counter === undefined || cipher === undefined) return undefined;
    const socket = this.#socketFor(pair.protocol);
    if (socket === undefined) return undefined;
    if (!this.#ice.canSendApplicationData() || socket.closed) return DONE;
    const record = cipher.seal(counter.epoch, ++counter.recordSequenceNumber, data);
    pair.packetsSent++;
    pair.bytesSent += record.length;
    return socket.send(record as Buffer<ArrayBuffer>, pair.remoteAddr);
  }

  #watch(protocol: object): void {
    if (!hasMembers<ProtocolInsides>(protocol, { type: "string", datagramReceived: "function" })) {
      return;
    }
    const datagramReceived = protocol.datagramReceived.bind(protocol);
    protocol.datagramReceived = (data, address) => {
      if (!this.#receive(protocol, data, address)) datagramReceived(data, address);
    };
  }

  /** False when this must go the library's way. */
  #receive(protocol: object, data: Buffer, [host, port]: Address): boolean {
    const pair = this.#connection.nominated;
    const counter = this.#currentCounter();
    const cipher = this.#currentCipher();
    if (pair === undefined || counter === undefined || cipher === undefined) return false;
    // Only from where the peer is; the library has its own opinion of the rest.
    if (pair.protocol !== protocol) return false;
    if (pair.remoteAddr[1] !== port || pair.remoteAddr[0] !== host) return false;
    // Views of a plain array are cheaper than views of a Buffer.
    const datagram = new Uint8Array(data.buffer, data.byteOffset, data.length);
    const ends = applicationRecordEnds(datagram, counter.epoch);
    if (ends === undefined) return false;
    pair.packetsReceived++;
    pair.bytesReceived += datagram.length;
    let at = 0;
    for (const end of ends) {
      this.#open(cipher, datagram, at, end);
      at = end;
    }
    return true;
  }

  #open(cipher: RecordCipher, datagram: Uint8Array, at: number, end: number): void {
    const replays = this.#target.replays();
    const sequence = recordSequence(datagram, at);
    if (replays?.isNew(sequence) === false) return;
    const plain = cipher.open(datagram, at, end);
    if (plain === undefined) return;
    replays?.mark(sequence);
    // The receiver is undefined once the association has stopped.
    this.#dtls.dataReceiver?.(asBuffer(plain));
  }

  /** Undefined unless the handshake is over and proven. */
  #currentCounter(): RecordCounter | undefined {
    if (this.#dtls.state !== "connected") return undefined;
    const counter = this.#dtls.dtls?.dtls;
    if (counter !== this.#counterOf) {
      this.#counterOf = counter;
      const members = { epoch: "number", recordSequenceNumber: "number" } as const;
      this.#counter = hasMembers<RecordCounter>(counter, members) ? counter : undefined;
    }
    return this.#counter;
  }

  /** Made anew whenever the library has negotiated anew. */
  #currentCipher(): RecordCipher | undefined {
    const context = this.#dtls.dtls?.cipher;
    const cipher: object | undefined = context?.cipher;
    if (cipher !== this.#cipherOf) {
      this.#cipherOf = cipher;
      const isClient = context?.sessionType === CLIENT;
      this.#cipher = cipher === undefined ? undefined : makeCipher(cipher, isClient);
      if (this.#cipher === undefined) {
        this.#warn("the fast path is off: it does not support the negotiated DTLS cipher");
      }
    }
    return this.#cipher;
  }

  /** Undefined when the pair is not on a UDP socket of ours. */
  #socketFor(protocol: object): ProtocolInsides["transport"] | undefined {
    if (protocol !== this.#socketOf) {
      this.#socketOf = protocol;
      const isOurs =
        hasMembers<ProtocolInsides>(protocol, { type: "string", transport: "object" }) &&
        protocol.type === "stun" && hasMembers(protocol.transport, { send: "function" });
      this.#socket = isOurs ? protocol.transport : undefined;
    }
    return this.#socket;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function makeCipher(cipher: object, isClient: boolean): RecordCipher | undefined {
  if (!hasMembers<CipherInsides>(cipher, CIPHER_MEMBERS)) return undefined;
  const { blockAlgorithm, authTagLength, nonceImplicitLength, nonceExplicitLength } = cipher;
  const isKnown = isAlgorithm(blockAlgorithm) && authTagLength === 16 &&
    nonceImplicitLength === 4 && nonceExplicitLength === 8;
  if (!isKnown) return undefined;
  const client = { key: cipher.clientWriteKey, salt: cipher.clientNonce.slice(0, 4) };
  const server = { key: cipher.serverWriteKey, salt: cipher.serverNonce.slice(0, 4) };
  return isClient
    ? new RecordCipher(blockAlgorithm, client, server)
    : new RecordCipher(blockAlgorithm, server, client);
}

function isAlgorithm(name: string): name is RecordAlgorithm {
  return name === "aes-128-gcm" || name === "aes-256-gcm";
}
