/**
 * The folder of the signal files is everybody's, or on a share that is gone: neither stops the
 * programs, which end at their deadline or at a signal, and the daemon's API goes on answering.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertExchanged, assertFatal, byFile, having } from "../support/pairs.ts";
import { DAEMON, Run, run } from "../support/program.ts";
import { DeadShare, withoutFileEvents } from "../support/shares.ts";
import { closedSession, meetingByFile, ServedDaemon } from "../support/daemon.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Named pipes that come and go in a folder until it is disposed. */
class FifoStorm implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  constructor(folder: string) {
    // Some stay, some go at once, some go later. It ends between two of them.
    const script =
      'trap "exit 0" TERM; cd "$1" && i=0; while :; do i=$((i + 1)); mkfifo "f$i" "g$i"; rm "f$i"; ' +
      "[ $((i % 50)) -eq 0 ] && rm g*; done";
    this.#process = new Deno.Command("sh", {
      args: ["-c", script, "sh", folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.status;
  }
}

const hasFifos = Deno.build.os !== "windows";

Deno.test("named pipes that come and go in the folder neither stop an exchange nor its end", {
  ignore: !hasFifos,
}, async () => {
  await using folder = await TempFolder.make();
  await using _storm = new FifoStorm(folder.path());
  const waits = Array.from({ length: 4 }, (_, number) => {
    const args = byFile(folder.path(`${number}.offer`), folder.path(`${number}.answer`));
    return new Run(DAEMON, having(args.answerer, "--phase-timeout-secs", "2"));
  });
  await using _all = {
    [Symbol.asyncDispose]: async () => {
      for (const wait of waits) await wait[Symbol.asyncDispose]();
    },
  };
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("offer written");
  await using answerer = new Run(DAEMON, args.answerer);
  assertExchanged("Offerer", await offerer.outcome());
  assertExchanged("Answerer", await answerer.outcome());
  for (const wait of waits) assertFatal(await wait.outcome(), "phase timeout expired");
  await using interrupted = new Run(DAEMON, args.answerer);
  await interrupted.said("offer read");
  interrupted.kill("SIGTERM");
  assertFatal(await interrupted.outcome(), "interrupted by SIGTERM");
});

Deno.test("a named pipe that takes the awaited file's place ends the run with what it is", {
  ignore: !hasFifos,
}, async () => {
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(DAEMON, args.offerer);
  await offerer.said("offer written");
  await new Deno.Command("mkfifo", { args: [folder.path("answer.json")] }).output();
  assertFatal(await offerer.outcome(), "answer.json is a named pipe (FIFO)");
  for (const one of [args.offerer, args.answerer]) {
    const outcome = await run(DAEMON, one);
    assertFatal(outcome, "answer.json is a named pipe (FIFO), and is left as it is");
  }
});

Deno.test("while named pipes come and go, a daemon with many sessions there answers, and stops", {
  ignore: !hasFifos,
}, async () => {
  await using folder = await TempFolder.make();
  await using daemon = await ServedDaemon.start({
    flags: ["--max-peers", "64", "--max-memory", "8192"],
  });
  await using _storm = new FifoStorm(folder.path());
  for (let round = 0; round < 5; round++) {
    const sessions = await Promise.all(Array.from({ length: 8 }, (_, number) => {
      const { offerer, answerer } = meetingByFile(folder);
      return daemon.pair(number % 2 === 0 ? offerer : answerer);
    }));
    assertEquals((await daemon.client.status()).sessions.open, 8);
    for (const session of sessions) {
      await daemon.client.closeSession(session.sessionId);
      await closedSession(daemon, session);
    }
  }
  for (let i = 0; i < 4; i++) await daemon.pair(meetingByFile(folder).answerer);
  await daemon.stop();
});

Deno.test("a share that never answers ends a run at its deadline, or at a signal", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("share"));
  await using share = await DeadShare.mount(folder.path("share"));
  if (share === undefined) return skipped("a dead share: only root on Linux can mount one");
  const args = byFile(folder.path("share", "offer"), folder.path("answer"));
  for (const one of [args.offerer, args.answerer]) {
    const outcome = await run(DAEMON, having(one, "--phase-timeout-secs", "1"));
    assertFatal(outcome, "phase timeout expired");
    assertStringIncludes(outcome.stderr, "the disk or network share of the signal files");
    await using waiting = new Run(DAEMON, one);
    await waiting.said("role=");
    waiting.kill("SIGTERM");
    assertFatal(await waiting.outcome(), "interrupted by SIGTERM");
  }
});

Deno.test("a share that never answers costs a daemon the sessions there, and nothing else", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.path("share"));
  await using share = await DeadShare.mount(folder.path("share"));
  if (share === undefined) return skipped("a dead share: only root on Linux can mount one");
  await using daemon = await ServedDaemon.start({
    flags: ["--max-peers", "64", "--max-memory", "8192"],
  });
  // More than the runtime has threads for files: without a bound, no file would be read any more.
  const hanging = await Promise.all(Array.from({ length: 40 }, () => {
    const { answerer } = meetingByFile(folder);
    if (answerer.signal !== "file") throw new Error("unreachable");
    return daemon.pair({ ...answerer, offer: folder.path("share", "offer"), phaseTimeoutSecs: 2 });
  }));
  assertEquals((await daemon.client.status()).state, "running");
  for (const session of hanging) {
    assertEquals((await closedSession(daemon, session)).failure?.code, "DEADLINE");
  }
  await Deno.writeTextFile(folder.path("file"), "hello");
  assertEquals(await daemon.client.listPeers(), []);
  await daemon.stop();
});

Deno.test("without any file event two daemons exchange, as across a network share", async () => {
  const withoutEvents = await withoutFileEvents(DAEMON);
  if (withoutEvents === undefined) return skipped("no file events: needs user namespaces of Linux");
  await using folder = await TempFolder.make();
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using answerer = new Run(withoutEvents, args.answerer);
  await answerer.said("role=Answerer");
  await using offerer = new Run(withoutEvents, args.offerer);
  assertExchanged("Offerer", await offerer.outcome());
  assertExchanged("Answerer", await answerer.outcome());
});
