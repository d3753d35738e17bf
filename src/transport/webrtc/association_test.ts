/** What is put right in the library's SCTP, on an association that has no network. */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { RTCDtlsTransport, RTCIceGatherer, RTCIceTransport } from "werift";
import { TransportError } from "../../base/errors.ts";
import { Association } from "./association.ts";

interface Sctp {
  associationState: number;
  isServer: boolean;
  lastReceivedTsn: number;
  localTsn: number;
  remotePort: number;
  handleData(data: Buffer): Promise<void>;
  receiveChunk(chunk: object): Promise<void>;
  setState(state: number): void;
  timer1Start(chunk: object): void;
  timer1Handle?: unknown;
}

const ESTABLISHED = 4;

function associate(peerOpens = true) {
  const failures: unknown[] = [];
  const closes: string[] = [];
  const dtls = new RTCDtlsTransport({}, new RTCIceTransport(new RTCIceGatherer()));
  const association = new Association(dtls, {
    peerOpens,
    onFailure: (error) => failures.push(error),
    onChannel: () => {},
    onClosed: () => closes.push("closed"),
  });
  const sctp = association.transport.sctp as unknown as Sctp;
  return { association, dtls, sctp, failures, closes };
}

Deno.test("an INIT that comes again does not set a running association back", async () => {
  const { association, sctp } = associate();
  sctp.setState(ESTABLISHED);
  sctp.lastReceivedTsn = 5000;
  const init = { type: 1, initialTsn: 77, initiateTag: 1, params: [], outboundStreams: 1 };
  await sctp.receiveChunk({ ...init, inboundStreams: 1, advertisedRwnd: 1 });
  assertEquals(sctp.lastReceivedTsn, 5000);
  await association.stop();
});

Deno.test("the opener's side is no SCTP server, even before it starts", () => {
  assertEquals([associate(false).sctp.isServer, associate(true).sctp.isServer], [false, true]);
});

Deno.test("a packet that is not made of whole chunks ends the association unparsed: the library would never come to its end", async () => {
  const header = [0x13, 0x88, 0x13, 0x88, 0, 0, 0, 0, 0, 0, 0, 0];
  for (
    const [chunk, whole] of [
      [[10, 0, 0, 0], false], // a length of zero
      [[10, 0, 0, 3], false],
      [[10, 0, 0, 9], false],
      [[10, 0, 0], false],
      [[], false],
      [[10, 0, 0, 4], true],
    ] as const
  ) {
    const { association, dtls, sctp, failures } = associate();
    let parsed = 0;
    sctp.handleData = () => Promise.resolve(void parsed++);
    dtls.dataReceiver(Buffer.of(...header, ...chunk));
    const codes = failures.map((error) => error instanceof TransportError && error.code);
    assertEquals([parsed, codes], whole ? [1, []] : [0, ["CHANNEL_LOST"]]);
    await association.stop();
  }
});

Deno.test("nothing starts again after the stop, whatever was still being answered", async () => {
  const { association, sctp } = associate();
  await association.stop();
  sctp.setState(ESTABLISHED);
  sctp.timer1Start({});
  assertEquals([sctp.associationState, sctp.timer1Handle], [1, undefined]);
});

Deno.test("a peer's SHUTDOWN ends the association", async () => {
  const { association, sctp, closes } = associate();
  sctp.setState(ESTABLISHED);
  await sctp.receiveChunk({ type: 7 });
  assertEquals(closes, ["closed"]);
  await association.stop();
});

Deno.test("a channel that is not ordered and reliable is refused", async () => {
  for (const kind of [0x80, 1, 2, 0x81]) {
    const { association, failures } = associate();
    const receiver = association.transport as unknown as {
      datachannelReceive(id: number, ppid: number, data: Buffer): Promise<void>;
    };
    await receiver.datachannelReceive(1, 50, Buffer.of(3, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    assertEquals(failures.map((e) => e instanceof TransportError && e.code), ["SETUP_FAILED"]);
    assertEquals(association.transport.dataChannels, {});
  }
});

Deno.test("numbers start clear of the places where text and numbers sort differently", () => {
  const { localTsn } = associate().sctp;
  assertEquals(localTsn > 1e9 && localTsn < 2.2e9, true);
});
