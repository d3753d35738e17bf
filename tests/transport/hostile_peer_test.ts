/** A peer that was let in, or wants to be, and breaks the rules. */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { CipherContext, RTCCertificate } from "werift";
import { abortable } from "../../src/base/deadline.ts";
import { TransportError } from "../../src/base/errors.ts";
import { dataPacket } from "../../src/transport/testing/packets.ts";
import { DataFlag, parsePacket, type Sack } from "../../src/transport/webrtc/sctp/packet.ts";
import { RECEIVE_WINDOW } from "../../src/transport/webrtc/sctp/receive_window.ts";
import { tsnAdd } from "../../src/transport/webrtc/sctp/tsn.ts";
import { PacketTap } from "../support/packet_tap.ts";
import { assertAlive, connected, ended, meet } from "./harness.ts";

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

const WHOLE = DataFlag.FIRST | DataFlag.LAST;

/** A message of the offerer's, the first after its OPEN, as it comes to the answerer. */
function message(
  to: PacketTap,
  streamId: number,
  ppid: number,
  payload: Uint8Array,
  { flags = WHOLE, index = 0 } = {},
): Uint8Array {
  const tsn = tsnAdd(to.peerFirstTsn, 1 + index);
  return dataPacket(to.address, { tsn, flags, streamId, ssn: 1, ppid, payload });
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** What a peer can send once it is in, and no peer may. */
const BREACHES: Record<string, (to: PacketTap) => Uint8Array> = {
  "a message of an unknown kind": (to) => message(to, 0, 99, bytes("x")),
  "what is no SCTP": () => bytes("not sctp at all"),
  "a chunk that ends too early": () => new Uint8Array(14),
  "an acknowledgement of a channel that is none": (to) => message(to, 77, 50, Uint8Array.of(2)),
};

for (const [name, breach] of Object.entries(BREACHES)) {
  Deno.test(`${name} ends the session it came in, and no other`, async () => {
    const [a, b] = [new PacketTap(), new PacketTap()];
    await connected({}, {}, async (otherOfferer, otherAnswerer, otherSignal) => {
      await connected(
        { packetTap: a.tap },
        { packetTap: b.tap },
        async (offerer, answerer, signal) => {
          a.send(breach(b));
          const { by, error } = await ended(answerer, signal);
          assertEquals(by, "failure");
          assertEquals(error?.code, "CHANNEL_LOST");
          await assertRejects(() => answerer.receive(), TransportError);
          await offerer.close({ graceful: false });
        },
      );
      await assertAlive(otherOfferer, otherAnswerer, otherSignal);
    });
  });
}

Deno.test("a second channel of the peer's is not opened, and what comes on it is dropped", async () => {
  const taps = [new PacketTap(), new PacketTap()] as const;
  await connected(
    { packetTap: taps[0].tap },
    { packetTap: taps[1].tap },
    async (offerer, answerer, signal) => {
      // Numbered as the next message of each will be, which the peer then takes for seen.
      await assertAlive(offerer, answerer, signal);
      const open = Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 120);
      for (const tap of taps) {
        const sent: number[] = [];
        tap.editSent((packet) => {
          parsePacket(packet)?.visit({ data: ({ streamId }) => sent.push(streamId) });
          return packet;
        });
        const next = (offset: number) => ({ index: offset + 1 });
        tap.arrive(message(tap, 21, 50, open, next(0)));
        tap.arrive(message(tap, 21, 51, bytes("y"), next(1)));
        assertEquals(sent, [], "no answer");
      }
      const waiting = [offerer, answerer].map((channel) => channel.receive({ signal }));
      for (const tap of taps) tap.arrive(message(tap, 0, 51, bytes("z"), { index: 3 }));
      assertEquals(await Promise.all(waiting), ["z", "z"]);
    },
  );
});

