/**
 * How much of what was received in part is kept for another session, and how long. Pure.
 *
 * @module
 */
import { KEPT_PART_MS } from "../base/timing.ts";
import { displacedBytes, type Sized } from "./fair_share.ts";

/** Bounds of what is kept. */
export interface KeptBounds {
  /** Bytes of all parts together. @default {10 GiB} */
  readonly maxBytes: number;
  /** Milliseconds since a part was last added to. @default {7 days} */
  readonly maxAgeMs: number;
}

/** The bounds unless others are given. */
export const KEPT_BOUNDS: KeptBounds = {
  maxBytes: 10 * 1024 ** 3,
  maxAgeMs: KEPT_PART_MS,
};

/** The bounds where files of so many bytes may come: one of them can always go on. */
export function keptBoundsFor(maxFileBytes: number): KeptBounds {
  return { ...KEPT_BOUNDS, maxBytes: Math.max(KEPT_BOUNDS.maxBytes, maxFileBytes) };
}

/** A part that is kept. */
export interface KeptAt extends Sized {
  /** When it was last added to, in milliseconds on the clock of whoever asks. */
  readonly since: number;
}

/** Those that are not kept any longer: too old first, then what displaces others. */
export function beyondBounds<T extends KeptAt>(
  parts: readonly T[],
  now: number,
  { maxBytes, maxAgeMs }: KeptBounds = KEPT_BOUNDS,
): readonly T[] {
  const oldestFirst = parts.toSorted((a, b) => a.since - b.since);
  const isOld = ({ since }: T) => now - since >= maxAgeMs;
  const fresh = oldestFirst.filter((part) => !isOld(part));
  return [...oldestFirst.filter(isOld), ...displacedBytes(fresh, maxBytes)];
}

/** When the next part gets too old, on that clock; undefined without one. */
export function nextExpiry(
  parts: readonly KeptAt[],
  { maxAgeMs }: KeptBounds = KEPT_BOUNDS,
): number | undefined {
  if (parts.length === 0) return undefined;
  return Math.min(...parts.map(({ since }) => since)) + maxAgeMs;
}
