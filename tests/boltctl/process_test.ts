/**
 * boltctl as a process: exit codes, signals, permissions, and the real daemon behind it.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { FullPipe } from "../support/full_pipe.ts";
import { join } from "../support/paths.ts";
import { type Outcome, type Program, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { boltctl } from "./support/boltctl.ts";
import { NOW, Staged, transfer } from "./support/staged_daemon.ts";

/** Windows has no POSIX signals, no POSIX shell and no /proc, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

test("boltctl needs nothing but the socket when its path is known", async () => {
  await using staged = await Staged.serve();
  const { socket } = staged;
  const program = boltctl(socket, [
    "--no-prompt",
    `--allow-net=unix:${socket}`,
    `--allow-read=${socket}`,
    `--allow-write=${socket}`,
    "--allow-env=BOLT_API,BOLT_SOCKET,NO_COLOR",
  ]);
  const { code, stdout, stderr } = await run(program, ["status", "--json"]);
  assertEquals([code, JSON.parse(stdout).version, stderr], [0, "1.2.3", ""]);
});

test("the exit code tells what happened: done, usage, no daemon", async () => {
  await using folder = await TempFolder.make();
  const program = boltctl(folder.path("none.sock"));
  const version = await run(program, ["version"]);
  assertEquals([version.code, version.stdout], [0, `boltctl ${manifest.version}\n`]);
  const usage = await run(program, ["status", "--nonsense"]);
  assertEquals(usage.code, 2);
  assertStringIncludes(usage.stderr, "Unknown flag: --nonsense");
  const absent = await run(program, ["status"]);
  assertEquals(absent.code, 3);
  assertEquals(absent.stderr.trimEnd().split("\n").length, 1, absent.stderr);
});

test("status --wait returns when the daemon that is being started serves", async () => {
  await using folder = await TempFolder.make();
  const socket = folder.path("data", "daemon.sock");
  await using waiting = new Run(boltctl(socket), ["status", "--wait", "--json"]);
  await using _daemon = await ServedDaemon.start({ dataDir: folder.path("data") });
  const { code, stdout } = await waiting.outcome();
  assertEquals([code, JSON.parse(stdout).state], [0, "running"]);
});

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${name} during send --wait cancels the transfer, says so and ends with 130`, async () => {
    await using staged = await Staged.serve();
    await using sending = new Run(boltctl(staged.socket), ["send", "/files/a.bin", "--wait"]);
    assertEquals(await sending.line(), "a.bin: 0 %, waiting\n");
    sending.kill(name);
    const { code, stderr } = await sending.outcome();
    assertEquals(code, 130);
    assertStringIncludes(stderr, "Interrupted: a.bin (1a1b0000) is cancelled");
    assert(staged.daemon.calls.some((call) => call.startsWith("cancelTransfer")));
  });
}

test("Ctrl-C ends events with 130", async () => {
  await using staged = await Staged.serve();
  // A gap is the first line; nothing follows it.
  const args = ["events", "--after", "run9-1"];
  await using listening = new Run(boltctl(staged.socket), args);
  assertStringIncludes(await listening.line(), "gap");
  listening.kill("SIGINT");
  const { code, stderr } = await listening.outcome();
  assertEquals([code, stderr], [130, "boltctl: Interrupted by SIGINT\n"]);
});

test("a reader that has enough ends boltctl, without a word", async () => {
  const { command, args, env } = boltctl("/nonexistent.sock");
  const words = [command, ...args, "completion", "bash"].map((word) => `'${word}'`).join(" ");
  // The loop ends when the pipe's reader is gone; then boltctl starts.
  const gone = "trap '' PIPE; while printf x; do :; done 2>/dev/null";
  const script = `{ ${gone}; ${words}; echo "exit $?" >&2; } | :`;
  const shell: Program = { command: "sh", args: ["-c", script], env: env ?? {} };
  const { stderr } = await run(shell, []);
  assertEquals(stderr, "exit 1\n");
});

/** A program that runs in a shell after `before`, with `redirection`. */
function inShell(program: Program, before: string, redirection: string): Program {
  const { command, args, env } = program;
  const script = `${before}exec "$@" ${redirection}`;
  return { command: "sh", args: ["-c", script, "sh", command, ...args], env: env ?? {} };
}

/** Transfers whose list is longer than any pipe. */
const MANY = Array.from({ length: 1000 }, (_, i) => transfer(i, { createdAt: NOW }));

/** Whether `dd` can make its stdout non-blocking, for whoever shares it. */
const canUnblock = (await run({
  command: "sh",
  args: ["-c", "dd if=/dev/null oflag=nonblock 2>/dev/null"],
}, [])).code === 0;

