/**
 * Peers that leave with the wrong word.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { CONTENT, writeRecord } from "../../src/transport/webrtc/dtls_records.ts";
import type { FastPathTarget } from "../../src/transport/webrtc/fast_path.ts";

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
