/**
 * Many exchanges and watchers over one registration, at a real server of either kind.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BEHAVIOURS } from "../../../scripts/rendezvous/room.ts";
import { type RendezvousEvent, startRendezvousServer } from "../../../scripts/rendezvous/server.ts";
import { RelayPeer } from "../../../tests/support/relay_peer.ts";
import { TcpProxy } from "../../../tests/support/tcp_proxy.ts";
import { SignalError } from "../../base/errors.ts";
import { HEARTBEAT_ANSWER_MS, HEARTBEAT_MS, LINK_RETRY, RESEND_MS } from "../../base/timing.ts";
import { logFor } from "../../log/log.ts";
import { code } from "../../protocol/testing/peer_codes.ts";
import { ManualPace } from "../testing/manual_pace.ts";
import type { Party, RegistrationNews } from "./registration.ts";
import { Registrations } from "./registrations.ts";
import { MAX_UNREAD_FRAMES } from "./rendezvous_socket.ts";

const { signal } = new AbortController();
const registrationsWith = (pace = new ManualPace()) =>
  new Registrations({ deviceName: "x", log: logFor("rendezvous"), pace });
const at = (url: string) => ({ url, self: code("alice") });
const withBob = (session: string): Party => ({
  remote: code("bob"),
  topic: { room: "r", session },
});
const hello = (session: string) => ({ room: "r", session, msg_type: "hello" });

/** What a watcher is told. */
class News {
  readonly all: RegistrationNews[] = [];
  #wake = Promise.withResolvers<void>();

  readonly onNews = (news: RegistrationNews) => {
    this.all.push(news);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  };

  /** The n-th news of that kind. */
  async of(type: RegistrationNews["type"], count = 1): Promise<RegistrationNews> {
    for (;;) {
      const found = this.all.filter((news) => news.type === type)[count - 1];
      if (found !== undefined) return found;
      await this.#wake.promise;
    }
  }

  get types(): string[] {
    return this.all.map(({ type }) => type);
  }
}

for (const behaviour of BEHAVIOURS) {
  Deno.test(`a ${behaviour} server sees one registration of a code, whoever uses it, and none after the last`, async () => {
    const seen: string[] = [];
    const left = Promise.withResolvers<void>();
    const onEvent = ({ kind, detail }: RendezvousEvent) => {
      seen.push(`${kind} ${detail}`);
      if (kind === "left") left.resolve();
    };
    await using server = startRendezvousServer({ behaviour, onEvent });
    await using registrations = registrationsWith();
    const news = new News();
    const end = registrations.watch(at(server.url), { ...withBob("s"), onNews: news.onNews });
    const clients = await Promise.all(
      ["1", "2", "3"].map((session) =>
        registrations.join(at(server.url), withBob(session), signal)
      ),
    );
    assertEquals(seen, ["registered alice"]);
    for (const client of clients) await client[Symbol.asyncDispose]();
    assertEquals(seen, ["registered alice"]);
    await end();
    await left.promise;
    // Who comes at once gets the code again, also where one that is taken is refused.
    await using _again = await registrations.join(at(server.url), withBob("1"), signal);
    assertEquals(seen.filter((line) => line === "registered alice").length, 2);
  });

  Deno.test(`at a ${behaviour} server, signals go to the exchange of their sender and session`, async () => {
    await using server = startRendezvousServer({ behaviour });
    await using registrations = registrationsWith();
    await using bob = await RelayPeer.register(server.url, "bob");
    await using carol = await RelayPeer.register(server.url, "carol");
    await using one = await registrations.join(at(server.url), withBob("1"), signal);
    await using two = await registrations.join(at(server.url), withBob("2"), signal);
    const { topic } = withBob("1");
    const ofCarol = { remote: code("carol"), ...(topic === undefined ? {} : { topic }) };
    await using three = await registrations.join(at(server.url), ofCarol, signal);
    bob.send("alice", hello("2"));
    bob.send("alice", hello("1"));
    // What names no session is of the exchange in which its sender was greeted last.
    bob.send("alice", { type: "offer" });
    carol.send("alice", { type: "offer", of: "carol" });
    assertEquals(await two.receive(signal), { type: "signal", from: "bob", payload: hello("2") });
    assertEquals(await one.receive(signal), { type: "signal", from: "bob", payload: hello("1") });
    assertEquals(await one.receive(signal), {
      type: "signal",
      from: "bob",
      payload: { type: "offer" },
    });
    assertEquals(Object(await three.receive(signal)).payload, { type: "offer", of: "carol" });
  });
}

Deno.test("that a peer is absent is told to its own exchanges", async () => {
  await using server = startRendezvousServer();
  await using registrations = registrationsWith();
  await using bob = await registrations.join(at(server.url), withBob("1"), signal);
  await using carol = await registrations.join(at(server.url), { remote: code("carol") }, signal);
  carol.send("are you there?");
  bob.send("are you there?");
  assertEquals(await carol.receive(signal), { type: "peer-not-found" });
  assertEquals(await bob.receive(signal), { type: "peer-not-found" });
});

