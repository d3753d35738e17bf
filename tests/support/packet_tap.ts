/**
 * Watches and changes the packets between a peer's SCTP and its DTLS.
 *
 * @module
 */
import type { PacketLink } from "../../src/transport/webrtc/dtls/packet_link.ts";
import {
  ChunkType,
  type PacketAddress,
  parsePacket,
} from "../../src/transport/webrtc/sctp/packet.ts";
import { tsnAdd, tsnAfter } from "../../src/transport/webrtc/sctp/tsn.ts";

/** What is sent in a packet's place. */
export type Edit = (packet: Uint8Array) => Uint8Array;

/** Watches and changes the packets of one peer, from its first one on. */
export class PacketTap {
  /** Tag that its peer's packets must have, its first TSN, and the peer's. */
  tag = 0;
  /** See {@linkcode PacketTap.tag}. */
  firstTsn = 0;
  /** See {@linkcode PacketTap.tag}. */
  peerFirstTsn = 0;
  /** The last TSN that it has sent; those up to which it and its peer have acknowledged. */
  sentTsn = 0;
  /** See {@linkcode PacketTap.sentTsn}. */
  ackedTsn = 0;
  #link: PacketLink | undefined;
  #edit: Edit = (packet) => packet;
  #onData: (() => void) | undefined;
  #onWindow: (window: number) => void = () => {};

  /** What a connector is given. */
  readonly tap = (link: PacketLink): PacketLink => {
    this.#link = link;
    const tapped: PacketLink = {
      send: (packet) => {
        this.#learn(packet, true);
        link.send(this.#edit(packet));
      },
      onPacket: () => {},
      onClosed: () => {},
      maxPacket: link.maxPacket,
      overhead: link.overhead,
      isReliable: link.isReliable === true,
      get isWritable() {
        return link.isWritable !== false;
      },
      onWritable: () => {},
    };
    link.onWritable = () => tapped.onWritable?.();
    link.onClosed = () => tapped.onClosed();
    link.onPacket = (packet) => {
      if (this.#onData !== undefined && holdsData(packet)) return this.#onData();
      this.#learn(packet, false);
      tapped.onPacket(packet);
    };
    return tapped;
  };

  /** Where packets go that are to arrive here. */
  get address(): PacketAddress {
    return { sourcePort: 5000, destinationPort: 5000, tag: this.tag };
  }

  /** Has each packet that it sends go through `edit`. */
  editSent(edit: Edit): void {
    this.#edit = edit;
  }

  /** Has a packet come in as if the peer had sent it. */
  arrive(packet: Uint8Array): void {
    this.#link?.onPacket(packet);
  }

  /** Sends the peer a packet that its SCTP did not. */
  send(packet: Uint8Array): void {
    this.#link?.send(packet);
  }

  /**
   * From now on no user data reaches its SCTP: it acknowledges none.
   *
   * @returns Resolves when the first has come and was not taken.
   */
  dropUserData(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onData = resolve;
    return promise;
  }

  /** Resolves when its peer has been told of less room than this, in bytes: it is held up. */
  closed(bytes: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onWindow = (window) => {
      if (window < bytes) resolve();
    };
    return promise;
  }

  #learn(packet: Uint8Array, isSent: boolean): void {
    parsePacket(packet)?.visit({
      data: ({ tsn }) => {
        if (isSent && tsnAfter(tsn, this.sentTsn)) this.sentTsn = tsn;
      },
      sack: ({ cumulativeTsn, window }) => {
        if (isSent) this.#onWindow(window);
        else this.ackedTsn = cumulativeTsn;
      },
      control: ({ type, body }) => {
        if (type !== ChunkType.INIT && type !== ChunkType.INIT_ACK) return true;
        const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
        const [tag, tsn] = [view.getUint32(0), view.getUint32(12)];
        if (!isSent) this.peerFirstTsn = tsn;
        else {
          this.tag = tag;
          this.firstTsn = tsn;
          this.sentTsn = this.ackedTsn = tsnAdd(tsn, -1);
        }
        return true;
      },
    });
  }
}

function holdsData(packet: Uint8Array): boolean {
  let holds = false;
  parsePacket(packet)?.visit({ data: () => holds = true });
  return holds;
}
