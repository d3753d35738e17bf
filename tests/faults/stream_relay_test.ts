import { assert, assertEquals, assertGreater } from "@std/assert";
import { abortable, Deadline } from "../../src/base/deadline.ts";
import { seededRandom } from "../transport/loss.ts";
import { BadLink, type LinkConditions } from "./bad_link.ts";
import { StreamRelay } from "./stream_relay.ts";

/** A connection through a relay, with both its ends. */
async function through(
  conditions: LinkConditions,
  use: (
    ends: { readonly from: Deno.TcpConn; readonly to: Deno.TcpConn; readonly forth: BadLink },
    signal: AbortSignal,
  ) => Promise<void>,
): Promise<void> {
  using deadline = new Deadline(20_000, { what: "the relay" });
  using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [forth, back] = [1, 2].map((seed) => new BadLink(conditions, seededRandom(seed)));
  if (forth === undefined || back === undefined) throw new Error("unreachable");
  await using relay = new StreamRelay({
    hostname: "127.0.0.1",
    target: () => ({ hostname: "127.0.0.1", port: target.addr.port }),
    links: [forth, back],
  });
  using from = await Deno.connect({ hostname: "127.0.0.1", port: relay.port });
  using to = await target.accept();
  await use({ from, to, forth }, deadline.signal);
}

async function read(from: Deno.TcpConn, count: number): Promise<Uint8Array> {
  const all = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const bytes = await from.read(all.subarray(at));
    if (bytes === null) throw new Error(`the end after ${at} bytes`);
    at += bytes;
  }
  return all;
}

async function write(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

const SENT = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7 + (i >> 8));

for (
  const [name, conditions, leastMs] of [
    ["without faults", {}, 0],
    ["with a delay", { delayMs: 50, jitterMs: 10 }, 50],
    ["with losses", { loss: 0.05, lossBurst: 2 }, 200],
    ["of a narrow path", { bytesPerSecond: 400_000, queueBytes: 10_000 }, 490],
  ] as const
) {
  Deno.test(`a connection ${name} brings all in order, and then the end`, async () => {
    await through(conditions, async ({ from, to }, signal) => {
      const began = performance.now();
      const writing = write(from, SENT).then(() => from.closeWrite());
      assertEquals(await abortable(read(to, SENT.length), signal), SENT);
      assertGreater(performance.now() - began, leastMs);
      assertEquals(await abortable(to.read(new Uint8Array(1)), signal), null);
      await writing;
    });
  });
}

Deno.test("a cut holds up what comes, and the sender; what was held comes when it is over", async () => {
  await through({ delayMs: 1 }, async ({ from, to, forth }, signal) => {
    forth.conditions = { cut: true };
    let written = 0;
    const huge = new Uint8Array(16 * 1024 * 1024);
    const writing = (async () => {
      while (written < huge.length) {
        const bytes = await from.write(huge.subarray(written));
        written += bytes;
      }
    })();
    const reading = read(to, huge.length);
    let isRead = false;
    reading.then(() => isRead = true, () => {});
    // The other direction passes, and shows that time does.
    for (let i = 0; i < 20; i++) {
      await write(to, Uint8Array.of(i));
      assertEquals(await abortable(read(from, 1), signal), Uint8Array.of(i));
    }
    assert(!isRead && written < huge.length);
    forth.conditions = {};
    await abortable(writing, signal);
    assertEquals((await abortable(reading, signal)).length, huge.length);
  });
});
