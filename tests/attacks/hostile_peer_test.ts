/**
 * A peer that violates the protocol in every field and order, floods, stalls and vanishes, at a whole
 * daemon: the right code is answered, nothing of it stays, and other peers are served meanwhile.
 *
 * @module
 */
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { closedSession, LocalDaemon, meetingByFile } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { IS_LONG } from "./support/form.ts";
import {
  floodCancelledOffers,
  floodOffers,
  sayAfterCancel,
  type Violation,
  VIOLATIONS,
} from "./support/protocol_violations.ts";
import { HostilePeer, type Meeting, openHostileSession } from "./support/hostile_peer.ts";

/** What a flood may cost a daemon that shares the test's heap. */
const FLOOD_BYTES = 192 * 2 ** 20;

/** A daemon that lets everyone in, over a network in memory. */
async function victim(
  stack: AsyncDisposableStack,
  ...flags: readonly string[]
): Promise<Meeting & { readonly daemon: LocalDaemon }> {
  const folder = stack.use(await TempFolder.make());
  const network = new MemoryNetwork();
  const daemon = stack.use(
    await LocalDaemon.start(network, { flags: ["--pairing-policy", "allow", ...flags] }),
  );
  return { connector: network.connector, folder, daemon };
}

/** A number that the daemon shows at `/metrics`. */
async function metric({ daemon }: Meeting, name: string): Promise<number> {
  const text = await daemon.client.metrics();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

/** The encodings in which a violation is committed. */
function encodingsOf({ when, only }: Violation): readonly ("json" | "binary")[] {
  if (when === "before") return ["json"];
  return only === undefined ? ["json", "binary"] : [only];
}

Deno.test("a peer that violates the protocol is answered the right code, and a good one is served meanwhile", async (t) => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const good = stack.use(await openHostileSession(meeting));
  for (const violation of VIOLATIONS) {
    const when = violation.when === "before" ? "before HELLO" : "after HELLO";
    for (const encoding of encodingsOf(violation)) {
      await t.step(`${when}: ${violation.what} (${encoding})`, async () => {
        const options = { ratchet: violation.when === "ratchet", binary: encoding === "binary" };
        await using peer = violation.when === "before"
          ? await HostilePeer.connect(meeting)
          : await openHostileSession(meeting, options);
        await violation.commit(peer);
        assertEquals(await peer.verdict(), violation.code);
        if (violation.survives === true) assert(await peer.isServed(), "the session ended");
        else await peer.hungUp();
        assert(await good.isServed());
      });
    }
  }
  await meeting.daemon.stop();
  assertEquals(await namesIn(meeting.daemon.inbox), []);
});

Deno.test("chunks that come after a cancel are dropped, and leave nothing", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const peer = stack.use(await openHostileSession(meeting));
  await sayAfterCancel(peer);
  assert(await peer.isServed());
  await meeting.daemon.event("transfer-failed");
  assertEquals(await namesIn(meeting.daemon.inbox), []);
});

Deno.test("a peer that vanishes in any phase leaves no session and no file", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const phases: ((peer: HostilePeer) => Promise<unknown>)[] = [
    () => Promise.resolve(),
    (peer) => peer.say("{"),
    (peer) => peer.say(peer.hello()),
    (peer) => peer.say(peer.hello()).then(() => peer.hearOf("hello")),
  ];
  for (const phase of phases) {
    await using peer = await HostilePeer.connect(meeting);
    await phase(peer);
  }
  for (const flood of [floodOffers, floodCancelledOffers]) {
    await using peer = await openHostileSession(meeting);
    await flood(peer, 3);
  }
  const { sessions } = await meeting.daemon.client.status();
  for (let ended = 0; ended < phases.length + 2; ended++) {
    const known = (await meeting.daemon.client.listSessions())[ended];
    assert(known !== undefined);
    await closedSession(meeting.daemon, known);
  }
  assertLess(sessions.open, phases.length + 3);
  assertEquals((await meeting.daemon.client.status()).sessions.open, 0);
  assertEquals(await namesIn(meeting.daemon.inbox), []);
});

