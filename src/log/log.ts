/**
 * Structured logging on stderr: one line a record, a message and key=value pairs after it.
 *
 * The only module that knows `@std/log`. Values of pairs are quoted when they hold anything but
 * plain characters, so hostile text can neither break a line nor forge a pair. Logging never waits
 * for whoever reads stderr: see `line_writer.ts`.
 *
 * @module
 */
import { BaseHandler, getLogger, type LevelName, LogLevels, type LogRecord, setup } from "@std/log";
import { escapeUnsafe, safeJson } from "../base/text.ts";
import { isContractLine } from "./contract_tokens.ts";
import { type Importance, LineWriter } from "./line_writer.ts";

/** Levels an operator can choose, most severe first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;
/** A level by its name on the command line. */
export type LogLevel = typeof LOG_LEVELS[number];
/** Spellings of a record on stderr. */
export const LOG_FORMATS = ["text", "json"] as const;
/** A format by its name on the command line. */
export type LogFormat = typeof LOG_FORMATS[number];

/** A value that may be logged. */
export type FieldValue = string | number | boolean;
/** The pairs of a record. */
export type Fields = { readonly [key: string]: FieldValue | undefined };

/** What the program's parts log through; each has a component name, shown as `[component]`. */
export interface Log {
  /** The run or a part of it failed. */
  error(message: string, fields?: Fields): void;
  /** Something is not as it should be. */
  warn(message: string, fields?: Fields): void;
  /** What an operator wants to know. */
  info(message: string, fields?: Fields): void;
  /** What a developer wants to know. */
  debug(message: string, fields?: Fields): void;
}

const PLAIN_VALUE = /^[\w.:/@%+,*[\]()-]+$/;

/** A field's value in text form. */
function formatValue(value: FieldValue): string {
  if (typeof value !== "string") return String(value);
  return PLAIN_VALUE.test(value) ? value : safeJson(value);
}

/** The text line of a record (no line feed). Levels other than info are told as a pair. */
export function formatText(
  component: string,
  level: LogLevel,
  message: string,
  fields: Fields,
): string {
  const shown: Fields = level === "info" ? fields : { ...fields, level };
  const pairs = Object.entries(shown)
    .flatMap(([key, value]) => value === undefined ? [] : [` ${key}=${formatValue(value)}`]);
  const text = message === "" ? "" : ` ${escapeUnsafe(message)}`;
  return `[${component}]${text}${pairs.join("")}`;
}

/** The JSON line of a record (no line feed): `time`, `level`, `message` as in text form, pairs. */
export function formatJson(
  component: string,
  level: LogLevel,
  message: string,
  fields: Fields,
  time: Date,
): string {
  const text = message === "" ? `[${component}]` : `[${component}] ${message}`;
  const line = { time: time.toISOString(), level, message: text, fields };
  return safeJson(line);
}

const LEVEL_NAMES = { error: "ERROR", warn: "WARN", info: "INFO", debug: "DEBUG" } as const;
const LEVEL_OF = new Map<string, LogLevel>(
  LOG_LEVELS.map((level) => [LEVEL_NAMES[level], level]),
);

/** How long an ending program waits for its last lines to be read, in milliseconds. */
const FLUSH_MS = 1000;
/** The spelling of records, as it was set up last. */
let formatInUse: LogFormat = "text";

const stderrLines = new LineWriter(Deno.stderr, {
  noticeOf: (dropped) => {
    const message = `${dropped} log lines were dropped: stderr was not read`;
    return format(formatInUse, "log", "warn", message, { dropped }, new Date());
  },
});

class StderrHandler extends BaseHandler {
  readonly #level: number;
  readonly #alwaysTokens: boolean;
  constructor(levelName: LevelName, alwaysTokens: boolean) {
    super(levelName);
    this.#level = LogLevels[levelName];
    this.#alwaysTokens = alwaysTokens;
  }
  override handle(record: LogRecord): void {
    const isWanted = record.level >= this.#level ||
      (this.#alwaysTokens && isContractLine(record.msg));
    if (!isWanted) return;
    const [component, fields] = record.args as [string, Fields];
    const level = LEVEL_OF.get(record.levelName) ?? "info";
    const line = format(formatInUse, component, level, record.msg, fields, record.datetime);
    stderrLines.write(line, importanceOf(level, record.msg));
  }
  override log(line: string): void {
    stderrLines.write(line, "ordinary");
  }
}

function importanceOf(level: LogLevel, message: string): Importance {
  if (level === "error") return "error";
  return isContractLine(message) ? "token" : "ordinary";
}

function format(
  spelling: LogFormat,
  ...[component, level, message, fields, time]: Parameters<typeof formatJson>
): string {
  return spelling === "json"
    ? formatJson(component, level, message, fields, time)
    : formatText(component, level, message, fields);
}

/** Options of {@linkcode setupLog}. */
export interface LogOptions {
  /** Lowest level that is written. @default {"info"} */
  readonly level?: LogLevel;
  /** Spelling of a record. @default {"text"} */
  readonly format?: LogFormat;
  /** The contract's lines of level info are written whatever the level. @default {false} */
  readonly alwaysTokens?: boolean;
}

/** Sends records to stderr from now on. A program that does so calls {@linkcode flushLog} last. */
export function setupLog(options: LogOptions = {}): void {
  const { level = "info", alwaysTokens = false } = options;
  const levelName = LEVEL_NAMES[level];
  const lowest = alwaysTokens && level !== "debug" ? "INFO" : levelName;
  formatInUse = options.format ?? "text";
  setup({
    handlers: { stderr: new StderrHandler(levelName, alwaysTokens) },
    loggers: { default: { level: lowest, handlers: ["stderr"] } },
  });
}

/** A line on stderr as it is, in order with the records: a usage line. */
export function writeStderrLine(line: string): void {
  stderrLines.write(line, "error");
}

/** Resolves when every record is written, or after a second when nobody reads them. */
export function flushLog(): Promise<void> {
  return stderrLines.flush(FLUSH_MS);
}

/** A log for a component, e.g. `bolt-daemon` or `rendezvous`. */
export function logFor(component: string): Log {
  // The logger is fetched at each record: one fetched before setup() stays dead.
  return {
    error: (message, fields = {}) => getLogger().error(message, component, fields),
    warn: (message, fields = {}) => getLogger().warn(message, component, fields),
    info: (message, fields = {}) => getLogger().info(message, component, fields),
    debug: (message, fields = {}) => getLogger().debug(message, component, fields),
  };
}