Deno.test("a peer that keeps to the window is held up by a reader that does not read, and loses nothing", async () => {
  const tap = new PacketTap();
  await connected({}, { packetTap: tap.tap }, async (offerer, answerer, signal) => {
    const held = tap.closed(2 * 1400);
    // More than the receiver has room for and the sender keeps.
    const messages = Array.from({ length: 80 }, (_, i) => new Uint8Array(65_536).fill(i));
    let sent = 0;
    const sending = (async () => {
      for (const message of messages) {
        await offerer.send(message, { signal });
        sent++;
      }
    })();
    // The first message tells that the others are on their way.
    assertEquals(await answerer.receive({ signal }), messages[0]);
    await abortable(held, signal);
    assert(sent < messages.length, "all was taken, although nobody reads");
    for (const message of messages.slice(1)) {
      assertEquals(await answerer.receive({ signal }), message);
    }
    await sending;
    await offerer.drained({ signal });
  }, { ms: 60_000 });
});

/** Bytes of user data in each of its packets: many, so that it needs few packets. */
const FRAGMENT_BYTES = 10_000;

Deno.test("a peer that keeps to no window is refused, and what it has sent so far can be read", async () => {
  const tap = new PacketTap();
  await connected({}, { packetTap: tap.tap }, async (offerer, answerer, signal) => {
    const payload = new Uint8Array(FRAGMENT_BYTES);
    // The window, what is borne beyond it, and more.
    const count = Math.ceil(4 * RECEIVE_WINDOW.most / FRAGMENT_BYTES);
    for (let index = 0; index < count; index++) {
      tap.arrive(message(tap, 0, 53, payload, { index }));
    }
    const { by, error } = await ended(answerer, signal);
    assertEquals([by, error?.code], ["failure", "RECEIVE_OVERFLOW"]);
    let read = 0;
    while (await answerer.receive({ signal }).then(() => true, () => false)) read++;
    assert(read > 100 && read * FRAGMENT_BYTES <= RECEIVE_WINDOW.most + 256 * 1024);
    await offerer.close({ graceful: false });
  });
});

Deno.test("a peer that leaves a gap open fills the window, and is given no more room", async () => {
  const tap = new PacketTap();
  await connected({}, { packetTap: tap.tap }, async (offerer, answerer, signal) => {
    const sacks: Sack[] = [];
    tap.editSent((packet) => {
      parsePacket(packet)?.visit({ sack: (sack) => sacks.push(sack) });
      return packet;
    });
    const payload = new Uint8Array(FRAGMENT_BYTES);
    const n = Math.ceil(RECEIVE_WINDOW.most / FRAGMENT_BYTES) + 10;
    for (let index = 1; index <= n; index++) {
      tap.arrive(message(tap, 0, 53, payload, { index }));
    }
    const last = sacks.at(-1);
    assertEquals(last?.gaps, [{
      start: 2,
      end: 1 + Math.floor(RECEIVE_WINDOW.most / FRAGMENT_BYTES),
    }]);
    assertEquals(last?.window, 0);
    await offerer.close({ graceful: false });
    assertEquals(await answerer.receive({ signal }), undefined);
  });
});

Deno.test("a peer whose message never ends is cut off at the longest there may be", async () => {
  const tap = new PacketTap();
  await connected({}, { packetTap: tap.tap }, async (offerer, answerer, signal) => {
    const payload = new Uint8Array(FRAGMENT_BYTES);
    for (let index = 0; index < 30; index++) {
      const flags = index === 0 ? DataFlag.FIRST : 0;
      tap.arrive(message(tap, 0, 53, payload, { index, flags }));
    }
    const { by, error } = await ended(answerer, signal);
    assertEquals([by, error?.code], ["failure", "CHANNEL_LOST"]);
    await offerer.close({ graceful: false });
  });
});

Deno.test("who closes at once after some hundreds of acknowledgements in one burst is noticed at once", async () => {
  const [a, b] = [new PacketTap(), new PacketTap()];
  await connected({ packetTap: a.tap }, { packetTap: b.tap }, async (offerer, answerer, signal) => {
    // In one turn, in which the other can read nothing: more than its system keeps for it.
    for (let index = 1; index <= 800; index++) {
      b.arrive(message(b, 0, 53, Uint8Array.of(1), { index }));
    }
    const closing = answerer.close({ graceful: false });
    const began = performance.now();
    assertEquals((await ended(offerer, signal)).by, "remote");
    await closing;
    assert(performance.now() - began < 3000, "by the ABORT, not by silence");
  });
});