Deno.test("10,000 offers at once: one is taken, each other refused, memory bounded", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const good = stack.use(await openHostileSession(meeting));
  const peer = stack.use(await openHostileSession(meeting));
  const before = Deno.memoryUsage().rss;
  const flood = floodOffers(peer, 10_000);
  for (let refused = 0; refused < 9_999; refused++) {
    assertEquals(await peer.verdict(), "LIMIT_EXCEEDED");
    if (refused % 1000 === 0) assert(await good.isServed());
  }
  await flood;
  assert(await peer.isServed());
  assertEquals((await meeting.daemon.client.listTransfers({ limit: 50 })).transfers.length, 1);
  assertLess(Deno.memoryUsage().rss - before, FLOOD_BYTES);
});

/** Each has two lines of the journal synced, so that the disk sets the pace. */
const TAKEN_BACK = IS_LONG ? 10_000 : 500;

Deno.test(`${TAKEN_BACK} offers that are taken back at once: no more of them wait for the disk than a few`, async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const good = stack.use(await openHostileSession(meeting));
  const peer = stack.use(await openHostileSession(meeting));
  for (let sent = 0; sent < TAKEN_BACK; sent += 100) {
    await floodCancelledOffers(peer, 100);
    assert(await good.isServed());
    assertLess(await metric(meeting, "bolt_journal_waiting"), 100);
    // Its frames wait for the daemon no longer than a channel keeps them.
    assert(await peer.isServed());
  }
  assertEquals(await namesIn(meeting.daemon.inbox), []);
});

Deno.test("pings without end are each answered, and cost nothing that stays", async () => {
  await using stack = new AsyncDisposableStack();
  const meeting = await victim(stack);
  const peer = stack.use(await openHostileSession(meeting));
  const before = Deno.memoryUsage().rss;
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 100; i++) await peer.say(peer.envelope({ type: "ping", ts_ms: i }));
    for (let i = 0; i < 100; i++) assertEquals((await peer.hearOf("pong")).reply_to_ms, i);
  }
  assertLess(Deno.memoryUsage().rss - before, FLOOD_BYTES);
});

const HALF_OPEN = IS_LONG ? 1000 : 100;

Deno.test(`${HALF_OPEN} sessions half open: no more than the bound, and each ends at its deadline`, async () => {
  await using stack = new AsyncDisposableStack();
  const flags = ["--max-peers", String(HALF_OPEN + 1), "--max-memory", "65536"];
  const meeting = await victim(stack, ...flags);
  const good = stack.use(await openHostileSession(meeting));
  const before = Deno.memoryUsage().rss;
  const peers: HostilePeer[] = [];
  for (let i = 0; i < HALF_OPEN; i++) peers.push(stack.use(await HostilePeer.connect(meeting)));
  // The first may have reached their deadline while the last came.
  const { open } = (await meeting.daemon.client.status()).sessions;
  assertLess(open, HALF_OPEN + 2);
  if (open > HALF_OPEN) {
    const one = () => meeting.daemon.pair(meetingByFile(meeting.folder).answerer);
    assertEquals((await assertRejects(one, ApiError)).code, "LIMIT_EXCEEDED");
  }
  assert(await good.isServed());
  await Promise.all(peers.map((peer) => peer.hungUp()));
  assertLess(Deno.memoryUsage().rss - before, FLOOD_BYTES + HALF_OPEN * 100_000);
  const late = stack.use(await openHostileSession(meeting));
  assert(await late.isServed() && await good.isServed());
});

Deno.test("a peer that is slow in a phase is given up at its deadline, with the phase's name", async () => {
  await using stack = new AsyncDisposableStack();
  const { daemon, folder, connector } = await victim(stack);
  const timeout = { phaseTimeoutSecs: 1 };
  // Neither offer nor answer; an answer to an offer that nobody takes up; a channel without HELLO.
  const noOffer = await daemon.pair({ ...meetingByFile(folder).answerer, ...timeout });
  const noAnswer = await daemon.pair({ ...meetingByFile(folder).offerer, ...timeout });
  await using silent = await HostilePeer.connect({ daemon, folder, connector });
  for (const session of [noOffer, noAnswer]) {
    const { state, failure } = await closedSession(daemon, session);
    assertEquals([state, failure?.code], ["failed", "DEADLINE"]);
  }
  assertEquals(await silent.verdict(), "hung up");
});
