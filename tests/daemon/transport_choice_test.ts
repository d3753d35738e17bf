/**
 * What carries a session between two daemons, and which way it was: the whole program, on loopback
 * and between two hosts.
 *
 * @module
 */
import {
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { abortable, Deadline } from "../../src/base/deadline.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { addLink, connected, identityOf, linkBetween } from "../support/links.ts";
import { meetingByFile, pairBy, ServedDaemon } from "../support/daemon.ts";
import { canShape, NetworkNamespace } from "../support/network_namespace.ts";
import { DAEMON, type Program, Run } from "../support/program.ts";
import { join } from "../support/paths.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { sha256, someBytes } from "../support/transfers.ts";

/** Two daemons that are paired, and send each other whatever a test likes. */
async function met(
  stack: AsyncDisposableStack,
  transports: readonly [string, string],
  programs: readonly [Program, Program] = [DAEMON, DAEMON],
) {
  const folder = stack.use(await TempFolder.make());
  const start = (i: 0 | 1) =>
    ServedDaemon.start({
      program: programs[i],
      flags: ["--transport", transports[i]],
    });
  const alice = stack.use(await start(0));
  const bob = stack.use(await start(1));
  const sessions = await pairBy(meetingByFile(folder), alice, bob);
  return { folder, alice, bob, sessions: [sessions.alice, sessions.bob] as const };
}

Deno.test("a link's own transport goes before the daemon's, and is kept over a restart", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using stack = new AsyncDisposableStack();
  const start = async (who: string) =>
    stack.use(await ServedDaemon.start({ dataDir: folder.path(who) }));
  let alice = await start("alice");
  const bob = await start("bob");
  const told = linkBetween(
    server.url,
    { name: "alice", identity: await identityOf(alice) },
    { name: "bob", identity: await identityOf(bob) },
  );
  const { transport } = await addLink(alice, { ...told.offerer, transport: "udp" });
  assertEquals(transport, "udp");
  const { transport: none } = await addLink(bob, told.answerer);
  assertEquals(none, undefined);
  const carrier = async () =>
    (await alice.client.getSession(await connected(alice, "bob"))).path?.transport;
  assertEquals(await carrier(), "udp");
  await alice.stop();
  alice = await start("alice");
  assertEquals((await alice.client.getLink("bob")).transport, "udp");
  assertEquals(await carrier(), "udp");
  await alice.stop();
  await bob.stop();
});

for (
  const [alices, bobs, expected] of [
    ["auto", "auto", "tcp"],
    ["tcp", "tcp", "tcp"],
    ["auto", "udp", "udp"],
    ["udp", "auto", "udp"],
    ["udp", "udp", "udp"],
  ] as const
) {
  Deno.test(`--transport ${alices} and ${bobs}: the session goes by ${expected}, a file arrives, and both say so`, async () => {
    await using stack = new AsyncDisposableStack();
    const { folder, alice, bob, sessions } = await met(stack, [alices, bobs]);
    const [ours, theirs] = sessions.map(({ path }) => path);
    assertEquals([ours?.transport, theirs?.transport], [expected, expected]);
    // By UDP each side begins with the pair that it found first; the answerer follows later.
    if (expected === "tcp") {
      assertEquals([ours?.local, ours?.remote], [theirs?.remote, theirs?.local]);
    }
    for (const { run } of [alice, bob]) {
      await run.said(`the way to the peer is chosen transport=${expected} `);
    }
    assertMatch(ours?.local ?? "", /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\]):\d+$/);
    const bytes = someBytes(3_000_000);
    await Deno.writeFile(folder.path("file"), bytes);
    const { identity } = await bob.client.status();
    await alice.client.send({ paths: [folder.path("file")], identity });
    const { transfer } = await bob.event("transfer-offered");
    await bob.client.acceptTransfer(transfer.transferId, {});
    await bob.event("transfer-finished");
    assertEquals(sha256(await Deno.readFile(join(bob.inbox, "file"))), sha256(bytes));
  });
}

Deno.test("--transport tcp and udp: no path can be found, and both logs say why", async () => {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const start = (transport: string) => ServedDaemon.start({ flags: ["--transport", transport] });
  const alice = stack.use(await start("tcp"));
  const bob = stack.use(await start("udp"));
  const { offerer, answerer } = meetingByFile(folder);
  await alice.pair(offerer);
  await bob.pair(answerer);
  await bob.run.said("the peer offers no address by UDP");
  await alice.run.said("the peer offers no address by TCP");
});

/** 24 KB a second, and a queue that holds four seconds of it, as a slow modem has. */
const SLOW = ["tbf", "rate", "192kbit", "burst", "4kb", "limit", "96kb"];
const canBeSlow = await canShape(...SLOW);
if (!canBeSlow) skipped("slow and filtered paths: they need Linux, root, iproute2 and tc");

