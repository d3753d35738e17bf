import { assert, assertEquals, assertThrows } from "@std/assert";
import { abortable, Deadline } from "../../../base/deadline.ts";
import { TransportError } from "../../../base/errors.ts";
import { type DatagramConn, MAX_WAITING_SENDS, openUdpSocket, UdpSocket } from "./udp_socket.ts";

const onFailure = (error: unknown) => {
  throw error;
};

/** The next datagrams that a socket takes. */
function arrivals(socket: UdpSocket): (signal: AbortSignal) => Promise<[number[], number]> {
  const waiting: [number[], number][] = [];
  let wake = () => {};
  socket.onDatagram = (data, [, port]) => {
    waiting.push([[...data], port]);
    wake();
  };
  return async (signal) => {
    while (waiting.length === 0) {
      await abortable(new Promise<void>((resolve) => wake = resolve), signal);
    }
    const [first] = waiting.splice(0, 1);
    if (first === undefined) throw new Error("unreachable");
    return first;
  };
}

for (const address of ["127.0.0.1", "::1"]) {
  Deno.test(`datagrams go between two sockets on ${address}, and their arrays are free at once`, async () => {
    using deadline = new Deadline(10_000, { what: "the datagrams" });
    const [a, b] = [
      openUdpSocket({ address }, { onFailure }),
      openUdpSocket({ address }, { onFailure }),
    ];
    assertEquals([a.address.address, a.addressFamily], [address, address === "::1" ? 6 : 4]);
    assert(a.address.port > 0);
    const next = arrivals(b);
    const data = Uint8Array.of(1, 2);
    a.send(data, [address, b.address.port]);
    data.fill(9);
    a.send(data.subarray(1), [address, b.address.port]);
    assertEquals(await next(deadline.signal), [[1, 2], a.address.port]);
    assertEquals(await next(deadline.signal), [[9], a.address.port]);
    await Promise.all([a.close(), b.close()]);
    await a.close();
    a.send(data, [address, 9]);
    assertEquals(a.closed, true);
  });
}

Deno.test("a socket that the system refuses is an error at once, and leaves nothing open", () => {
  // An address of documentation (RFC 5737): no machine has it.
  const error = assertThrows(
    () => openUdpSocket({ address: "203.0.113.5" }, { onFailure }),
    TransportError,
  );
  assertEquals(error.code, "SETUP_FAILED");
  assertEquals(
    error.message,
    "no UDP socket can be opened: this machine does not have that address",
  );
});

Deno.test("a destination that the system refuses is a loss, and ends nothing", async () => {
  using deadline = new Deadline(10_000, { what: "the datagram" });
  const address = "127.0.0.1";
  const [a, b] = [
    openUdpSocket({ address }, { onFailure }),
    openUdpSocket({ address }, { onFailure }),
  ];
  const next = arrivals(b);
  for (const to of [["203.0.113.5", 9], ["::1", 9], ["no address", 9], ["127.0.0.1", 0]] as const) {
    await a.send(Uint8Array.of(1), to);
  }
  a.send(Uint8Array.of(2), [address, b.address.port]);
  assertEquals(await next(deadline.signal), [[2], a.address.port]);
  await Promise.all([a.close(), b.close()]);
});

Deno.test("a refusal of the system is told, an acceptance is not", async () => {
  const answers = [Promise.reject(new Error("EINVAL")), Promise.resolve(1)];
  for (const answer of answers) answer.catch(() => {});
  const { conn } = fake({ send: () => answers.shift() ?? Promise.resolve(1) });
  let refused = 0;
  const socket = new UdpSocket(conn, { onFailure, onRefused: () => refused++ });
  for (let i = 0; i < 3; i++) socket.send(Uint8Array.of(i), ["127.0.0.1", 2]);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  assertEquals([refused, answers.length], [1, 0]);
  await socket.close();
});

const ADDRESS: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: 1 };

/** A socket of a system that does as the test says. */
function fake(conn: Partial<DatagramConn>) {
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});
  let closed = 0;
  const socket: DatagramConn = {
    addr: ADDRESS,
    receive: () => over.promise,
    send: () => Promise.resolve(0),
    close: () => {
      closed++;
      over.reject(new Deno.errors.BadResource("closed"));
    },
    ...conn,
  };
  return { conn: socket, over, closed: () => closed };
}

/** A system that takes a datagram when the test says. */
function slowSystem() {
  const taken: Uint8Array[] = [];
  let take: () => void = () => {};
  const made = fake({
    send: (data) => {
      taken.push(data);
      return new Promise<number>((resolve) => take = () => resolve(data.length));
    },
  });
  const socket = new UdpSocket(made.conn, { onFailure });
  const send = (byte: number) => void socket.send(Uint8Array.of(byte), ["127.0.0.1", 2]);
  const takeOne = async () => {
    take();
    for (let i = 0; i < 3; i++) await Promise.resolve();
  };
  return { ...made, send, socket, taken, takeOne };
}

