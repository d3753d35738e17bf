/**
 * The daemon's programs with a stderr, or a stdout, that nobody reads any more.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DaemonClient } from "../../src/ipc/client/client.ts";
import { meetingByFile, pairBy, ServedDaemon } from "../support/daemon.ts";
import { FullPipe } from "../support/full_pipe.ts";
import { byFile, having } from "../support/pairs.ts";
import { fromFileUrl, join } from "../support/paths.ts";
import { DAEMON, type Program, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf, someBytes, transferIn } from "../support/transfers.ts";

const FLOOD: Program = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--no-prompt"],
    fromFileUrl(new URL("../support/log_flood.ts", import.meta.url)),
  ],
};

/** Longer than an orderly end takes with the second for unread lines, shorter than for ever. */
const SOON_MS = 30_000;

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: body });
}

/** Resolves when the daemon answers at its API: its log can't tell. */
async function answers(dataDir: string): Promise<void> {
  const client = new DaemonClient({ kind: "unix", path: join(dataDir, "daemon.sock") });
  const deadline = performance.now() + SOON_MS;
  while (!await client.status().then(() => true, () => false)) {
    assert(performance.now() < deadline, "the daemon does not answer");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("a daemon whose stderr nobody reads serves, moves files, and ends in order at SIGTERM", async () => {
  await using folder = await TempFolder.make();
  await using unread = await FullPipe.make(folder);
  await using alice = await ServedDaemon.start({
    program: unread.asStderrOf(DAEMON),
    flags: ["--log-level", "debug"],
    dataDir: folder.path("alice"),
    serves: () => answers(folder.path("alice")),
  });
  await using bob = await ServedDaemon.start();
  const { alice: session } = await pairBy(meetingByFile(folder), alice, bob);
  const path = folder.path("file.bin");
  await Deno.writeFile(path, someBytes(300_000));
  await alice.client.send({ paths: [path], identity: session.identity ?? "", priority: 0 });
  const offer = await offerOf(bob, "file.bin");
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(bob, offer, "completed");
  const start = performance.now();
  alice.run.kill("SIGTERM");
  assertEquals((await alice.run.outcome()).code, 0);
  assert(performance.now() - start < SOON_MS);
});

test("the one-shot program ends with its exit code when nobody reads its stderr", async () => {
  await using folder = await TempFolder.make();
  await using unread = await FullPipe.make(folder);
  const program = unread.asStderrOf(DAEMON);
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  const ends = await Promise.all([run(program, args.offerer), run(program, args.answerer)]);
  assertEquals(ends.map(({ code }) => code), [0, 0]);
  const alone = having(args.answerer, "--phase-timeout-secs", "1");
  const lost = [...alone.slice(0, -4), "--offer", folder.path("none"), "--answer", "-"];
  // FATAL with the deadline; FATAL with bad use; the usage line.
  const failed = await Promise.all([lost, ["--bogus"], []].map((args) => run(program, args)));
  assertEquals(failed.map(({ code }) => code), [1, 1, 1]);
});

test("an offer on a stdout that nobody reads ends the run at its deadline", async () => {
  await using folder = await TempFolder.make();
  await using unread = await FullPipe.make(folder);
  const args = ["--role=offerer", "--offer=-", "--answer=-", "--phase-timeout-secs=1"];
  const { code, stderr } = await run(unread.asStdoutOf(DAEMON), args);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "FATAL: phase timeout expired");
});

for (const format of ["text", "json"] as const) {
  test(`what was dropped is counted, and errors and tokens are there when stderr is read again (${format})`, async () => {
    await using folder = await TempFolder.make();
    await using unread = await FullPipe.make(folder);
    await using flood = new Run(unread.asStderrOf(FLOOD), [format]);
    assertEquals(await flood.line(), "logged\n"); // nothing of it was read
    const reading = unread.read();
    await flood.input("");
    assertEquals((await flood.outcome()).code, 0);
    const lines = (await reading).split("\n").slice(0, -1);
    const messages = format === "text"
      ? lines
      : lines.map((line) => String(JSON.parse(line).message));
    const count = (text: string) => messages.filter((line) => line.includes(text)).length;
    const notices = messages.flatMap((line) =>
      /^\[log\] (\d+) log lines were dropped: stderr was not read/.exec(line)?.[1] ?? []
    );
    const dropped = notices.reduce((sum, number) => sum + Number(number), 0);
    assert(dropped > 10_000, `only ${dropped} were dropped`);
    assertEquals(count("an ordinary line") + dropped, 20_000);
    for (const token of ["serving", "the first error", "SUCCESS: echoed matching payload"]) {
      assertEquals(count(token), 1, token);
    }
    assertStringIncludes(messages.at(-1) ?? "", "[bolt-daemon] exit 0");
    // In order, and the newest of the ordinary ones.
    const numbers = lines.flatMap((line) => /\bi"?[=:](\d+)/.exec(line)?.[1] ?? []).map(Number);
    assertEquals(numbers, numbers.toSorted((a, b) => a - b));
    assertEquals(numbers.at(-1), 19_999);
  });
}
