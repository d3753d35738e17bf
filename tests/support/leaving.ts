/**
 * Peers that leave without a word, or with the wrong one.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { CONTENT, writeRecord } from "../../src/transport/webrtc/dtls_records.ts";
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
export function editSent({ dtlsTransports: [dtls] }: FastPathTarget, edit: Edit): void {
  const send = dtls.sendData;
  const value = (packet: Buffer) => send.call(dtls, edit(packet));
  Object.defineProperty(dtls, "sendData", { value, writable: true, configurable: true });
}

/** What is sent in a packet's place. */
export type Edit = (packet: Buffer) => Buffer;

/**
 * From now on no user data reaches this peer's association: it acknowledges none.
 *
 * @returns Resolves when the first has come and was not taken.
 */
export function dropUserData({ dtlsTransports: [dtls] }: FastPathTarget): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const receive = dtls.dataReceiver;
  dtls.dataReceiver = (packet) => {
    let holdsData = false;
    parsePacket(packet)?.visit({ data: () => holdsData = true });
    if (holdsData) resolve();
    else receive(packet);
  };
  return promise;
}

interface DtlsInsides {
  readonly dtls: { recordSequenceNumber: number };
  readonly cipher: {
    readonly sessionType: number;
    readonly cipher: { encrypt(sessionType: number, data: Buffer, header: object): Buffer };
  };
}

/** Has this peer tell, as only it can, that it closes DTLS (RFC 5246, section 7.2.1). */
export async function closeNotify(
  { iceTransports: [ice], dtlsTransports: [{ dtls }] }: FastPathTarget,
): Promise<void> {
  const { dtls: counter, cipher: { sessionType, cipher } } = dtls as unknown as DtlsInsides;
  const sequence = ++counter.recordSequenceNumber;
  const header = { type: CONTENT.alert, version: 0xfefd, epoch: 1, sequenceNumber: sequence };
  const fragment = cipher.encrypt(sessionType, Buffer.of(1, 0), header);
  const record = writeRecord({ type: CONTENT.alert, epoch: 1, sequence, fragment });
  await ice.connection.send(Buffer.from(record));
}