Deno.test("what the system does not take at once waits, and goes out in order", async () => {
  const { send, socket, taken, takeOne } = slowSystem();
  for (const byte of [1, 2, 3]) send(byte);
  assertEquals(taken.length, 1, "the system could take several in any order");
  for (let i = 0; i < 3; i++) await takeOne();
  assertEquals(taken.map(([byte]) => byte), [1, 2, 3]);
  await socket.close();
});

Deno.test("sends that wait are bounded: what comes on top is a loss", async () => {
  const { send, socket, taken, takeOne } = slowSystem();
  for (let i = 0; i < MAX_WAITING_SENDS + 10; i++) send(i);
  for (let i = 0; i < MAX_WAITING_SENDS + 10; i++) await takeOne();
  assertEquals(taken.length, MAX_WAITING_SENDS);
  send(7);
  assertEquals(taken.length, MAX_WAITING_SENDS + 1);
  await socket.close();
});

Deno.test("an array is used again when the system has taken it, and not before", async () => {
  const { send, socket, taken, takeOne } = slowSystem();
  for (const byte of [1, 2]) send(byte);
  await takeOne();
  assertEquals(taken.map(([byte]) => byte), [1, 2]);
  send(3);
  await takeOne();
  const [first, second, third] = taken;
  assert(first?.buffer !== second?.buffer);
  assert(first?.buffer === third?.buffer);
  await socket.close();
});

Deno.test("what was handed over before the socket is closed is given to the system first", async () => {
  const { closed, send, socket, taken } = slowSystem();
  for (const byte of [1, 2, 3]) send(byte);
  const closing = socket.close();
  assertEquals([taken.map(([byte]) => byte), closed()], [[1, 2, 3], 1]);
  await closing;
});

Deno.test("a receive that fails says nothing of the next one", async () => {
  using deadline = new Deadline(10_000, { what: "the datagram" });
  let calls = 0;
  const { conn, over } = fake({});
  conn.receive = () => {
    if (++calls < 10) return Promise.reject(new Deno.errors.ConnectionReset("ICMP"));
    if (calls > 10) return over.promise;
    return Promise.resolve([new Uint8Array(1), ADDRESS]);
  };
  const socket = new UdpSocket(conn, { onFailure });
  const next = arrivals(socket);
  assertEquals(await next(deadline.signal), [[0], 1]);
  await socket.close();
});

Deno.test("a socket that only fails is closed: nobody waits for it in a circle", async () => {
  let calls = 0;
  const { conn, closed } = fake({
    receive: () => {
      calls++;
      return Promise.reject(new Error("broken"));
    },
  });
  const socket = new UdpSocket(conn, { onFailure });
  while (!socket.closed) await Promise.resolve();
  assertEquals([closed(), calls], [1, 64]);
  await socket.close();
  assertEquals(closed(), 1);
});

Deno.test("what a handler throws is told, and the socket is closed", async () => {
  const failed = Promise.withResolvers<unknown>();
  const { conn, over, closed } = fake({});
  let isFirst = true;
  conn.receive = () => {
    if (!isFirst) return over.promise;
    isFirst = false;
    return Promise.resolve([new Uint8Array(1), ADDRESS]);
  };
  const socket = new UdpSocket(conn, { onFailure: failed.resolve });
  const broken = new Error("a fault of ours");
  socket.onDatagram = () => {
    throw broken;
  };
  assertEquals(await failed.promise, broken);
  await socket.close();
  assertEquals(closed(), 1);
});

Deno.test("a flood does not keep the event loop from its timers", async () => {
  using deadline = new Deadline(20_000, { what: "the flood" });
  const address = "127.0.0.1";
  const [a, b] = [
    openUdpSocket({ address }, { onFailure }),
    openUdpSocket({ address }, { onFailure }),
  ];
  let received = 0;
  let isOver = false;
  const data = new Uint8Array(100);
  // Each datagram is followed by another one: there is always one to be received.
  b.onDatagram = () => {
    received++;
    if (!isOver) a.send(data, [address, b.address.port]);
  };
  for (let i = 0; i < 50; i++) a.send(data, [address, b.address.port]);
  // It goes on all the while that the timers are waited for.
  while (received <= 100) {
    await abortable(new Promise((resolve) => setTimeout(resolve, 1)), deadline.signal);
  }
  isOver = true;
  await Promise.all([a.close(), b.close()]);
});
