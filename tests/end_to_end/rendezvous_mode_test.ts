/**
 * Two daemons exchange the payload through a rendezvous server; and all that may go wrong there.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { BEHAVIOURS } from "../../scripts/rendezvous/room.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { assertExchanged, assertFatal, byRendezvous, having } from "../support/pairs.ts";
import { DAEMON, Run, run } from "../support/program.ts";
import { RelayPeer } from "../support/relay_peer.ts";
import { HostileRelay, type Relayed } from "../attacks/support/hostile_relay.ts";

/** Windows has no POSIX signals. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const short = (args: readonly string[]) => having(args, "--phase-timeout-secs", "2");
/** Long enough for the other program to start meanwhile, and to be heard. */
const outlasting = (args: readonly string[]) => having(args, "--phase-timeout-secs", "12");

async function assertBothExchange(offerer: Run, answerer: Run): Promise<void> {
  const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
  assertExchanged("Offerer", offered);
  assertExchanged("Answerer", answered);
  for (const { stderr } of [offered, answered]) {
    assertStringIncludes(stderr, "[rendezvous] hello/ack complete");
  }
}

Deno.test("rendezvous mode, offerer first: hello is retried until the answerer is there", async () => {
  await using server = startRendezvousServer();
  const args = byRendezvous(server.url);
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("[rendezvous] hello retry:");
  await using answerer = new Run(DAEMON, args.answerer);
  await assertBothExchange(offerer, answerer);
});

for (const behaviour of BEHAVIOURS) {
  Deno.test(`rendezvous mode, answerer first, at a ${behaviour} server`, async () => {
    await using server = startRendezvousServer({ behaviour });
    const args = byRendezvous(server.url);
    await using answerer = new Run(DAEMON, args.answerer);
    await answerer.said("[rendezvous] registered");
    await using offerer = new Run(DAEMON, args.offerer);
    await assertBothExchange(offerer, answerer);
  });
}

Deno.test("rendezvous mode, both at once, and codes with hyphens", async () => {
  await using server = startRendezvousServer();
  const args = byRendezvous(server.url);
  await using offerer = new Run(DAEMON, having(args.offerer, "--to", "b-o-b"));
  await using answerer = new Run(DAEMON, having(args.answerer, "--expect-peer", "al-ice"));
  await assertBothExchange(offerer, answerer);
});

Deno.test("Session mismatch is non-fatal: signals are ignored until the deadline", async () => {
  await Promise.all(["--session", "--room"].map(async (flag) => {
    await using server = startRendezvousServer();
    const args = byRendezvous(server.url);
    await using answerer = new Run(DAEMON, outlasting(args.answerer));
    await answerer.said("[rendezvous] registered");
    await using offerer = new Run(DAEMON, having(outlasting(args.offerer), flag, "other"));
    const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
    assertFatal(offered, "phase timeout expired");
    assertFatal(answered, "phase timeout expired");
    assertStringIncludes(answered.stderr, "[rendezvous] ignoring signal");
    assertStringIncludes(answered.stderr, `reason=${flag.slice(2)}-mismatch`);
  }));
});

Deno.test("Signals from unexpected peers are ignored", async () => {
  await using server = startRendezvousServer();
  const args = byRendezvous(server.url);
  const meantForCarol = having(outlasting(args.answerer), "--expect-peer", "carol");
  await using answerer = new Run(DAEMON, meantForCarol);
  await answerer.said("[rendezvous] registered");
  await using offerer = new Run(DAEMON, outlasting(args.offerer));
  const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
  assertFatal(offered, "phase timeout expired");
  assertFatal(answered, "phase timeout expired");
  assertStringIncludes(answered.stderr, "reason=unexpected-peer from=alice");
});

Deno.test("Both peers MUST use the same --network-scope: a mismatch is fatal in the hello", async () => {
  await using server = startRendezvousServer();
  const args = byRendezvous(server.url);
  await using answerer = new Run(DAEMON, [...args.answerer, "--network-scope", "global"]);
  await answerer.said("[rendezvous] registered");
  await using _offerer = new Run(DAEMON, short(args.offerer));
  assertFatal(await answerer.outcome(), "network_scope mismatch");
});

const SIGNAL = { payload_version: 1, session: "s", room: "r" };

Deno.test("payload_version MUST be 1: any other value is fatal, in both roles", async () => {
  await using server = startRendezvousServer();
  const args = byRendezvous(server.url);
  {
    await using answerer = new Run(DAEMON, args.answerer);
    await answerer.said("[rendezvous] registered");
    await using alice = await RelayPeer.register(server.url, "alice");
    alice.send("bob", { ...SIGNAL, payload_version: 2, msg_type: "hello" });
    assertFatal(await answerer.outcome(), "unsupported payload_version 2");
  }
  await using bob = await RelayPeer.register(server.url, "bob");
  await using offerer = new Run(DAEMON, args.offerer);
  await bob.signal();
  bob.send("alice", { session: "s", room: "r", msg_type: "ack" });
  assertFatal(await offerer.outcome(), "unsupported payload_version (none)");
});

Deno.test("a hello that names other peers is fatal", async () => {
  await using server = startRendezvousServer();
  await using answerer = new Run(DAEMON, byRendezvous(server.url).answerer);
  await answerer.said("[rendezvous] registered");
  await using alice = await RelayPeer.register(server.url, "alice");
  alice.send("bob", { ...SIGNAL, msg_type: "hello", from_peer: "eve" });
  assertFatal(await answerer.outcome(), "peer mismatch");
});

