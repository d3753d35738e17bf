import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { DaemonClient } from "../client/client.ts";
import { RawClient, testOverBoth } from "../testing/served_fake.ts";

testOverBoth(
  "headers that do not end in time are answered 408, and the connection ends",
  async (start) => {
    await using served = await start({ limits: { headersMs: 50 } });
    using slow = await RawClient.connect(served.address);
    await slow.write(`GET /v1/status HTTP/1.1\r\n${served.head}X-Slow: `);
    assertStringIncludes(await slow.readAll(), "408 REQUEST_TIMEOUT");
  },
);

testOverBoth("a byte now and then does not put the deadline of headers off", async (start) => {
  await using served = await start({ limits: { headersMs: 100 } });
  using slow = await RawClient.connect(served.address);
  const ended = slow.readAll();
  let isOver = false;
  ended.then(() => isOver = true);
  await slow.write("GET / HTTP/1.1\r\nX: ");
  while (!isOver) {
    await slow.write("a").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assertStringIncludes(await ended, "408");
});

testOverBoth(
  "a body that does not end in time is answered 408, and its operation never runs",
  async (start) => {
    await using served = await start({ limits: { bodyMs: 50 } });
    using slow = await RawClient.connect(served.address);
    await slow.write(
      `POST /v1/shutdown HTTP/1.1\r\n${served.head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    );
    assertStringIncludes(await slow.readAll(), "408 ");
    assertEquals(served.daemon.calls, []);
  },
);

testOverBoth(
  "a connection that stays idle after its answer is closed without a word",
  async (start) => {
    await using served = await start({ limits: { headersMs: 50 } });
    using client = await RawClient.connect(served.address);
    await client.write(`GET /v1/status HTTP/1.1\r\n${served.head}\r\n`);
    const got = await client.readAll();
    assertStringIncludes(got, "HTTP/1.1 200");
    assert(!got.includes("408"));
  },
);

testOverBoth(
  "a client that does not read its answers is cut off, and holds no memory of them",
  async (start) => {
    await using served = await start({ limits: { readingMs: 100, pipelined: 10_000 } });
    using unread = await RawClient.connect(served.address);
    const document = `GET /v1/openapi.json HTTP/1.1\r\n${served.head}\r\n`;
    // More than the socket's buffers take: one answer is some 20 KiB.
    const writing = unread.write(document.repeat(400)).catch(() => {});
    const gauge = new DaemonClient(served.address);
    while (!(await gauge.metrics()).includes("bolt_api_connections 1\n")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await writing;
  },
);

testOverBoth(
  "when all places are taken, the longest silent connection makes room for a new one",
  async (start) => {
    await using served = await start({ limits: { connections: 4 } });
    const silent = await Promise.all(
      Array.from({ length: 4 }, () => RawClient.connect(served.address)),
    );
    try {
      assertEquals((await new DaemonClient(served.address).status()).version, "1.2.3");
      assertEquals(await silent[0]?.readAll(), "", "the first to come made room");
      assertStringIncludes(
        await new DaemonClient(served.address).metrics(),
        "bolt_api_connections_refused_total 1\n",
      );
    } finally {
      for (const client of silent) client[Symbol.dispose]();
    }
  },
);

testOverBoth(
  "a connection that is worked for does not make room: the new one is refused",
  async (start) => {
    await using served = await start({ limits: { connections: 2 } });
    const { promise, resolve } = Promise.withResolvers<void>();
    served.daemon.hold = promise;
    const client = new DaemonClient(served.address);
    const busy = [client.status(), client.status()];
    while (served.daemon.calls.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    using third = await RawClient.connect(served.address);
    assertEquals(await third.readAll(), "");
    resolve();
    assertEquals((await Promise.all(busy)).length, 2);
  },
);

testOverBoth(
  "thousands of silent connections leave the API up for a good client, and memory bounded",
  async (start, transport) => {
    // Over TCP each leaves its port waiting for a minute, of which the system has some 28,000.
    const rounds = transport === "tcp" ? 20 : 100;
    await using served = await start();
    const client = new DaemonClient(served.address);
    await client.status();
    const before = Deno.memoryUsage().rss;
    const held: RawClient[] = [];
    let answered = 0;
    try {
      for (let round = 0; round < rounds; round++) {
        const opened = await Promise.all(
          Array.from({ length: 100 }, () => RawClient.connect(served.address)),
        );
        await Promise.all(opened.map((silent) => silent.write("GET / HT").catch(() => {})));
        // The attacker keeps the newest; the file limit of a test process holds no more.
        for (const old of held.splice(0, held.length - 200)) old[Symbol.dispose]();
        held.push(...opened);
        if ((await client.status()).version === "1.2.3") answered++;
      }
    } finally {
      for (const silent of held) silent[Symbol.dispose]();
    }
    assertEquals(answered, rounds);
    assertLess(Deno.memoryUsage().rss - before, 128 * 2 ** 20);
  },
);

testOverBoth(
  "endless headers and endless chunk extensions are cut off at the bounds",
  async (start, transport) => {
    // What the system takes before the daemon has read any of it.
    const buffers = (transport === "unix" ? 2 : 16) * 2 ** 20;
    await using served = await start({ limits: { bodyMs: 200 } });
    const flood = async (start: string, more: string) => {
      using client = await RawClient.connect(served.address);
      await client.write(start);
      let sent = 0;
      try {
        while (sent < 64 * 2 ** 20) {
          await client.write(more);
          sent += more.length;
        }
      } catch (error) {
        assert(
          error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset,
        );
      }
      return sent;
    };
    const headers = await flood(
      `GET / HTTP/1.1\r\n${served.head}`,
      `X-Filler: ${"a".repeat(4096)}\r\n`,
    );
    assertLess(headers, buffers);
    const before = Deno.memoryUsage().rss;
    await flood(
      `POST /v1/pair HTTP/1.1\r\n${served.head}Content-Type: application/json\r\n` +
        "Transfer-Encoding: chunked\r\n\r\n1;",
      "a".repeat(65_536),
    );
    assertLess(Deno.memoryUsage().rss - before, 128 * 2 ** 20);
    assertEquals((await new DaemonClient(served.address).status()).version, "1.2.3");
  },
);

testOverBoth(
  "a client that goes away at any byte, or sends junk there, harms nobody",
  async (start) => {
    await using served = await start();
    const body = '{"decision":"allow_once"}';
    const whole = `GET /v1/peers HTTP/1.1\r\n${served.head}\r\n` +
      `POST /v1/pairings/p1/decision HTTP/1.1\r\n${served.head}Content-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}` +
      `GET /v1/events HTTP/1.1\r\n${served.head}\r\n`;
    for (let length = 0; length <= whole.length; length++) {
      using leaver = await RawClient.connect(served.address);
      await leaver.write(whole.slice(0, length));
      using stranger = await RawClient.connect(served.address);
      await stranger.write(whole.slice(0, length) + "\x00\x7f\xff{]\r\n\r\n").catch(() => {});
    }
    const client = new DaemonClient(served.address);
    assertEquals((await client.status()).version, "1.2.3");
    while (!(await client.metrics()).includes("bolt_api_connections 1\n"));
  },
);
