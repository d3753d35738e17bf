import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { StorageError } from "../../base/errors.ts";
import { ApiError, DaemonClient } from "../client/client.ts";
import type { Fields, Log } from "../../log/log.ts";
import { type OperationCode, OperationError } from "../api/problem.ts";
import { entries } from "./router.ts";
import {
  HOSTILE_NAME,
  OFFER_ID,
  PEER_IDENTITY,
  RawClient,
  SAS,
  type ServedFake,
  testOverBoth,
} from "../testing/served_fake.ts";

/** Stands for the headers that each request needs, which are others for each transport. */
const HEAD = "{{HEAD}}";

/** Sends one raw request on a connection of its own; gives the status and everything. */
async function raw(served: ServedFake, text: string): Promise<{ status: number; text: string }> {
  using client = await RawClient.connect(served.address);
  await client.write(text.replaceAll(HEAD, served.head));
  const answer = await client.readAll();
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0), text: answer };
}

const get = (served: ServedFake, path: string, headers = "") =>
  raw(served, `GET ${path} HTTP/1.1\r\n${HEAD}Connection: close\r\n${headers}\r\n`);

const codeOf = (answer: { text: string }) => {
  const body = answer.text.slice(answer.text.indexOf("\r\n\r\n") + 4);
  return JSON.parse(body).code;
};

testOverBoth(
  "the client's operations reach the daemon with checked parameters and typed results",
  async (start) => {
    await using served = await start();
    const client = new DaemonClient(served.address);
    assertEquals((await client.status()).version, "1.2.3");
    assertEquals((await client.listPeers())[0]?.identity, PEER_IDENTITY);
    assertEquals(
      (await client.trust(PEER_IDENTITY, { decision: "allow_always" })).trust,
      "allow_always",
    );
    await client.untrust(PEER_IDENTITY);
    assertEquals((await client.setAutoAccept(PEER_IDENTITY, { enabled: true })).autoAccept, true);
    assertEquals(
      (await client.decidePairing("p1", { decision: "allow_once", sas: "a1b2c3" })).state,
      "allowed",
    );
    assertEquals((await client.send({ paths: ["/a", "/b"], identity: PEER_IDENTITY })).length, 2);
    const page = await client.listTransfers({ limit: 2 });
    assertEquals([page.transfers.length, page.nextCursor], [2, "2"]);
    assertEquals((await client.listTransfers({ cursor: "2" })).transfers[0]?.transferId, OFFER_ID);
    assertEquals((await client.acceptTransfer(OFFER_ID, { name: "mine.bin" })).state, "active");
    assertEquals((await client.pauseTransfer(OFFER_ID)).state, "paused");
    await client.shutdown();
    assert(served.daemon.calls.includes('acceptTransfer({"name":"mine.bin"})'));
    assert(served.daemon.calls.includes('listTransfers({"limit":2})'));
    assert(served.daemon.calls.includes("shutdown({})"));
  },
);

