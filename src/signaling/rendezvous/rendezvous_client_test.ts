import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { BEHAVIOURS } from "../../../scripts/rendezvous/room.ts";
import { type RendezvousEvent, startRendezvousServer } from "../../../scripts/rendezvous/server.ts";
import { RelayPeer } from "../../../tests/support/relay_peer.ts";
import { TcpProxy } from "../../../tests/support/tcp_proxy.ts";
import { Deadline } from "../../base/deadline.ts";
import { DeadlineError, SignalError } from "../../base/errors.ts";
import {
  HEARTBEAT_ANSWER_MS,
  HEARTBEAT_MS,
  RECONNECT,
  REGISTER_MS,
  REGISTER_RETRY,
  RESEND_MS,
} from "../../base/timing.ts";
import type { Fields, Log } from "../../log/log.ts";
import { DaemonHandshake } from "./daemon_handshake.ts";
import { RendezvousClient } from "./rendezvous_client.ts";
import { MAX_UNREAD_FRAMES, RendezvousSocket } from "./rendezvous_socket.ts";
import { ManualPace } from "../testing/manual_pace.ts";
import { codes } from "../../protocol/testing/peer_codes.ts";

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
    ...codes("alice", "bob"),
    deviceName: "bolt-daemon",
    signal: ends,
    log,
  });

const relayed = (payload: unknown, from = "bob") =>
  JSON.stringify({ type: "signal", from, payload });
const context = {
  room: "r",
  session: "s",
  ...codes("alice", "bob"),
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
    for (let i = 0; i <= MAX_UNREAD_FRAMES; i++) socket.send(PEERS);
  }, async (url) => {
    await using socket = await RendezvousSocket.open(url, signal);
    socket.send("go");
    const first = await socket.receive(signal);
    assertEquals(first, PEERS);
    // Not reading while the rest arrives; what waited is dropped with the connection.
    while (socket.send("more")) await new Promise((resolve) => setTimeout(resolve, 1));
    const end = await assertRejects(() => socket.receive(signal), SignalError);
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

for (const status of [200, 401, 302]) {
  Deno.test(`a server that answers HTTP ${status} is unreachable, in our own words`, async () => {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response("no", { status }),
    );
    try {
      const url = `ws://127.0.0.1:${server.addr.port}/meet?token=secret`;
      const error = await assertRejects(() => register(url), SignalError);
      assertEquals(error.code, "RENDEZVOUS_UNREACHABLE");
      assertEquals(
        error.message,
        `cannot reach the rendezvous server at ws://127.0.0.1:${server.addr.port}/meet?...: it ` +
          `answered HTTP ${status} and opened no WebSocket: check host, port and path`,
      );
    } finally {
      await server.shutdown();
    }
  });
}

Deno.test("why a server can't be reached is told in our own words, without the URL's secrets", async () => {
  using noise = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const speaking = (async () => {
    using conn = await noise.accept();
    await conn.write(new TextEncoder().encode("SSH-2.0-x\r\n"));
    await conn.read(new Uint8Array(1024));
  })();
  const cases = [
    [`ws://u:secret@127.0.0.1:1/?secret`, "nothing listens there, or a firewall refuses"],
    [`ws://u:secret@no-such-host.invalid/?secret`, "there is no host of that name"],
    [`ws://u:secret@127.0.0.1:${noise.addr.port}/?secret`, "what answers there is no WebSocket"],
    [`ws://u:secret@127.0.0.1:1/?secret#secret`, "that is no WebSocket URL"],
  ] as const;
  for (const [url, says] of cases) {
    const { message } = await assertRejects(() => register(url), SignalError, says);
    assert(!/secret|Error|os error/.test(message), message);
  }
  await speaking;
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
    socket.send(count === 0 ? PEERS : `{"type":"error","message":"no such room"}`);
  }, async (url) => {
    await using client = await register(url);
    const log = memoryLog();
    const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log });
    await assertRejects(() => handshake.hello(signal), SignalError, '"no such room"');
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

/** Counts, and tells when it has come to a number. */
class Count {
  value = 0;
  #wake = Promise.withResolvers<void>();

