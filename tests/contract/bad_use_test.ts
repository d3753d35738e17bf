/**
 * Bad use of the command line, seen from outside (Operator Contract, "CLI Flags").
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { DAEMON, type Outcome, type Program, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** The daemon without permission for any file or network: touching one would say so. */
const POWERLESS: Program = {
  ...DAEMON,
  args: DAEMON.args.filter((arg) => !/^--allow-(net|read|write)/.test(arg)),
};

const BAD: readonly (readonly [string, readonly string[], string])[] = [
  ["an unknown flag", ["--bogus"], "Unknown argument: --bogus"],
  ["--help, which there is not", ["--help"], "Unknown argument: --help"],
  ["a missing --role", ["--signal", "file"], "--role is required: offerer or answerer"],
  ["a wrong --role", ["--role", "boss"], "--role takes one of offerer, answerer"],
  [
    "a missing --room",
    ["--role", "offerer", "--signal", "rendezvous", "--session", "s", "--to", "bob"],
    "--signal rendezvous requires --room",
  ],
  [
    "a missing --session",
    ["--role", "offerer", "--signal", "rendezvous", "--room", "r", "--to", "bob"],
    "--signal rendezvous requires --session",
  ],
  [
    "a missing --to",
    ["--role", "offerer", "--signal", "rendezvous", "--room", "r", "--session", "s"],
    "--role offerer requires --to",
  ],
  [
    "a missing --expect-peer",
    ["--role", "answerer", "--signal", "rendezvous", "--room", "r", "--session", "s"],
    "--role answerer requires --expect-peer",
  ],
  [
    "no whole seconds",
    ["--role=offerer", "--phase-timeout-secs=1.5"],
    "--phase-timeout-secs takes",
  ],
  ["no WebSocket URL", ["--role=offerer", "--rendezvous-url=http://h"], "--rendezvous-url takes"],
  ["no scope", ["--role=offerer", "--network-scope=wan"], "--network-scope takes one of"],
];

function assertRefused({ code, stderr, stdout }: Outcome, says: string): void {
  assertEquals([code, stdout], [1, ""], stderr);
  assertStringIncludes(stderr, `[bolt-daemon] FATAL:`);
  assertStringIncludes(stderr, says);
  assertEquals(stderr.split("\n").length, 2, `one line: ${stderr}`);
}

Deno.test("no arguments print exactly the usage line and exit 1", async () => {
  const { code, stderr, stdout } = await run(POWERLESS, []);
  assertEquals(
    stderr,
    "Usage: bolt-daemon --role offerer|answerer [--signal file|rendezvous] [options]\n",
  );
  assertEquals([code, stdout], [1, ""]);
});

Deno.test("serve without arguments prints exactly its own usage line and exits 1", async () => {
  const { code, stderr, stdout } = await run(POWERLESS, ["serve"]);
  assertEquals(stderr, "Usage: bolt-daemon serve --data-dir DIR [options]\n");
  assertEquals([code, stdout], [1, ""]);
});

Deno.test("the first line comes before the signal paths are judged, which then fail", async () => {
  for (const role of ["offerer", "answerer"]) {
    const same = ["--offer", "/dev/null", "--answer", "/dev/null"];
    const { code, stderr, stdout } = await run(DAEMON, ["--role", role, ...same]);
    assertEquals([code, stdout], [1, ""], stderr);
    const [first, second, ...rest] = stderr.split("\n");
    const shown = role === "offerer" ? "Offerer" : "Answerer";
    assertEquals(first, `[bolt-daemon] role=${shown} signal=File scope=Lan timeout=30s`);
    assertStringIncludes(second ?? "", "[bolt-daemon] FATAL: the offer and the answer are both at");
    assertEquals(rest, [""]);
  }
});

/** Paths that can't be used, and what is said of them. */
const UNUSABLE: readonly (readonly [offer: string, answer: string, says: string])[] = [
  ["/dev/null", "/tmp/bolt-none/answer", "/dev/null is a device"],
  ["/dev/shm/bolt/offer", "/tmp/bolt-none/answer", "it never has for /dev, /proc and /sys"],
  ["/proc/1/offer", "/tmp/bolt-none/answer", "it never has for /dev, /proc and /sys"],
  ["/etc/hostname/offer", "/tmp/bolt-none/answer", "a part of the path is not a folder"],
  [`/tmp/${"x".repeat(300)}`, "/tmp/bolt-none/answer", "the name or path is too long"],
];

Deno.test("a path that can't be used is told in our own words, not in the runtime's", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  for (const [offer, answer, says] of UNUSABLE) {
    for (const role of ["offerer", "answerer"]) {
      const args = ["--role", role, "--offer", offer, "--answer", answer];
      const { code, stderr } = await run(DAEMON, args);
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, says);
      assert(!/os error|--allow|Requires|lstat/.test(stderr), stderr);
    }
  }
  const served = await run(DAEMON, ["serve", "--data-dir", "/dev/shm/bolt"]);
  assertEquals(served.code, 1);
  assertStringIncludes(served.stderr, "it never has for /dev, /proc and /sys");
  assert(!/os error|--allow|Requires/.test(served.stderr), served.stderr);
});

for (const [what, args, says] of BAD) {
  Deno.test(`${what} MUST exit 1 before any file or network is touched`, async () => {
    assertRefused(await run(POWERLESS, args), says);
  });
}

Deno.test("bad use is told in the log format that was asked for with it", async () => {
  for (const asked of [["--log-format", "json"], ["--log-format=json"]]) {
    for (const args of [["--bogus", ...asked], ["serve", ...asked], [...asked, "--role", "boss"]]) {
      const { code, stderr } = await run(POWERLESS, args);
      const { level, message, fields } = JSON.parse(stderr);
      assertEquals([code, level, fields.code], [1, "error", "USAGE"], stderr);
      assert(message.startsWith("[bolt-daemon] FATAL: "), message);
    }
  }
  // Not asked for: a value of another flag, and no format that there is.
  for (const args of [["--room", "--log-format=", "json"], ["--log-format=xml"]]) {
    const { stderr } = await run(POWERLESS, args);
    assert(stderr.startsWith("[bolt-daemon] FATAL: "), stderr);
  }
});

Deno.test("bad use leaves stale signal files as they are", async () => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(folder.path("offer.json"), "old");
  const files = ["--offer", folder.path("offer.json"), "--answer", folder.path("answer.json")];
  assertRefused(await run(DAEMON, ["--role", "offerer", ...files, "--bogus"]), "--bogus");
  assertEquals(await Deno.readTextFile(folder.path("offer.json")), "old");
});

Deno.test("bad use does not load the WebRTC library", async () => {
  // Without its package the import would fail, and say so.
  const offline = {
    ...DAEMON,
    args: [...DAEMON.args.slice(0, -1), "--no-npm", ...DAEMON.args.slice(-1)],
  };
  const { stderr } = await run(offline, ["--bogus"]);
  assert(stderr.startsWith("[bolt-daemon] FATAL: Unknown argument: --bogus"), stderr);
});

Deno.test("serve refuses bounds that together pass --max-memory, before any file is touched", async () => {
  const flags = ["--max-peers=64", "--max-transfers=4", "--max-memory=700"];
  const outcome = await run(POWERLESS, ["serve", "--data-dir", "/nonexistent/data", ...flags]);
  assertRefused(outcome, "--max-peers 64 and --max-transfers 4 may take");
  assertStringIncludes(outcome.stderr, "--max-memory allows 700: lower --max-peers to ");
  assertStringIncludes(outcome.stderr, "code=USAGE");
});
