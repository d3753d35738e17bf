import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { TransportError } from "../base/errors.ts";
import { byteLength, Inbox } from "./inbox.ts";

Deno.test("a text has as many bytes as its UTF-8 form", () => {
  const text = fc.string({
    unit: fc.oneof(fc.string(), fc.constantFrom("é", "€", "😀", "\ud800")),
  });
  fc.assert(fc.property(text, (t) => {
    assertEquals(byteLength(t), new TextEncoder().encode(t).length);
  }));
});

Deno.test("messages are read in order, whether they wait or are waited for", async () => {
  const inbox = new Inbox();
  inbox.push("a");
  assertEquals(await inbox.receive(), "a");
  const waiting = inbox.receive();
  inbox.push("b");
  inbox.push("c");
  assertEquals([await waiting, await inbox.receive()], ["b", "c"]);
});

Deno.test("no more waits than there is room for, in messages and in bytes", async () => {
  const byCount = new Inbox({ maxMessages: 2 });
  assertEquals(["a", "b", "c"].map((m) => byCount.push(m)), [true, true, false]);
  const byBytes = new Inbox({ maxBytes: 3 });
  assertEquals([byBytes.push("€"), byBytes.push("x")], [true, false]);
  await byBytes.receive();
  assertEquals([byBytes.push("x"), byBytes.bytes], [true, 1]);
});

Deno.test("after the end what waits is read first, then the end is told for ever", async () => {
  const inbox = new Inbox();
  inbox.push("last");
  inbox.end({ by: "remote" });
  assertEquals(inbox.push("late"), false);
  assertEquals([await inbox.receive(), await inbox.receive(), await inbox.receive()], [
    "last",
    undefined,
    undefined,
  ]);
});

Deno.test("a failure wakes a reader, and is told to each later one", async () => {
  const inbox = new Inbox();
  const waiting = assertRejects(() => inbox.receive(), TransportError, "gone");
  inbox.end({ by: "failure", error: new TransportError("CHANNEL_LOST", "gone") });
  await waiting;
  await assertRejects(() => inbox.receive(), TransportError, "gone");
});

Deno.test("an aborted wait takes no message", async () => {
  const inbox = new Inbox();
  const stop = new AbortController();
  const waiting = assertRejects(() => inbox.receive({ signal: stop.signal }), Error, "enough");
  stop.abort(new Error("enough"));
  await waiting;
  inbox.push("kept");
  assertEquals(await inbox.receive(), "kept");
});