  add(): void {
    this.value++;
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async reaches(value: number): Promise<void> {
    while (this.value < value) await this.#wake.promise;
  }
}

async function registerAt(
  url: string,
  pace: ManualPace,
  log: Log = memoryLog(),
): Promise<RendezvousClient> {
  const options = { url, ...codes("alice", "bob"), deviceName: "x", signal, log };
  return await RendezvousClient.register({ ...options, pace });
}

Deno.test("a registration whose connection ends is made again, and told once", async () => {
  for (const behaviour of BEHAVIOURS) {
    const log = memoryLog();
    const pace = new ManualPace();
    await using server = startRendezvousServer({ behaviour });
    await using proxy = new TcpProxy(server.port);
    await using client = await registerAt(proxy.url, pace, log);
    const received = client.receive(signal);
    proxy.cut();
    await pace.waits(RECONNECT.firstMs);
    assertEquals(proxy.accepted, 1);
    pace.pass(RECONNECT.firstMs);
    assertEquals(await received, { type: "registered-again" });
    assertMatch(log.lines.join("\n"), /^lost the rendezvous server.*\nregistered again [^\n]*$/);
  }
});

Deno.test("a server that stays away is tried less and less often, until the deadline", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  await using server = startRendezvousServer();
  await using proxy = new TcpProxy(server.port);
  await using client = await registerAt(proxy.url, pace, log);
  const deadline = new AbortController();
  const received = client.receive(deadline.signal);
  proxy.target = undefined;
  proxy.cut();
  await pace.waits(250);
  pace.pass(250);
  for (const ms of [250, 500, 1000, 2000, 4000, 8000]) {
    await pace.waits(ms);
    pace.pass(ms);
  }
  await pace.waits(8000);
  const failed = log.lines.filter((line) => line.startsWith("registering again failed"));
  assertEquals(failed.length, 7);
  deadline.abort(new DeadlineError("enough"));
  await assertRejects(() => received, DeadlineError, "enough");
});

Deno.test("an attempt to register again that nobody answers ends, and the next one succeeds", async () => {
  const pace = new ManualPace();
  await using server = startRendezvousServer();
  await using proxy = new TcpProxy(server.port);
  await using client = await registerAt(proxy.url, pace);
  const received = client.receive(signal);
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  proxy.target = mute.addr.port;
  proxy.cut();
  await pace.waits(RECONNECT.firstMs);
  pace.pass(RECONNECT.firstMs);
  using _held = await mute.accept();
  proxy.target = server.port;
  pace.pass(REGISTER_MS);
  await pace.waits(REGISTER_RETRY.firstMs);
  pace.pass(REGISTER_RETRY.firstMs);
  assertEquals(await received, { type: "registered-again" });
});

Deno.test("a code that the server still holds taken is tried for until it is free", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  const left = new Count();
  const onEvent = ({ kind }: RendezvousEvent) => kind === "left" && left.add();
  await using server = startRendezvousServer({ onEvent });
  await using proxy = new TcpProxy(server.port);
  await using client = await registerAt(proxy.url, pace, log);
  const received = client.receive(signal);
  proxy.cut();
  await left.reaches(1);
  {
    await using _other = await RelayPeer.register(server.url, "alice");
    await pace.waits(RECONNECT.firstMs);
    pace.pass(RECONNECT.firstMs);
    await pace.waits(REGISTER_RETRY.firstMs);
    assertStringIncludes(log.lines.join("\n"), "peer code 'alice' is taken");
  }
  await left.reaches(2);
  pace.pass(REGISTER_RETRY.firstMs);
  assertEquals((await received).type, "registered-again");
});

Deno.test("a heartbeat that comes back is quiet: two small messages each 10 s, even if nobody reads", async () => {
  const frames: string[] = [];
  const log = memoryLog();
  const pace = new ManualPace();
  await withServer((socket, frame, count) => {
    if (count === 0) return socket.send(PEERS);
    frames.push(frame);
    const { type, payload } = JSON.parse(frame);
    if (type === "signal") socket.send(relayed(payload, "a-lice"));
  }, async (url) => {
    await using client = await registerAt(url, pace, log);
    for (let beat = 1; beat <= 3; beat++) {
      pace.pass(HEARTBEAT_MS - (beat === 1 ? 0 : HEARTBEAT_ANSWER_MS));
      // Reading is what shows that all before it was heard.
      const echo = client.receive(signal);
      client.send({ beat });
      await echo;
      pace.pass(HEARTBEAT_ANSWER_MS);
    }
    assert(frames.every((frame) => frame.length < 200));
    const kinds = frames.map((frame) => JSON.parse(frame)).map(({ type, to }) => to ?? type);
    assertEquals(kinds, ["ping", "alice", "bob", "ping", "alice", "bob", "ping", "alice", "bob"]);
    assertEquals(log.lines, []);
  });
});

