import { assertEquals } from "@std/assert";
import { DeadlineError, InterruptedError, UsageError } from "../base/errors.ts";
import { AnswerError, ApiError, DaemonUnreachableError } from "../ipc/client/client.ts";
import { problem, type ProblemCode } from "../ipc/api/problem.ts";
import { CommandError, EXIT_MEANINGS, exitCodeOf } from "./exit_codes.ts";

const refusedBy = (code: ProblemCode) => new ApiError(problem(code, "x"));

Deno.test("each way to end has its own exit code: 0, 1, 2, 3, 4, 5, 130", () => {
  assertEquals(EXIT_MEANINGS.map(([code]) => code), [0, 1, 2, 3, 4, 5, 130]);
  const cases: readonly (readonly [unknown, number])[] = [
    [new TypeError("a fault of ours"), 1],
    [refusedBy("PEER_NOT_FOUND"), 1],
    [new AnswerError("not a daemon"), 1],
    [new UsageError("x"), 2],
    [refusedBy("IDEMPOTENCY_KEY_REUSED"), 2],
    [new DaemonUnreachableError("x"), 3],
    [refusedBy("STOPPING"), 3],
    [refusedBy("POLICY_REFUSED"), 4],
    [refusedBy("SAS_MISMATCH"), 4],
    [refusedBy("SAS_ATTEMPTS_EXHAUSTED"), 4],
    [refusedBy("KEY_MISMATCH"), 4],
    [new CommandError("PEER_DENIED", "x"), 4],
    [new DeadlineError("x"), 5],
    [refusedBy("OPERATION_TIMEOUT"), 5],
    [new CommandError("PAIRING_EXPIRED", "x"), 5],
    [new InterruptedError("x"), 130],
  ];
  for (const [error, code] of cases) assertEquals(exitCodeOf(error), code, String(error));
});
