import { assertEquals } from "@std/assert";
import { Deadline } from "../../base/deadline.ts";
import type { Channel, ChannelMessage } from "../channel.ts";
import { connector } from "./connector.ts";

async function connected(signal: AbortSignal): Promise<[Channel, Channel]> {
  const options = { scope: "lan", signal } as const;
  await using offering = await connector.offer(options);
  await using answering = await connector.answer(offering.offer, options);
  return await Promise.all([
    offering.connect(answering.answer, signal),
    answering.connect(signal),
  ]);
}

Deno.test("two peers of ours exchange text and binary messages, then close in order", async () => {
  using deadline = new Deadline(20_000, { what: "the exchange" });
  const [a, b] = await connected(deadline.signal);
  assertEquals(a.label, "bolt");
  assertEquals(b.label, "bolt");
  const wait = { signal: deadline.signal };
  await a.send("bolt-hello-v1", wait);
  assertEquals(await b.receive(wait), "bolt-hello-v1");
  const messages: ChannelMessage[] = [1, 1000, 16384, 262144].map((n) => new Uint8Array(n).fill(n));
  for (const message of messages) await b.send(message, wait);
  for (const message of messages) assertEquals(await a.receive(wait), message);
  await b.drained(wait);
  await b.close(wait);
  assertEquals(await a.receive(wait), undefined);
  assertEquals((await a.closed).by, "remote");
  await a.close();
});
