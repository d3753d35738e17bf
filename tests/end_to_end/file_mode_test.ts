/**
 * Two daemons exchange the payload through files and standard streams.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertExchanged, assertFatal, byFile, having } from "../support/pairs.ts";
import { DAEMON, Run, run } from "../support/program.ts";
import { ReadOnlyShare } from "../support/shares.ts";
import { skipped } from "../support/skipped.ts";
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

Deno.test("an answer of an earlier run costs the offerer an attempt: it offers again when the answerer comes", async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  {
    await using offerer = new Run(DAEMON, args.offerer);
    await using answerer = new Run(DAEMON, args.answerer);
    await assertBothExchange(offerer, answerer);
  }
  const stale = await Deno.readTextFile(folder.path("answer.json"));
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("offer written");
  await Deno.writeTextFile(folder.path("answer.json"), stale);
  await offerer.said("answer read");
  await using answerer = new Run(DAEMON, args.answerer);
  await assertBothExchange(offerer, answerer);
});

Deno.test("an answer of an earlier run that may not be removed is passed over", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("theirs"));
  await Deno.mkdir(folder.path("seen"));
  await using share = await ReadOnlyShare.mount(folder.path("theirs"), folder.path("seen"));
  if (share === undefined) return skipped("a read-only share: only root can mount one");
  const offer = folder.path("offer.json");
  const args = {
    offerer: byFile(offer, folder.path("seen", "answer.json")).offerer,
    answerer: byFile(offer, folder.path("theirs", "answer.json")).answerer,
  };
  for (const _run of ["first", "second"]) {
    await using offerer = new Run(DAEMON, args.offerer);
    await offerer.said("offer written");
    await using answerer = new Run(DAEMON, args.answerer);
    await assertBothExchange(offerer, answerer);
  }
  const alone = await run(DAEMON, having(args.offerer, "--phase-timeout-secs", "1"));
  assertFatal(alone, "answer.json is of an earlier run, and this user may not remove it");
});

Deno.test("a half-written offer is waited for by the answerer, and left alone by the offerer", async () => {
  await using folder = await TempFolder.make();
  const half = '{"description":{"sdp_type":"offer","sd';
  await Deno.writeTextFile(folder.path("offer.json"), half);
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using answerer = new Run(DAEMON, args.answerer);
  await answerer.said("role=Answerer");
  assertFatal(await run(DAEMON, args.offerer), "at most the beginning of a signal bundle");
  assertEquals(await Deno.readTextFile(folder.path("offer.json")), half);
  await Deno.remove(folder.path("offer.json"));
  await using offerer = new Run(DAEMON, args.offerer);
  await assertBothExchange(offerer, answerer);
});

/** What a person may have at the path that is given by mistake; each makes it and says what it is. */
const MISTAKES: readonly (readonly [string, (path: string) => Promise<void>, string])[] = [
  [
    "thesis.pdf",
    (path) => Deno.writeTextFile(path, "%PDF-1.7\n".repeat(200_000)),
    "a file of 1800000 bytes, more than any signal bundle has",
  ],
  ["letter.pdf", (path) => Deno.writeTextFile(path, "%PDF-1.7\nhello"), "a PDF of 14 bytes"],
  ["notes", (path) => Deno.writeTextFile(path, "hello\n"), "a text file of 6 bytes"],
  ["package.json", (path) => Deno.writeTextFile(path, '{"name":"x"}'), "a text file of 12 bytes"],
  ["folder", (path) => Deno.mkdir(path), "a folder"],
  ["link", (path) => Deno.symlink("notes", path), "a symbolic link"],
];

