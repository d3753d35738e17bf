import { assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { TransportError } from "../base/errors.ts";
import { byteLength, ReceiveBuffer } from "./receive_buffer.ts";

Deno.test("a text has as many bytes as its UTF-8 form", () => {
  const text = fc.string({
    unit: fc.oneof(fc.string(), fc.constantFrom("é", "€", "😀", "\ud800")),
  });
  fc.assert(fc.property(text, (t) => {
    assertEquals(byteLength(t), new TextEncoder().encode(t).length);
  }));
});

Deno.test("messages are read in order, whether they wait or are waited for", async () => {
  const buffer = new ReceiveBuffer();
  buffer.push("a");
  assertEquals(await buffer.receive(), "a");
  const waiting = buffer.receive();
  buffer.push("b");
  buffer.push("c");
  assertEquals([await waiting, await buffer.receive()], ["b", "c"]);
});

Deno.test("no more waits than there is room for, in messages and in bytes", async () => {
  const byCount = new ReceiveBuffer({ maxMessages: 2 });
  assertEquals(["a", "b", "c"].map((m) => byCount.push(m)), [true, true, false]);
  const byBytes = new ReceiveBuffer({ maxBytes: 3 });
  assertEquals([byBytes.push("€"), byBytes.push("x")], [true, false]);
  await byBytes.receive();
  assertEquals([byBytes.push("x"), byBytes.bytes], [true, 1]);
});

Deno.test("after the end what waits is read first, then the end is told for ever", async () => {
  const buffer = new ReceiveBuffer();
  buffer.push("last");
  buffer.end({ by: "remote" });
  assertEquals(buffer.push("late"), false);
  assertEquals([await buffer.receive(), await buffer.receive(), await buffer.receive()], [
    "last",
    undefined,
    undefined,
  ]);
});

Deno.test("a failure wakes a reader, and is told to each later one", async () => {
  const buffer = new ReceiveBuffer();
  const waiting = assertRejects(() => buffer.receive(), TransportError, "gone");
  buffer.end({ by: "failure", error: new TransportError("CHANNEL_LOST", "gone") });
  await waiting;
  await assertRejects(() => buffer.receive(), TransportError, "gone");
});

Deno.test("an aborted wait takes no message", async () => {
  const buffer = new ReceiveBuffer();
  const stop = new AbortController();
  const waiting = assertRejects(() => buffer.receive({ signal: stop.signal }), Error, "enough");
  stop.abort(new Error("enough"));
  await waiting;
  buffer.push("kept");
  assertEquals(await buffer.receive(), "kept");
});
