/**
 * Exit codes: stable, distinct, and decided in one place.
 *
 * @module
 */
import {
  CodedError,
  DaemonError,
  DeadlineError,
  InterruptedError,
  UsageError,
} from "../base/errors.ts";

/** Exit codes by meaning. */
export const EXIT = {
  /** The command did what it was asked. */
  done: 0,
  /** It failed, for a reason that no other code stands for. */
  failed: 1,
  /** The command line is not valid. */
  usage: 2,
  /** No daemon answers where it was named, or it is stopping. */
  notRunning: 3,
  /** Refused by the peer or by policy. */
  refused: 4,
  /** `--timeout`, or the daemon did not answer in time. */
  timedOut: 5,
  /** Interrupted by SIGINT or SIGTERM. */
  interrupted: 130,
} as const;
/** An exit code. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** Each exit code and its meaning, as help lists them. */
export const EXIT_MEANINGS: readonly (readonly [ExitCode, string])[] = [
  [EXIT.done, "done"],
  [EXIT.failed, "failed"],
  [EXIT.usage, "the command line is not valid"],
  [EXIT.notRunning, "the daemon is not running there, or is stopping"],
  [EXIT.refused, "refused by the peer or by policy"],
  [EXIT.timedOut, "timed out"],
  [EXIT.interrupted, "interrupted"],
];

/** Codes of the daemon (problems, and failures of sessions and transfers) that mean "refused". */
const REFUSED: ReadonlySet<string> = new Set([
  "HOST_REFUSED",
  "IDENTITY_REFUSED",
  "KEY_MISMATCH",
  "NAME_REFUSED",
  "ORIGIN_REFUSED",
  "PAIRING_REFUSED",
  "PEER_DECLINED",
  "PEER_DENIED",
  "POLICY_REFUSED",
  "RATCHET_DOWNGRADE_REJECTED",
  "SAS_ATTEMPTS_EXHAUSTED",
  "SAS_MISMATCH",
  "SCOPE_MISMATCH",
  "TRANSFER_REJECTED",
]);
const TIMED_OUT: ReadonlySet<string> = new Set([
  "DEADLINE",
  "OPERATION_TIMEOUT",
  "PAIRING_EXPIRED",
  "REQUEST_TIMEOUT",
]);
/** Contradicts an earlier command line: said again it is refused again. */
const USAGE: ReadonlySet<string> = new Set(["IDEMPOTENCY_KEY_REUSED"]);
const NOT_RUNNING: ReadonlySet<string> = new Set(["DAEMON_UNREACHABLE", "STOPPING"]);

/** The exit code of a stable code. */
export function exitCodeOfCode(code: string): ExitCode {
  if (REFUSED.has(code)) return EXIT.refused;
  if (TIMED_OUT.has(code)) return EXIT.timedOut;
  if (NOT_RUNNING.has(code)) return EXIT.notRunning;
  if (USAGE.has(code)) return EXIT.usage;
  return EXIT.failed;
}

/** The exit code of whatever ended a command. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof InterruptedError) return EXIT.interrupted;
  if (error instanceof DeadlineError) return EXIT.timedOut;
  return error instanceof DaemonError ? exitCodeOfCode(error.code) : EXIT.failed;
}

/** A command could not do what was asked: a code of the daemon's or of ours, and a sentence. */
export class CommandError extends CodedError<string> {}

/** What was asked for has been printed, and it is a failure: nothing more is to be said. */
export class ReportedFailure extends CommandError {
  /** The failure of a command whose output has described it already. */
  constructor() {
    super("REPORTED", "the findings above say what failed");
  }
}
