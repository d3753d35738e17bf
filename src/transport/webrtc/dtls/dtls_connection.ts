/**
 * A DTLS 1.2 connection: the handshake of the library, made reliable and proven, over records of our
 * own.
 *
 * @module
 */
import { TransportError } from "../../../base/errors.ts";
import type { DatagramPath } from "../ice/datagram_path.ts";
import { DtlsHandshake, type DtlsHandshakeOptions } from "./handshake.ts";
import type { PacketLink } from "./packet_link.ts";
import { MAX_CONTENT_BYTES, RecordLayer } from "./record_layer.ts";
import { CONTENT } from "./records.ts";

/** Alerts (RFC 5246, section 7.2). */
const LEVEL = { warning: 1, fatal: 2 } as const;
const CLOSE_NOTIFY = 0;
const ALERT_BYTES = 2;
/** Packets that come before the peer is proven. */
export const MAX_EARLY_PACKETS = 8;

/** Options of a {@linkcode DtlsConnection}. */
export type DtlsConnectionOptions = Pick<
  DtlsHandshakeOptions,
  "role" | "fingerprints" | "certificate"
>;

/** A connection to the peer whose certificate the session description names. */
export class DtlsConnection implements PacketLink, Disposable {
  onPacket: (packet: Uint8Array) => void = () => {};
  onClosed: () => void = () => {};
  onWritable: () => void = () => {};
  readonly #records: RecordLayer;
  readonly #handshake: DtlsHandshake;
  #earlyPackets: Uint8Array[] = [];
  #state: "connecting" | "open" | "closed" = "connecting";

  /** Takes what comes in by the path; nothing is sent before {@linkcode connect}. */
  constructor(path: DatagramPath, options: DtlsConnectionOptions) {
    this.#records = new RecordLayer(path, {
      sink: {
        onPlain: (type, fragment) => this.#onPlain(type, fragment),
        onProtected: (type, content) => this.#onProtected(type, content),
        onWritable: () => this.onWritable(),
      },
    });
    this.#handshake = new DtlsHandshake({
      ...options,
      send: (flight) => {
        for (const { type, isProtected, content } of flight) {
          this.#records.add(type, isProtected, content);
        }
        this.#records.flush();
      },
      onKeys: (cipher) => this.#records.protect(cipher),
    });
    this.#handshake.completed.then(() => this.#open(), () => this.#end());
  }

  /**
   * Makes the connection; a server waits for the client.
   *
   * @throws {TransportError} PEER_UNPROVEN, or SETUP_FAILED.
   */
  async connect(): Promise<void> {
    this.#handshake.start();
    await this.#handshake.completed;
    if (this.#state === "closed") throw closedError();
  }

  /** DER of the certificate that the peer showed, whose key it holds; empty before that is proven. */
  get remoteCertificate(): Uint8Array {
    return this.#handshake.remoteCertificate;
  }

  /** The name of the cipher suite, once both sides have agreed on one. */
  get suite(): string | undefined {
    return this.#handshake.suite?.name;
  }

  get maxPacket(): number {
    return this.#records.maxContent;
  }

  get isReliable(): boolean {
    return this.#records.isReliable;
  }

  get isWritable(): boolean {
    return this.#records.isWritable;
  }

  get overhead(): number {
    return this.#records.overhead;
  }

  send(packet: Uint8Array): void {
    if (this.#state !== "open" || packet.length > MAX_CONTENT_BYTES) return;
    this.#records.add(CONTENT.data, true, packet);
    this.#records.flush();
  }

  /**
   * Tells the peer of the end (RFC 5246, section 7.2.1), and ends. The keys are overwritten.
   *
   * @param last A packet that goes in the same datagram: the end can't overtake it.
   */
  close(last?: Uint8Array): void {
    const isOpen = this.#state === "open";
    this.#state = "closed";
    if (isOpen) {
      if (last !== undefined) this.#records.add(CONTENT.data, true, last);
      this.#records.add(CONTENT.alert, true, Uint8Array.of(LEVEL.warning, CLOSE_NOTIFY));
      this.#records.flush();
    }
    this.#end();
  }

  /** Ends without a word. */
  [Symbol.dispose](): void {
    this.#end();
  }

  #onPlain(type: number, fragment: Uint8Array): void {
    // Nothing that is not protected counts after the handshake. In it, an alert proves nothing: if
    // the peer meant it, the handshake does not go on, and a deadline ends it.
    if (type === CONTENT.handshake) this.#handshake.receive(fragment, false);
  }

  #onProtected(type: number, content: Uint8Array): void {
    if (type === CONTENT.handshake) this.#handshake.receive(content, true);
    else if (type === CONTENT.data) this.#onData(content);
    else if (type === CONTENT.alert && this.#state === "open") this.#onAlert(content);
  }

  #onData(content: Uint8Array): void {
    if (content.length === 0) return;
    if (this.#state === "open") this.onPacket(content);
    else if (this.#state === "connecting" && this.#earlyPackets.length < MAX_EARLY_PACKETS) {
      this.#earlyPackets.push(content.slice());
    }
  }

  #onAlert(alert: Uint8Array): void {
    if (alert.length !== ALERT_BYTES) return;
    const [level, description] = alert;
    if (description === CLOSE_NOTIFY) this.close(); // it must be answered
    else if (level === LEVEL.fatal) this.#end();
    else return;
    this.onClosed();
  }

  /** The peer is proven. */
  #open(): void {
    if (this.#state !== "connecting") return;
    this.#state = "open";
    const early = this.#earlyPackets;
    this.#earlyPackets = [];
    for (const packet of early) this.onPacket(packet);
  }

  #end(): void {
    this.#state = "closed";
    this.#earlyPackets = [];
    this.#handshake[Symbol.dispose]();
    this.#records[Symbol.dispose]();
  }
}

function closedError(): TransportError {
  return new TransportError("SETUP_FAILED", "the connection was closed while it was being made");
}
