/**
 * Sizes, rates and times as people read them.
 *
 * @module
 */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** A size: `999 B`, `1.5 MiB`, `10 GiB`; three digits at most before the unit changes. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 KiB would be written as 1000 KiB.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** A rate, in bytes a second. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** A time: `0:07`, `1:02:03`, `3 days`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole >= 2 * 86_400) return `${Math.round(whole / 86_400)} days`;
  const pad = (number: number) => String(number).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

/** A time that has passed, given in seconds: `12 s ago`, `5 min ago`, `3 h ago`, `12 days ago`. */
export function formatAgo(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s ago`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ago`;
  if (whole < 2 * 86_400) return `${Math.floor(whole / 3600)} h ago`;
  return `${Math.floor(whole / 86_400)} days ago`;
}

/** Whole percents; 100 only when all is there. */
export function percent(done: number, all: number): number {
  return all === 0 ? 100 : Math.min(100, Math.floor(done / all * 100));
}
