/**
 * The real program under attack, over real sockets: by peers through WebRTC, by whoever reaches its
 * UDP ports, and by programs of this machine that reach its API.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertMatch, assertStringIncludes } from "@std/assert";
import { createSocket } from "node:dgram";
import { RawClient } from "../../src/ipc/testing/served_fake.ts";
import { connector } from "../../src/transport/webrtc/connector.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { HAS_PROC, memoryOf } from "../support/process_usage.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { Rng } from "./fuzz/rng.ts";
import { IS_LONG } from "./support/form.ts";
import {
  floodOffers,
  offerFile,
  sendFirst,
  sendRest,
  VIOLATIONS,
} from "./support/protocol_violations.ts";
import { HostilePeer, openHostileSession } from "./support/hostile_peer.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const LETS_EVERYONE_IN = { flags: ["--pairing-policy", "allow", "--max-peers", "16"] };
/** What an attack may cost the daemon's process, in MiB. */
const ATTACK_MIB = 160;

/** MiB that the daemon's process holds, where that is told. */
const residentOf = async ({ run }: ServedDaemon) =>
  HAS_PROC ? (await memoryOf(run.pid)).resident : undefined;

/** Fails when the process has grown by more than an attack may cost. */
async function assertBounded(daemon: ServedDaemon, before: number | undefined): Promise<void> {
  const after = await residentOf(daemon);
  if (before !== undefined && after !== undefined) assertLess(after - before, ATTACK_MIB);
}

/** One violation of each kind in the short form, for each costs a connection. */
const COMMITTED = IS_LONG ? VIOLATIONS : VIOLATIONS.filter((_, number) => number % 8 === 3);

Deno.test(`the real daemon answers ${COMMITTED.length} violations over WebRTC with the right code, and lives`, async () => {
  await using folder = await TempFolder.make();
  await using daemon = await ServedDaemon.start(LETS_EVERYONE_IN);
  const meeting = { connector, folder, daemon };
  await using good = await openHostileSession(meeting);
  const before = await residentOf(daemon);
  for (const violation of COMMITTED) {
    await using peer = violation.when === "before"
      ? await HostilePeer.connect(meeting)
      : await openHostileSession(meeting, {
        ratchet: violation.when === "ratchet",
        binary: violation.only === "binary",
      });
    await violation.commit(peer);
    assertEquals(await peer.verdict(), violation.code, violation.what);
    if (violation.survives !== true) await peer.hungUp();
    assert(await good.isServed());
  }
  await using flooding = await openHostileSession(meeting);
  const flood = floodOffers(flooding, 500);
  for (let refused = 0; refused < 499; refused++) {
    assertEquals(await flooding.verdict(), "LIMIT_EXCEEDED");
  }
  await flood;
  await daemon.run.said("further ones of this session are not logged");
  const logged = daemon.run.stderr.split("\n").filter((line) => line.includes(" was refused "));
  assert(logged.length <= 20 * COMMITTED.length);
  assertMatch(logged.at(-1) ?? "", / peer=[0-9a-f]{64} .*code=LIMIT_EXCEEDED reason="one transfer/);
  assert(await good.isServed());
  await assertBounded(daemon, before);
  await daemon.stop();
});

/** What a stranger throws at a port. */
function datagrams(rng: Rng): Uint8Array {
  const length = rng.below(1200);
  const first = rng.pick([0, 1, 3, 20, 21, 22, 23, 25, 63, 64, 128, 255]);
  const bytes = rng.bytes(length + 1);
  bytes[0] = first;
  // Half of them look like DTLS 1.2 with a length that fits.
  if (length > 13 && rng.oneIn(2)) {
    bytes.set([254, 253, 0, rng.below(2)], 1);
    bytes.set([(length - 12) >> 8, (length - 12) & 0xff], 11);
  }
  return bytes;
}

Deno.test("a spray of datagrams at the daemon's ports during a transfer harms neither", async () => {
  await using folder = await TempFolder.make();
  await using daemon = await ServedDaemon.start(LETS_EVERYONE_IN);
  await using peer = await openHostileSession({ connector, folder, daemon });
  const places = [...peer.victimSdp.matchAll(/^a=candidate:\S+ 1 \S+ \d+ (\S+) (\d+) typ host/gm)];
  assert(places.length > 0, peer.victimSdp);
  const rng = new Rng(11);
  const socket4 = createSocket("udp4");
  const socket6 = createSocket("udp6");
  for (const socket of [socket4, socket6]) socket.on("error", () => {}); // a port may be closed
  const spray = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const [, host = "", port = ""] = rng.pick(places);
      const { promise, resolve } = Promise.withResolvers<void>();
      const socket = host.includes(":") ? socket6 : socket4;
      socket.send(datagrams(rng), Number(port), host, () => resolve());
      await promise;
    }
  };
  try {
    const before = await residentOf(daemon);
    const id = await offerFile(peer, "sprayed.bin");
    await peer.hearOf("file-accept");
    await spray(IS_LONG ? 100_000 : 3000);
    await sendFirst(peer, id, "sprayed.bin");
    await spray(IS_LONG ? 100_000 : 3000);
    await sendRest(peer, id, "sprayed.bin", 1);
    const { transfer } = await daemon.event("transfer-finished");
    assertEquals(transfer.path, join(daemon.inbox, "sprayed.bin"));
    await assertBounded(daemon, before);
  } finally {
    const closed = [socket4, socket6].map((socket) =>
      new Promise<void>((resolve) => socket.close(() => resolve()))
    );
    await Promise.all(closed);
  }
  await daemon.stop();
});

