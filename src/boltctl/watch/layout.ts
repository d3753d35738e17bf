/**
 * Sets what `boltctl watch` knows on a screen of any size. Pure.
 *
 * @module
 */
import { escapeUnsafe } from "../../base/text.ts";
import type { SessionView } from "../../ipc/api/schemas.ts";
import type { StyleName } from "../output/output.ts";
import { quotedName } from "../output/peer_name.ts";
import { progressLine } from "../output/progress_line.ts";
import { formatRate } from "../output/units.ts";
import { cutTo, fitTo, widthOf } from "../output/width.ts";
import { shortId } from "../resolve.ts";
import type { ShownEvent, WatchModel } from "./model.ts";

/** Size of a screen. */
export interface ScreenSize {
  /** Its width. */
  readonly columns: number;
  /** Its height. */
  readonly rows: number;
}

/** A row of the screen. */
export interface ScreenLine {
  /** Its text: safe, and no wider than the screen. */
  readonly text: string;
  /** How it is drawn. */
  readonly style?: StyleName;
}

/** Fewest rows with empty ones between the sections. */
const ROOMY = 16;
/** Fewest rows with a heading for each section. */
const HEADED = 8;
/** Heading, sections and rows between them: header, three headings. */
const HEADINGS = 4;
/** Columns of a name in front of what is said of its session. */
const LONGEST_NAME = 28;
/** Columns of the word in front of a transfer. */
const WAY = 5;

/** The rows of the screen from the top; as many as it has, or fewer. */
export function layout(model: WatchModel, { columns, rows }: ScreenSize): ScreenLine[] {
  const head = header(model, columns);
  if (rows < HEADED) {
    const transfers = some(transferLines(model, columns), rows - 2);
    const events = eventLines(model, columns).slice(transfers.length + 1 - rows);
    return fitted(
      [head, ...transfers, ...rows > 1 ? events : []],
      columns,
      rows,
    );
  }
  const gap: ScreenLine[] = rows >= ROOMY ? [{ text: "" }] : [];
  const free = rows - HEADINGS - 3 * gap.length;
  const sessions = some(sessionLines(model), Math.max(1, Math.floor(free / 4)));
  const transfers = some(transferLines(model, columns), Math.max(1, Math.floor(free / 2)));
  const left = free - sessions.length - transfers.length;
  const events = eventLines(model, columns);
  return fitted(
    [
      head,
      ...gap,
      heading("SESSIONS", sessionsFacts(model)),
      ...sessions,
      ...gap,
      heading("TRANSFERS", `in ${rateOf(model, "incoming")}, out ${rateOf(model, "outgoing")}`),
      ...transfers,
      ...gap,
      heading("EVENTS", ""),
      ...events.slice(Math.max(0, events.length - left)),
    ],
    columns,
    rows,
  );
}

function fitted(lines: readonly ScreenLine[], columns: number, rows: number): ScreenLine[] {
  return lines.slice(0, Math.max(0, rows)).map(({ text, ...style }) => ({
    text: cutTo(escapeUnsafe(text), columns).trimEnd(),
    ...style,
  }));
}

const heading = (title: string, facts: string): ScreenLine => ({
  text: facts === "" ? title : `${title}  ${facts}`,
  style: "bold",
});

const rateOf = (model: WatchModel, way: "incoming" | "outgoing") => formatRate(model.rate(way));

/** Who is watched on the left, how to leave on the right where there is room. */
function header({ daemon: { status, isLost } }: WatchModel, columns: number): ScreenLine {
  if (isLost) return { text: "The daemon is gone; waiting for it (q ends)", style: "yellow" };
  const name = status?.deviceName === undefined ? "" : `  ${status.deviceName}`;
  const text = status === undefined
    ? "bolt-daemon"
    : `bolt-daemon ${status.version}${name}  ${shortId(status.identity)}`;
  const hint = "q ends";
  const room = columns - widthOf(escapeUnsafe(text)) - hint.length;
  return { text: room < 2 ? text : `${text}${" ".repeat(room)}${hint}`, style: "bold" };
}

function sessionsFacts({ daemon: { status }, sessions }: WatchModel): string {
  return status === undefined ? "" : `${sessions.length} of at most ${status.sessions.limit}`;
}

const NONE: ScreenLine = { text: "  none", style: "dim" };

/** At most so many of them; the last one then counts those that are left out. */
function some(lines: readonly ScreenLine[], most: number): ScreenLine[] {
  if (lines.length === 0) return [NONE].slice(0, Math.max(0, most));
  if (lines.length <= most) return [...lines];
  const shown = Math.max(0, most - 1);
  const more: ScreenLine = { text: `  and ${lines.length - shown} more`, style: "dim" };
  return [...lines.slice(0, shown), more].slice(0, Math.max(0, most));
}

function sessionLines({ sessions }: WatchModel): ScreenLine[] {
  return sessions.map((session) => ({ text: sessionText(session) }));
}

function sessionText(session: SessionView): string {
  const { identity, peerCode, state, proven, path, openedAt, createdAt } = session;
  const who = identity === undefined ? peerCode ?? "?" : shortId(identity);
  const facts = [
    state,
    proven === undefined ? "" : proven ? "proven" : "NOT PROVEN",
    path?.transport ?? session.signal,
    clockTime(openedAt ?? createdAt),
  ].filter((fact) => fact !== "").join(", ");
  return `  ${fitTo(who, 8)}  ${nameOf(session)}${facts}`;
}

/** What people here call the peer, or else between quotes what it calls itself. */
function nameOf({ name, deviceName }: SessionView): string {
  const shown = name ?? (deviceName ? quotedName(deviceName, LONGEST_NAME) : undefined);
  return shown === undefined ? "" : `${cutTo(shown, LONGEST_NAME)}  `;
}

const WAYS = { incoming: "in", outgoing: "out" } as const;

function transferLines({ transfers }: WatchModel, columns: number): ScreenLine[] {
  return transfers.map((progress) => {
    const way = fitTo(`  ${WAYS[progress.transfer.direction]}`, WAY);
    return { text: `${way} ${progressLine(progress, columns - WAY)}` };
  });
}

/** The newest last. */
function eventLines({ events }: WatchModel, columns: number): ScreenLine[] {
  const indent = columns < 60 ? "" : "  ";
  return events.map(({ time, text }: ShownEvent) => ({
    text: `${indent}${clockTime(time)}  ${text}`,
    ...text.startsWith("WARNING") ? { style: "yellow" as const } : {},
  }));
}

/** The time of day in UTC, as the rest of boltctl and the log have it: `20:15:07Z`. */
function clockTime(time: string): string {
  const [, of] = /T(\d\d:\d\d:\d\d)/.exec(time) ?? [];
  return of === undefined ? time : `${of}Z`;
}
