/**
 * The question whether a peer is let in: what it shows, how the time goes by, and what ends it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HandClock } from "../../src/app/testing/fixtures.ts";
import { InterruptedError } from "../../src/base/errors.ts";
import { widthOf } from "../../src/boltctl/output/width.ts";
import { runBoltctl } from "../../src/boltctl/run.ts";
import { MemoryTerminal } from "../../src/boltctl/testing/memory_terminal.ts";
import { screenAfter } from "../../src/boltctl/testing/screen.ts";
import type { DaemonEvent } from "../../src/ipc/api/events.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import type { Pairing } from "../../src/ipc/api/schemas.ts";
import { NOW, PAIRING, session, type Stage, Staged } from "./support/staged_daemon.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const OTHER: Pairing = { ...PAIRING, pairingId: "p9" };
const UNPROVEN: Pairing = { ...PAIRING, proven: false };
const ROLE = ["--role", "offerer", "--offer", "/share/o.json", "--answer", "/share/a.json"];
const requested = (pairing: Pairing): DaemonEvent => ({ type: "pairing-requested", pairing });
const decided = (state: Pairing["state"], pairing = PAIRING): DaemonEvent => ({
  type: "pairing-decided",
  pairing: { ...pairing, state },
});

/** boltctl at a question, in this process, with a clock that a test moves. */
class Asked implements AsyncDisposable {
  readonly clock = new HandClock();
  readonly terminal: MemoryTerminal;
  readonly #interruption = new AbortController();
  readonly ended: Promise<number>;

  constructor(readonly staged: Staged, words: readonly string[], columns: number) {
    this.clock.time = Date.parse(NOW);
    this.terminal = new MemoryTerminal({ columns });
    this.ended = runBoltctl(words, {
      terminal: this.terminal,
      environment: { BOLT_SOCKET: staged.socket },
      interruption: this.#interruption.signal,
      clock: { now: this.clock.now, after: this.clock.after },
    });
  }

  static async at(words: readonly string[], stage: Stage, columns = 80): Promise<Asked> {
    const asked = new Asked(await Staged.serve(stage), words, columns);
    await asked.terminal.shows("[yes/no] ");
    return asked;
  }

  screen(): string[] {
    return screenAfter(this.terminal.stdout, this.terminal.columns());
  }

  interrupt(): void {
    this.#interruption.abort(new InterruptedError("Interrupted by SIGINT"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.interrupt();
    await this.ended;
    await this.staged[Symbol.asyncDispose]();
  }
}

const answering = { pairings: [PAIRING] };
const opening = {
  onPair: [requested(PAIRING)],
  onDecide: [{ type: "session-opened", session: session() } as const],
};

test("the seconds are counted down until the answer, and are gone after it", async () => {
  await using asked = await Asked.at(["pair"], answering);
  assertEquals(asked.screen().slice(-2), ["[yes/no]", "30 s left"]);
  asked.clock.pass(1000);
  assertEquals(asked.screen().slice(-2), ["[yes/no]", "29 s left"]);
  asked.terminal.type("yes");
  assertEquals(await asked.ended, 0);
  assertEquals(asked.screen().slice(-2), [
    "[yes/no] yes",
    '"phone\\u{202e}gnp" (3f2b1111) is let in',
  ]);
  assertEquals(asked.clock.waiting, 0);
  const call = `decidePairing({"decision":"allow_always","sas":"A1B2C3"})`;
  assert(asked.staged.daemon.calls.includes(call), asked.staged.daemon.calls.join("\n"));
});

test("whatever a peer calls itself, each fact stands on a line of its own, and none wraps", async () => {
  const names = [
    'bob" (3f2a0000)\nproven',
    "電話".repeat(99),
    `x${"\u0301".repeat(99)}`,
    "\u202eevil",
  ];
  for (const name of names) {
    for (const columns of [44, 80]) {
      const pairing = { ...PAIRING, deviceName: peerText(name) };
      await using asked = await Asked.at(["pair"], { pairings: [pairing] }, columns);
      const rows = asked.screen();
      const facts = rows.slice(rows.indexOf("A peer asks to be let in:") + 2, rows.indexOf("", 3));
      assertEquals(facts.map((row) => row.split(" ")[0]), ["name", "identity", "proven"]);
      for (const row of rows) assert(widthOf(row) <= columns, row);
    }
  }
});

