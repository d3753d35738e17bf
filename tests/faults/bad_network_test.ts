/**
 * Files across bad networks: the short form. The whole matrix is `deno task test:faults`.
 *
 * @module
 */
import { assertEquals, assertGreater } from "@std/assert";
import { DaemonsOverRelay, TRANSPORTS } from "./daemons_over_relay.ts";

const BYTES = 200_000;

for (const transport of TRANSPORTS) {
  const by = transport.toUpperCase();

  Deno.test(`files arrive by ${by} across delay, bursty loss, reordering and duplication, by IPv4 and IPv6`, async () => {
    await using daemons = await DaemonsOverRelay.make({ transport });
    for (
      const [family, conditions] of [
        ["IPv4", { delayMs: 20, jitterMs: 10, loss: 0.03, lossBurst: 4 }],
        ["IPv6", { delayMs: 5, loss: 0.08, lossBurst: 4 }],
        ["IPv6", { reorder: 0.1, duplicate: 0.1 }],
      ] as const
    ) {
      const { result } = await daemons.transfer({
        family,
        conditions,
        seed: 11,
        bytes: BYTES,
        deadlineMs: 60_000,
      });
      assertEquals(result, "arrived", JSON.stringify({ family, conditions }));
    }
  });

  Deno.test(`one direction is cut while a file flows by ${by}: both sides end with CONNECTION_LOST, and meet again`, async () => {
    await using daemons = await DaemonsOverRelay.make({ transport });
    const cut = await daemons.transfer({
      conditions: { bytesPerSecond: 200_000 },
      bytes: 2_000_000,
      deadlineMs: 60_000,
      whenFlowing: ({ forth }) => forth.conditions = { cut: true },
    });
    assertEquals(cut.result, "ended");
    assertEquals([cut.sender.code, cut.receiver.code], ["CONNECTION_LOST", "CONNECTION_LOST"]);
    const again = await daemons.transfer({ bytes: BYTES, deadlineMs: 60_000 });
    assertEquals(again.result, "arrived");
  });

  Deno.test(`a path of 24 KB/s carries a file by ${by} to its end`, async () => {
    await using daemons = await DaemonsOverRelay.make({ transport });
    // More than the system takes unread, and than is under way by TCP.
    const { result, ms } = await daemons.transfer({
      conditions: { bytesPerSecond: 24_000, delayMs: 50 },
      bytes: 720_000,
      deadlineMs: 90_000,
    });
    assertEquals(result, "arrived");
    assertGreater(ms, 29_000, "nothing went past the path");
  });
}
