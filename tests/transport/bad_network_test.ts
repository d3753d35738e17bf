/** Loss, silence, and the end of sessions. */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { Deadline } from "../../src/base/deadline.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";
import type { LibraryPair } from "../../src/transport/webrtc/library.ts";
import { setupOverTcp } from "../faults/setup_over_tcp.ts";
import { assertAlive, catcher, connected, ended, inject, LOOPBACK_ONLY } from "./harness.ts";
import { lossyTap, seededRandom, setupUnderLoss } from "./loss.ts";

Deno.test("setups succeed within 20 s when 5 % of the datagrams are lost", async () => {
  for (let seed = 0; seed < 12; seed++) await setupUnderLoss(0.05, seed, 20_000);
});

Deno.test("setups by TCP succeed within 20 s when 5 % of the segments are lost", async () => {
  for (let seed = 0; seed < 12; seed++) await setupOverTcp(0.05, seed, 20_000);
});

Deno.test("a setup succeeds when each flight of the handshake is lost once", async () => {
  const once = (): DatagramTap => {
    const lost = new Set<number>();
    return {
      inbound: (data) => {
        // The first record's content type and the message in it name the flight.
        const isHandshake = data[0] === 22 || data[0] === 20;
        const flight = (data[0] ?? 0) * 256 + (data[13] ?? 0);
        if (!isHandshake || lost.has(flight)) return true;
        lost.add(flight);
        return false;
      },
    };
  };
  await connected({ tap: once() }, { tap: once() }, assertAlive);
});

Deno.test("when all checks have failed they begin anew: the peer may just be late", async () => {
  const caught = catcher();
  // A check and its retransmissions have one transaction id; a new check has another.
  const checks = new Set<string>();
  const began = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const tap: DatagramTap = {
    outbound: (data) => {
      checks.add(data.subarray(8, 20).join());
      began[checks.size - 1]?.resolve();
      return false;
    },
  };
  using deadline = new Deadline(20_000, { what: "two checks" });
  const { signal } = deadline;
  const options = { scope: "lan", signal } as const;
  await using absent = await createConnector(LOOPBACK_ONLY)
    .offer(options);
  await using late = await createConnector({ ...LOOPBACK_ONLY, ...caught.options, tap })
    .answer(absent.offer, options);
  const stop = new AbortController();
  const connecting = late.connect(stop.signal).catch(() => {});
  await began[0]?.promise;
  const { connection } = caught.get();
  const insides = connection as unknown as { checkComplete(pair: LibraryPair): void };
  for (const pair of connection.checkList) {
    pair.updateState(4);
    insides.checkComplete(pair);
  }
  await began[1]?.promise;
  stop.abort();
  await connecting;
});

Deno.test("a setup succeeds when every datagram comes twice", async () => {
  const doubling = (caught: ReturnType<typeof catcher>): DatagramTap => {
    let isCopy = false;
    return {
      inbound: (data, from) => {
        if (isCopy) return true;
        isCopy = true;
        inject(caught.get(), data, from);
        isCopy = false;
        return true;
      },
    };
  };
  const [a, b] = [catcher(), catcher()];
  await connected(
    { ...a.options, tap: doubling(a) },
    { ...b.options, tap: doubling(b) },
    assertAlive,
  );
});

for (const [name, crossing] of [["10^9", 1e9], ["2^32", 2 ** 32]] as const) {
  Deno.test(`messages go on when losses coincide with the TSN's crossing of ${name}`, async () => {
    const random = seededRandom(7);
    // Losses begin with the messages: the setup is another test's.
    let isLossy = false;
    const tap: DatagramTap = { inbound: () => !isLossy || random() >= 0.1 };
    const firstTsn = crossing - 40;
    await connected({ firstTsn }, { firstTsn, tap }, async (offerer, answerer, signal) => {
      isLossy = true;
      const messages = Array.from({ length: 150 }, (_, i) => new Uint8Array(1000).fill(i));
      const sending = (async () => {
        for (const message of messages) await offerer.send(message, { signal });
      })();
      for (const message of messages) assertEquals(await answerer.receive({ signal }), message);
      await sending;
      await offerer.drained({ signal });
    }, { ms: 60_000 });
  });
}

Deno.test("an orderly close loses nothing that was sent, under loss", async () => {
  const tap = lossyTap(0.03, seededRandom(3));
  await connected({ tap }, { tap }, async (offerer, answerer, signal) => {
    const messages = Array.from({ length: 40 }, (_, i) => new Uint8Array(16_384).fill(i));
    const received: unknown[] = [];
    const reading = (async () => {
      for await (const message of answerer) received.push(message);
    })();
    for (const message of messages) await offerer.send(message, { signal });
    await offerer.close({ signal });
    await reading;
    assertEquals(received, messages);
    assertEquals([(await offerer.closed).by, (await answerer.closed).by], ["local", "remote"]);
  }, { ms: 60_000 });
});

Deno.test("a peer that falls silent is known to be gone within 10 s", async () => {
  let isCut = false;
  const tap: DatagramTap = { inbound: () => !isCut };
  await connected({ tap }, { tap }, async (offerer, answerer, signal) => {
    await assertAlive(offerer, answerer, signal);
    isCut = true;
    const cutAt = performance.now();
    const ends = await Promise.all([ended(offerer, signal), ended(answerer, signal)]);
    for (const { by, error } of ends) {
      assertEquals([by, error?.code], ["failure", "CHANNEL_LOST"]);
    }
    // A bound of the promise, not of the machine: nine and a half seconds are counted out.
    assertGreater(10_500, performance.now() - cutAt);
  }, { ms: 30_000 });
});

Deno.test("a silence of five seconds ends nothing", async () => {
  let isCut = false;
  const tap: DatagramTap = { inbound: () => !isCut };
  await connected({ tap }, { tap }, async (offerer, answerer, signal) => {
    isCut = true;
    const message = answerer.receive({ signal });
    await offerer.send("through the silence", { signal });
    setTimeout(() => isCut = false, 5000);
    assertEquals(await message, "through the silence");
    await assertAlive(offerer, answerer, signal);
  });
});

Deno.test("an aborted setup leaves nothing, at any moment", async () => {
  for (const ms of [0, 5, 20, 40, 60, 80, 120]) {
    const { signal } = new AbortController();
    await using offering = await createConnector(LOOPBACK_ONLY).offer({ scope: "lan", signal });
    await using answering = await createConnector(LOOPBACK_ONLY)
      .answer(offering.offer, { scope: "lan", signal });
    using stop = new Deadline(ms, { what: "nothing" });
    const meeting = await Promise.allSettled([
      offering.connect(answering.answer, stop.signal),
      answering.connect(stop.signal),
    ]);
    for (const end of meeting) {
      if (end.status === "fulfilled") await end.value.close({ graceful: false });
    }
  }
});

Deno.test("a peer that never comes is waited for, and then nothing is left", async () => {
  using deadline = new Deadline(700, { what: "a peer" });
  const options = { scope: "lan", signal: deadline.signal } as const;
  await using offering = await createConnector(LOOPBACK_ONLY).offer(options);
  const absent = await createConnector(LOOPBACK_ONLY).answer(offering.offer, options);
  const { answer } = absent;
  await absent[Symbol.asyncDispose]();
  const failure = await offering.connect(answer, deadline.signal).then(() => "met", (e) => e.code);
  assertEquals(failure, "DEADLINE");
  assert(deadline.signal.aborted);
});
