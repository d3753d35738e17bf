/**
 * A link to the peer, in the form in which the library's SCTP expects its DTLS transport.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Event, type RTCDtlsTransport } from "werift";
import type { PacketLink } from "./dtls/packet_link.ts";

/** Of the library's DTLS transport what its SCTP uses. */
export class LibraryLink {
  /** Names it. */
  readonly id: string = crypto.randomUUID();
  /** Takes what comes in. */
  dataReceiver: (packet: Buffer) => void = () => {};
  /** Never told anything: an end is told to the association by the peer connection. */
  readonly onStateChange: Event<[string]> = new Event();
  /** Who controls ICE counts as SCTP's client. */
  readonly iceTransport: { readonly role: "controlling" | "controlled" };
  #link: PacketLink | undefined;

  /** Drops what is sent until it is {@linkcode attach}ed. */
  constructor(isControlling: () => boolean) {
    this.iceTransport = {
      get role() {
        return isControlling() ? "controlling" : "controlled";
      },
    };
  }

  /** Sends by a link, and takes what comes by it. */
  attach(link: PacketLink): void {
    this.#link = link;
    link.onPacket = (packet) => this.dataReceiver(Buffer.from(packet));
  }

  /** Sends a packet. */
  sendData = (packet: Buffer): Promise<void> => {
    this.#link?.send(packet);
    return Promise.resolve();
  };

  /** As the library's type has it. */
  get asTransport(): RTCDtlsTransport {
    return this as unknown as RTCDtlsTransport;
  }
}