Deno.test("a connection that dies without a word is noticed and made anew while the default phase still has time", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  await using server = startRendezvousServer({ behaviour: "replace" });
  await using proxy = new TcpProxy(server.port);
  await using client = await registerAt(proxy.url, pace, log);
  const received = client.receive(signal);
  proxy.freeze();
  pace.pass(HEARTBEAT_MS + HEARTBEAT_ANSWER_MS);
  await pace.waits(RECONNECT.firstMs);
  pace.pass(RECONNECT.firstMs);
  assertEquals(await received, { type: "registered-again" });
  assertStringIncludes(log.lines[0] ?? "", "does not answer any more");
});

Deno.test("a code that is taken over is told once and not taken back; it is registered again when it is free", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  const left = new Count();
  const onEvent = ({ kind }: RendezvousEvent) => kind === "left" && left.add();
  await using server = startRendezvousServer({ behaviour: "replace", onEvent });
  await using proxy = new TcpProxy(server.port);
  await using client = await registerAt(proxy.url, pace, log);
  {
    await using other = await RelayPeer.register(server.url, "alice");
    for (let beat = 1; beat <= 3; beat++) {
      pace.pass(HEARTBEAT_MS - (beat === 1 ? 0 : HEARTBEAT_ANSWER_MS));
      // The other has heard the probe, so the server has it.
      assertEquals(Object.keys(await other.signal()), ["bolt_daemon_probe"]);
      pace.pass(HEARTBEAT_ANSWER_MS / 2);
      // The error about bob comes after the one about nobody's code.
      client.send({});
      assertEquals(await client.receive(signal), { type: "peer-not-found" });
      pace.pass(HEARTBEAT_ANSWER_MS / 2);
    }
    assertEquals(proxy.accepted, 1);
    assertEquals(log.lines.length, 1);
    assertMatch(log.lines[0] ?? "", /^another program has registered our peer code/);
  }
  await left.reaches(1);
  const received = client.receive(signal);
  pace.pass(HEARTBEAT_MS - HEARTBEAT_ANSWER_MS);
  await pace.waits(RECONNECT.firstMs);
  pace.pass(RECONNECT.firstMs);
  assertEquals(await received, { type: "registered-again" });
});

Deno.test("two programs with one code do not take it from each other in a loop", async () => {
  // A server that ends the older connection invites each to register again at once.
  const pace = new ManualPace();
  const open: WebSocket[] = [];
  await withServer((socket, _frame, count) => {
    if (count > 0) return;
    for (const older of open.splice(0)) older.close();
    open.push(socket);
    socket.send(PEERS);
  }, async (url) => {
    await using one = await registerAt(url, pace);
    await using two = await registerAt(url, pace);
    const deadline = new AbortController();
    const ends = [one, two].map(async (client) => {
      for (;;) await client.receive(deadline.signal);
    });
    for (const ms of [250, 250, 500, 500, 1000, 1000, 2000, 2000]) {
      await pace.waits(ms);
      pace.pass(ms);
    }
    deadline.abort(new DeadlineError("enough"));
    for (const end of ends) await assertRejects(() => end, DeadlineError);
  });
});

Deno.test("a server that wants fewer messages is given time, and is no failure", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  await withServer((socket, _frame, count) => {
    if (count === 0) return socket.send(PEERS);
    if (count <= 2) return socket.send('{"type":"error","message":"rate limited"}');
    socket.send(relayed(payload("ack")));
  }, async (url) => {
    await using client = await registerAt(url, pace, log);
    const greeted = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log })
      .hello(signal);
    for (const ms of [1000, 2000]) {
      await pace.waits(ms);
      pace.pass(ms);
    }
    await greeted;
  });
  assertEquals(log.lines, [
    'hello retry: the rendezvous server limits the rate of messages {"next_ms":1000}',
    'hello retry: the rendezvous server limits the rate of messages {"next_ms":2000}',
    'hello/ack complete {"peer":"bob"}',
  ]);
});

