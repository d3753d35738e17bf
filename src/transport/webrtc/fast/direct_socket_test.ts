import { assertEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { useDirectSocket } from "./direct_socket.ts";
import { UnexpectedInside } from "./insides.ts";

async function bound(address: string, port = 0): Promise<Socket & AsyncDisposable> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.bind({ address, port });
  await once(socket, "listening");
  return Object.assign(socket, {
    async [Symbol.asyncDispose]() {
      const closed = once(socket, "close");
      socket.close();
      await closed;
    },
  });
}

for (const address of ["127.0.0.1", "::1"]) {
  Deno.test(`datagrams of all our sizes cross a direct socket on ${address}`, async () => {
    await using a = await bound(address);
    await using b = await bound(address);
    useDirectSocket(a);
    useDirectSocket(b);
    for (const size of [1, 1228, 1500, 2048]) {
      const sent = Buffer.alloc(size, size & 255);
      const received = once(b, "message");
      a.send(sent, b.address().port, address);
      sent.fill(0xee); // the socket must have its own copy by now
      const [data, from] = await received;
      assertEquals(data, Buffer.alloc(size, size & 255));
      assertEquals(from.port, a.address().port);
    }
  });
}

Deno.test("a send with a callback, or to a name, goes the usual way", async () => {
  await using a = await bound("127.0.0.1");
  await using b = await bound("127.0.0.1");
  useDirectSocket(a);
  const received = once(b, "message");
  const { promise, resolve } = Promise.withResolvers<unknown>();
  a.send(Buffer.of(1), b.address().port, "127.0.0.1", resolve);
  assertEquals(await promise, null);
  await received;
  const again = once(b, "message");
  a.send(Buffer.of(2), b.address().port, "localhost");
  assertEquals((await again)[0], Buffer.of(2));
});

Deno.test("a socket that is not built as expected is left as it was", () => {
  const send = () => {};
  const odd = { send, setRecvBufferSize: () => {} };
  assertThrows(() => useDirectSocket(odd as unknown as Socket), UnexpectedInside);
  assertEquals(odd.send, send);
});