/** Two hosts with a cable between them. */
async function hosts(stack: AsyncDisposableStack) {
  const one = stack.use(await NetworkNamespace.make());
  const two = stack.use(await NetworkNamespace.make());
  await one.connect("10.78.0.1/24", two, "10.78.0.2/24");
  return { one, two, programs: [one.inside(DAEMON), two.inside(DAEMON)] as const };
}

Deno.test({
  name:
    "a path of 24 KB a second carries a file to its end by TCP, for longer than silence is borne",
  ignore: !canBeSlow,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const { one, two, programs } = await hosts(stack);
    const { folder, alice, bob, sessions } = await met(stack, ["tcp", "tcp"], programs);
    assertEquals(sessions[0].path?.transport, "tcp");
    for (const host of [one, two]) await host.shape("cable", ...SLOW);
    const bytes = someBytes(1_200_000);
    await Deno.writeFile(folder.path("file"), bytes);
    const { identity } = await bob.client.status();
    await alice.client.send({ paths: [folder.path("file")], identity });
    const { transfer } = await bob.event("transfer-offered");
    await bob.client.acceptTransfer(transfer.transferId, {});
    await bob.event("transfer-finished", undefined, 180_000);
    await alice.event("transfer-finished", undefined, 60_000);
    assertEquals(sha256(await Deno.readFile(join(bob.inbox, "file"))), sha256(bytes));
  },
});

Deno.test({
  name: "where nobody answers TCP, UDP carries the session, and the log says once why",
  ignore: !canBeSlow,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const { two, programs } = await hosts(stack);
    // Connections to it get no answer, as behind most firewalls; its own are refused.
    await two.ip("rule", "add", "pref", "1", "ipproto", "tcp", "to", "10.78.0.0/24", "blackhole");
    const { alice, sessions } = await met(stack, ["auto", "auto"], programs);
    assertEquals(sessions.map(({ path }) => path?.transport), ["udp", "udp"]);
    const told = alice.run.stderr.match(/the way to the peer is chosen.*/g) ?? [];
    assertEquals(told.length, 1);
    assertStringIncludes(told[0] ?? "", "a firewall may forbid it");
  },
});

/** What a file says, once it is there. */
async function written(path: string): Promise<string> {
  using deadline = new Deadline(10_000, { what: path });
  while (true) {
    const text = await Deno.readTextFile(path).catch(() => undefined);
    if (text !== undefined) return text;
    await abortable(new Promise((resolve) => setTimeout(resolve, 20)), deadline.signal);
  }
}

/** Connects, says nothing, and prints how many milliseconds later the connection is over. */
const SILENT = `
const [hostname, port] = Deno.args;
const began = performance.now();
const conn = await Deno.connect({ hostname, port: Number(port) });
await conn.read(new Uint8Array(9)).catch(() => null);
console.log(performance.now() - began);
conn.close();`;

Deno.test({
  name: "who connects from outside the scope is sent away at once, from inside after 5 s",
  ignore: !canBeSlow,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const [one, two] = [
      stack.use(await NetworkNamespace.make()),
      stack.use(await NetworkNamespace.make()),
    ];
    await one.lay("cable", ["10.78.0.1/24", "203.0.113.1/24"], two, [
      "203.0.113.5/24",
      "10.78.0.2/24",
    ]);
    const folder = stack.use(await TempFolder.make());
    const script = folder.path("silent.ts");
    await Deno.writeTextFile(script, SILENT);
    const alice = stack.use(await ServedDaemon.start({ program: one.inside(DAEMON) }));
    const { offerer } = meetingByFile(folder);
    await alice.pair({ ...offerer, networkScope: "lan" });
    if (offerer.signal !== "file") throw new Error("unreachable");
    const offer = await written(offerer.offer);
    const port = / TCP \d+ 10\.78\.0\.1 (\d+) typ host tcptype passive/.exec(offer)?.[1] ?? "";
    assertEquals(offer.includes("203.0.113.1"), false);
    const waitFrom = async (source: string) => {
      await two.ip("route", "replace", "10.78.0.0/24", "dev", "cable", "src", source);
      const program = { command: Deno.execPath(), args: ["run", "-A", "--quiet", script] };
      await using run = new Run(two.inside(program), ["10.78.0.1", port]);
      const { code, stdout, stderr } = await run.outcome();
      assertEquals(code, 0, stderr);
      return Number(stdout);
    };
    assertLess(await waitFrom("203.0.113.5"), 2500);
    assertGreater(await waitFrom("10.78.0.2"), 4500);
  },
});