Deno.test("what lies at a wrong path is told and left as it is, by both roles, in both places", async () => {
  await using folder = await TempFolder.make();
  const bundle = JSON.stringify({ description: { sdp_type: "offer", sdp: "x" }, candidates: [] });
  await Promise.all(
    MISTAKES.flatMap(([name, make, says]) =>
      (["offerer", "answerer"] as const).flatMap((role) =>
        (["offer", "answer"] as const).map(async (wrong) => {
          const own = folder.path(`${name}-${role}-${wrong}`);
          await Deno.mkdir(own);
          const path = `${own}/${name}`;
          await make(path);
          const before = await Deno.lstat(path);
          const other = `${own}/other`;
          await Deno.writeTextFile(other, wrong === "offer" ? "" : bundle);
          const args = wrong === "offer" ? byFile(path, other) : byFile(other, path);
          const outcome = await run(DAEMON, args[role]);
          // The answerer reads the offer, as what it is to be.
          const reads = role === "answerer" && wrong === "offer" && before.isFile;
          assertFatal(outcome, reads ? "the offer is" : `${path} is ${says}`);
          const after = await Deno.lstat(path);
          assertEquals([after.ino, after.size, after.mtime], [
            before.ino,
            before.size,
            before.mtime,
          ]);
          const names = await Array.fromAsync(Deno.readDir(own), (entry) => entry.name);
          assertEquals(names.sort(), [name, "other"].sort(), "nothing else was touched or left");
          assertEquals(await Deno.readTextFile(other), wrong === "offer" ? "" : bundle);
        })
      )
    ),
  );
});

const modeOf = async (path: string) => ((await Deno.lstat(path)).mode ?? 0) & 0o777;

Deno.test("a folder that is made is for its user alone; in one that is there the umask decides", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("there"));
  await Deno.writeTextFile(folder.path("there", "plain"), "");
  for (const [name, modes] of [["made", [0o700, 0o600]], ["there", undefined]] as const) {
    const args = byFile(folder.path(name, "offer.json"), folder.path(name, "answer.json"));
    await using offerer = new Run(DAEMON, args.offerer);
    await offerer.said("offer written");
    const found = [
      await modeOf(folder.path(name)),
      await modeOf(folder.path(name, "offer.json")),
    ];
    const plain = [await modeOf(folder.path("there")), await modeOf(folder.path("there", "plain"))];
    assertEquals(found, modes ?? plain);
  }
});

Deno.test("a file of another user is told of once, and refused with --signal-owner own", async () => {
  if (Deno.build.os === "windows" || Deno.uid() !== 0) {
    return skipped("another user's files: only root can make some");
  }
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(DAEMON, [...args.offerer, "--signal-owner", "own"]);
  await offerer.said("offer written");
  await Deno.chown(folder.path("offer.json"), 12_345, 12_345);
  const owned = await run(DAEMON, [...args.answerer, "--signal-owner", "own"]);
  const says = "offer.json belongs to user 12345, this program runs as user 0";
  assertFatal(owned, `${says}: --signal-owner own`);
  await using answerer = new Run(DAEMON, args.answerer);
  await assertBothExchange(offerer, answerer);
  assertEquals((await answerer.outcome()).stderr.split(says).length, 2, "one warning");
  assertEquals((await offerer.outcome()).stderr.includes("belongs to"), false);
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

Deno.test("at every log level all tokens of the contract are printed, and at error nothing else", async () => {
  for (const level of ["error", "warn"]) {
    await using folder = await TempFolder.make();
    const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
    const quiet = ["--log-level", level];
    await using offerer = new Run(DAEMON, [...args.offerer, ...quiet]);
    await using answerer = new Run(DAEMON, [...args.answerer, ...quiet]);
    await assertBothExchange(offerer, answerer);
    for (const { stderr } of [await offerer.outcome(), await answerer.outcome()]) {
      assertEquals(/offer written|offer read|answer read|answer written/.test(stderr), false);
    }
    const missing = await run(
      DAEMON,
      [
        ...having(args.answerer, "--phase-timeout-secs", "1"),
        ...["--offer=" + folder.path("none"), ...quiet],
      ].filter((arg, at, all) => arg !== "--offer" && all[at - 1] !== "--offer"),
    );
    assertFatal(missing, "phase timeout expired");
    assertEquals(missing.stderr.startsWith("[bolt-daemon] role=Answerer "), true, missing.stderr);
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

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
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
