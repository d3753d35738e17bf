import { assert, assertEquals } from "@std/assert";
import { abortable, Deadline } from "../../../base/deadline.ts";
import {
  FRAME_HEADER_BYTES,
  FULL_LINK_BYTES,
  MAX_DTLS_FRAME,
  MAX_LINK_QUEUE_BYTES,
  WRITABLE_LINK_BYTES,
} from "./framing.ts";
import { type StreamConn, TcpLink, UNPROVEN_BYTES } from "./tcp_link.ts";

/** Two links that are the ends of one connection. */
async function linked(): Promise<[TcpLink, TcpLink]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [to, from] = await Promise.all([
    Deno.connect({ port: listener.addr.port }),
    listener.accept(),
  ]);
  const links: [TcpLink, TcpLink] = [new TcpLink(to), new TcpLink(from)];
  for (const link of links) {
    link.prove();
    link.start();
  }
  return links;
}

/** Resolves with what has come, when it is so much. */
function received(link: TcpLink, count: number): Promise<Uint8Array[]> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array[]>();
  const all: Uint8Array[] = [];
  link.onDatagram = (data) => {
    if (all.push(data.slice()) === count) resolve(all);
  };
  return promise;
}

/** What was begun in this turn of the event loop is done. */
const settled = () => new Promise<void>((resolve) => setTimeout(resolve));

const datagram = (first: number, length: number) => new Uint8Array(length).fill(first);

Deno.test("datagrams arrive whole and in order, their arrays are free at once, and both ends are told", async () => {
  using deadline = new Deadline(10_000, { what: "the datagrams" });
  const [a, b] = await linked();
  assertEquals([a.address.port, a.remote[1]], [b.remote[1], b.address.port]);
  assertEquals([a.addressFamily, a.remote[0]], [4, "127.0.0.1"]);
  b.grow();
  const lengths = Array.from({ length: 300 }, (_, i) => 1 + (i * 7919) % MAX_DTLS_FRAME);
  const all = received(b, lengths.length);
  const scratch = new Uint8Array(MAX_DTLS_FRAME);
  for (const [i, length] of lengths.entries()) {
    if (!a.isWritable) await new Promise<void>((resolve) => a.onWritable = resolve);
    scratch.fill(20 + i % 40);
    a.send(scratch.subarray(0, length));
  }
  scratch.fill(99);
  const expected = lengths.map((length, i) => datagram(20 + i % 40, length));
  assertEquals(await abortable(all, deadline.signal), expected);
  await Promise.all([a.close(), b.close()]);
  const sent = lengths.reduce((sum, length) => sum + length + FRAME_HEADER_BYTES, 0);
  assertEquals([a.writtenBytes, a.queuedBytes, a.closed], [sent, 0, true]);
});

Deno.test("what was sent before a close arrives, and then the end is told once", async () => {
  using deadline = new Deadline(10_000, { what: "the end" });
  const [a, b] = await linked();
  const last = received(b, 1);
  const ended = new Promise<unknown>((resolve) => b.onClosed = resolve);
  a.onClosed = () => {
    throw new Error("who closes is not told");
  };
  a.send(datagram(23, 100));
  const closing = a.close();
  assertEquals(await abortable(last, deadline.signal), [datagram(23, 100)]);
  assert(await abortable(ended, deadline.signal) instanceof Error);
  await closing;
  await b.close();
});

Deno.test("a stranger may say so much and no more; who is proven may go on", async () => {
  using deadline = new Deadline(10_000, { what: "the stranger" });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const isProven of [false, true]) {
    const [stranger, conn] = await Promise.all([
      Deno.connect({ port: listener.addr.port }),
      listener.accept(),
    ]);
    const link = new TcpLink(conn);
    if (isProven) link.prove();
    const ended = new Promise((resolve) => link.onClosed = resolve);
    const all = received(link, 3);
    link.start();
    const frame = Uint8Array.of(3, 232, ...datagram(1, 1000));
    for (let i = 0; i < 3; i++) await stranger.write(frame).catch(() => {});
    assert(3 * frame.length > UNPROVEN_BYTES);
    await abortable(isProven ? all : ended, deadline.signal);
    assertEquals(link.closed, !isProven);
    stranger.close();
    await link.close();
  }
});

/** A connection whose other end takes nothing, until it is let. */
function stuck(): StreamConn & { readonly take: (bytes: number) => void } {
  const addr = { transport: "tcp", hostname: "127.0.0.1", port: 1 } as const;
  const closed = Promise.withResolvers<never>();
  closed.promise.catch(() => {});
  let taken = Promise.withResolvers<number>();
  return {
    take: (bytes) => {
      const { resolve } = taken;
      taken = Promise.withResolvers();
      resolve(bytes);
    },
    localAddr: addr,
    remoteAddr: addr,
    read: () => closed.promise,
    write: () => Promise.race([taken.promise, closed.promise]),
    closeWrite: () => closed.promise,
    close: () => closed.reject(new Error("closed")),
  };
}

Deno.test("a link says when it takes no more for now, and once when it does again", async () => {
  const conn = stuck();
  const link = new TcpLink(conn);
  const told: number[] = [];
  link.onWritable = () => told.push(link.queuedBytes);
  link.start();
  while (link.isWritable) link.send(datagram(23, 16_000));
  assert(link.queuedBytes >= FULL_LINK_BYTES && link.queuedBytes < FULL_LINK_BYTES + 16_002);
  // So many bytes at once as a slow peer takes: each write is of what is left.
  let before = link.queuedBytes;
  do {
    conn.take(1000);
    await settled();
    assert(link.queuedBytes === before - 1000 || link.queuedBytes === before);
    before = link.queuedBytes;
    assertEquals(told.length, link.isWritable ? 1 : 0);
  } while (!link.isWritable);
  assert(before <= WRITABLE_LINK_BYTES);
  await settled();
  assertEquals([told, link.closed], [[before], false]);
  link.abort();
});

Deno.test("who takes nothing is given up when the queue is full, and nothing is kept", () => {
  const link = new TcpLink(stuck());
  let reason: unknown;
  link.onClosed = (why) => reason = why;
  link.start();
  const frame = datagram(23, 16_000);
  while (!link.closed) {
    assert(link.queuedBytes <= MAX_LINK_QUEUE_BYTES);
    link.send(frame);
  }
  assert(reason instanceof Error);
  assertEquals(link.queuedBytes, 0);
});

Deno.test("a close does not wait for ever for an end that takes nothing", async () => {
  using deadline = new Deadline(5_000, { what: "the close" });
  const link = new TcpLink(stuck());
  link.start();
  link.send(datagram(23, 100));
  await abortable(link.close(), deadline.signal);
  assertEquals(link.closed, true);
});
