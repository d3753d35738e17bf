/**
 * `boltctl watch` on a whole terminal: what the screen shows, and that the terminal is left as it
 * was, however it ends.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SCREEN_REDRAW_MS } from "../../src/base/timing.ts";
import { watch } from "../../src/boltctl/commands/watch.ts";
import { contextFor, MemoryTerminal } from "../../src/boltctl/testing/memory_terminal.ts";
import { screenAfter } from "../../src/boltctl/testing/screen.ts";
import { HandClock } from "../../src/app/testing/fixtures.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { boltctl } from "./support/boltctl.ts";
import { hasPseudoTerminal, OnTerminal } from "./support/pseudo_terminal.ts";
import { session, Staged, transfer } from "./support/staged_daemon.ts";

// The daemon of these tests listens at a socket.
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;
const available = await hasPseudoTerminal();
if (!available) {
  // deno-lint-ignore no-console
  console.warn("Skipping the tests of watch on a terminal: script and stty of Debian are not here");
}
const onTerminal = (name: string, fn: () => Promise<void>) =>
  Deno.test({ name, ignore: !available, fn });

const FILE = transfer(1, { state: "active", name: peerText("film\u001b[2J\u202e.mkv") });
const STAGE = { transfers: [FILE], sessions: [session()] };
const WATCH = ["watch"];

/** Whether the screen of this size holds a text now. */
const holds = (text: string, columns: number, rows: number) => (sent: string) =>
  screenAfter(sent, columns, rows).some((row) => row.includes(text));

onTerminal(
  "the screen shows sessions, transfers and events as they change, at any size",
  async () => {
    await using staged = await Staged.serve(STAGE);
    await using shown = new OnTerminal(boltctl(staged.socket), WATCH, 80, 24);
    await shown.meets("a bar", holds("film\\u{1b}[2J", 80, 24));
    const { transferId, size } = FILE;
    staged.events.publish({
      ...{ type: "transfer-progress", transferId, size, transferred: size / 2 },
      bytesPerSecond: 100_000,
    });
    await shown.meets("half of it", holds(" 50 %  98 KiB/s", 80, 24));
    staged.events.publish({ type: "daemon-stopping", reason: "api" });
    await shown.meets("the event", holds("The daemon is stopping (api)", 80, 24));
    const rows = screenAfter(shown.screen, 80, 24);
    assertStringIncludes(rows[0] ?? "", "q ends");
    assert(
      rows.some((row) => row.startsWith("TRANSFERS  in 0 B/s, out 98 KiB/s")),
      rows.join("\n"),
    );
    assert(rows.some((row) => /^ {2}3f2b1111 .* open, proven/.test(row)), rows.join("\n"));
    assert(!shown.screen.includes("\u202e"));
    await shown.resize(40, 10);
    await shown.meets(
      "another size",
      (sent) => screenAfter(sent, 40, 10)[1] === "SESSIONS  1 of at most 8",
    );
    await shown.type("q");
    assertEquals(await shown.ended(), 0, shown.screen);
  },
);

const ENDS: readonly (readonly [how: string, code: number, end: (shown: OnTerminal) => unknown])[] =
  [
    ["q", 0, (shown) => shown.type("q")],
    ["Ctrl-C", 130, (shown) => shown.type("\x03")],
    ["SIGTERM", 130, (shown) => shown.signal("SIGTERM")],
  ];

/** Fails unless screen, cursor and keys are as they were before. */
function assertGivenBack(shown: OnTerminal): void {
  const [before, after, ...more] = shown.settings;
  assertEquals([before, more], [after, []], shown.screen);
  const left = screenAfter(shown.screen, 80, 24);
  assert(left.every((row) => !/SESSIONS|film/.test(row)), left.join("\n"));
  for (const [taken, given] of [["?1049h", "?1049l"], ["?25l", "?25h"], ["?7l", "?7h"]] as const) {
    const { length } = shown.screen.split(taken);
    assertEquals(shown.screen.split(given).length, length, given);
  }
}

for (const [how, code, end] of ENDS) {
  onTerminal(`at ${how} the terminal is as it was: screen, cursor and keys`, async () => {
    await using staged = await Staged.serve(STAGE);
    await using shown = new OnTerminal(boltctl(staged.socket), WATCH, 80, 24);
    await shown.meets("a bar", holds("film", 80, 24));
    await end(shown);
    assertEquals(await shown.ended(), code, shown.screen);
    assertGivenBack(shown);
  });
}

onTerminal("when it fails the terminal is as it was, and the sentence stands there", async () => {
  await using staged = await Staged.serve(STAGE);
  await using shown = new OnTerminal(boltctl(staged.socket), [...WATCH, "--timeout=2"], 80, 24);
  assertEquals(await shown.ended(), 5, shown.screen);
  assertGivenBack(shown);
  const left = screenAfter(shown.screen, 80, 24);
  assert(left.some((row) => row.includes("boltctl: Not done within 2 s")), left.join("\n"));
});

onTerminal("watch goes on when the daemon was killed and started again", async () => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  const program = boltctl(join(dataDir, "daemon.sock"));
  const first = await ServedDaemon.start({ dataDir });
  await using shown = new OnTerminal(program, WATCH, 80, 24);
  await shown.meets("the first", holds("bolt-daemon", 80, 24));
  first.run.kill("SIGKILL");
  await first[Symbol.asyncDispose]();
  await shown.meets("the loss", holds("The daemon is gone; waiting for it", 80, 24));
  await using second = await ServedDaemon.start({ dataDir });
  await shown.meets("the second", holds("Events before this one are lost", 80, 24));
  await second.client.trust("3f2a".padEnd(64, "0"), { decision: "allow_always", name: "bob" });
  await shown.meets("what it tells", holds("trust allow_always", 80, 24));
  assertStringIncludes(screenAfter(shown.screen, 80, 24)[0] ?? "", "bolt-daemon");
  await shown.type("q");
  assertEquals(await shown.ended(), 0, shown.screen);
});

/** Counts what is written: a frame each, but for what takes the terminal. */
class CountingTerminal extends MemoryTerminal {
  frames = -1;

  override write(text: string): void {
    this.frames++;
    super.write(text);
  }
}

/** What is ready happens before it resolves, with false. */
const nextTurn = () => new Promise<false>((turn) => setTimeout(() => turn(false), 0));

test("however much happens, a frame is drawn only after a rest, and shows the last of it", async () => {
  await using staged = await Staged.serve(STAGE);
  const terminal = new CountingTerminal({ columns: 80 });
  const clock = new HandClock();
  const watching = watch(contextFor(WATCH, terminal, staged.socket, clock));
  await terminal.shows("TRANSFERS");
  const { transferId, size } = FILE;
  for (let percent = 1; percent <= 90; percent++) {
    const transferred = size / 100 * percent;
    staged.events.publish({
      ...{ type: "transfer-progress", transferId, size, transferred },
      bytesPerSecond: 100_000,
    });
  }
  const last = terminal.shows(" 90 %").then(() => true);
  let rests = 0;
  while (!await Promise.race([last, nextTurn()])) {
    assert(terminal.frames <= 1 + rests, `${terminal.frames} frames`);
    if (clock.waiting === 0) continue;
    clock.pass(SCREEN_REDRAW_MS);
    rests++;
  }
  assert(terminal.frames <= 1 + rests, `${terminal.frames} frames`);
  terminal.press("q");
  await watching;
});
