import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAX_MESSAGE_BYTES } from "./messages.ts";
import { type RendezvousServer, startRendezvousServer } from "./server.ts";

/** A client that reads frames one by one, as JSON; `next` gives "closed CODE" at the end. */
class Client implements AsyncDisposable {
  readonly #socket: WebSocket;
  readonly #frames: unknown[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #wake: (() => void) | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#push(JSON.parse(data));
    socket.onclose = ({ code }) => {
      this.#push(`closed ${code}`);
      this.#closed.resolve();
    };
  }

  static async connect(server: RendezvousServer): Promise<Client> {
    const socket = new WebSocket(server.url);
    const client = new Client(socket);
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.onopen = () => resolve();
    await promise;
    return client;
  }

  static async registered(server: RendezvousServer, code: string): Promise<Client> {
    const client = await Client.connect(server);
    client.register(code);
    await client.next();
    return client;
  }

  register(code: string): void {
    this.say({
      type: "register",
      peer_code: code,
      device_name: "bolt-daemon",
      device_type: "desktop",
    });
  }

  say(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  sayRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  async next(): Promise<unknown> {
    while (this.#frames.length === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    return this.#frames.shift();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#closed.promise;
  }

  #push(frame: unknown): void {
    this.#frames.push(frame);
    this.#wake?.();
  }
}