Deno.test("a hello that nobody answers is said again after 5 s, and at once when the peer comes back", async () => {
  const pace = new ManualPace();
  const hellos = new Count();
  await withServer((socket, _frame, count) => {
    if (count === 0) return socket.send(PEERS);
    hellos.add();
    if (count === 2) {
      socket.send(JSON.stringify({ type: "peer_left", peer_code: "bob" }));
      socket.send(JSON.stringify({ type: "peer_joined", peer: { peer_code: "bob", wt_url: "x" } }));
    }
    if (count === 3) socket.send(relayed(payload("ack")));
  }, async (url) => {
    const log = memoryLog();
    await using client = await registerAt(url, pace, log);
    const greeted = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log })
      .hello(signal);
    await hellos.reaches(1);
    pace.pass(RESEND_MS);
    await greeted;
    assertEquals(hellos.value, 3);
  });
});

Deno.test("the answerer acknowledges a repeated hello, and answers a repeated offer, again", async () => {
  const log = memoryLog();
  await using server = startRendezvousServer();
  await using bob = await RelayPeer.register(server.url, "bob");
  await using client = await registerAt(server.url, new ManualPace(), log);
  const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log });
  const said = async () => Object(await bob.signal()).msg_type;
  const bundle = (sdp_type: string, sdp: string) => ({
    bundle: { description: { sdp_type, sdp }, candidates: [] },
  });
  const acknowledged = handshake.acknowledge(signal);
  bob.send("alice", payload("hello"));
  await acknowledged;
  assertEquals(await said(), "ack");
  const offered = handshake.receiveOffer(signal);
  bob.send("alice", payload("hello"));
  assertEquals(await said(), "ack");
  bob.send("alice", payload("offer", bundle("offer", "first")));
  await offered;
  const done = new AbortController();
  const answer = { description: { sdpType: "answer", sdp: "mine" }, candidates: [] } as const;
  handshake.sendAnswer(answer);
  const serving = handshake.keepAnswering(done.signal);
  const first = await bob.signal();
  bob.send("alice", payload("offer", bundle("offer", "second")));
  bob.send("alice", payload("offer", bundle("offer", "first")));
  assertEquals(await bob.signal(), first);
  done.abort();
  await serving;
  const ignored = log.lines.filter((line) => line.startsWith("ignoring signal"));
  assertEquals(ignored, ['ignoring signal {"reason":"unexpected-msg-type","from":"bob"}']);
});

Deno.test("repeated signals are answered again up to a bound", async () => {
  const acks = new Count();
  const log = memoryLog();
  await withServer((socket, _frame, count) => {
    if (count > 0) return acks.add();
    socket.send(PEERS);
    for (let i = 0; i < 151; i++) socket.send(relayed(payload("hello")));
    const description = { sdp_type: "offer", sdp: "o" };
    socket.send(relayed(payload("offer", { bundle: { description, candidates: [] } })));
  }, async (url) => {
    await using client = await registerAt(url, new ManualPace(), log);
    const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log });
    await handshake.acknowledge(signal);
    await handshake.receiveOffer(signal);
    await acks.reaches(101);
  });
  assertEquals(acks.value, 101);
  assertEquals(log.lines.filter((line) => line.startsWith("ignoring signal")).length, 50);
});

Deno.test("a hostile server's answers to probes that were never sent change nothing", async () => {
  const log = memoryLog();
  const pace = new ManualPace();
  await withServer((socket, _frame, count) => {
    if (count === 0) return socket.send(PEERS);
    for (let i = 0; i < 50; i++) {
      socket.send(relayed({ bolt_daemon_probe: `forged ${i}` }, "alice"));
      socket.send(relayed({ bolt_daemon_probe: "x".repeat(400) }, "alice"));
    }
    socket.send(relayed(payload("ack")));
  }, async (url) => {
    await using client = await registerAt(url, pace, log);
    await new DaemonHandshake(client, { context, phaseTimeoutSecs: 30, log }).hello(signal);
  });
  // Too long to be a probe: a signal from who is not the peer.
  assertEquals(log.lines.filter((line) => line.includes("unexpected-peer")).length, 50);
});
