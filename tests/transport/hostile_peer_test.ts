/** A peer that was let in, or wants to be, and breaks the rules. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { CipherContext, RTCCertificate } from "werift";
import { TransportError } from "../../src/base/errors.ts";
import type { Channel } from "../../src/transport/channel.ts";
import {
  DataFlag,
  PacketWriter,
  parsePacket,
  type Sack,
} from "../../src/transport/webrtc/sctp/packet.ts";
import { RECEIVE_WINDOW_BYTES } from "../../src/transport/webrtc/sctp/receiver.ts";
import type { FastPathTarget } from "../../src/transport/webrtc/fast_path.ts";
import { editSent, sctpOf } from "../support/leaving.ts";
import { assertAlive, catcher, connected, ended, meet } from "./harness.ts";

/** A certificate of somebody's, with a key that is not its own. */
async function stolenCertificate(): Promise<RTCCertificate> {
  const make = () =>
    CipherContext.createSelfSignedCertificateWithKey({ hash: 4, signature: 3 }, 23);
  const [victim, thief] = [await make(), await make()];
  return new RTCCertificate(thief.keyPem, victim.certPem, victim.signatureHash);
}

Deno.test("a DTLS client that does not own the key of its certificate is refused", async () => {
  const certificate = await stolenCertificate();
  // Of two of ours the offerer is the client.
  await meet({ certificate }, {}, ({ offerer, answerer }) => {
    assert(answerer.status === "rejected");
    assertInstanceOf(answerer.reason, TransportError);
    assertEquals(answerer.reason.code, "PEER_UNPROVEN");
    assertEquals(offerer.status, "rejected");
    return Promise.resolve();
  }, { ms: 3000 });
});

Deno.test("a DTLS server that does not own the key of its certificate is refused", async () => {
  const certificate = await stolenCertificate();
  await meet({}, { certificate }, ({ offerer, answerer }) => {
    assert(offerer.status === "rejected");
    assertInstanceOf(offerer.reason, TransportError);
    assertEquals(offerer.reason.code, "PEER_UNPROVEN");
    assertEquals(answerer.status, "rejected");
    return Promise.resolve();
  }, { ms: 3000 });
});

/** What a peer can send once it is in, that the library answers with an unhandled rejection. */
const BREACHES: Record<string, (peer: FastPathTarget, streamId: number) => Promise<unknown>> = {
  "a message of an unknown kind": ({ sctpTransport }, streamId) =>
    sctpTransport.sctp.send(streamId, 99, Buffer.from("x")),
  "what is no SCTP": ({ dtlsTransports: [dtls] }) => dtls.sendData(Buffer.from("not sctp at all")),
  "a chunk that ends too early": ({ dtlsTransports: [dtls] }) => dtls.sendData(Buffer.alloc(14)),
  "an acknowledgement of a channel that is none": ({ sctpTransport }) =>
    sctpTransport.sctp.send(77, 50, Buffer.of(2)),
};

for (const [name, breach] of Object.entries(BREACHES)) {
  Deno.test(`${name} ends the session it came in, and no other`, async () => {
    const a = catcher();
    await connected({}, {}, async (otherOfferer, otherAnswerer, otherSignal) => {
      await connected(a.options, {}, async (offerer, answerer, signal) => {
        await breach(a.get(), 1);
        const { by, error } = await ended(answerer, signal);
        assertEquals(by, "failure");
        assertEquals(error?.code, "CHANNEL_LOST");
        await assertRejects(() => answerer.receive(), TransportError);
        await offerer.close({ graceful: false });
      });
      await assertAlive(otherOfferer, otherAnswerer, otherSignal);
    });
  });
}

Deno.test("a second channel of the peer's is not opened", async () => {
  const [a, b] = [catcher(), catcher()];
  await connected(a.options, b.options, async (offerer, answerer, signal) => {
    const open = Buffer.concat([Buffer.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0), Buffer.from("x")]);
    for (const { get } of [a, b]) await get().sctpTransport.sctp.send(21, 50, open);
    await assertAlive(offerer, answerer, signal);
    for (const { get } of [a, b]) {
      assertEquals(Object.keys(get().sctpTransport.dataChannels).length, 1);
    }
  });
});

