/**
 * What a reader of the files that arrived has handled: all up to one, and some after it. Pure.
 *
 * @module
 */
import { isJsonObject } from "../protocol/json.ts";

/** Which files are handled; ids as in the API, `<8 hex digits>-<number>`. */
export interface ReceivedMark {
  /** This file is handled, and all before it; absent: none. */
  readonly through?: string;
  /** These are handled too, though not all before them; in the order in which that was said. */
  readonly done: readonly string[];
}

/** Nothing is handled. */
export const NO_MARK: ReceivedMark = { done: [] };

const ID = /^[0-9a-f]{8}-([1-9]\d{0,14})$/;

/** Whether a text is the id of a file that arrived. */
export function isReceivedId(text: string): boolean {
  return ID.test(text);
}

const numberOf = (id: string | undefined): number => Number(ID.exec(id ?? "")?.[1] ?? 0);

/** Whether a file is handled. */
export function isHandled({ through, done }: ReceivedMark, id: string): boolean {
  return numberOf(id) <= numberOf(through) || done.includes(id);
}

/** The same, and one file more is handled. */
export function withHandled(mark: ReceivedMark, id: string): ReceivedMark {
  return isHandled(mark, id) ? mark : joined({ ...mark, done: [...mark.done, id] });
}

/**
 * What is left of a mark when files after it are not known any more: what is known begins after
 * `before`. Where that lies before the mark, the record is another, and nothing of it is handled.
 */
export function afterGap(mark: ReceivedMark, before: string | undefined): ReceivedMark {
  const from = before === undefined ? {} : { through: before };
  const isAhead = numberOf(before) > numberOf(mark.through);
  const done = isAhead ? mark.done.filter((id) => numberOf(id) > numberOf(before)) : [];
  return joined({ ...from, done });
}

/** Files that follow on what is handled without a hole need not stand alone. */
function joined({ through, done }: ReceivedMark): ReceivedMark {
  const next = done.find((id) => numberOf(id) === numberOf(through) + 1);
  if (next !== undefined) {
    return joined({ through: next, done: done.filter((id) => id !== next) });
  }
  return { ...(through === undefined ? {} : { through }), done };
}

/** The text of a mark, as it is kept. */
export function formatMark({ through, done }: ReceivedMark): string {
  return `${JSON.stringify({ version: 1, ...(through === undefined ? {} : { through }), done })}\n`;
}

/** The mark in a text; undefined when it is none. */
export function parseMark(text: string): ReceivedMark | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { version, through, done, ...others } = value;
  if (version !== 1 || Object.keys(others).length > 0 || !Array.isArray(done)) return undefined;
  const isId = (value: unknown): value is string =>
    typeof value === "string" && isReceivedId(value);
  if (!done.every(isId) || (through !== undefined && !isId(through))) return undefined;
  return { ...(through === undefined ? {} : { through }), done };
}
