/**
 * Counting by days of UTC under a clock that may jump. Pure.
 *
 * @module
 */
const MS_OF_A_DAY = 86_400_000;

/** How many there were in a day. */
export interface DayCount {
  /** Days since 1970, in UTC. */
  readonly day: number;
  /** How many, from 0 up. */
  readonly files: number;
}

/**
 * What counts at a time. A new day begins with none; a clock that goes back takes nothing off. One
 * that went back by more than a day was wrong before: what was counted then counts for the day that
 * it shows now, so that a day far ahead, once counted in, does not last for years.
 *
 * @param count What was counted last; undefined for nothing ever.
 * @param now Milliseconds since 1970.
 */
export function dayCountAt(count: DayCount | undefined, now: number): DayCount {
  const day = Math.floor(now / MS_OF_A_DAY);
  if (count === undefined || day > count.day) return { day, files: 0 };
  return day >= count.day - 1 ? count : { day, files: count.files };
}
