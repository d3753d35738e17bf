/**
 * Peers that leave without a word, or with the wrong one.
 *
 * @module
 */
import type { Buffer } from "node:buffer";
import { parsePacket } from "../../src/transport/webrtc/fast/sctp_packet.ts";
import type { FastPathTarget } from "../../src/transport/webrtc/fast_path.ts";

/** What tests read of the library's association. */
export interface SctpNumbers {
  /** By stream. */
  readonly outboundStreamSeq: Readonly<Record<string, number>>;
  readonly localTsn: number;
  readonly lastSackedTsn: number;
  readonly lastReceivedTsn: number;
  readonly localVerificationTag: number;
}

/** The association's numbers. */
export function sctpOf({ sctpTransport }: FastPathTarget): SctpNumbers {
  return sctpTransport.sctp as unknown as SctpNumbers;
}

/** Has each SCTP packet that a peer sends go through `edit`. */
export function editSent({ link }: FastPathTarget, edit: Edit): void {
  const send = link.sendData;
  const value = (packet: Buffer) => send.call(link, edit(packet));
  Object.defineProperty(link, "sendData", { value, writable: true, configurable: true });
}

/** What is sent in a packet's place. */
export type Edit = (packet: Buffer) => Buffer;

/**
 * From now on no user data reaches this peer's association: it acknowledges none.
 *
 * @returns Resolves when the first has come and was not taken.
 */
export function deafen({ link }: FastPathTarget): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const receive = link.dataReceiver;
  link.dataReceiver = (packet) => {
    let holdsData = false;
    parsePacket(packet)?.visit({ data: () => holdsData = true });
    if (holdsData) resolve();
    else receive(packet);
  };
  return promise;
}

/** Has this peer tell, as only it can, that it closes DTLS (RFC 5246, section 7.2.1). */
export function closeNotify({ dtls }: FastPathTarget): void {
  dtls()?.close();
}
