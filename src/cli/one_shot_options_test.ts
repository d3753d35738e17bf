import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import type { OneShotOptions } from "../app/one_shot/options.ts";
import { UsageError } from "../base/errors.ts";
import { parseOneShotOptions } from "./one_shot_options.ts";
import { code, codes } from "../protocol/testing/peer_codes.ts";

const parse = (...args: string[]): OneShotOptions =>
  parseOneShotOptions(args, () => code("0a1b2c3d"));

const RENDEZVOUS = ["--signal", "rendezvous", "--room", "r", "--session", "s"];

function refuses(args: readonly string[], message: string): void {
  const error = assertThrows(() => parse(...args), UsageError);
  assertEquals(error.message, message);
}

Deno.test("file mode has the contract's defaults", () => {
  assertEquals(parse("--role", "offerer"), {
    role: "offerer",
    signal: "file",
    scope: "lan",
    phaseTimeoutSecs: 30,
    offer: "/tmp/bolt-spike/offer.json",
    answer: "/tmp/bolt-spike/answer.json",
    owner: "any",
    logFormat: "text",
    logLevel: "info",
    unused: [],
  });
});

Deno.test("rendezvous mode has the contract's defaults", () => {
  assertEquals(parse("--role", "offerer", ...RENDEZVOUS, "--to", "bob"), {
    role: "offerer",
    signal: "rendezvous",
    scope: "lan",
    phaseTimeoutSecs: 30,
    url: "ws://127.0.0.1:3001/",
    room: "r",
    session: "s",
    ...codes("0a1b2c3d", "bob"),
    logFormat: "text",
    logLevel: "info",
    unused: [],
  });
});

Deno.test("every flag is read, in both spellings", () => {
  const flags: readonly (readonly [string, string])[] = [
    ["--role", "answerer"],
    ["--signal", "rendezvous"],
    ["--rendezvous-url", "wss://relay.example:8443/path?x=1"],
    ["--room", "living room"],
    ["--session", "a=b"],
    ["--expect-peer", "al-ice"],
    ["--peer-id", "b-o-b"],
    ["--phase-timeout-secs", "7"],
    ["--network-scope", "overlay"],
    ["--log-format", "json"],
    ["--log-level", "debug"],
  ];
  const expected: OneShotOptions = {
    role: "answerer",
    signal: "rendezvous",
    scope: "overlay",
    phaseTimeoutSecs: 7,
    url: "wss://relay.example:8443/path?x=1",
    room: "living room",
    session: "a=b",
    ...codes("bob", "alice"),
    logFormat: "json",
    logLevel: "debug",
    unused: [],
  };
  assertEquals(parse(...flags.flat()), expected);
  assertEquals(parse(...flags.map(([flag, value]) => `${flag}=${value}`)), expected);
});

Deno.test("a dash is a value: stdin and stdout", () => {
  const options = parse("--role", "offerer", "--offer", "-", "--answer=-");
  assertEquals(options.signal === "file" && [options.offer, options.answer], ["-", "-"]);
});

Deno.test("flags without effect in the chosen mode or role are named, not refused", () => {
  assertEquals(parse("--role", "offerer", "--room", "r", "--to", "bob").unused, ["--room", "--to"]);
  assertEquals(
    parse("--role", "answerer", ...RENDEZVOUS, "--expect-peer", "a", "--to=b", "--offer=x").unused,
    ["--offer", "--to"],
  );
});

Deno.test("Unknown flags MUST cause exit 1: they are refused by name", () => {
  refuses(["--bogus"], "Unknown argument: --bogus");
  refuses(["--role", "offerer", "--bogus=1"], "Unknown argument: --bogus");
  refuses(["--role", "offerer", "stray"], "Unknown argument: stray");
  refuses(["--role", "offerer", "ws://u:p@h/?token"], "Unknown argument: ws://h/?...");
  refuses(["--help"], "Unknown argument: --help");
  refuses(["-h"], "Unknown argument: -h");
  refuses(["--"], "Unknown argument: --");
  refuses([""], "Unknown argument: ");
  refuses(["--no-role"], "Unknown argument: --no-role");
  refuses(["-role", "offerer"], "Unknown argument: -role");
  refuses(["--__proto__", "x"], "Unknown argument: --__proto__");
});

Deno.test("--role is REQUIRED and takes offerer or answerer", () => {
  refuses(["--signal", "file"], "--role is required: offerer or answerer");
  refuses(["--role", "Offerer"], '--role takes one of offerer, answerer, not "Offerer"');
});

Deno.test("rendezvous mode MUST have --room, --session, and --to or --expect-peer", () => {
  const offerer = ["--role", "offerer", "--signal", "rendezvous"];
  refuses(offerer, "--signal rendezvous requires --room NAME");
  refuses([...offerer, "--room=r"], "--signal rendezvous requires --session NAME");
  refuses(
    [...offerer, "--room=r", "--session=s", "--expect-peer=bob"],
    "--signal rendezvous with --role offerer requires --to PEER_CODE",
  );
  refuses(
    ["--role", "answerer", ...RENDEZVOUS, "--to=bob"],
    "--signal rendezvous with --role answerer requires --expect-peer PEER_CODE",
  );
});