const HEAD = "Host: localhost\r\n";
const CONNECTIONS = IS_LONG ? 10_000 : 1000;

/** Requests that are refused, and with what. */
const BAD_REQUESTS: readonly (readonly [string, RegExp])[] = [
  [`GET /v1/status HTTP/1.1\r\n${HEAD}Origin: https://evil.example\r\n\r\n`, /^HTTP\/1.1 403 /],
  [`GET /v1/status HTTP/1.1\r\n${HEAD}Origin: null\r\n\r\n`, /^HTTP\/1.1 403 /],
  [`GET /v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n`, /^HTTP\/1.1 403 /],
  [`GET /v1/status HTTP/1.1\r\n${HEAD}Host: evil.example\r\n\r\n`, /^HTTP\/1.1 40[03] /],
  [`GET /v1/../v1/status HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 404 /],
  [`GET /v1/%73tatus HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 404 /],
  [`GET //v1/status HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 404 /],
  [`GET http://evil.example/v1/status HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 400 /],
  [`TRACE /v1/status HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 405 /],
  [`CONNECT evil.example:443 HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1.1 4\d\d |^$/],
  [`PUT /v1/shutdown HTTP/1.1\r\n${HEAD}Content-Length: 0\r\n\r\n`, /^HTTP\/1.1 405 /],
  [
    `POST /v1/pair HTTP/1.1\r\n${HEAD}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`,
    /^HTTP\/1.1 415 /,
  ],
  [
    `POST /v1/pair HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n`,
    /^HTTP\/1.1 413 /,
  ],
  [
    `POST /v1/pair HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\n` +
    `Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
    /^HTTP\/1.1 400 |^$/,
  ],
  [`GET /v1/status HTTP/1.1\r\n${HEAD}X: ${"a".repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431 /],
  [`GET /v1/status HTTP/9.9\r\n${HEAD}\r\n`, /^HTTP\/1.1 [45]\d\d |^$/],
  ["\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", /^HTTP\/1.1 400 |^$/],
];

test("hostile programs at the socket keep no good one from the real daemon, and take little", async (t) => {
  await using daemon = await ServedDaemon.start();
  const address = { kind: "unix", path: join(daemon.dataDir, "daemon.sock") } as const;
  const { identity } = await daemon.client.status();
  const isServed = async () => assertEquals((await daemon.client.status()).identity, identity);
  const before = await residentOf(daemon);

  await t.step("wrong methods, types, hosts, origins, paths and lengths are refused", async () => {
    for (const [request, answer] of BAD_REQUESTS) {
      using client = await RawClient.connect(address);
      await client.write(request);
      const got = await client.readUntil("\r\n\r\n");
      assert(answer.test(got), `${request}\n${got}`);
    }
    await isServed();
  });

  await t.step(`${CONNECTIONS} connections that stop in a header or a body`, async () => {
    const held: RawClient[] = [];
    const beginnings = [
      "GET / HT",
      `GET /v1/status HTTP/1.1\r\n${HEAD}X-Slow: `,
      `POST /v1/pair HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
    ];
    try {
      for (let count = 0; count < CONNECTIONS; count += 100) {
        for (let i = 0; i < 100; i++) {
          const client = await RawClient.connect(address);
          held.push(client);
          await client.write(beginnings[i % 3] ?? "").catch(() => {}); // it may be refused
        }
        for (const old of held.splice(0, held.length - 200)) old[Symbol.dispose]();
        await isServed();
      }
    } finally {
      for (const client of held) client[Symbol.dispose]();
    }
  });

  await t.step("event streams that are never read, and one more", async () => {
    const unread: RawClient[] = [];
    try {
      for (let i = 0; i < 20; i++) {
        const client = await RawClient.connect(address);
        unread.push(client);
        await client.write(`GET /v1/events HTTP/1.1\r\n${HEAD}\r\n`);
      }
      const last = unread.at(-1);
      assertStringIncludes(await last?.readUntil("\r\n\r\n") ?? "", "503");
      await isServed();
    } finally {
      for (const client of unread) client[Symbol.dispose]();
    }
  });

  await t.step("10,000 pipelined requests whose answers nobody reads", async () => {
    const client = await RawClient.connect(address);
    const request = `GET /v1/openapi.json HTTP/1.1\r\n${HEAD}\r\n`;
    const written = client.write(request.repeat(10_000)).catch(() => {}); // it is cut off
    try {
      await isServed();
      await assertBounded(daemon, before);
    } finally {
      client[Symbol.dispose]();
      await written;
    }
  });

  await assertBounded(daemon, before);
  await daemon.stop();
});
