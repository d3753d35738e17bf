/**
 * Two daemons exchange the payload through files and standard streams.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertExchanged, assertFatal, byFile, having } from "../support/pairs.ts";
import { DAEMON, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

async function assertBothExchange(offerer: Run, answerer: Run): Promise<void> {
  const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
  assertExchanged("Offerer", offered);
  assertExchanged("Answerer", answered);
}

Deno.test("file mode, offerer first", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("made", "offer.json"), folder.path("made", "answer.json"));
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("offer written");
  await using answerer = new Run(DAEMON, args.answerer);
  await assertBothExchange(offerer, answerer);
});

Deno.test("file mode, answerer first", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("a", "offer.json"), folder.path("b", "answer.json"));
  await using answerer = new Run(DAEMON, args.answerer);
  await answerer.said("role=Answerer");
  await using offerer = new Run(DAEMON, args.offerer);
  await assertBothExchange(offerer, answerer);
});

Deno.test("file mode again over the files of the run before, in both orders", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  for (const order of ["together", "offerer first", "answerer first"]) {
    const first = order === "answerer first" ? "answerer" : "offerer";
    await using one = new Run(DAEMON, args[first]);
    // The answerer that is first finds the stale offer, and answers it.
    if (order === "answerer first") await one.said("answer written");
    if (order === "offerer first") await one.said("offer written");
    await using other = new Run(DAEMON, first === "offerer" ? args.answerer : args.offerer);
    await (first === "offerer" ? assertBothExchange(one, other) : assertBothExchange(other, one));
  }
});

Deno.test("a half-written offer of a killed run does no harm", async () => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(folder.path("offer.json"), '{"description":{"sdp_type":"offer","sd');
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using answerer = new Run(DAEMON, args.answerer);
  await answerer.said("role=Answerer");
  await using offerer = new Run(DAEMON, args.offerer);
  await assertBothExchange(offerer, answerer);
});

Deno.test("the two ends can be piped together: one line each way", async () => {
  const args = byFile("-", "-");
  await using offerer = new Run(DAEMON, args.offerer);
  await using answerer = new Run(DAEMON, args.answerer);
  await answerer.input(await offerer.line());
  await offerer.input(await answerer.line());
  await assertBothExchange(offerer, answerer);
  assertEquals((await offerer.outcome()).stdout.split("\n").length, 2, "stdout is one line");
});

Deno.test("a file and a stream can be mixed", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), "-");
  await using offerer = new Run(DAEMON, args.offerer);
  await using answerer = new Run(DAEMON, args.answerer);
  await offerer.input(await answerer.line());
  await assertBothExchange(offerer, answerer);
});

Deno.test("wider scopes work between two daemons on one machine", async () => {
  for (const scope of ["overlay", "global"]) {
    await using folder = await TempFolder.make();
    const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
    await using offerer = new Run(DAEMON, [...args.offerer, "--network-scope", scope]);
    await using answerer = new Run(DAEMON, [...args.answerer, "--network-scope", scope]);
    await assertBothExchange(offerer, answerer);
  }
});

Deno.test("--log-format json keeps the tokens, one object a line", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(DAEMON, [...args.offerer, "--log-format", "json"]);
  await using answerer = new Run(DAEMON, args.answerer);
  const { code, stderr } = await offerer.outcome();
  assertEquals(code, 0, stderr);
  const records = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(records[0].fields, {
    role: "Offerer",
    signal: "File",
    scope: "Lan",
    timeout: "60s",
  });
  assertEquals(records.at(-1).message, "[bolt-daemon] exit 0");
  assertExchanged("Answerer", await answerer.outcome());
});

Deno.test("a bundle that is not one is fatal and said clearly", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await Deno.writeTextFile(folder.path("offer.json"), "hello");
  assertFatal(await run(DAEMON, args.answerer), "the offer is not a signal bundle");
  await Deno.writeTextFile(folder.path("offer.json"), " ".repeat(1024 * 1024 + 1));
  assertFatal(await run(DAEMON, args.answerer), "the offer is over 1 MiB");
  await using fromStdin = new Run(DAEMON, byFile("-", "-").answerer);
  await fromStdin.input("hello\n");
  assertFatal(await fromStdin.outcome(), "the offer is not a signal bundle");
});

Deno.test("an SDP that is none is fatal, within the deadline", async () => {
  await using folder = await TempFolder.make();
  const bundle = { description: { sdp_type: "offer", sdp: "nonsense" }, candidates: [] };
  await Deno.writeTextFile(folder.path("offer.json"), JSON.stringify(bundle));
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  assertFatal(await run(DAEMON, having(args.answerer, "--phase-timeout-secs", "2")), "");
});

Deno.test("phase timeout expired: nobody answers, nobody offers, stdin stays silent", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  const short = (all: readonly string[]) => having(all, "--phase-timeout-secs", "1");
  const outcomes = await Promise.all([
    run(DAEMON, short(args.offerer)),
    run(DAEMON, short(byFile(folder.path("none.json"), folder.path("x.json")).answerer)),
    run(DAEMON, short(byFile("-", "-").answerer)),
  ]);
  for (const outcome of outcomes) assertFatal(outcome, "phase timeout expired");
});

Deno.test("phase timeout expired tells of a file that holds only a part", async () => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(folder.path("offer.json"), '{"description":');
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  const outcome = await run(DAEMON, having(args.answerer, "--phase-timeout-secs", "1"));
  assertFatal(outcome, "holds only a part of a bundle");
});

for (const name of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${name} ends a waiting run cleanly: FATAL and exit 1`, {
    ignore: Deno.build.os === "windows",
  }, async () => {
    await using folder = await TempFolder.make();
    const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
    for (
      const [role, ready] of [["offerer", "offer written"], ["answerer", "role=Answerer"]] as const
    ) {
      await Deno.remove(folder.path("offer.json")).catch(() => {});
      await using waiting = new Run(DAEMON, args[role]);
      await waiting.said(ready);
      waiting.kill(name);
      assertFatal(await waiting.outcome(), `interrupted by ${name}`);
    }
  });
}

Deno.test("a peer that dies before it is connected ends ours within its deadline", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  const answerer = new Run(DAEMON, having(args.answerer, "--phase-timeout-secs", "3"));
  await using _ended = answerer;
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("offer written");
  offerer.kill("SIGKILL");
  assertFatal(await answerer.outcome(), "phase timeout expired");
});

Deno.test("logs name candidates, never SDP passwords or fingerprints", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(DAEMON, [...args.offerer, "--log-level", "debug"]);
  await offerer.said("offer written");
  const { description: { sdp } } = JSON.parse(await Deno.readTextFile(folder.path("offer.json")));
  await using answerer = new Run(DAEMON, [...args.answerer, "--log-level", "debug"]);
  const outcomes = await Promise.all([offerer.outcome(), answerer.outcome()]);
  const secrets = [/ice-pwd:(\S+)/, /fingerprint:\S+ (\S+)/].map((p) => p.exec(sdp)?.[1] ?? "");
  for (const { stderr } of outcomes) {
    assertStringIncludes(stderr, "address=127.0.0.1");
    for (const secret of secrets) {
      assertEquals([secret.length > 0, stderr.includes(secret)], [true, false]);
    }
  }
});
