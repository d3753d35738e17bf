/**
 * The soak's samples as a picture: memory, open files, timers.
 *
 * @module
 */
import type { SoakSample } from "./soak_samples.ts";

const [WIDTH, PANEL, LEFT, TOP] = [720, 160, 60, 30];
const COLOURS = { alice: "#1f6feb", bob: "#d29922" } as const;

/** Samples of both daemons. */
export interface SoakSamples {
  readonly alice: readonly SoakSample[];
  readonly bob: readonly SoakSample[];
}

/** An SVG document. */
export function drawSoak(samples: SoakSamples): string {
  const memory = panel(samples, 0, "memory (RSS), MB", ({ rssBytes }) => rssBytes / 1e6);
  const files = panel(samples, 1, "open files", ({ files }) => files);
  const timers = panel(samples, 2, "timers", ({ timers }) => timers);
  const height = 3 * (PANEL + TOP) + 40;
  const legend = Object.entries(COLOURS).map(([who, colour], at) =>
    `<text x="${LEFT + at * 60}" y="${height - 6}" fill="${colour}">${who}</text>`
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ` +
    `font-family="sans-serif" font-size="12">\n` +
    `<rect width="${WIDTH}" height="${height}" fill="white"/>\n` +
    [memory, files, timers, ...legend].join("\n") + "\n</svg>\n";
}

function panel(
  samples: SoakSamples,
  at: 0 | 1 | 2,
  title: string,
  of: (sample: SoakSample) => number,
): string {
  const all = [...samples.alice, ...samples.bob];
  const most = Math.max(1, ...all.map(of)) * 1.1;
  const lastMs = Math.max(1, ...all.map(({ ms }) => ms));
  const top = TOP + at * (PANEL + TOP);
  const x = (ms: number) => (LEFT + ms / lastMs * (WIDTH - LEFT - 20)).toFixed(1);
  const y = (value: number) => (top + PANEL - value / most * PANEL).toFixed(1);
  const lines = (["alice", "bob"] as const).map((who) => {
    const points = samples[who].map((sample) => `${x(sample.ms)},${y(of(sample))}`).join(" ");
    return `<polyline fill="none" stroke="${COLOURS[who]}" points="${points}"/>`;
  });
  const marks = [0, 0.5, 1].map((share) =>
    `<text x="${LEFT - 6}" y="${y(most * share)}" text-anchor="end">${
      (most * share).toFixed(0)
    }</text>`
  );
  const minutes = (lastMs / 60_000).toFixed(0);
  return [
    `<text x="${LEFT}" y="${top - 8}">${title}</text>`,
    `<path d="M${LEFT} ${top}V${top + PANEL}H${WIDTH - 20}" fill="none" stroke="#888"/>`,
    `<text x="${WIDTH - 20}" y="${top + PANEL + 14}" text-anchor="end">${minutes} min</text>`,
    ...marks,
    ...lines,
  ].join("\n");
}