/** The bytes of a WebSocket upgrade request, for clients that then misbehave. */
const UPGRADE = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n\r\n`,
);

const described = (code: string) => ({
  peer_code: code,
  device_name: "bolt-daemon",
  device_type: "desktop",
});

Deno.test("two clients meet, signal each other and see each other leave", async () => {
  await using server = startRendezvousServer();
  await using alice = await Client.connect(server);
  alice.register("al-ice");
  assertEquals(await alice.next(), { type: "peers", peers: [] });
  {
    await using bob = await Client.connect(server);
    bob.register("bob");
    assertEquals(await bob.next(), { type: "peers", peers: [described("alice")] });
    assertEquals(await alice.next(), { type: "peer_joined", peer: described("bob") });
    alice.say({ type: "signal", to: "bob", payload: { n: 1 } });
    assertEquals(await bob.next(), { type: "signal", from: "alice", payload: { n: 1 } });
    bob.say({ type: "signal", to: "a-l-i-c-e", payload: [2] });
    assertEquals(await alice.next(), { type: "signal", from: "bob", payload: [2] });
  }
  assertEquals(await alice.next(), { type: "peer_left", peer_code: "bob" });
  alice.say({ type: "ping" });
  alice.say({ type: "signal", to: "bob", payload: {} });
  assertEquals(await alice.next(), { type: "error", message: "peer 'bob' not found" });
});

Deno.test("a taken code is refused with an error and the connection is closed", async () => {
  await using server = startRendezvousServer();
  await using _alice = await Client.registered(server, "alice");
  await using other = await Client.connect(server);
  other.register("a-lice");
  assertEquals(await other.next(), { type: "error", message: "peer code 'alice' is taken" });
  assertEquals(await other.next(), "closed 1008");
});

Deno.test("a binary frame closes the connection", async () => {
  await using server = startRendezvousServer();
  await using client = await Client.registered(server, "alice");
  client.sayRaw(new Uint8Array([1, 2, 3]));
  assertEquals(await client.next(), "closed 1003");
});

Deno.test("a message of 1 MiB passes and one byte more closes the connection", async () => {
  await using server = startRendezvousServer();
  await using alice = await Client.registered(server, "alice");
  await using bob = await Client.registered(server, "bob");
  await alice.next();
  const empty = JSON.stringify({ type: "signal", to: "bob", payload: "" });
  const fill = "x".repeat(MAX_MESSAGE_BYTES - empty.length);
  alice.say({ type: "signal", to: "bob", payload: fill });
  assertEquals(await bob.next(), { type: "signal", from: "alice", payload: fill });
  alice.say({ type: "signal", to: "bob", payload: fill + "x" });
  assertEquals(await alice.next(), "closed 1009");
});

Deno.test("more than 50 messages a second end the connection, and only that one", async () => {
  await using server = startRendezvousServer();
  await using alice = await Client.registered(server, "alice");
  await using bob = await Client.registered(server, "bob");
  await alice.next();
  // The allowance refills while these are on their way: far more than the limit are sent.
  for (let i = 0; i < 2000; i++) alice.say({ type: "ping" });
  const { message } = await alice.next() as { message: string };
  assertStringIncludes(message, "rate limit exceeded: 50 messages a second");
  // The close code can be lost: what is still on its way meets a closed socket and resets it.
  assertMatch(String(await alice.next()), /^closed/);
  assertEquals(await bob.next(), { type: "peer_left", peer_code: "alice" });
});

Deno.test("a connection without messages is closed after the idle timeout", async () => {
  await using server = startRendezvousServer({ idleTimeoutMs: 20 });
  await using client = await Client.connect(server);
  assertEquals(await client.next(), "closed 1008");
});

Deno.test("each message starts the idle time anew, and nothing is left waiting at the end", async () => {
  const idleTimeoutMs = 86_400_001;
  const armed = new Set<unknown>();
  let starts = 0;
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis;
  globalThis.setTimeout = ((callback: () => void, ms?: number) => {
    const id = realSet(callback, ms);
    if (ms === idleTimeoutMs) armed.add(id), starts++;
    return id;
  }) as typeof setTimeout;
  globalThis.clearTimeout = ((id?: Parameters<typeof clearTimeout>[0]) => {
    armed.delete(id);
    realClear(id);
  }) as typeof clearTimeout;
  try {
    await using server = startRendezvousServer({ idleTimeoutMs });
    await using client = await Client.registered(server, "alice");
    const before = starts;
    client.say({ type: "ping" });
    client.say({ type: "signal", to: "alice", payload: 1 });
    await client.next();
    assertEquals([starts - before, armed.size], [2, 1]);
  } finally {
    globalThis.setTimeout = realSet;
    globalThis.clearTimeout = realClear;
  }
  assertEquals(armed.size, 0);
});

Deno.test("connections over the bound are refused and a place is free again after one ends", async () => {
  const left = Promise.withResolvers<void>();
  await using server = startRendezvousServer({
    maxConnections: 1,
    onEvent: ({ kind }) => kind === "left" && left.resolve(),
  });
  {
    await using _first = await Client.registered(server, "alice");
    const response = await fetch(server.url.replace("ws:", "http:"), {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": btoa("0123456789abcdef"),
      },
    });
    assertEquals([response.status, await response.text()], [
      503,
      "no room for another connection\n",
    ]);
  }
  await left.promise;
  await using _second = await Client.registered(server, "alice");
});

Deno.test("a request that is no WebSocket upgrade is answered 426", async () => {
  await using server = startRendezvousServer();
  const response = await fetch(server.url.replace("ws:", "http:"));
  await response.body?.cancel();
  assertEquals(response.status, 426);
});

Deno.test("closing the server ends every client, also one that never answers", async () => {
  const server = startRendezvousServer();
  await using client = await Client.registered(server, "alice");
  using silent = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await silent.write(UPGRADE);
  assert(await silent.read(new Uint8Array(512)));
  await server.close();
  assertEquals(await client.next(), "closed 1001");
});

Deno.test("a client that goes away in the middle of the upgrade leaves nothing behind", async () => {
  await using server = startRendezvousServer();
  for (let i = 0; i < 20; i++) {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await conn.write(UPGRADE);
  }
  await using _client = await Client.registered(server, "alice");
});

Deno.test("a client that does not read is dropped before its unsent messages exceed the bound", async () => {
  const dropped = Promise.withResolvers<string>();
  await using server = startRendezvousServer({
    maxBufferedBytes: 256 * 1024,
    messagesPerSecond: 100_000,
    onEvent: ({ kind, detail }) => kind === "closed" && dropped.resolve(detail),
  });
  await using alice = await Client.registered(server, "alice");
  using unread = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await unread.write(upgradeAndRegister("unread"));
  assertEquals(await alice.next(), { type: "peer_joined", peer: described("unread") });
  const payload = "x".repeat(64 * 1024);
  let sending = true;
  dropped.promise.then(() => sending = false);
  while (sending) {
    // Round trip through the server, so that it works on what was sent before.
    alice.say({ type: "signal", to: "unread", payload });
    alice.say({ type: "signal", to: "nobody", payload: 0 });
    await alice.next();
  }
  assertEquals(await dropped.promise, "does not read what it is sent");
});

Deno.test("replace: too many messages are an error, and the third in a row is the end", async () => {
  await using server = startRendezvousServer({ behaviour: "replace", messagesPerSecond: 1 });
  await using client = await Client.registered(server, "alice");
  for (let i = 0; i < 3; i++) client.say({ type: "ping" });
  const limited = { type: "error", message: "rate limited" };
  const heard = [];
  for (let i = 0; i < 4; i++) heard.push(await client.next());
  assertEquals(heard, [limited, limited, limited, "closed 1008"]);
});

Deno.test("replace: a request that is no WebSocket upgrade is answered 200", async () => {
  await using server = startRendezvousServer({ behaviour: "replace" });
  const response = await fetch(server.url.replace("ws:", "http:"));
  await response.body?.cancel();
  assertEquals(response.status, 200);
});

/** The bytes of a WebSocket upgrade followed by one masked text frame (RFC 6455, section 5.2). */
function upgradeAndRegister(code: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ type: "register", ...described(code) }));
  const head = new Uint8Array([0x81, 0x80 | 126, text.length >> 8, text.length & 255, 0, 0, 0, 0]);
  return new Uint8Array([...UPGRADE, ...head, ...text]);
}
