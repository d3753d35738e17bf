import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { type ApiAddress, urlOf } from "../api/address.ts";
import {
  ApiError,
  type ApiLocation,
  DaemonClient,
  DaemonUnreachableError,
} from "../client/client.ts";
import type { ApiEvent, DaemonEvent } from "../api/events.ts";
import { logFor } from "../../log/log.ts";
import { EventHub } from "./event_hub.ts";
import { MetricsRegistry } from "./metrics.ts";
import {
  FakeDaemon,
  HOSTILE_NAME,
  listenIn,
  PEER_IDENTITY,
  RawClient,
  type ServedFake,
  testOverBoth,
} from "../testing/served_fake.ts";
import { peerText } from "../api/peer_text.ts";
import { LocalApi } from "./server.ts";

const STOPPING: DaemonEvent = { type: "daemon-stopping", reason: "api" };
const mismatch = (deviceName: string): DaemonEvent => ({
  type: "key-mismatch",
  sessionId: "s1",
  deviceName: peerText(deviceName),
  pinned: PEER_IDENTITY,
  presented: "ef".repeat(32),
  proven: true,
});

async function listen(served: ServedFake, headers = ""): Promise<RawClient> {
  const client = await RawClient.connect(served.address);
  await client.write(`GET /v1/events HTTP/1.1\r\n${served.head}${headers}\r\n`);
  return client;
}

testOverBoth(
  "events come as server-sent events with ids, from now on or after Last-Event-ID",
  async (start) => {
    await using served = await start({ events: { epoch: "e" } });
    served.events.publish(STOPPING);
    using live = await listen(served);
    const head = await live.readUntil("retry: 1000\n\n");
    assertMatch(head, /content-type: text\/event-stream\r\n/i);
    assertMatch(head, /last-event-id: e-1\r\n/i);
    served.events.publish(STOPPING);
    const event = await live.readUntil("}\n\n");
    assertMatch(
      event,
      /id: e-2\nevent: daemon-stopping\ndata: \{"id":"e-2",.*"reason":"api"\}\n\n/,
    );
    assert(!event.includes("e-1"), "without Last-Event-ID nothing is replayed");
    using later = await listen(served, "Last-Event-ID: e-1\r\n");
    const replayed = await later.readUntil("}\n\n");
    assertStringIncludes(replayed, "id: e-2\n");
    assert(!replayed.includes("id: e-1\n"));
  },
);

testOverBoth("the same as NDJSON by Accept; another Accept is 406", async (start) => {
  await using served = await start({ events: { epoch: "e" } });
  using lines = await listen(served, "Accept: application/x-ndjson\r\nLast-Event-ID: e-0\r\n");
  served.events.publish(mismatch(HOSTILE_NAME));
  const text = await lines.readUntil("}\n");
  assertMatch(text, /content-type: application\/x-ndjson\r\n/i);
  assertStringIncludes(text, '"deviceName":"phone\\\\u{202e}gnp\\\\u{1b}[2J\\\\u{a}"');
  using wrong = await listen(served, "Accept: image/png\r\nConnection: close\r\n");
  assertMatch(await wrong.readAll(), /^HTTP\/1\.1 406 .*"code":"NOT_ACCEPTABLE"/s);
});

testOverBoth("what was lost is an explicit gap event", async (start) => {
  await using served = await start({ events: { epoch: "e", capacity: 1 } });
  for (let i = 0; i < 3; i++) served.events.publish(STOPPING);
  for (const id of ["e-1", "other-3", "junk"]) {
    using client = await listen(served, `Last-Event-ID: ${id}\r\n`);
    const text = await client.readUntil("daemon-stopping");
    assertMatch(text, /id: e-2\nevent: gap\n/, id);
    assertStringIncludes(text, "id: e-3\n");
  }
});

