import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Deadline } from "../../base/deadline.ts";
import { DeadlineError, SignalError } from "../../base/errors.ts";
import type { Fields, Log } from "../../log/log.ts";
import { normalizePeerCode, type PeerCode } from "../../protocol/signal/peer_code.ts";
import { DaemonHandshake } from "./daemon_handshake.ts";
import { RendezvousClient } from "./rendezvous_client.ts";
import { MAX_WAITING_FRAMES, RendezvousSocket } from "./rendezvous_socket.ts";

function code(text: string): PeerCode {
  const found = normalizePeerCode(text);
  if (found === undefined) throw new Error(`not a peer code: ${text}`);
  return found;
}

const { signal } = new AbortController();

/** A log that keeps its lines. */
function memoryLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const write = (message: string, fields?: Fields) => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { lines, error: write, warn: write, info: write, debug: write };
}

/** A WebSocket server whose behaviour is `serve`; it and its sockets end with the test. */
async function withServer(
  serve: (socket: WebSocket, frame: string, count: number) => void,
  test: (url: string) => Promise<void>,
): Promise<void> {
  const open = new Set<WebSocket>();
  const closed: Promise<void>[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    let count = 0;
    open.add(socket);
    closed.push(new Promise((resolve) => socket.onclose = () => resolve()));
    socket.onerror = () => {};
    socket.onmessage = (event) => serve(socket, String(event.data), count++);
    return response;
  });
  try {
    await test(`ws://127.0.0.1:${server.addr.port}`);
  } finally {
    for (const socket of open) socket.close();
    await Promise.all(closed);
    await server.shutdown();
  }
}

const PEERS = JSON.stringify({ type: "peers", peers: [] });
const register = (url: string, log = memoryLog(), ends = signal) =>
  RendezvousClient.register({
    url,
    self: code("alice"),
    remote: code("bob"),
    deviceName: "bolt-daemon",
    signal: ends,
    log,
  });

const relayed = (payload: unknown, from = "bob") =>
  JSON.stringify({ type: "signal", from, payload });
const context = {
  room: "r",
  session: "s",
  self: code("alice"),
  remote: code("bob"),
  scope: "lan",
} as const;
const payload = (msgType: string, more: object = {}) => ({
  payload_version: 1,
  session: "s",
  room: "r",
  msg_type: msgType,
  ...more,
});

Deno.test("a client registers first and is confirmed by the list of peers", async () => {
  const frames: string[] = [];
  await withServer((socket, frame) => {
    frames.push(frame);
    socket.send('{"type":"news from the future"}');
    socket.send(PEERS);
  }, async (url) => {
    await using _client = await register(url);
  });
  assertEquals(frames.length, 1);
  assertMatch(frames[0] ?? "", /^\{"type":"register","peer_code":"alice"/);
});

Deno.test("a refused registration says what the server said", async () => {
  await withServer(
    (socket) => socket.send('{"type":"error","message":"code taken\\n"}'),
    async (url) => {
      const error = await assertRejects(() => register(url), SignalError, '"code taken\\n"');
      assertEquals(error.code, "RENDEZVOUS_REFUSED");
    },
  );
});

const HOSTILE: readonly (readonly [string, (socket: WebSocket) => void, string])[] = [
  ["a malformed frame", (socket) => socket.send("{"), "malformed message"],
  ["a binary frame", (socket) => socket.send(new Uint8Array(3)), "binary frame"],
  ["an oversized frame", (socket) => socket.send("x".repeat(1024 * 1024 + 1)), "over 1 MiB"],
  ["a close", (socket) => socket.close(4000), "closed (code 4000)"],
];

for (const [what, attack, says] of HOSTILE) {
  Deno.test(`${what} in place of the list of peers is a clear error`, async () => {
    await withServer(attack, async (url) => {
      await assertRejects(() => register(url), SignalError, says);
    });
  });
}

Deno.test("frames that are not read are bounded: a flood ends the connection", async () => {
  await withServer((socket) => {
    for (let i = 0; i <= MAX_WAITING_FRAMES; i++) socket.send(PEERS);
  }, async (url) => {
    await using socket = await RendezvousSocket.open(url, signal);
    socket.send("go");
    const first = await socket.receive(signal);
    assertEquals(first, PEERS);
    // Not reading while the rest arrives; the server's close comes after it.
    const end = await assertRejects(async () => {
      for (;;) {
        socket.send("more");
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }, SignalError);
    assertEquals(end.code, "RENDEZVOUS_HOSTILE");
  });
});

Deno.test("a server that accepts TCP and never answers ends with the deadline", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  using deadline = new Deadline(50, { what: "the server" });
  const url = `ws://127.0.0.1:${listener.addr.port}`;
  const error = await assertRejects(
    () => register(url, memoryLog(), deadline.signal),
    DeadlineError,
    "phase timeout expired",
  );
  assert(error instanceof DeadlineError);
  (await accepted).close();
});

Deno.test("a server that answers with something else than a WebSocket is unreachable", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("no", { status: 401 }),
  );
  try {
    const url = `ws://127.0.0.1:${server.addr.port}`;
    const error = await assertRejects(() => register(url), SignalError, `server at ${url}`);
    assertEquals(error.code, "RENDEZVOUS_UNREACHABLE");
  } finally {
    await server.shutdown();
  }
});

Deno.test("hello is retried while the target is not found, then acknowledged", async () => {
  const log = memoryLog();
  const hellos: string[] = [];
  await withServer((socket, frame, count) => {
    if (count === 0) return socket.send(PEERS);
    hellos.push(frame);
    if (count < 3) return socket.send(`{"type":"error","message":"peer 'bob' not found"}`);
    socket.send(relayed(payload("ack", { session: "other" })));
    socket.send(relayed(payload("ack"), "eve"));
    socket.send(relayed(payload("ack")));
  }, async (url) => {
    await using client = await register(url, log);
    await new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log }).hello(signal);
  });
  assertEquals(hellos.length, 3);
  assertEquals(new Set(hellos).size, 1);
  assertEquals(log.lines, [
    `hello retry: peer 'bob' not found {"next_ms":100}`,
    `hello retry: peer 'bob' not found {"next_ms":200}`,
    'ignoring signal {"reason":"session-mismatch","from":"bob","expected":"ack"}',
    'ignoring signal {"reason":"unexpected-peer","from":"eve","expected":"ack"}',
    'hello/ack complete {"peer":"bob"}',
  ]);
});

Deno.test("another error of the server is not retried", async () => {
  await withServer((socket, _frame, count) => {
    socket.send(count === 0 ? PEERS : `{"type":"error","message":"rate limited"}`);
  }, async (url) => {
    await using client = await register(url);
    const log = memoryLog();
    const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log });
    await assertRejects(() => handshake.hello(signal), SignalError, '"rate limited"');
  });
});

Deno.test("ignored signals are logged up to a bound", async () => {
  const log = memoryLog();
  await withServer((socket, _frame, count) => {
    if (count === 0) return socket.send(PEERS);
    for (let i = 0; i < 300; i++) socket.send(relayed(payload("hello"), "eve"));
    socket.send(relayed(payload("ack")));
  }, async (url) => {
    await using client = await register(url, log);
    await new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log }).hello(signal);
  });
  assertEquals(log.lines.filter((line) => line.startsWith("ignoring signal")).length, 100);
});