testOverBoth(
  "HEAD works where GET does: the same status and headers, no body, no stream",
  async (start) => {
    await using served = await start();
    const headOf = (answer: string) =>
      answer.slice(0, answer.indexOf("\r\n\r\n")).split("\r\n")
        .filter((line) => !/^(date|transfer-encoding|connection):/i.test(line)).toSorted();
    const paths = entries().filter(([, { method }]) => method === "GET").map(([, { path }]) =>
      path.replace("{identity}", PEER_IDENTITY).replace("{transferId}", OFFER_ID)
        .replace("{sessionId}", "s1").replace("{pairingId}", "p1")
    );
    for (const path of [...paths, "/v1/sessions/none", "/v1/status?x=1"]) {
      const head = await raw(
        served,
        `HEAD ${path} HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
      );
      assert(head.text.endsWith("\r\n\r\n"), `${path}: ${head.text}`);
      using client = await RawClient.connect(served.address);
      await client.write(`GET ${path} HTTP/1.1\r\n${served.head}Connection: close\r\n\r\n`);
      // The length of what is measured anew each time differs.
      const stable = (line: string) => path === "/metrics" && /^content-length:/i.test(line);
      assertEquals(
        headOf(head.text).filter((line) => !stable(line)),
        headOf(await client.readUntil("\r\n\r\n")).filter((line) => !stable(line)),
        path,
      );
    }
    const posted = await raw(served, `HEAD /v1/pair HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
    assertEquals(posted.status, 405);
    assertStringIncludes(await new DaemonClient(served.address).metrics(), "event_streams 0\n");
  },
);

testOverBoth(
  "peer codes lose their hyphens, a SAS becomes upper case, a replaced key needs the SAS",
  async (start) => {
    await using served = await start();
    const client = new DaemonClient(served.address);
    const rendezvous = {
      signal: "rendezvous",
      rendezvousUrl: "ws://127.0.0.1:3001",
      room: "r",
      session: "s",
    } as const;
    await client.pair({ ...rendezvous, role: "offerer", to: "ab-cd", peerId: "x-1" });
    assertMatch(served.daemon.calls[0] ?? "", /"to":"abcd".*"peerId":"x1"/);
    const old = "ef".repeat(32);
    const put = (body: unknown) =>
      raw(served, request("PUT", `/v1/peers/${PEER_IDENTITY}/trust`, JSON.stringify(body)));
    const trusted = await put({ decision: "allow_always", replaces: old, sas: "a1b2c3" });
    assertEquals(trusted.status, 200);
    assertStringIncludes(served.daemon.calls[1] ?? "", `"replaces":"${old}","sas":"A1B2C3"`);
    for (
      const body of [
        { decision: "allow_always", replaces: old },
        { decision: "deny_always", replaces: old, sas: SAS },
        { decision: "allow_always", replaces: PEER_IDENTITY, sas: SAS },
        { decision: "allow_always", sas: SAS },
      ]
    ) assertEquals((await put(body)).status, 422);
    const decide = (decision: string) => {
      const body = JSON.stringify({ decision, acceptFiles: true });
      return raw(served, request("POST", "/v1/pairings/p1/decision", body));
    };
    assertEquals((await decide("deny_once")).status, 422);
    assertEquals(served.daemon.calls.length, 2, "no refused request reached the daemon");
    assertEquals((await decide("allow_once")).status, 200);
  },
);

function request(method: string, path: string, body: string, headers = ""): string {
  return `${method} ${path} HTTP/1.1\r\n${HEAD}Connection: close\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${new TextEncoder().encode(body).length}\r\n${headers}\r\n${body}`;
}

testOverBoth(
  "a key of low order, which nobody can hold, is neither trusted nor expected",
  async (start) => {
    await using served = await start();
    const weak = [
      "00".repeat(32),
      "01".padEnd(64, "0"),
      "ec".padEnd(62, "f") + "7f",
      "ec".padEnd(64, "f"),
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    ];
    const files = { signal: "file", role: "offerer", offer: "/o", answer: "/a" };
    for (const key of weak) {
      const trust = JSON.stringify({ decision: "allow_always", name: "bob" });
      const pair = JSON.stringify({ ...files, expectIdentity: key.toUpperCase() });
      for (
        const asked of [
          request("PUT", `/v1/peers/${key}/trust`, trust),
          request("POST", "/v1/pair", pair),
        ]
      ) {
        const answer = await raw(served, asked);
        assertEquals([answer.status, codeOf(answer)], [422, "INVALID_PARAMETERS"]);
        assertStringIncludes(JSON.stringify(answer), "is no key that anybody can hold");
      }
    }
    assertEquals(served.daemon.calls, []);
  },
);

testOverBoth("requests with an Origin header are refused", async (start) => {
  await using served = await start();
  for (const origin of ["null", "http://localhost", "https://evil.example"]) {
    const answer = await get(served, "/v1/status", `Origin: ${origin}\r\n`);
    assertEquals([answer.status, codeOf(answer)], [403, "ORIGIN_REFUSED"]);
  }
  assertEquals(served.daemon.calls, []);
});

testOverBoth("requests for a foreign Host are refused", async (start, transport) => {
  await using served = await start();
  const token = served.head.slice(served.head.indexOf("\r\n") + 2);
  const withHost = (hosts: string) =>
    raw(served, `GET /v1/status HTTP/1.1\r\n${hosts}${token}Connection: close\r\n\r\n`);
  const port = served.address.kind === "tcp" ? served.address.port : 80;
  for (
    const hosts of [
      ...(transport === "tcp"
        ? ["localhost", "127.0.0.1", `[::1]:${port}`, `bolt:${port}`, `127.0.0.1:${port - 1}`]
        : []).map((host) => `Host: ${host}\r\n`),
      `Host: localhost:${port}\r\nHost: 127.0.0.1:${port}\r\n`,
      `Host: evil.example:${port}\r\n`,
      `Host: 127.0.0.1.evil.example:${port}\r\n`,
      `Host: 127.1:${port}\r\n`,
      "",
      "Host:\r\n",
      "Host: evil.example\r\n",
      "Host: localhost.evil.example\r\n",
      "Host: localhost@evil\r\n",
      "Host: 192.168.1.1\r\n",
      "Host: localhost\r\nHost: evil\r\n",
      "Host: evil\r\nHost: localhost\r\n",
    ]
  ) {
    const answer = await withHost(hosts);
    assertEquals([answer.status, codeOf(answer)], [403, "HOST_REFUSED"], hosts);
  }
  const good = transport === "unix"
    ? ["localhost", "LOCALHOST:80", "bolt", "bolt-daemon", "127.0.0.1:1", "[::1]"]
    : [`localhost:${port}`, `LOCALHOST:${port}`, `127.0.0.1:${port}`];
  for (const host of good) {
    assertEquals((await withHost(`Host: ${host}\r\n`)).status, 200, host);
  }
  assertEquals(served.daemon.calls.length, good.length);
});

testOverBoth(
  "unknown paths, path tricks and wrong methods have their own answers",
  async (start) => {
    await using served = await start();
    for (
      const path of [
        "/",
        "/v2/status",
        "/v1/status/",
        "/v1//status",
        "/v1/../v1/status",
        "/v1/%73tatus",
        "/V1/status",
        "/v1/status%00",
      ]
    ) {
      const answer = await get(served, path);
      assertEquals([answer.status, codeOf(answer)], [404, "ROUTE_NOT_FOUND"], path);
    }
    const wrong = await raw(
      served,
      `PATCH /v1/transfers HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`,
    );
    assertEquals([wrong.status, codeOf(wrong)], [405, "METHOD_NOT_ALLOWED"]);
    assertMatch(wrong.text, /\r\nallow: POST, GET, HEAD\r\n/i);
    for (const target of ["http://localhost/v1/status", "*", "localhost:80"]) {
      const method = target === "localhost:80" ? "GET" : "OPTIONS";
      assertEquals(
        (await raw(served, `${method} ${target} HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`))
          .status,
        400,
        target,
      );
    }
    for (const id of ["..", "%2e%2e", "AB", "x".repeat(32)]) {
      const answer = await get(served, `/v1/transfers/${id}`);
      assertEquals([answer.status, codeOf(answer)], [422, "INVALID_PARAMETERS"], id);
    }
    assertEquals(served.daemon.calls, []);
  },
);

testOverBoth(
  "a body of the wrong type, form, shape or size is refused with its code",
  async (start) => {
    await using served = await start();
    const pair = "/v1/pair";
    const answer = async (text: string) => {
      const got = await raw(served, text);
      return `${got.status} ${codeOf(got)}`;
    };
    const typed = (type: string) =>
      `POST ${pair} HTTP/1.1\r\n${HEAD}Connection: close\r\n${type}Content-Length: 2\r\n\r\n{}`;
    for (
      const type of [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
      ]
    ) {
      assertEquals(await answer(typed(type)), "415 UNSUPPORTED_MEDIA_TYPE", type);
    }
    assertEquals(
      await answer(typed("Content-Type: Application/JSON; charset=utf-8\r\n")),
      "422 INVALID_PARAMETERS",
    );
    for (const body of ["{", "nope", "[".repeat(60_000), '{"a":1}x', "\u00ff".repeat(2)]) {
      assertEquals(
        await answer(request("POST", pair, body)),
        "400 MALFORMED_JSON",
        body.slice(0, 9),
      );
    }
    for (const body of ["[]", "3", "null", '"x"', "{}", '{"__proto__":{"role":"offerer"}}']) {
      assertEquals(await answer(request("POST", pair, body)), "422 INVALID_PARAMETERS", body);
    }
    const member = await raw(
      served,
      request("POST", "/v1/transfers", `{"paths":["relative"],"identity":"${PEER_IDENTITY}"}`),
    );
    assertStringIncludes(member.text, '"name":"/paths/0"');
    assertEquals(
      await answer(request("POST", pair, `"${"a".repeat(65_536)}"`)),
      "413 BODY_TOO_LARGE",
    );
    assertEquals(
      await answer(
        `POST ${pair} HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n`,
      ),
      "413 BODY_TOO_LARGE",
      "before it is sent",
    );
    const chunk = "8000\r\n" + " ".repeat(0x8000) + "\r\n";
    assertEquals(
      await answer(
        `POST ${pair} HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${
          chunk.repeat(3)
        }`,
      ),
      "413 BODY_TOO_LARGE",
      "without a length",
    );
    assertEquals(await answer(request("GET", "/v1/status", "{}")), "400 UNEXPECTED_BODY");
    assertEquals(
      await answer(request("POST", `/v1/transfers/${OFFER_ID}/cancel`, "{}")),
      "400 UNEXPECTED_BODY",
    );
    assertEquals(
      await answer(request("POST", pair, "{}", "Expect: miracles\r\n")),
      "417 EXPECTATION_FAILED",
    );
    assertEquals(served.daemon.calls, []);
  },
);

testOverBoth("query parameters are checked like members", async (start) => {
  await using served = await start();
  for (
    const query of [
      "limit=0",
      "limit=x",
      "limit=1e2",
      "limit=201",
      "limit=1&limit=2",
      "what=1",
      "state=lost",
      "cursor=a/b",
      "__proto__=1",
    ]
  ) {
    const answer = await get(served, `/v1/transfers?${query}`);
    assertEquals([answer.status, codeOf(answer)], [422, "INVALID_PARAMETERS"], query);
  }
  assertEquals(
    (await get(served, "/v1/transfers?limit=200&state=active&direction=incoming")).status,
    200,
  );
  assertEquals((await get(served, "/v1/status?x=1")).status, 422);
});

testOverBoth("errors are RFC 9457 problem details with stable codes", async (start) => {
  await using served = await start();
  const answer = await get(served, `/v1/transfers/${"0".repeat(32)}`);
  assertMatch(answer.text, /\r\ncontent-type: application\/problem\+json\r\n/i);
  assertEquals(JSON.parse(answer.text.slice(answer.text.indexOf("\r\n\r\n"))), {
    type: "/problems/transfer-not-found",
    title: "No such transfer",
    status: 404,
    code: "TRANSFER_NOT_FOUND",
    detail: "That transfer is not known",
  });
  const client = new DaemonClient(served.address);
  served.daemon.failure = new OperationError("LIMIT_EXCEEDED", `No room for ${HOSTILE_NAME}`);
  const error = await assertRejects(() => client.status(), ApiError);
  assertEquals([error.status, error.code], [429, "LIMIT_EXCEEDED"]);
  assertEquals(error.message, "No room for phone\\u{202e}gnp\\u{1b}[2J\\u{a}");
});

testOverBoth(
  "a code that the operation's entry does not list is answered, and told in the log as a defect",
  async (start) => {
    const lines: string[] = [];
    const keep = (message: string, fields?: Fields) => {
      lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const log: Log = { error: keep, warn: () => {}, info: () => {}, debug: () => {} };
    await using served = await start({ log });
    const client = new DaemonClient(served.address);
    const refused = async (code: OperationCode) => {
      served.daemon.failure = new OperationError(code, "no");
      return (await assertRejects(() => client.getSession("s1"), ApiError)).code;
    };
    assertEquals(await refused("SESSION_NOT_FOUND"), "SESSION_NOT_FOUND");
    assertEquals(await refused("STOPPING"), "STOPPING");
    assertEquals(lines, []);
    assertEquals(await refused("CURSOR_INVALID"), "CURSOR_INVALID");
    assertEquals(lines, [
      'an operation was refused with a code it does not list {"operation":"getSession","code":"CURSOR_INVALID"}',
    ]);
  },
);

testOverBoth(
  "what could not be kept on disk is STORAGE_FAILED, and says why and what to do",
  async (start) => {
    await using served = await start();
    served.daemon.failure = new StorageError("DISK_FULL", "the disk is full; free space on it");
    const error = await assertRejects(() => new DaemonClient(served.address).status(), ApiError);
    assertEquals([error.status, error.code], [500, "STORAGE_FAILED"]);
    assertEquals(error.message, "the disk is full; free space on it (DISK_FULL)");
  },
);

testOverBoth(
  "an unexpected failure is INTERNAL, and its message stays in the log",
  async (start) => {
    await using served = await start();
    served.daemon.failure = new Error("the secret key is swordfish");
    const answer = await get(served, "/v1/status");
    assertEquals([answer.status, codeOf(answer)], [500, "INTERNAL"]);
    assert(!answer.text.includes("swordfish"));
    assertEquals((await get(served, "/v1/status")).status, 200, "and the API lives on");
  },
);

testOverBoth(
  "an operation that does not answer in time is OPERATION_TIMEOUT, and its signal aborts",
  async (start) => {
    await using served = await start({ limits: { operationMs: 20 } });
    const { promise, resolve } = Promise.withResolvers<void>();
    served.daemon.hold = promise;
    const answer = await get(served, "/v1/status");
    assertEquals([answer.status, codeOf(answer)], [504, "OPERATION_TIMEOUT"]);
    resolve();
  },
);

testOverBoth("text of peers carries no control or bidi character, raw or parsed", async (start) => {
  await using served = await start();
  const answer = await get(served, "/v1/pairings");
  assertStringIncludes(answer.text, '"deviceName":"phone\\\\u{202e}gnp\\\\u{1b}[2J\\\\u{a}"');
  const body = answer.text.slice(answer.text.indexOf("\r\n\r\n") + 4).trimEnd();
  assertMatch(body, /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u);
});

testOverBoth(
  "requests sent ahead are answered in order, up to the bound; past it the connection ends",
  async (start) => {
    await using served = await start({ limits: { pipelined: 4 } });
    const one = (path: string, more = "") => `GET ${path} HTTP/1.1\r\n${HEAD}${more}\r\n`;
    const ahead = await raw(
      served,
      one("/v1/peers") + one("/nope") + one("/v1/status", "Connection: close\r\n"),
    );
    assertEquals(ahead.text.match(/HTTP\/1\.1 \d{3}/g), [
      "HTTP/1.1 200",
      "HTTP/1.1 404",
      "HTTP/1.1 200",
    ]);
    const { promise, resolve } = Promise.withResolvers<void>();
    served.daemon.hold = promise;
    const calls = served.daemon.calls.length;
    assertEquals((await raw(served, one("/v1/status").repeat(500))).text, "");
    assert(served.daemon.calls.length - calls <= 1, "no more than the first was begun");
    resolve();
    assertEquals((await get(served, "/healthz")).status, 200);
  },
);

testOverBoth("what is not HTTP/1.1 is refused and closed, and the API lives on", async (start) => {
  await using served = await start();
  for (
    const [text, status] of [
      ["\x16\x03\x01\x02\x00\r\n\r\n", 400],
      ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
      [`FROB / HTTP/1.1\r\n${HEAD}\r\n`, 400],
      [`GET / HTTP/1.1\n${HEAD}\n`, 400],
      [`POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: gzip\r\n\r\n`, 0],
      ["GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n", 400],
      [`GET /${"a".repeat(20_000)} HTTP/1.1\r\n${HEAD}\r\n`, 431],
      [`GET / HTTP/1.1\r\n${HEAD}${"X-Filler: aaaaaaaaaaaaaaaa\r\n".repeat(900)}\r\n`, 431],
      [`CONNECT evil:443 HTTP/1.1\r\n${HEAD}\r\n`, 0],
    ] as const
  ) assertEquals((await raw(served, text)).status, status, text.slice(0, 30));
  assertEquals((await get(served, "/healthz")).status, 200);
});

testOverBoth(
  "a request with both a length and chunks, as smugglers send it, does nothing",
  async (start) => {
    await using served = await start();
    const both = `${HEAD}Content-Type: application/json\r\nContent-Length: 2\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`;
    for (const line of ["POST /v1/shutdown", "GET /v1/status"]) {
      const { status } = await raw(served, `${line} HTTP/1.1\r\n${both}`);
      assert(status === 0 || status === 400, `${status}`);
    }
    assertEquals(served.daemon.calls, []);
  },
);

testOverBoth("healthz, metrics and the OpenAPI document are served", async (start) => {
  await using served = await start();
  assertStringIncludes((await get(served, "/healthz")).text, '{"status":"ok"}');
  const client = new DaemonClient(served.address);
  const metrics = await client.metrics();
  assertStringIncludes(metrics, 'bolt_api_requests_total{method="GET",route="/healthz"} 1\n');
  assertStringIncludes(metrics, "bolt_api_connections 1\n");
  assert(!metrics.includes(PEER_IDENTITY));
});