test("a request that expires under the question is told as expired", async () => {
  const late = { ...PAIRING, expiresAt: NOW };
  await using asked = await Asked.at(["pair"], { pairings: [late] });
  asked.staged.events.publish(decided("expired", late));
  assertEquals(await asked.ended, 5);
  assertStringIncludes(asked.terminal.stderr, "nobody answered in time");
  assertEquals(asked.screen().at(-1), "[yes/no]");
});

test("a peer that leaves under the question has not let the time pass", async () => {
  for (const words of [["pair"], ["pair", ...ROLE]]) {
    await using asked = await Asked.at(words, words.length === 1 ? answering : opening);
    asked.staged.events.publish(decided("expired"));
    const failure = { code: "CONNECTION_LOST", message: peerText("the peer has left") };
    asked.staged.events.publish({
      type: "session-closed",
      session: session({ state: "failed", failure }),
    });
    assertEquals(await asked.ended, 1);
    assertStringIncludes(asked.terminal.stderr, "The session was not opened: the peer has left");
  }
});

test("a request that another program allows opens the session here too", async () => {
  await using asked = await Asked.at(["pair", ...ROLE], opening);
  asked.staged.events.publish(decided("allowed"));
  asked.staged.events.publish({ type: "session-opened", session: session() });
  assertEquals(await asked.ended, 0);
  assertStringIncludes(
    asked.terminal.stdout,
    "was let in by another program, before an answer here",
  );
  const last = asked.screen().at(-1);
  assertEquals(last, 'Session s2 is open with "phone\\u{202e}gnp" (3f2b1111), proven');
  assert(!asked.staged.daemon.calls.some((call) => call.startsWith("decidePairing")));
});

test("a request that another program denies is told as denied", async () => {
  await using asked = await Asked.at(["pair"], answering);
  asked.staged.events.publish(decided("denied"));
  assertEquals(await asked.ended, 4);
  assertStringIncludes(asked.terminal.stderr, "was refused by another program");
});

test("an answer in the same moment as another program's says what that has said", async () => {
  await using asked = await Asked.at(["pair"], { ...answering, decidedElsewhere: "denied" });
  asked.terminal.type("yes");
  assertEquals(await asked.ended, 4);
  assertStringIncludes(asked.terminal.stderr, "was refused by another program");
});

test("where events were lost, the request is looked up", async () => {
  await using asked = await Asked.at(["pair"], { ...answering, decidedElsewhere: "allowed" });
  // More than the daemon keeps, before any can be read.
  for (let i = 0; i < 2000; i++) asked.staged.events.publish(decided("allowed", OTHER));
  assertEquals(await asked.ended, 0);
  assertStringIncludes(asked.terminal.stdout, "was let in by another program");
});

test("Ctrl-C at the question leaves nothing of the countdown", async () => {
  await using asked = await Asked.at(["pair"], answering);
  asked.interrupt();
  assertEquals(await asked.ended, 130);
  assertEquals([asked.screen().at(-1), asked.clock.waiting], ["[yes/no]", 0]);
});

test("an input that ends is a no, and said so", async () => {
  await using asked = await Asked.at(["pair", ...ROLE], opening);
  asked.terminal.endInput();
  assertEquals(await asked.ended, 4);
  assertStringIncludes(asked.terminal.stderr, "is refused: the input ended without an answer");
  assertEquals([asked.screen().at(-1), asked.clock.waiting], ["[yes/no]", 0]);
});

