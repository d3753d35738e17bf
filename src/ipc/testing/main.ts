/**
 * For tests: a fake daemon as a process of its own. Argument: the socket's path, or `tcp`. Says `up`
 * on stdout when it listens, over TCP with its port and token, and ends when its stdin does or the API
 * is asked to shut down.
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
const [where = ""] = Deno.args;
const operations = new Stoppable();
const metrics = new MetricsRegistry();
metrics.gauge("bolt_process_resident_memory_bytes", "Resident memory.")
  .set(() => Deno.memoryUsage().rss);
await using api = await LocalApi.listen({
  at: where === "tcp"
    ? {
      kind: "tcp",
      publish: () => Promise.resolve({ async [Symbol.asyncDispose]() {} }),
    }
    : { kind: "unix", path: where, describeOwner },
  operations,
  events: new EventHub(),
  metrics,
  log: logFor("ipc"),
  version: "1.2.3",
});
const { address } = api;
const told = address.kind === "tcp" ? `up ${address.port} ${address.token}\n` : "up\n";
await Deno.stdout.write(new TextEncoder().encode(told));
const stdinEnded = async () => {
  for await (const _ of Deno.stdin.readable);
};
await Promise.race([operations.stopped.promise, stdinEnded()]);
await api.close();
Deno.exit(0);
