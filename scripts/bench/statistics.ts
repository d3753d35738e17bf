/**
 * What measurements of several rounds come to: medians, ratios, and tables of them.
 *
 * @module
 */

/** One variant's measurements of one round, by name. */
export type Figures = ReadonlyMap<string, number>;
/** All rounds of each variant, by the variant's name; undefined is a run that was lost. */
export type Results = ReadonlyMap<string, readonly (Figures | undefined)[]>;

/** A column of a {@linkcode comparisonTable}: the medians of one measurement. */
export interface Column {
  readonly title: string;
  /** Name of the measurement. */
  readonly key: string;
  readonly digits: number;
}

/** A column of a {@linkcode comparisonTable}: medians divided by each other. */
export interface RatioColumn {
  readonly title: string;
  /** Name of the measurement. */
  readonly key: string;
  /** The variant that the others are compared with. */
  readonly base: string;
  /** Whether the base is divided by the row, in place of the row by the base. @default {false} */
  readonly isInverse?: boolean;
}

/** The middle one, of numbers in any order. */
export function median(numbers: readonly number[]): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (sorted.length % 2 === 1 || upper === undefined) return upper;
  return (upper + (sorted[middle - 1] ?? upper)) / 2;
}

/** The median of a variant's measurement, over the rounds that have it. */
export function medianOf(results: Results, variant: string, key: string): number | undefined {
  return median((results.get(variant) ?? []).flatMap((round) => round?.get(key) ?? []));
}

/** How many times `base` a value is; empty when that can't be told. */
export function ratioText(value: number | undefined, base: number | undefined): string {
  if (value === undefined || base === undefined || base === 0) return "";
  return `${(value / base).toFixed(2)}x`;
}

/**
 * A row for each variant: ratios first, then medians, then how many runs were lost, if any.
 *
 * @param allRatios Those to a variant that was not measured are left out.
 */
export function comparisonTable(
  results: Results,
  allRatios: readonly RatioColumn[],
  columns: readonly Column[],
): string {
  const ratios = allRatios.filter(({ base }) => results.has(base));
  const lost = [...results].map(([, rounds]) => rounds.filter((one) => one === undefined).length);
  const hasLost = lost.some((count) => count > 0);
  const header = ["", ...ratios.map(titleOf), ...columns.map(titleOf), ...hasLost ? ["lost"] : []];
  const rows = [...results].map(([variant, rounds], i) => [
    variant,
    ...ratios.map(({ key, base, isInverse }) => {
      const pair = [medianOf(results, variant, key), medianOf(results, base, key)] as const;
      return isInverse === true ? ratioText(pair[1], pair[0]) : ratioText(...pair);
    }),
    ...columns.map(({ key, digits }) => medianOf(results, variant, key)?.toFixed(digits) ?? ""),
    ...hasLost ? [`${lost[i]} of ${rounds.length}`] : [],
  ]);
  return tableOf([header, ...rows]);
}

const titleOf = ({ title }: { readonly title: string }) => title;

/** Rows of cells as a table of Markdown; the first row is its head. */
export function tableOf([header = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = header.map((_, i) =>
    Math.max(3, ...[header, ...rows].map((row) => row[i]?.length ?? 0))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))
        .join(" | ")
    } |`;
  const rule = widths.map((width, i) => i === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":");
  return [line(header), line(rule), ...rows.map(line)].join("\n");
}