test("a daemon that stops under the question ends it", async () => {
  await using asked = await Asked.at(["pair"], answering);
  asked.staged.events.publish({ type: "daemon-stopping", reason: "api" });
  assertEquals(await asked.ended, 3);
  assertEquals(asked.clock.waiting, 0);
});

test("a peer that proves nothing is asked about with --unproven only, under a warning", async () => {
  await using asked = await Asked.at(["pair", "--unproven"], { pairings: [UNPROVEN] });
  const warning = asked.screen().filter((row) => row.startsWith("WARNING"));
  assertEquals(warning.length, 1);
  assertStringIncludes(warning[0] ?? "", "can forge its six characters");
  asked.terminal.type("yes");
  assertEquals(await asked.ended, 0);
  const call = `decidePairing({"decision":"allow_always","unproven":true,"sas":"A1B2C3"})`;
  assert(asked.staged.daemon.calls.includes(call), asked.staged.daemon.calls.join("\n"));
});

test("without --unproven nothing that is typed lets such a peer in", async () => {
  const ways: readonly (readonly [readonly string[], Stage])[] = [
    [["pair", ...ROLE], { onPair: [requested(UNPROVEN)] }],
    [["pair", ...ROLE, "--sas", "A1B2C3"], { onPair: [requested(UNPROVEN)] }],
    [["pair"], { pairings: [UNPROVEN] }],
    [["pair", "--sas", "A1B2C3"], { pairings: [UNPROVEN] }],
  ];
  for (const [words, stage] of ways) {
    await using staged = await Staged.serve(stage);
    const terminal = new MemoryTerminal({ columns: 80, types: ["yes", "yes"] });
    const environment = { BOLT_SOCKET: staged.socket };
    const interruption = new AbortController().signal;
    assertEquals(await runBoltctl(words, { terminal, environment, interruption }), 4);
    assertStringIncludes(terminal.stderr, "has not proven its identity");
    assertStringIncludes(terminal.stderr, "--unproven");
    assert(!staged.daemon.calls.some((call) => call.startsWith("decidePairing")));
  }
});

test("where nobody can be asked, --unproven alone decides, and says nothing of proven peers", async () => {
  for (
    const [pairing, flags, code, calls] of [
      [UNPROVEN, [], 0, [`decidePairing({"decision":"allow_once","unproven":true})`]],
      [UNPROVEN, ["--accept-files"], 0, [
        `decidePairing({"decision":"allow_once","unproven":true,"acceptFiles":true})`,
      ]],
      [PAIRING, [], 4, []],
    ] as const
  ) {
    await using staged = await Staged.serve({ pairings: [pairing] });
    const terminal = new MemoryTerminal();
    const environment = { BOLT_SOCKET: staged.socket };
    const interruption = new AbortController().signal;
    const words = ["pair", "--unproven", "--once", ...flags];
    assertEquals(await runBoltctl(words, { terminal, environment, interruption }), code);
    assertEquals(staged.daemon.calls.filter((call) => call.startsWith("decidePairing")), [
      ...calls,
    ]);
  }
});

test("--deny refuses for ever who has proven its identity; who only claims one, this once, and in one line", async () => {
  for (
    const [pairing, decision, said] of [
      [PAIRING, "deny_always", /^"phone.*" \(3f2b1111\) is refused\n$/],
      [
        UNPROVEN,
        "deny_once",
        /^"phone.*" \(3f2b1111\) is refused this once.*boltctl trust 3f2b1111 --deny.*\n$/,
      ],
    ] as const
  ) {
    await using staged = await Staged.serve({ pairings: [pairing] });
    const terminal = new MemoryTerminal();
    const environment = { BOLT_SOCKET: staged.socket };
    const interruption = new AbortController().signal;
    assertEquals(await runBoltctl(["pair", "--deny"], { terminal, environment, interruption }), 0);
    assertMatch(terminal.stdout, said);
    const calls = staged.daemon.calls.filter((call) => call.startsWith("decidePairing"));
    assertEquals(calls, [`decidePairing({"decision":"${decision}"})`]);
  }
});
