/** A peer that uses another candidate pair than we do, and how many pairs we have it use. */
import { assert, assertEquals } from "@std/assert";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";
import {
  assertAlive,
  catcher,
  connected,
  inject,
  isNomination,
  isRequest,
  remoteOf,
} from "./harness.ts";

/** Of a record of the handshake, and of any other (RFC 7983, section 7). */
const isDtls = (data: Uint8Array) => (data[0] ?? 0) >= 20 && (data[0] ?? 0) <= 63;

/** Of a STUN message (RFC 8489, section 5). */
const transactionOf = (data: Uint8Array) => data.slice(8, 20).toHex();

const LOOPBACKS = {
  IPv4: { ours: "127.0.0.1", other: "127.0.0.9" },
  IPv6: { ours: "::1", other: "::1" },
} as const;

for (const [family, { ours, other }] of Object.entries(LOOPBACKS)) {
  for (const sending of ["offerer", "answerer"] as const) {
    const elsewhere = [other, 40404] as const;
    const interfaces = () => [{ address: ours }];

    Deno.test(`${family}: all data of the ${sending} comes from an address that it checked and we did not: it is taken`, async () => {
      const taker = catcher();
      let hasChecked = false;
      // The first check that comes is the peer's check of another pair. Ours of that pair is lost.
      const tap: DatagramTap = {
        inbound: (data, from) => {
          if (from[1] === elsewhere[1]) return true;
          const isCheck = isRequest(data) && !hasChecked && !isNomination(data);
          if (isCheck) hasChecked = true;
          if (!isCheck && !isDtls(data)) return true;
          inject(taker.get(), data.slice(), elsewhere);
          return false;
        },
        outbound: (_, to) => to[1] !== elsewhere[1],
      };
      const taking = { ...taker.options, interfaces, tap };
      const [offerer, answerer] = sending === "offerer"
        ? [{ interfaces }, taking]
        : [taking, { interfaces }];
      await connected(offerer, answerer, async (a, b, signal) => {
        await assertAlive(a, b, signal);
        assert(remoteOf(taker.get())[1] !== elsewhere[1]);
      });
    });
  }
}

Deno.test("of several pairs that work one is nominated, no other, and the peer uses that one", async () => {
  const interfaces = () => ["127.0.0.1", "::1"].map((address) => ({ address }));
  const [a, b] = [catcher(), catcher()];
  const nominated = new Set<string>();
  const checked = new Set<string>();
  const nominations = new Set<string>();
  const tap: DatagramTap = {
    outbound: (data, to) => {
      if (isRequest(data)) (isNomination(data) ? nominated : checked).add(String(to));
      if (isNomination(data)) nominations.add(transactionOf(data));
      return true;
    },
    // Time to check the other before the first nomination is answered.
    inbound: (data) => checked.size > 1 || !nominations.has(transactionOf(data)),
  };
  await connected(
    { ...a.options, interfaces, tap },
    { ...b.options, interfaces },
    async (offerer, answerer, signal) => {
      await assertAlive(offerer, answerer, signal);
      assertEquals([...nominated], [String(remoteOf(a.get()))]);
      assert(checked.size > 1);
      const { localCandidate } = b.get().connection.nominated ?? {};
      assertEquals([localCandidate?.host, localCandidate?.port], [...remoteOf(a.get())]);
    },
  );
});