testOverBoth(
  "a stream that begins with a gap tells in its header an id that goes on after the gap",
  async (start) => {
    await using served = await start({ events: { epoch: "e", capacity: 1 } });
    for (let i = 0; i < 3; i++) served.events.publish(STOPPING);
    for (const id of ["e-1", "other-3", "junk"]) {
      using client = await listen(served, `Last-Event-ID: ${id}\r\n`);
      const head = await client.readUntil("retry: 1000\n\n");
      assertMatch(head, /\r\nlast-event-id: e-2\r\n/i, id);
    }
    using resumed = await listen(served, "Last-Event-ID: e-2\r\n");
    const text = await resumed.readUntil("daemon-stopping");
    assert(!text.includes("event: gap"), "the gap is behind that id");
    assertStringIncludes(text, "id: e-3\n");
  },
);

testOverBoth("heartbeats show that a stream is alive", async (start) => {
  await using served = await start({ limits: { heartbeatMs: 20 } });
  using client = await listen(served);
  await client.readUntil(": alive\n\n");
  using lines = await listen(served, "Accept: application/x-ndjson\r\n");
  await lines.readUntil("\r\n1\r\n\n\r\n1\r\n\n");
});

testOverBoth(
  "a reader that is too slow for the ring is dropped; publishing and other readers go on",
  async (start) => {
    await using served = await start({ events: { capacity: 50 } });
    using unread = await listen(served);
    await unread.readUntil("retry: 1000");
    const before = Deno.memoryUsage().rss;
    const client = new DaemonClient(served.address);
    const stop = new AbortController();
    const opened = Promise.withResolvers<void>();
    const seen: string[] = [];
    const reading = (async () => {
      const events = client.events({ signal: stop.signal, onOpen: opened.resolve });
      for await (const event of events) seen.push(event.type);
    })();
    await opened.promise;
    const name = "n".repeat(500);
    while (!(await client.metrics()).includes("bolt_api_event_streams_dropped_total 1\n")) {
      for (let i = 0; i < 40; i++) served.events.publish(mismatch(name));
    }
    const published = served.events.publish(STOPPING);
    while (!seen.includes("daemon-stopping")) await client.status();
    assert(!seen.includes("gap"), "the reader that reads has lost nothing");
    assert(Number(published.split("-")[1]) < 20_000, "the slow one was dropped early");
    assert(Deno.memoryUsage().rss - before < 64 * 2 ** 20);
    stop.abort(new Error("enough"));
    await assertRejects(() => reading, Error, "enough");
  },
);