test({
  name: "a stdout that another program made non-blocking gets all of the JSON",
  ignore: !canUnblock,
  fn: async () => {
    await using staged = await Staged.serve({ transfers: MANY });
    const unblock = "dd if=/dev/null oflag=nonblock 2>/dev/null; ";
    const program = inShell(boltctl(staged.socket), unblock, "");
    const { code, stdout, stderr } = await run(program, ["transfers", "--json", "--limit=1000"]);
    assertEquals([code, stderr], [0, ""]);
    const shown = stdout.trimEnd().split("\n").map((line) => JSON.parse(line).transferId);
    assertEquals(shown, MANY.map(({ transferId }) => transferId));
  },
});

test("a result that a full disk does not take is a failure, with a sentence", async () => {
  const program = inShell(boltctl("/nonexistent.sock"), "", ">/dev/full");
  for (const json of [[], ["--json"]]) {
    const { code, stderr } = await run(program, ["version", ...json]);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      "Not all of the result could be written to stdout: its disk is full",
    );
    assertEquals(stderr.includes("os error"), false, stderr);
  }
});

test("Ctrl-C ends boltctl while nobody reads its stdout", async () => {
  await using folder = await TempFolder.make();
  await using unread = await FullPipe.make(folder);
  await using staged = await Staged.serve({ transfers: MANY });
  await using waiting = new Run(unread.asStdoutOf(boltctl(staged.socket)), [
    "transfers",
    "--json",
    "--limit=1000",
  ]);
  await staged.daemon.listed.promise;
  waiting.kill("SIGINT");
  const { code, stderr } = await waiting.outcome();
  assertEquals([code, stderr], [
    130,
    '{"error":{"code":"INTERRUPTED","message":"Interrupted by SIGINT","exit":130}}\n',
  ]);
});

/** The JSON lines of a run that went well. */
function objects({ code, stdout, stderr }: Outcome): Record<string, unknown>[] {
  assertEquals(code, 0, stderr);
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

test("with boltctl alone, two daemons pair, and a file is sent, accepted and verified, and the session ended", async () => {
  await using rendezvous = startRendezvousServer({ port: 0 });
  await using alice = await ServedDaemon.start({ flags: ["--device-name", "Alice"] });
  await using bob = await ServedDaemon.start({ flags: ["--device-name", "Bob"] });
  const [forAlice, forBob] = [alice, bob].map((daemon) =>
    boltctl(join(daemon.dataDir, "daemon.sock"))
  ) as [ReturnType<typeof boltctl>, ReturnType<typeof boltctl>];
  const meet = ["--signal=rendezvous", "--rendezvous-url", rendezvous.url, "--room=r"];
  const common = ["pair", ...meet, "--session=s", "--phase-timeout-secs=60", "--no-wait"];
  await run(forAlice, [...common, "--role=offerer", "--peer-id=alice", "--to=bob"]);
  await run(forBob, [...common, "--role=answerer", "--peer-id=bob", "--expect-peer=alice"]);
  const { pairing } = await alice.event("pairing-requested");
  // Each confirms what the other end shows; both show the same.
  const confirm = ["pair", "--json", "--timeout=60", `--sas=${pairing.sas}`];
  const decided = await Promise.all([run(forAlice, confirm), run(forBob, confirm)]);
  assertEquals(decided.flatMap(objects).map(({ state }) => state), ["allowed", "allowed"]);
  await alice.event("session-opened");
  await bob.event("session-opened");

  await using folder = await TempFolder.make();
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  await Deno.writeFile(folder.path("hello.bin"), bytes);
  const file = folder.path("hello.bin");
  const sending = run(forAlice, ["send", file, "--to", "Bob", "--wait", "--json"]);
  await bob.event("transfer-offered");
  const [received] = objects(await run(forBob, ["accept", "--all", "--wait", "--json"]));
  const [sent] = objects(await sending);
  assertEquals([sent?.state, received?.state], ["completed", "completed"]);
  assertEquals(await Deno.readFile(String(received?.path)), bytes);
  const [session] = objects(await run(forBob, ["sessions", "--json"]));
  assertEquals([session?.state, session?.deviceName], ["open", "Alice"]);
  const [ended] = objects(await run(forBob, ["disconnect", "Alice", "--json"]));
  assertEquals(ended?.sessionId, session?.sessionId);
  await alice.event("session-closed");
  assertEquals(objects(await run(forBob, ["shutdown", "--wait", "--json"])), [{
    state: "stopped",
    graceful: true,
    transfersLeft: [],
  }]);
  assertEquals((await bob.run.outcome()).code, 0);
});