Deno.test("a watcher is told of server, peer and hello; the hello is there for the exchange that it begins", async () => {
  const pace = new ManualPace();
  await using server = startRendezvousServer();
  await using registrations = registrationsWith(pace);
  const news = new News();
  registrations.watch(at(server.url), { ...withBob("1"), onNews: news.onNews });
  await news.of("registered");
  {
    await using bob = await RelayPeer.register(server.url, "bob");
    await news.of("peer-joined");
    bob.send("alice", hello("other"));
    bob.send("alice", { ...hello("1"), padding: "x".repeat(5000) });
    bob.send("alice", hello("1"));
    await news.of("hello");
    await using client = await registrations.join(at(server.url), withBob("1"), signal);
    assertEquals(Object(await client.receive(signal)).payload, hello("1"));
    // While an exchange is under way, a hello is its own.
    bob.send("alice", hello("1"));
    assertEquals(Object(await client.receive(signal)).payload, hello("1"));
  }
  await news.of("peer-left");
  assertEquals(news.types, ["registered", "peer-joined", "hello", "peer-left"]);
});

for (const type of ["type", "msg_type"]) {
  Deno.test(`a hello after the offer is told to the watcher, and kept for the next exchange; one before it is a repeated one: ${type}`, async () => {
    await using server = startRendezvousServer();
    await using registrations = registrationsWith();
    const news = new News();
    registrations.watch(at(server.url), { ...withBob("1"), onNews: news.onNews });
    await news.of("registered");
    await using bob = await RelayPeer.register(server.url, "bob");
    // That of a session names neither room nor session.
    const offer = type === "type" ? { type: "offer" } : { ...hello("1"), msg_type: "offer" };
    const again = { ...hello("1"), is: "another one" };
    {
      await using client = await registrations.join(at(server.url), withBob("1"), signal);
      for (const payload of [hello("1"), hello("1"), offer]) {
        bob.send("alice", payload);
        assertEquals(Object(await client.receive(signal)).payload, payload);
      }
      assertEquals(news.types, ["registered", "peer-joined"]);
      bob.send("alice", again);
      await news.of("hello-anew");
    }
    await using next = await registrations.join(at(server.url), withBob("1"), signal);
    assertEquals(Object(await next.receive(signal)).payload, again);
    assertEquals(news.types, ["registered", "peer-joined", "hello-anew"]);
  });
}

Deno.test("a hello that nobody has answered for a while is dropped", async () => {
  const pace = new ManualPace();
  await using server = startRendezvousServer();
  await using registrations = registrationsWith(pace);
  const news = new News();
  registrations.watch(at(server.url), { ...withBob("1"), onNews: news.onNews });
  await news.of("registered");
  await using bob = await RelayPeer.register(server.url, "bob");
  bob.send("alice", hello("1"));
  await news.of("hello");
  pace.pass(2 * RESEND_MS);
  await using client = await registrations.join(at(server.url), withBob("1"), signal);
  bob.send("alice", { ...hello("1"), is: "the next one" });
  assertEquals(Object(await client.receive(signal)).payload, {
    ...hello("1"),
    is: "the next one",
  });
});

Deno.test("a watched server that stays away is tried for days, at most once a minute, and is back at once when somebody is in a hurry", async () => {
  const pace = new ManualPace();
  await using proxy = new TcpProxy(undefined);
  await using registrations = registrationsWith(pace);
  const news = new News();
  registrations.watch(at(proxy.url), { ...withBob("1"), onNews: news.onNews });
  const waits: number[] = [];
  for (let n = 1; n <= 50; n++) {
    const told = await news.of("unreachable", n);
    assert(told.type === "unreachable");
    waits.push(told.nextMs);
    await pace.waits(told.nextMs);
    pace.pass(told.nextMs);
  }
  const { firstMs, longestMs } = LINK_RETRY;
  assertEquals(waits.slice(0, 3), [firstMs, 2 * firstMs, 4 * firstMs]);
  assertEquals(new Set(waits.slice(6)), new Set([longestMs]));
  await news.of("unreachable", 51);
  await pace.waits(longestMs);
  await using server = startRendezvousServer();
  proxy.target = server.port;
  registrations.hurry();
  await news.of("registered");
});

Deno.test("an exchange does not wait out the rests of a watched server", async () => {
  const pace = new ManualPace();
  await using proxy = new TcpProxy(undefined);
  await using registrations = registrationsWith(pace);
  const news = new News();
  registrations.watch(at(proxy.url), { ...withBob("1"), onNews: news.onNews });
  await news.of("unreachable");
  await pace.waits(LINK_RETRY.firstMs);
  const error = await assertRejects(
    () => registrations.join(at(proxy.url), withBob("2"), signal),
    SignalError,
  );
  assertEquals(error.code, "RENDEZVOUS_UNREACHABLE");
  await using server = startRendezvousServer();
  proxy.target = server.port;
  await using _client = await registrations.join(at(proxy.url), withBob("2"), signal);
});

