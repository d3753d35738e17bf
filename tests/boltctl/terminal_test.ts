/**
 * boltctl on a terminal: bars that keep to its width, and questions that wait for an answer.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { widthOf } from "../../src/boltctl/output/width.ts";
import { screenAfter } from "../../src/boltctl/testing/screen.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import { boltctl } from "./support/boltctl.ts";
import { hasPseudoTerminal, OnTerminal } from "./support/pseudo_terminal.ts";
import { PAIRING, session, Staged, transfer } from "./support/staged_daemon.ts";

/** Windows has no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const available = await hasPseudoTerminal();
if (!available) {
  // deno-lint-ignore no-console
  console.warn("Skipping the tests on a terminal: script and stty of Debian are not here");
}
const onTerminal = (name: string, fn: () => Promise<void>) =>
  test({ name, ignore: !available, fn });

const FILE = transfer(1, { name: peerText("a report with a rather long name.pdf") });
/** The end of the prompt: the cursor is where somebody types. */
const ASKED = "\x1b[10G";
const FILES = ["--role", "offerer", "--offer", "/share/o.json", "--answer", "/share/a.json"];

for (const columns of [44, 80, 160]) {
  onTerminal(
    `a progress bar on ${columns} columns is redrawn in place and never wraps`,
    async () => {
      await using staged = await Staged.serve();
      const words = ["send", `/files/${FILE.name}`, "--wait"];
      await using shown = new OnTerminal(boltctl(staged.socket), words, columns);
      await shown.shows("waiting");
      staged.events.publish({ type: "transfer-started", transfer: { ...FILE, state: "active" } });
      await shown.shows("starting");
      for (const part of [1, 2, 3]) {
        const done = 750_000 * part;
        staged.events.publish({
          type: "transfer-progress",
          transferId: FILE.transferId,
          transferred: done,
          size: FILE.size,
          bytesPerSecond: 100_000,
        });
        // Each is drawn before the next is told, which would take its place.
        await shown.shows(` ${25 * part} %`);
      }
      staged.events.publish({
        type: "transfer-finished",
        transfer: { ...FILE, state: "completed", transferred: FILE.size },
      });
      await shown.shows("done");
      assertEquals(await shown.ended(), 0);
      const bars = shown.screen.split(/\r?\n/).map((line) => line.replace("\x1b[1A\r\x1b[J", ""))
        .filter((line) => line.includes("%"));
      assertEquals(bars.length, 6, shown.screen);
      for (const bar of bars) assert(widthOf(bar) < columns, `${widthOf(bar)} columns: ${bar}`);
      assertStringIncludes(shown.screen, "\x1b[1A\r\x1b[J");
      if (columns >= 80) {
        assertStringIncludes(shown.screen, "0:08 left");
        assertStringIncludes(shown.screen, "98 KiB/s");
      }
    },
  );
}

onTerminal("a yes at the question lets the peer in", async () => {
  await using staged = await Staged.serve({
    onPair: [{ type: "pairing-requested", pairing: PAIRING }],
    onDecide: [{ type: "session-opened", session: session() }],
  });
  await using shown = new OnTerminal(boltctl(staged.socket), ["pair", ...FILES], 80);
  await shown.shows("[yes/no]");
  assertStringIncludes(shown.screen, "A 1 B 2 C 3");
  assertStringIncludes(shown.screen, "██████");
  await shown.type("yes\n");
  assertEquals(await shown.ended(), 0, shown.screen);
  assertStringIncludes(shown.screen, "Session s2 is open");
  const decided = `decidePairing({"decision":"allow_always","sas":"A1B2C3"})`;
  assert(staged.daemon.calls.includes(decided), staged.daemon.calls.join("\n"));
});

onTerminal("the time left goes by below the question, and leaves what is typed alone", async () => {
  const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
  await using staged = await Staged.serve({ pairings: [{ ...PAIRING, expiresAt }] });
  await using shown = new OnTerminal(boltctl(staged.socket), ["pair"], 80);
  await shown.shows(ASKED);
  await shown.type("ye");
  for (const drawn of [1, 2]) await shown.showsTimes("s left\x1b8", drawn);
  assertEquals(screenAfter(shown.screen, 80).slice(-2).map((row) => row.replace(/\d+/, "N")), [
    "[yes/no] ye",
    "N s left",
  ]);
  await shown.type("s\n");
  assertEquals(await shown.ended(), 0, shown.screen);
  assertEquals(screenAfter(shown.screen, 80).slice(-2), [
    "[yes/no] yes",
    '"phone\\u{202e}gnp" (3f2b1111) is let in',
  ]);
});

onTerminal("Ctrl-C at the question gives the session up and ends with 130", async () => {
  await using staged = await Staged.serve({
    onPair: [{ type: "pairing-requested", pairing: PAIRING }],
  });
  await using shown = new OnTerminal(boltctl(staged.socket), ["pair", ...FILES], 80);
  await shown.shows(ASKED);
  await shown.type("\x03");
  assertEquals(await shown.ended(), 130, shown.screen);
  assertEquals(screenAfter(shown.screen, 80).slice(-3), [
    "[yes/no] ^C",
    "Session s2 is given up",
    "boltctl: Interrupted by SIGINT",
  ]);
  assertStringIncludes(shown.screen, "Session s2 is given up");
  assert(staged.daemon.calls.includes(`closeSession("s2")`));
});

onTerminal("NO_COLOR leaves out colour, and without it headings are bold", async () => {
  await using staged = await Staged.serve();
  const program = boltctl(staged.socket);
  for (const [value, bold] of [["1", false], ["", true]] as const) {
    const env = { ...program.env, NO_COLOR: value };
    await using shown = new OnTerminal({ ...program, env }, ["peers"], 80);
    assertEquals(await shown.ended(), 0);
    assertEquals(shown.screen.includes("\x1b[1mPEER"), bold);
  }
});
