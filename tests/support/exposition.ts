/**
 * Reading Prometheus' text format 0.0.4, strictly: what `promtool check metrics` takes, and its
 * rules on names.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";

/** One metric: its samples by their labels as they are written, e.g. `{direction="incoming"}`. */
export interface Family {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: ReadonlyMap<string, number>;
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)$/;
const LABELS =
  /^\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"(?:,[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*")*\}$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/;

/** The metrics of a text. Fails where the format, or a rule on names, is not kept. */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  assert(text.endsWith("\n"), "the last line has no end");
  const families = new Map<string, Family & { readonly samples: Map<string, number> }>();
  const lines = text.slice(0, -1).split("\n");
  for (let i = 0; i < lines.length;) {
    const [, name = "", help = ""] = HELP.exec(lines[i++] ?? "") ?? [];
    assert(name !== "", `no HELP: ${lines[i - 1]}`);
    const [, typed, type] = TYPE.exec(lines[i++] ?? "") ?? [];
    assertEquals(typed, name, "HELP and TYPE are not of one metric");
    assert(type === "counter" || type === "gauge");
    assert(!families.has(name), `${name} comes twice`);
    assertEquals(name.endsWith("_total"), type === "counter", `${name} is a ${type}`);
    assert(!/_(milliseconds|ms|minutes|hours|kilobytes|megabytes|kib|mib)(_|$)/.test(name), name);
    const samples = new Map<string, number>();
    for (; i < lines.length && !lines[i]?.startsWith("#"); i++) {
      const [, of, labels = "", value = ""] = SAMPLE.exec(lines[i] ?? "") ?? [];
      assertEquals(of, name, `a sample out of place: ${lines[i]}`);
      assert(labels === "" || LABELS.test(labels), `labels: ${lines[i]}`);
      assert(!samples.has(labels), `twice: ${lines[i]}`);
      assert(Number.isFinite(Number(value)) && value !== "", `value: ${lines[i]}`);
      samples.set(labels, Number(value));
    }
    assert(samples.size > 0, `${name} has no sample`);
    families.set(name, { type, help, samples });
  }
  return families;
}

/** Names and values of the labels of a sample. */
export function labelsOf(written: string): readonly (readonly [string, string])[] {
  return [...written.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g)]
    .map(([, name = "", value = ""]) => [name, value] as const);
}
