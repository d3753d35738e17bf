import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { StorageError } from "../../base/errors.ts";
import { type Fields, type Log, logFor } from "../../log/log.ts";
import type { TcpAddress } from "../api/address.ts";
import { DaemonClient, DaemonUnreachableError } from "../client/client.ts";
import { FakeDaemon, RawClient, ServedFake } from "../testing/served_fake.ts";
import { EventHub } from "./event_hub.ts";
import type { Publish } from "./loopback.ts";
import { MetricsRegistry } from "./metrics.ts";
import { entries } from "./router.ts";
import { LocalApi } from "./server.ts";

function addressOf({ address }: ServedFake): TcpAddress {
  if (address.kind !== "tcp") throw new TypeError("It is served over TCP");
  return address;
}

/** One raw request that has these headers beside a good Host; the status and everything. */
async function ask(
  served: ServedFake,
  headers: string,
  line = "GET /v1/status",
): Promise<{ readonly status: number; readonly text: string }> {
  using client = await RawClient.connect(served.address);
  const host = `Host: 127.0.0.1:${addressOf(served).port}\r\n`;
  await client.write(`${line} HTTP/1.1\r\n${host}${headers}\r\n`);
  const text = await client.readUntil("}\n");
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text };
}

/** One digit of the token is another. */
const nearMiss = (token: string, at: number) =>
  token.slice(0, at) + (token[at] === "0" ? "1" : "0") + token.slice(at + 1);

Deno.test("without the token, or with another one, nothing is served, and no operation runs", async () => {
  await using served = await ServedFake.start({ transport: "tcp" });
  const { token } = addressOf(served);
  const bearer = (text: string) => `Authorization: Bearer ${text}\r\n`;
  const missing = ["", "Authorization: \r\n", "Authorization: Bearer\r\n", `X-Token: ${token}\r\n`];
  const wrong = [
    bearer(nearMiss(token, 0)),
    bearer(nearMiss(token, 63)),
    bearer("0".repeat(64)),
    bearer(token.slice(1)),
    bearer(`${token}0`),
    bearer(token.repeat(100)),
    bearer(token.toUpperCase().replace(/^\d+$/, "x")),
    bearer(`"${token}"`),
    bearer(`${token} ${token}`),
    bearer(token) + bearer(token),
    bearer(token) + bearer("0".repeat(64)),
    `Authorization: ${token}\r\n`,
    `Authorization: Basic ${btoa(`:${token}`)}\r\n`,
    `Authorization: Bearer\t${token}\r\n`,
    `Cookie: token=${token}\r\n`,
    `Proxy-Authorization: Bearer ${token}\r\n`,
  ];
  for (const headers of [...missing, ...wrong]) {
    const { status, text } = await ask(served, headers);
    assertEquals(status, 401, headers);
    assertMatch(text, /\r\nwww-authenticate: Bearer realm="bolt-daemon"/i);
    assertMatch(text, /\r\nconnection: close\r\n/i, "one answer a connection");
    assertStringIncludes(text, '"code":"TOKEN_REFUSED"');
    assert(!text.includes(token), "a refusal does not tell the token");
  }
  assertMatch((await ask(served, bearer("x"))).text, /error="invalid_token"/);
  assertEquals(served.daemon.calls, []);
  for (const scheme of ["Bearer", "bearer", "BEARER "]) {
    assertEquals((await ask(served, `Authorization: ${scheme} ${token}\r\n`)).status, 200);
  }
});

Deno.test("the token is asked for by every route, and before anything else is looked at", async () => {
  await using served = await ServedFake.start({ transport: "tcp" });
  const lines = entries().map(([, { method, path }]) => `${method} ${path}`);
  assert(lines.includes("GET /metrics") && lines.includes("GET /healthz"));
  for (
    const line of [...lines, "GET /nowhere", "PATCH /v1/status", "OPTIONS *", "HEAD /v1/status"]
  ) {
    const { status } = await ask(served, "", line);
    assertEquals(status, 401, line);
  }
  const body = "Content-Type: application/json\r\nContent-Length: 999999999\r\n";
  assertEquals((await ask(served, body, "POST /v1/pair")).status, 401);
  assertEquals(served.daemon.calls, []);
});

Deno.test("a token in the URL counts for nothing", async () => {
  await using served = await ServedFake.start({ transport: "tcp" });
  const { token } = addressOf(served);
  for (const query of [`access_token=${token}`, `token=${token}`, `Bearer=${token}`]) {
    assertEquals((await ask(served, "", `GET /v1/status?${query}`)).status, 401, query);
  }
  assertEquals(served.daemon.calls, []);
});

