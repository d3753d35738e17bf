/**
 * A program for tests: logs far more than its queue holds, says `logged` on stdout, goes on when its
 * stdin ends, and ends as the daemon does. Argument: the log format.
 *
 * @module
 */
import { flushLog, logFor, type LogFormat, setupLog } from "../../src/log/log.ts";

setupLog({ format: Deno.args[0] as LogFormat });
const log = logFor("bolt-daemon");
log.info("serving", { data_dir: "/data" });
log.error("the first error");
for (let i = 0; i < 20_000; i++) log.info("an ordinary line that nobody reads", { i });
log.info("SUCCESS: echoed matching payload");
await Deno.stdout.write(new TextEncoder().encode("logged\n"));
for await (const _ of Deno.stdin.readable);
log.info("exit 0");
await flushLog();
Deno.exit(0);