testOverBoth(
  "a reader that takes nothing for two heartbeats is dropped, without further events",
  async (start, transport) => {
    // More than the socket takes (some 200 KiB; over TCP some 4 MiB), less than the ring's bound.
    const count = transport === "unix" ? 900 : 20_000;
    await using served = await start({
      limits: { heartbeatMs: 30 },
      events: { capacity: count + 1, maxChars: 32 * 2 ** 20 },
    });
    using unread = await listen(served);
    await unread.readUntil("retry: 1000");
    for (let i = 0; i < count; i++) served.events.publish(mismatch("n".repeat(500)));
    const client = new DaemonClient(served.address);
    while (!(await client.metrics()).includes("bolt_api_event_streams_dropped_total 1\n")) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
);

testOverBoth("streams are bounded, and a closed one gives its place back", async (start) => {
  await using served = await start({ limits: { eventStreams: 2 } });
  const client = new DaemonClient(served.address);
  const first = await listen(served);
  using second = await listen(served);
  await Promise.all([first.readUntil("retry"), second.readUntil("retry")]);
  const error = await assertRejects(() => client.events().next(), ApiError);
  assertEquals([error.status, error.code], [503, "TOO_MANY_STREAMS"]);
  first[Symbol.dispose]();
  while (!(await client.metrics()).includes("bolt_api_event_streams 1\n"));
  using third = await listen(served);
  await third.readUntil("retry");
});

testOverBoth(
  "the end closes streams first, after what was published; answers under way still come",
  async (start) => {
    await using served = await start();
    using stream = await listen(served);
    await stream.readUntil("retry");
    const client = new DaemonClient(served.address);
    const { promise, resolve } = Promise.withResolvers<void>();
    served.daemon.hold = promise;
    const answer = client.status();
    while (served.daemon.calls.length === 0) await client.metrics();
    served.events.publish(STOPPING);
    const closed = served.api.close();
    assertMatch(await stream.readAll(), /daemon-stopping[^]*\r\n0\r\n\r\n$/);
    await assertRejects(() => client.listPeers(), DaemonUnreachableError);
    resolve();
    assertEquals((await answer).version, "1.2.3");
    await closed;
  },
);

testOverBoth(
  "an operation that never ends holds the close no longer than its bound",
  async (start) => {
    await using served = await start({ limits: { closeMs: 30 } });
    served.daemon.hold = new Promise(() => {});
    const answer = new DaemonClient(served.address).status();
    while (served.daemon.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const [, failed] = await Promise.all([
      served.api.close(),
      assertRejects(() => answer, DaemonUnreachableError),
    ]);
    const at = served.address.kind === "unix" ? served.socketPath : urlOf(served.address);
    assertStringIncludes(failed.message, at);
  },
);

testOverBoth(
  "the client goes on after a restart of the daemon, and is told of the gap",
  async (_start, transport) => {
    const folder = await Deno.makeTempDir();
    let address: ApiAddress | undefined;
    const serve = async (events: EventHub) => {
      const api = await LocalApi.listen({
        at: listenIn(folder, transport),
        operations: new FakeDaemon(),
        events,
        metrics: new MetricsRegistry(),
        log: logFor("ipc"),
        version: "1",
      });
      address = api.address;
      return api;
    };
    const location: ApiLocation = {
      name: folder,
      address() {
        if (address === undefined) throw new TypeError("Nothing is served yet");
        return Promise.resolve(address);
      },
    };
    try {
      const client = new DaemonClient(location);
      const first = new EventHub({ epoch: "one" });
      const second = new EventHub({ epoch: "two" });
      const events = client.events();
      let next: Promise<IteratorResult<ApiEvent>>;
      {
        await using _api = await serve(first);
        first.publish(STOPPING);
        next = events.next();
        const own = new DaemonClient(location);
        while (!(await own.metrics()).includes("bolt_api_event_streams 1\n"));
        first.publish(mismatch("a"));
        assertEquals((await next).value?.id, "one-2");
        next = events.next();
      }
      second.publish(STOPPING);
      await using _api = await serve(second);
      assertEquals((await next).value?.type, "gap");
      assertEquals((await events.next()).value?.id, "two-1");
      const restOfStream = events.return(undefined as never);
      await restOfStream;
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

const NOBODY: readonly ApiAddress[] = [
  { kind: "unix", path: "/nonexistent/bolt.sock" },
  { kind: "tcp", port: 1, token: "00".repeat(32) },
];

for (const address of NOBODY) {
  Deno.test(`without a daemon the client says so at once, and what to do (${address.kind})`, async () => {
    const client = new DaemonClient(address, { reconnectMs: 20 });
    const error = await assertRejects(() => client.status(), DaemonUnreachableError);
    assertStringIncludes(error.message, address.kind === "unix" ? address.path : urlOf(address));
    assertStringIncludes(error.message, "bolt-daemon serve");
    await assertRejects(() => client.events().next(), DaemonUnreachableError);
  });
}

testOverBoth(
  "a daemon that is gone for good is unreachable, even where no time is left to try",
  async (start) => {
    const served = await start();
    const client = new DaemonClient(served.address, { reconnectMs: 1 });
    const opened = Promise.withResolvers<void>();
    const next = client.events({ onOpen: () => opened.resolve() }).next();
    const failed = assertRejects(() => next, DaemonUnreachableError);
    await opened.promise;
    await served[Symbol.asyncDispose]();
    await failed;
  },
);