Deno.test("a peer that sends faster than it is read meets a bound, in messages", async () => {
  const bounds = { maxMessages: 10 };
  await connected({}, { bounds }, async (offerer, answerer, signal) => {
    await overflow(offerer, answerer, new Uint8Array(10), 11, signal);
  });
});

Deno.test("a peer that sends faster than it is read meets a bound, in bytes", async () => {
  const bounds = { maxBytes: 100_000 };
  await connected({}, { bounds }, async (offerer, answerer, signal) => {
    await overflow(offerer, answerer, new Uint8Array(60_000), 2, signal);
  });
});

async function overflow(
  from: Channel,
  to: Channel,
  message: Uint8Array<ArrayBuffer>,
  n: number,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; i < n; i++) await from.send(message);
  const { by, error } = await ended(to, signal);
  assertEquals([by, error?.code], ["failure", "RECEIVE_OVERFLOW"]);
  // What there was room for can still be read.
  for (let i = 0; i < n - 1; i++) assertEquals(await to.receive(), message);
  await assertRejects(() => to.receive(), TransportError, "faster than its messages were read");
}

/** Bytes of user data in each of its packets: many, so that it needs few packets. */
const FRAGMENT_BYTES = 10_000;

Deno.test("a peer that fills the window with a message that never ends is given no more room for it", async () => {
  const [a, b] = [catcher(), catcher()];
  await connected(a.options, b.options, async (offerer, answerer, signal) => {
    const sacks: Sack[] = [];
    editSent(b.get(), (packet) => {
      parsePacket(packet)?.visit({ sack: (sack) => sacks.push(sack) });
      return packet;
    });
    const to = {
      sourcePort: 5000,
      destinationPort: 5000,
      tag: sctpOf(b.get()).localVerificationTag,
    };
    const firstTsn = sctpOf(a.get()).localTsn;
    const writer = new PacketWriter(FRAGMENT_BYTES + 100);
    const chunk = { streamId: 1, ssn: 0, ppid: 53, payload: new Uint8Array(FRAGMENT_BYTES) };
    // Keeps to no window, and waits for no acknowledgement.
    const arrive = (index: number, flags: number): void => {
      const data = { ...chunk, flags, tsn: (firstTsn + index) >>> 0 };
      b.get().dtlsTransports[0].dataReceiver(Buffer.from(writer.data(to, data, flags)));
    };
    const n = Math.ceil(RECEIVE_WINDOW_BYTES / FRAGMENT_BYTES) + 10;
    for (let i = 0; i < n; i++) arrive(i, i === 0 ? DataFlag.FIRST : 0);
    arrive(n, DataFlag.LAST);
    const last = sacks.at(-1);
    assert(last !== undefined);
    const taken = (last.cumulativeTsn - firstTsn + 1) >>> 0;
    assertEquals(taken, Math.floor(RECEIVE_WINDOW_BYTES / FRAGMENT_BYTES));
    assertEquals(last.gaps, []);
    assertEquals(last.window, RECEIVE_WINDOW_BYTES - taken * FRAGMENT_BYTES);
    await offerer.close({ graceful: false });
    assertEquals(await answerer.receive({ signal }), undefined);
  });
});

// Of the library's own receiver, which the programs do not use: goes when that path does.
Deno.test("a peer that fills the window with a message that never ends is cut off, without the fast path", async () => {
  let target: FastPathTarget | undefined;
  const caught = { fastPath: (offering: FastPathTarget) => target = offering };
  await connected(caught, { fastPath: () => {} }, async (offerer, answerer, signal) => {
    assert(target !== undefined);
    const { sctp } = target.sctpTransport;
    // A sender that keeps to no window.
    Object.defineProperty(sctp, "peerRwnd", { get: () => 1e9 });
    Object.assign(sctp, { cwnd: 1e9 });
    void sctp.send(1, 53, Buffer.alloc(1_500_000)).catch(() => {});
    const { by, error } = await ended(answerer, signal);
    assertEquals([by, error?.code], ["failure", "RECEIVE_OVERFLOW"]);
    await offerer.close({ graceful: false });
  });
});
