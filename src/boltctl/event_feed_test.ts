import { assertEquals, assertRejects } from "@std/assert";
import { InterruptedError } from "../base/errors.ts";
import { DaemonClient, DaemonUnreachableError } from "../ipc/client/client.ts";
import { ServedFake } from "../ipc/testing/served_fake.ts";
import { EventFeed } from "./event_feed.ts";

const signal = () => new AbortController().signal;
const stopping = { type: "daemon-stopping", reason: "api" } as const;

Deno.test("nothing that happens after a feed is opened is missed, and a peek takes nothing", async () => {
  await using fake = await ServedFake.start();
  await using feed = await EventFeed.open(new DaemonClient(fake.address), { signal: signal() });
  fake.events.publish(stopping);
  fake.events.publish({ ...stopping, reason: "signal" });
  const peeked = await feed.peek();
  assertEquals([await feed.peek(), await feed.take()], [peeked, peeked]);
  const next = await feed.take();
  assertEquals(next.type === "daemon-stopping" && next.reason, "signal");
});

Deno.test("a feed of no daemon can't be opened", async () => {
  const client = new DaemonClient({ kind: "unix", path: "/nonexistent/bolt.sock" });
  await assertRejects(() => EventFeed.open(client, { signal: signal() }), DaemonUnreachableError);
});

Deno.test("an interruption ends a feed that waits, with its reason, and leaves nothing behind", async () => {
  await using fake = await ServedFake.start();
  const interruption = new AbortController();
  const client = new DaemonClient(fake.address);
  await using feed = await EventFeed.open(client, { signal: interruption.signal });
  const waiting = feed.take();
  interruption.abort(new InterruptedError("enough"));
  await assertRejects(() => waiting, InterruptedError, "enough");
});
