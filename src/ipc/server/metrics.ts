/**
 * A small registry of metrics, written in the Prometheus text exposition format 0.0.4.
 *
 * Names begin with `bolt_` and end in their base unit; labels are a fixed set of short words,
 * never names of files, keys or peers: {@linkcode Counter} and {@linkcode Gauge} take the label
 * values at registration, so that a series can't be made from input.
 *
 * @module
 */

/** What a series is told apart by; values are chosen by the program, never taken from input. */
export type Labels = {
  /** Value by label. */
  readonly [name: string]: string;
};

const NAME = /^bolt_[a-z0-9_]+$/;
const LABEL = /^[a-z][a-z0-9_]*$/;

/** A count that only grows. */
export class Counter {
  #value = 0;

  /**
   * Counts on.
   *
   * @throws {RangeError} When `by` is negative or not finite.
   */
  add(by = 1): void {
    if (!(by >= 0 && by < Infinity)) throw new RangeError(`A counter can't grow by ${by}`);
    this.#value += by;
  }

  /** The count so far. */
  get value(): number {
    return this.#value;
  }
}

/** A value that goes up and down. */
export class Gauge {
  #read: () => number = () => 0;

  /** The value from now on: a number, or where to read it at each scrape. */
  set(value: number | (() => number)): void {
    this.#read = typeof value === "number" ? () => value : value;
  }

  /** The present value. */
  get value(): number {
    return this.#read();
  }
}

interface Family {
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** By their labels as they are written. */
  readonly series: Map<string, { readonly value: number }>;
}

/** All metrics of the daemon. */
export class MetricsRegistry {
  readonly #families = new Map<string, Family>();

  /**
   * A new counter.
   *
   * @param name `bolt_..._total`.
   * @param help One line that says what is counted; that of the first series of a name is kept.
   * @throws {TypeError} When the name or a label is not allowed, or the series exists.
   */
  counter(name: string, help: string, labels: Labels = {}): Counter {
    if (!name.endsWith("_total")) throw new TypeError(`Counter ${name} must end in _total`);
    return this.#register(name, "counter", help, labels, new Counter());
  }

  /**
   * A new gauge.
   *
   * @param name `bolt_...`, ending in its base unit where it has one (`_bytes`, `_seconds`).
   * @param help One line that says what is measured; that of the first series of a name is kept.
   * @throws {TypeError} When the name or a label is not allowed, or the series exists.
   */
  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    if (name.endsWith("_total")) throw new TypeError(`Gauge ${name} must not end in _total`);
    return this.#register(name, "gauge", help, labels, new Gauge());
  }

  /** All series as text, each family with its HELP and TYPE. */
  render(): string {
    const lines: string[] = [];
    for (const [name, { help, type, series }] of this.#families) {
      lines.push(`# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}`);
      lines.push(`# TYPE ${name} ${type}`);
      for (const [labels, metric] of series) lines.push(`${name}${labels} ${spell(metric.value)}`);
    }
    return lines.join("\n") + "\n";
  }

  #register<T extends { readonly value: number }>(
    name: string,
    type: Family["type"],
    help: string,
    labels: Labels,
    metric: T,
  ): T {
    if (!NAME.test(name)) throw new TypeError(`Metric ${name} must match ${NAME}`);
    const family = this.#families.get(name) ?? { type, help, series: new Map() };
    const key = spellLabels(labels);
    if (family.type !== type) throw new TypeError(`Metric ${name} is a ${family.type}`);
    if (family.series.has(key)) throw new TypeError(`Metric ${name}${key} exists`);
    family.series.set(key, metric);
    this.#families.set(name, family);
    return metric;
  }
}

function spell(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function spellLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    if (!LABEL.test(name)) throw new TypeError(`Label ${name} must match ${LABEL}`);
    const escaped = value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
