import { assertEquals, assertThrows } from "@std/assert";
import { MetricsRegistry } from "./metrics.ts";

Deno.test("metrics are written in the Prometheus text format, families together", () => {
  const registry = new MetricsRegistry();
  const sent = registry.counter("bolt_bytes_total", "Bytes moved.", { direction: "sent" });
  const open = registry.gauge("bolt_sessions", "Open sessions.\nOf \\ this run.");
  const received = registry.counter("bolt_bytes_total", "ignored", { direction: "received" });
  sent.add(3);
  sent.add();
  received.add(0.5);
  open.set(() => sent.value * 2);
  assertEquals(
    registry.render(),
    `# HELP bolt_bytes_total Bytes moved.
# TYPE bolt_bytes_total counter
bolt_bytes_total{direction="sent"} 4
bolt_bytes_total{direction="received"} 0.5
# HELP bolt_sessions Open sessions.\\nOf \\\\ this run.
# TYPE bolt_sessions gauge
bolt_sessions 8
`,
  );
  open.set(NaN);
  assertEquals(open.value, NaN);
});

Deno.test("label values are escaped, so that none can end its line or forge a series", () => {
  const registry = new MetricsRegistry();
  registry.gauge("bolt_info", "Build.", { version: '1"} 1\n\\' }).set(1);
  assertEquals(registry.render().split("\n")[2], 'bolt_info{version="1\\"} 1\\n\\\\"} 1');
});

Deno.test("wrong names, doubled series and shrinking counters are refused", () => {
  const registry = new MetricsRegistry();
  registry.counter("bolt_a_total", "A.");
  assertThrows(() => registry.counter("bolt_a_total", "A."), TypeError, "exists");
  assertThrows(() => registry.counter("bolt_a", "A."), TypeError, "_total");
  assertThrows(() => registry.gauge("bolt_b_total", "B."), TypeError, "_total");
  assertThrows(() => registry.gauge("other_b", "B."), TypeError, "must match");
  assertThrows(() => registry.gauge("bolt_b", "B.", { "a-b": "" }), TypeError, "Label");
  const counter = registry.counter("bolt_c_total", "C.");
  for (const by of [-1, NaN, Infinity]) assertThrows(() => counter.add(by), RangeError);
  assertEquals(counter.value, 0);
});