Deno.test("a web page is refused by its Origin and Host, whether it has the token or not", async () => {
  await using served = await ServedFake.start({ transport: "tcp" });
  const { port } = addressOf(served);
  const origin = `Origin: http://127.0.0.1:${port}\r\n`;
  assertEquals((await ask(served, origin)).status, 403);
  const { status, text } = await ask(served, served.head.split("\r\n")[1] + `\r\n${origin}`);
  assertEquals(status, 403);
  assert(!/access-control-/i.test(text), "no page is told that it may");
  // What a browser asks before it sends a header of its own.
  const preflight = `${origin}Access-Control-Request-Headers: authorization\r\n`;
  assertEquals((await ask(served, preflight, "OPTIONS /v1/status")).status, 403);
});

Deno.test("who has no token can't keep connections, and leaves the API up for who has", async () => {
  await using served = await ServedFake.start({ transport: "tcp", limits: { connections: 4 } });
  const client = new DaemonClient(served.address);
  using pipelining = await RawClient.connect(served.address);
  const { port } = addressOf(served);
  await pipelining.write(`GET /v1/status HTTP/1.1\r\nHost: localhost:${port}\r\n\r\n`.repeat(10));
  const got = await pipelining.readAll();
  assertEquals(got.match(/HTTP\/1\.1 \d{3}/g), ["HTTP/1.1 401"]);
  for (let round = 0; round < 20; round++) {
    const silent = await Promise.all(
      Array.from({ length: 8 }, () => RawClient.connect(served.address)),
    );
    assertEquals((await client.status()).version, "1.2.3");
    for (const one of silent) one[Symbol.dispose]();
  }
});

Deno.test("each run has a port and a token of its own; the client says so where another one listens", async () => {
  await using first = await ServedFake.start({ transport: "tcp" });
  await using second = await ServedFake.start({ transport: "tcp" });
  const [a, b] = [addressOf(first), addressOf(second)];
  assertNotEquals(a.port, b.port);
  assertNotEquals(a.token, b.token);
  assertMatch(a.token, /^[0-9a-f]{64}$/);
  const client = new DaemonClient({ ...a, token: b.token });
  for (
    const call of [() => client.status(), () => client.metrics(), () => client.events().next()]
  ) {
    const error = await assertRejects(call, DaemonUnreachableError);
    assertStringIncludes(error.message, `what listens at http://127.0.0.1:${a.port} refuses`);
    assert(!error.message.includes(b.token));
  }
  assertEquals(first.daemon.calls, []);
});

Deno.test({
  name: "it listens at 127.0.0.1 and at no other address",
  ignore: Deno.build.os !== "linux", // the list of sockets is Linux's
  fn: async () => {
    await using served = await ServedFake.start({ transport: "tcp" });
    const hex = addressOf(served).port.toString(16).toUpperCase().padStart(4, "0");
    const listening = async (table: string) =>
      (await Deno.readTextFile(`/proc/net/${table}`)).split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter(([, local, , state]) => local?.endsWith(`:${hex}`) === true && state === "0A")
        .map(([, local]) => local);
    assertEquals(await listening("tcp"), [`0100007F:${hex}`]);
    assertEquals(await listening("tcp6"), []);
  },
});

/** Serves with this way of telling the address, and keeps what is logged. */
async function listen(publish: Publish): Promise<{ api: LocalApi; lines: string[] }> {
  const lines: string[] = [];
  const keep = (message: string, fields?: Fields) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  const log: Log = { ...logFor("ipc"), error: keep, warn: keep, info: keep, debug: keep };
  const api = await LocalApi.listen({
    at: { kind: "tcp", publish },
    operations: new FakeDaemon(),
    events: new EventHub(),
    metrics: new MetricsRegistry(),
    log,
    version: "1",
  });
  return { api, lines };
}

Deno.test("the address is told once it is served, and taken back at the end; the token is not logged", async () => {
  const told: TcpAddress[] = [];
  let isThere = false;
  const { api, lines } = await listen(async (address) => {
    // Whoever is told may call at once.
    assertEquals((await new DaemonClient(address).status()).version, "1.2.3");
    told.push(address);
    isThere = true;
    return {
      [Symbol.asyncDispose]() {
        isThere = false;
        return Promise.resolve();
      },
    };
  });
  assertEquals(told, [addressOf({ address: api.address } as ServedFake)]);
  assert(isThere);
  assertEquals(lines, [`local API listening {"url":"http://127.0.0.1:${told[0]?.port}"}`]);
  await api.close();
  assert(!isThere);
});

Deno.test("where the address can't be told, nothing is served", async () => {
  const addresses: TcpAddress[] = [];
  await assertRejects(
    () =>
      listen((address) => {
        addresses.push(address);
        return Promise.reject(new StorageError("DISK_FULL", "the disk is full"));
      }),
    StorageError,
    "the disk is full",
  );
  const [address] = addresses;
  assert(address !== undefined);
  await assertRejects(() => new DaemonClient(address).status(), DaemonUnreachableError);
});