Deno.test("a code that is taken over is told to watchers, and is ours again when it is free", async () => {
  const pace = new ManualPace();
  const left = Promise.withResolvers<void>();
  const onEvent = ({ kind }: RendezvousEvent) => kind === "left" && left.resolve();
  await using server = startRendezvousServer({ behaviour: "replace", onEvent });
  await using registrations = registrationsWith(pace);
  const news = new News();
  registrations.watch(at(server.url), { ...withBob("1"), onNews: news.onNews });
  await news.of("registered");
  {
    await using other = await RelayPeer.register(server.url, "alice");
    pace.pass(HEARTBEAT_MS);
    await other.signal();
    await pace.waits(HEARTBEAT_ANSWER_MS / 2);
    pace.pass(HEARTBEAT_ANSWER_MS / 2);
    // What comes back shows that the server has it all.
    await using client = await registrations.join(at(server.url), withBob("2"), signal);
    client.send({});
    assertEquals(await client.receive(signal), { type: "peer-not-found" });
    pace.pass(HEARTBEAT_ANSWER_MS / 2);
    await news.of("taken-over");
    const late = new News();
    await using stack = new AsyncDisposableStack();
    stack.defer(registrations.watch(at(server.url), { ...withBob("3"), onNews: late.onNews }));
    assertEquals(late.types, ["registered", "taken-over"]);
  }
  await left.promise;
  pace.pass(HEARTBEAT_MS - HEARTBEAT_ANSWER_MS);
  await news.of("unreachable");
  await pace.waits(250);
  pace.pass(250);
  await news.of("registered", 2);
});

Deno.test("a strict server's refusal of a taken code is told with its words, and tried on", async () => {
  const pace = new ManualPace();
  await using server = startRendezvousServer({ behaviour: "strict" });
  await using registrations = registrationsWith(pace);
  const news = new News();
  {
    await using _other = await RelayPeer.register(server.url, "alice");
    registrations.watch(at(server.url), { ...withBob("1"), onNews: news.onNews });
    const told = await news.of("unreachable");
    assert(told.type === "unreachable");
    assertStringIncludes(told.error.message, "peer code 'alice' is taken");
  }
  for (let n = 1; !news.types.includes("registered"); n++) {
    const told = await Promise.race([news.of("unreachable", n), news.of("registered")]);
    if (told.type !== "unreachable") break;
    await pace.waits(told.nextMs);
    pace.pass(told.nextMs);
  }
});

Deno.test("what an exchange does not read is bounded, and ends that exchange alone", async () => {
  await using server = startRendezvousServer({ messagesPerSecond: 100_000 });
  await using registrations = registrationsWith();
  await using bob = await RelayPeer.register(server.url, "bob");
  await using carol = await RelayPeer.register(server.url, "carol");
  await using deaf = await registrations.join(at(server.url), withBob("1"), signal);
  await using other = await registrations.join(at(server.url), { remote: code("carol") }, signal);
  for (let n = 0; n <= MAX_UNREAD_FRAMES; n++) bob.send("alice", hello("1"));
  // The server passes on in order: what comes now comes after the flood.
  bob.send("carol", "done");
  await carol.signal();
  carol.send("alice", "still there");
  assertEquals(Object(await other.receive(signal)).payload, "still there");
  const error = await assertRejects(() => deaf.receive(signal), SignalError);
  assertEquals(error.code, "RENDEZVOUS_HOSTILE");
});

Deno.test("a new list of peers on the same connection is news of those that differ", async () => {
  const told = Promise.withResolvers<WebSocket>();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (asked) => {
      const { socket, response } = Deno.upgradeWebSocket(asked, { idleTimeout: 0 });
      socket.onmessage = () => {
        if (socket.readyState !== WebSocket.OPEN) return;
        socket.send(JSON.stringify({ type: "peers", peers: [] }));
        told.resolve(socket);
      };
      return response;
    },
  );
  await using registrations = registrationsWith();
  const news = new News();
  const url = `ws://127.0.0.1:${server.addr.port}`;
  registrations.watch(at(url), { ...withBob("1"), onNews: news.onNews });
  const socket = await told.promise;
  const list = (...codes: readonly string[]) => {
    const peers = codes.map((peer_code) => ({ peer_code }));
    socket.send(JSON.stringify({ type: "peers", peers }));
  };
  list("carol", "b-ob");
  await news.of("peer-joined");
  list("bob");
  list("carol");
  await news.of("peer-left");
  assertEquals(news.types, ["registered", "peer-joined", "peer-left"]);
});
