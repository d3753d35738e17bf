/**
 * Structured logging on stderr: one line a record, a message and key=value pairs after it.
 *
 * The only module that knows `@std/log`. Values of pairs are quoted when they hold anything but
 * plain characters, so hostile text can neither break a line nor forge a pair.
 *
 * @module
 */
import { BaseHandler, getLogger, type LevelName, type LogRecord, setup } from "@std/log";
import { escapeUnsafe, safeJson } from "../base/text.ts";

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

class StderrHandler extends BaseHandler {
  readonly #encoder = new TextEncoder();
  constructor(levelName: LevelName, format: LogFormat) {
    super(levelName, { formatter: (record) => formatRecord(record, format) });
  }
  override log(line: string): void {
    const bytes = this.#encoder.encode(line + "\n");
    try {
      for (let sent = 0; sent < bytes.length;) sent += Deno.stderr.writeSync(bytes.subarray(sent));
    } catch {
      // stderr is gone (closed pipe): there is nowhere left to say so.
    }
  }
}

function formatRecord(record: LogRecord, format: LogFormat): string {
  const [component, fields] = record.args as [string, Fields];
  const level = LEVEL_OF.get(record.levelName) ?? "info";
  return format === "json"
    ? formatJson(component, level, record.msg, fields, record.datetime)
    : formatText(component, level, record.msg, fields);
}

/** Options of {@linkcode setupLog}. */
export interface LogOptions {
  /** Lowest level that is written. @default {"info"} */
  readonly level?: LogLevel;
  /** Spelling of a record. @default {"text"} */
  readonly format?: LogFormat;
}

/** Sends records to stderr from now on. */
export function setupLog(options: LogOptions = {}): void {
  const levelName = LEVEL_NAMES[options.level ?? "info"];
  setup({
    handlers: { stderr: new StderrHandler(levelName, options.format ?? "text") },
    loggers: { default: { level: levelName, handlers: ["stderr"] } },
  });
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
