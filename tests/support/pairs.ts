/**
 * Two daemons and the arguments that bring them together.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Outcome } from "./program.ts";

/** Arguments of the offerer and of the answerer. */
export interface PairArgs {
  readonly offerer: readonly string[];
  readonly answerer: readonly string[];
}

/**
 * Seconds that no test waits for: a phase that takes so long has failed. Tests of deadlines give
 * shorter ones themselves.
 */
const AMPLE = ["--phase-timeout-secs", "60"];

/** File mode, through two paths. */
export function byFile(offer: string, answer: string): PairArgs {
  const files = [...AMPLE, "--offer", offer, "--answer", answer];
  return { offerer: ["--role", "offerer", ...files], answerer: ["--role", "answerer", ...files] };
}

/** Rendezvous mode, between peers alice (offerer) and bob. */
export function byRendezvous(url: string): PairArgs {
  const meet = ["--signal", "rendezvous", "--rendezvous-url", url, "--room", "r", "--session", "s"];
  return {
    offerer: ["--role", "offerer", ...AMPLE, ...meet, "--peer-id", "alice", "--to", "bob"],
    answerer: [
      "--role",
      "answerer",
      ...AMPLE,
      ...meet,
      "--peer-id",
      "bob",
      "--expect-peer",
      "alice",
    ],
  };
}

/** Arguments with one flag's value replaced. */
export function having(args: readonly string[], flag: string, value: string): string[] {
  const at = args.indexOf(flag);
  assert(at >= 0, `${flag} is not in ${args}`);
  return args.with(at + 1, value);
}

/** A run that exchanged the payload says so, in order, and exits 0. */
export function assertExchanged(role: "Offerer" | "Answerer", { code, stderr }: Outcome): void {
  assertEquals(code, 0, stderr);
  assertMatch(
    stderr,
    new RegExp(`^\\[bolt-daemon\\] role=${role} signal=\\w+ scope=\\w+ timeout=\\d+s\\n`),
  );
  const success = role === "Offerer" ? "received matching payload" : "echoed matching payload";
  const tokens = ["ICE candidate accepted", "DataChannel open", "SUCCESS", success];
  let from = 0;
  for (const token of [...tokens, "[bolt-daemon] exit 0\n"]) {
    const at = stderr.indexOf(token, from);
    assert(at >= 0, `${token} is missing, or out of order:\n${stderr}`);
    from = at;
  }
  assert(stderr.endsWith("[bolt-daemon] exit 0\n"), stderr);
  assert(!stderr.includes("FATAL"), stderr);
}

/** A run that failed says why and exits 1, never 0. */
export function assertFatal({ code, stderr }: Outcome, says: string): void {
  assertEquals(code, 1, stderr);
  const fatal = stderr.split("\n").find((line) => line.startsWith("[bolt-daemon] FATAL:"));
  assertStringIncludes(fatal ?? "", says, stderr);
  for (const token of ["exit 0", "SUCCESS"]) assert(!stderr.includes(token), stderr);
}