Deno.test("a flag without a usable value is refused", () => {
  refuses(["--role"], "--role requires a value");
  refuses(["--role="], "--role requires a value that is not empty");
  refuses(["--role", ""], "--role requires a value that is not empty");
  refuses(
    ["--role", "--signal"],
    "--role requires a value, but --signal looks like a flag: write --role=--signal to mean it",
  );
  refuses(
    ["--role", "offerer", "--offer", "-x"],
    "--offer requires a value, but -x looks like a flag: write --offer=-x to mean it",
  );
  const options = parse("--role", "offerer", "--offer=-x");
  assertEquals(options.signal === "file" && options.offer, "-x");
});

Deno.test("a flag given twice is refused, even with the same value", () => {
  refuses(
    ["--role", "offerer", "--role=offerer"],
    "--role is given 2 times, it takes one value",
  );
});

Deno.test("--phase-timeout-secs takes a positive whole number", () => {
  const takes = "--phase-timeout-secs takes a whole number of seconds from 1 to 9007199254740, not";
  for (const bad of ["0", "-1", "1.5", "1e9", "+5", "0x10", " 5", "9007199254741", "abc", "٣"]) {
    refuses(["--role=offerer", "--phase-timeout-secs", bad], `${takes} ${JSON.stringify(bad)}`);
  }
  for (const [good, secs] of [["1", 1], ["030", 30], ["999999999999", 999999999999]] as const) {
    assertEquals(parse("--role=offerer", "--phase-timeout-secs", good).phaseTimeoutSecs, secs);
  }
});

Deno.test("--rendezvous-url takes a WebSocket URL", () => {
  const takes =
    "--rendezvous-url takes a ws:// or wss:// URL without user name or fragment; what " +
    "was given is";
  for (
    const [bad, shown] of [
      ["http://h", "http://h/"],
      ["https://h", "https://h/"],
      ["h:3001", "(no valid URL)"],
      ["ws:", "(no valid URL)"],
      ["ws://", "(no valid URL)"],
      ["nonsense", "(no valid URL)"],
      ["ws://u:p@h", "ws://h/"],
      ["ws://h#f", "ws://h/"],
      ["http://h/?token=secret", "http://h/?..."],
    ] as const
  ) refuses(["--role=offerer", `--rendezvous-url=${bad}`], `${takes} ${shown}`);
});

Deno.test("peer codes are taken as the server takes them: hyphens dropped, else refused", () => {
  const takes = "1 to 16 ASCII letters and digits (hyphens are dropped)";
  for (const flag of ["--to", "--expect-peer", "--peer-id"]) {
    for (const bad of ["é", "a b", "a_b", "12345678901234567", "--=-".slice(3), "a/b"]) {
      refuses(["--role=offerer", `${flag}=${bad}`], `${flag} takes ${takes}, not "${bad}"`);
    }
  }
  refuses(
    ["--role=offerer", ...RENDEZVOUS, "--to=bob", "--peer-id=b-ob"],
    "--peer-id bob is also the other peer's code: they must differ",
  );
});

Deno.test("scope, signal and log flags take their listed values only", () => {
  const role = "--role=offerer";
  refuses(
    [role, "--network-scope=wan"],
    '--network-scope takes one of lan, overlay, global, not "wan"',
  );
  refuses([role, "--signal=udp"], '--signal takes one of file, rendezvous, not "udp"');
  refuses([role, "--log-format=xml"], '--log-format takes one of text, json, not "xml"');
  refuses(
    [role, "--log-level=trace"],
    '--log-level takes one of error, warn, info, debug, not "trace"',
  );
});

Deno.test("room and session are bounded and hold no control characters", () => {
  const takes = "takes up to 256 characters, none of them control characters, not";
  refuses(["--role=offerer", "--room=a\nb"], `--room ${takes} "a\\nb"`);
  const long = "x".repeat(257);
  refuses(["--role=offerer", `--session=${long}`], `--session ${takes} "${"x".repeat(80)}..."`);
});

Deno.test("one path for both files is parsed: the run refuses it, after its first line", () => {
  const options = parse("--role=offerer", "--offer=/dev/null", "--answer=/dev/null");
  assertEquals(options.signal === "file" && [options.offer, options.answer], [
    "/dev/null",
    "/dev/null",
  ]);
});

Deno.test("--signal-owner is one of two, and of file mode", () => {
  const { owner } = { owner: "", ...parse("--role=offerer", "--signal-owner=own") };
  assertEquals(owner, "own");
  refuses(
    ["--role=offerer", "--signal-owner=me"],
    '--signal-owner takes one of own, any, not "me"',
  );
  const { unused } = parse("--role=offerer", ...RENDEZVOUS, "--to=b", "--signal-owner=own");
  assertEquals(unused, ["--signal-owner"]);
});

Deno.test("any arguments give options or a UsageError, nothing else", () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom("--role", "offerer", "--role=answerer", "--signal", "rendezvous", "--to", "-"),
    fc.constantFrom("--room", "--session=x", "--expect-peer", "--peer-id", "--offer=-", "=", "--"),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      try {
        parse(...args);
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
