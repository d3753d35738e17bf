/**
 * For tests: a fake daemon as a process of its own. Argument: the socket's path. Says `up` on
 * stdout when it listens, and ends when its stdin does or the API is asked to shut down.
 *
 * @module
 */
import { describeOwner } from "../client/client.ts";
import { logFor, setupLog } from "../../log/log.ts";
import { EventHub } from "../server/event_hub.ts";
import { MetricsRegistry } from "../server/metrics.ts";
import { LocalApi } from "../server/server.ts";
import { FakeDaemon } from "./served_fake.ts";

class Stoppable extends FakeDaemon {
  readonly stopped = Promise.withResolvers<void>();
  override async shutdown(): Promise<void> {
    await super.shutdown({});
    this.stopped.resolve();
  }
}

setupLog({ level: "error" });
const operations = new Stoppable();
const metrics = new MetricsRegistry();
metrics.gauge("bolt_process_resident_memory_bytes", "Resident memory.")
  .set(() => Deno.memoryUsage().rss);
await using api = await LocalApi.listen({
  socketPath: Deno.args[0] ?? "",
  operations,
  events: new EventHub(),
  metrics,
  log: logFor("ipc"),
  describeOwner,
  version: "1.2.3",
});
await Deno.stdout.write(new TextEncoder().encode("up\n"));
const stdinEnded = async () => {
  for await (const _ of Deno.stdin.readable);
};
await Promise.race([operations.stopped.promise, stdinEnded()]);
await api.close();
Deno.exit(0);
