/** A peer whose address changes, and strangers who would have one moved. */
import { assert, assertEquals } from "@std/assert";
import { abortable } from "../../src/base/deadline.ts";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import {
  assertAlive,
  catcher,
  connected,
  inject,
  isNomination,
  isRequest,
  remoteOf,
} from "./harness.ts";

type Address = readonly [string, number];
const NEW_ADDRESS: Address = ["10.1.2.3", 40404];
const STRANGER: Address = ["127.0.0.1", 40404];
/** `CandidatePairState.FAILED` of the library. */
const PAIR_FAILED = 4;
/** Of a record of packets (RFC 5246, section 6.2.1). */
const DTLS_DATA = 23;

/** As a network does: not before the sender has gone on. */
function deliver(target: PeerParts, data: Uint8Array, from: Address): void {
  const copy = data.slice();
  queueMicrotask(() => inject(target, copy, from));
}

for (const moving of ["offerer", "answerer"] as const) {
  const controls = moving === "offerer" ? "which controls" : "which is controlled";
  Deno.test(`messages reach the ${moving}, ${controls}, at its new address, and come from there`, async () => {
    const [mover, other] = [catcher(), catcher()];
    let hasMoved = false;
    let otherAddress: Address = STRANGER;
    /** The first byte of what the other sends to the new address once it has moved there. */
    const firstByte = Promise.withResolvers<number>();
    const moverTap: DatagramTap = {
      outbound: (data) => {
        if (hasMoved) deliver(other.get(), data, NEW_ADDRESS);
        return !hasMoved;
      },
    };
    const otherTap: DatagramTap = {
      outbound: (data, [host]) => {
        if (host === NEW_ADDRESS[0]) {
          if (remoteOf(other.get())[0] === host) firstByte.resolve(data[0] ?? 0);
          deliver(mover.get(), data, otherAddress);
        }
        return !hasMoved;
      },
    };
    const moverOptions = { ...mover.options, tap: moverTap };
    const otherOptions = { ...other.options, tap: otherTap };
    await connected(
      moving === "offerer" ? moverOptions : otherOptions,
      moving === "offerer" ? otherOptions : moverOptions,
      async (offerer, answerer, signal) => {
        otherAddress = remoteOf(mover.get());
        hasMoved = true;
        await assertAlive(offerer, answerer, signal);
        assertEquals(remoteOf(other.get()), NEW_ADDRESS);
        assertEquals(remoteOf(mover.get()), otherAddress);
        // Not when a timer runs out: in the turn in which it moves, before the next check.
        assertEquals(await abortable(firstByte.promise, signal), DTLS_DATA);
      },
    );
  });
}

/** Datagrams that a peer sends to the stranger's address; they go nowhere. */
function toStranger(): { readonly sent: Uint8Array[]; readonly tap: DatagramTap } {
  const sent: Uint8Array[] = [];
  const tap: DatagramTap = {
    outbound: (data, [, port]) => {
      if (port === STRANGER[1]) sent.push(data.slice());
      return port !== STRANGER[1];
    },
  };
  return { sent, tap };
}

Deno.test("a nomination that was recorded and is sent from another address is not even answered", async () => {
  const b = catcher();
  const { sent, tap: { outbound = () => true } } = toStranger();
  const recorded = Promise.withResolvers<Uint8Array>();
  const tap: DatagramTap = {
    outbound,
    inbound: (data) => {
      if (isNomination(data)) recorded.resolve(data.slice());
      return true;
    },
  };
  await connected({}, { ...b.options, tap }, async (offerer, answerer, signal) => {
    const { connection } = b.get();
    const before = [connection.checkList.length, ...remoteOf(b.get())];
    inject(b.get(), await abortable(recorded.promise, signal), STRANGER);
    assertEquals([connection.checkList.length, ...remoteOf(b.get())], before);
    assertEquals(sent, []);
    await assertAlive(offerer, answerer, signal);
  });
});

Deno.test("a nomination that was withheld and is sent by a stranger moves nobody: our check has no answer", async () => {
  const b = catcher();
  const { sent, tap: { outbound = () => true } } = toStranger();
  const failed = Promise.withResolvers<void>();
  const pairOfStranger = () => {
    const { checkList } = b.get().connection;
    return checkList.find(({ remoteAddr }) => remoteAddr[1] === STRANGER[1]);
  };
  let isWithholding = false;
  const tap: DatagramTap = {
    outbound: (data, to) => {
      if (pairOfStranger()?.state === PAIR_FAILED) failed.resolve();
      return outbound(data, to);
    },
    inbound: (data, from) => {
      if (!isWithholding || from[1] === STRANGER[1] || !isNomination(data)) return true;
      inject(b.get(), data.slice(), STRANGER);
      return false;
    },
  };
  await connected({}, { ...b.options, tap }, async (offerer, answerer, signal) => {
    const before = remoteOf(b.get());
    isWithholding = true;
    await abortable(failed.promise, signal);
    isWithholding = false;
    assert(sent.some(isRequest), "the stranger was asked");
    assertEquals(remoteOf(b.get()), before);
    await assertAlive(offerer, answerer, signal);
  });
});