Deno.test("the hello and the offer on the wire are what the wire format says", async () => {
  await using server = startRendezvousServer();
  await using bob = await RelayPeer.register(server.url, "bob");
  await using offerer = new Run(DAEMON, byRendezvous(server.url).offerer);
  assertEquals(await bob.signal(), {
    ...SIGNAL,
    msg_type: "hello",
    from_peer: "alice",
    to_peer: "bob",
    network_scope: "lan",
    phase_timeout_secs: 60,
  });
  bob.send("alice", { ...SIGNAL, msg_type: "ack" });
  const { bundle, ...rest } = await bob.signal();
  assertEquals(rest, { ...SIGNAL, msg_type: "offer" });
  assertEquals(Object.keys(Object(bundle)), ["description", "candidates"]);
  offerer.kill("SIGKILL");
});

Deno.test("a peer code that is taken is fatal", async () => {
  await using server = startRendezvousServer();
  await using _alice = await RelayPeer.register(server.url, "alice");
  assertFatal(await run(DAEMON, byRendezvous(server.url).offerer), "the rendezvous server refused");
});

test("the URL's query is never printed, whatever becomes of the run", async () => {
  const server = startRendezvousServer();
  const url = `${server.url}/?token=hush`;
  await using answerer = new Run(DAEMON, [...byRendezvous(url).answerer, "--log-level", "debug"]);
  await answerer.said("[rendezvous] registered");
  await server.close();
  await answerer.said("registering again failed");
  answerer.kill("SIGTERM");
  const refused = [url, url.replace("ws://", "ws://me:hush@"), url.replace("ws:", "http:")];
  const outcomes = [
    await answerer.outcome(),
    ...await Promise.all(refused.map((one) => run(DAEMON, byRendezvous(one).offerer))),
    // A URL without its flag, and with a mistyped one.
    await run(DAEMON, ["--role", "offerer", url]),
    await run(DAEMON, ["--role", "offerer", `--rendezvous-ur=${url}`]),
  ];
  for (const { code, stderr } of outcomes) {
    assertEquals(code, 1);
    assert(!stderr.includes("hush"), stderr);
  }
});

Deno.test("a server that can't be reached is fatal", async () => {
  const server = startRendezvousServer();
  await server.close();
  assertFatal(
    await run(DAEMON, byRendezvous(server.url).offerer),
    "cannot reach the rendezvous server",
  );
});

Deno.test("a server that accepts TCP and never answers: phase timeout expired", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const args = byRendezvous(`ws://127.0.0.1:${listener.addr.port}`);
  assertFatal(await run(DAEMON, short(args.offerer)), "phase timeout expired");
  (await accepted).close();
});

/** Frames of a hostile server, sent in place of the list of peers, and what the daemon says. */
const HOSTILE: readonly (readonly [string, (socket: WebSocket) => void, string])[] = [
  ["malformed", (socket) => socket.send("{{{"), "malformed message"],
  ["binary", (socket) => socket.send(new Uint8Array([1])), "binary frame"],
  ["oversized", (socket) => socket.send("x".repeat(2 * 1024 * 1024)), "over 1 MiB"],
  ["closing", (socket) => socket.close(), "closed"],
  ["silent", () => {}, "phase timeout expired"],
  [
    "flooding",
    (socket) => {
      const noise = JSON.stringify({ type: "peer_left", peer_code: "x".repeat(1000) });
      const flood = () => {
        while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount < 1e6) {
          socket.send(noise);
        }
        if (socket.readyState === WebSocket.OPEN) setTimeout(flood, 0);
      };
      flood();
    },
    "",
  ],
];

for (const [what, attack, says] of HOSTILE) {
  Deno.test(`a ${what} rendezvous server ends the run with exit 1 within its deadline`, async () => {
    const sockets: WebSocket[] = [];
    const gone: Promise<void>[] = [];
    const hostile = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
      sockets.push(socket);
      gone.push(new Promise((resolve) => socket.onclose = () => resolve()));
      socket.onerror = () => {};
      socket.onmessage = () => attack(socket);
      return response;
    });
    try {
      const args = byRendezvous(`ws://127.0.0.1:${hostile.addr.port}`);
      assertFatal(await run(DAEMON, short(args.offerer)), says);
    } finally {
      for (const socket of sockets) socket.close();
      await Promise.all(gone);
      await hostile.shutdown();
    }
  });
}

for (const [victim, survivor] of [["offerer", "answerer"], ["answerer", "offerer"]] as const) {
  Deno.test(`an ${victim} killed after the hello ends the ${survivor} within its deadline`, async () => {
    await using relay = new HostileRelay();
    // No offer arrives, so that there is no exchange that the kill could come too late for.
    const withoutOffer = (signal: Relayed) => signal.payload.msg_type === "offer" ? [] : [signal];
    relay.between("alice", "bob", withoutOffer);
    const args = byRendezvous(relay.url);
    await using dying = new Run(DAEMON, args[victim]);
    await using living = new Run(DAEMON, short(args[survivor]));
    await dying.said("hello/ack complete");
    dying.kill("SIGKILL");
    assertFatal(await living.outcome(), "phase timeout expired");
  });
}

test("SIGTERM in the middle of rendezvous ends cleanly", async () => {
  await using server = startRendezvousServer();
  await using answerer = new Run(DAEMON, byRendezvous(server.url).answerer);
  await answerer.said("[rendezvous] registered");
  answerer.kill("SIGTERM");
  const outcome = await answerer.outcome();
  assertFatal(outcome, "interrupted by SIGTERM");
  assert(!outcome.stderr.includes("Uncaught"), outcome.stderr);
});
