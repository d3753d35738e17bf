/** Messages of all sizes, both ways at once, over a network that loses datagrams. */
import { assertEquals } from "@std/assert";
import type { Channel, ChannelMessage } from "../../src/transport/channel.ts";
import { connected } from "./harness.ts";
import { lossyTap, seededRandom } from "./loss.ts";

/** Sends text and binary of many sizes both ways at once, and closes in order. */
async function exchange(a: Channel, b: Channel, signal: AbortSignal): Promise<void> {
  const random = seededRandom(1);
  const messages: ChannelMessage[] = ["bolt-hello-v1", "é".repeat(5000)];
  for (const size of [1, 1159, 1160, 1161, 16_384, 65_536, 262_144]) {
    messages.push(Uint8Array.from({ length: size }, () => random() * 256));
  }
  const send = async (channel: Channel) => {
    for (const message of messages) await channel.send(message, { signal });
    await channel.drained({ signal });
  };
  const receive = async (channel: Channel) => {
    for (const message of messages) assertEquals(await channel.receive({ signal }), message);
  };
  await Promise.all([send(a), send(b), receive(a), receive(b)]);
  await a.close({ signal });
  assertEquals(await b.receive({ signal }), undefined);
  await b.close({ signal });
}

for (const loss of [0, 0.01, 0.1]) {
  Deno.test(`${100 * loss} % of all datagrams lost: everything arrives, in order, once`, async () => {
    const tap = lossyTap(loss, seededRandom(42));
    await connected({ tap }, { tap }, exchange, { ms: 60_000 });
  });
}
