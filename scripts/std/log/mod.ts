/**
 * Stand-in for `jsr:@std/log`: levels, records, loggers and handlers, for the part this project uses.
 *
 * @module
 */

/** Numeric values of the levels. */
export const LogLevels = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  CRITICAL: 50,
} as const;
/** Name of a level. */
export type LevelName = keyof typeof LogLevels;
/** Value of a level. */
export type LogLevel = typeof LogLevels[LevelName];

const nameOf = (level: LogLevel): LevelName => {
  for (const name of Object.keys(LogLevels) as LevelName[]) {
    if (LogLevels[name] === level) return name;
  }
  throw new Error(`Cannot get log level: no level named: ${level}`);
};

/** One thing that was logged. */
export class LogRecord {
  readonly #args: unknown[];
  readonly #datetime = new Date();
  /** The message. */
  readonly msg: string;
  /** The level's value. */
  readonly level: LogLevel;
  /** The level's name. */
  readonly levelName: string;
  /** The logger's name. */
  readonly loggerName: string;
  /** Makes a record of now. */
  constructor(options: { msg: string; args: unknown[]; level: LogLevel; loggerName: string }) {
    this.msg = options.msg;
    this.#args = [...options.args];
    this.level = options.level;
    this.levelName = nameOf(options.level);
    this.loggerName = options.loggerName;
  }
  /** The arguments after the message. */
  get args(): unknown[] {
    return [...this.#args];
  }
  /** When it was logged. */
  get datetime(): Date {
    return new Date(this.#datetime.getTime());
  }
}

/** Turns a record into a line. */
export type FormatterFunction = (record: LogRecord) => string;

/** Where records go. */
export abstract class BaseHandler {
  #level: LogLevel;
  /** The name of the lowest level that is handled. */
  levelName: LevelName;
  /** Makes a line of a record. */
  formatter: FormatterFunction;
  /** Makes a handler for a level and above. */
  constructor(levelName: LevelName, options?: { formatter?: FormatterFunction }) {
    this.levelName = levelName;
    this.#level = LogLevels[levelName];
    this.formatter = options?.formatter ?? ((record) => `${record.levelName} ${record.msg}`);
  }
  /** Formats and logs a record of its level or above. */
  handle(record: LogRecord): void {
    if (this.#level > record.level) return;
    this.log(this.formatter(record));
  }
  /** Writes a line. */
  abstract log(msg: string): void;
  /** Prepares the handler. */
  setup(): void {}
  /** Ends the handler. */
  destroy(): void {}
}

/** Gives records to its handlers. */
export class Logger {
  readonly #name: string;
  /** The lowest level that is logged. */
  readonly level: LogLevel;
  /** Where records go. */
  readonly handlers: BaseHandler[];
  /** Makes a logger. */
  constructor(name: string, levelName: LevelName, options: { handlers?: BaseHandler[] } = {}) {
    this.#name = name;
    this.level = LogLevels[levelName];
    this.handlers = options.handlers ?? [];
  }
  #log(level: LogLevel, msg: string, args: unknown[]): void {
    if (this.level > level) return;
    const record = new LogRecord({ msg, args, level, loggerName: this.#name });
    for (const handler of this.handlers) handler.handle(record);
  }
  /** Logs at level debug. */
  debug(msg: string, ...args: unknown[]): void {
    this.#log(LogLevels.DEBUG, msg, args);
  }
  /** Logs at level info. */
  info(msg: string, ...args: unknown[]): void {
    this.#log(LogLevels.INFO, msg, args);
  }
  /** Logs at level warn. */
  warn(msg: string, ...args: unknown[]): void {
    this.#log(LogLevels.WARN, msg, args);
  }
  /** Logs at level error. */
  error(msg: string, ...args: unknown[]): void {
    this.#log(LogLevels.ERROR, msg, args);
  }
}

/** What `setup` takes. */
export interface LogConfig {
  /** Handlers by name. */
  handlers?: { [name: string]: BaseHandler };
  /** Loggers by name, with their handlers' names. */
  loggers?: { [name: string]: { level?: LevelName; handlers?: string[] } };
}

const loggers = new Map<string, Logger>();
let installed: BaseHandler[] = [];

/** Installs handlers and loggers in place of those before. */
export function setup(config: LogConfig): void {
  for (const handler of installed) handler.destroy();
  const handlers = config.handlers ?? {};
  installed = Object.values(handlers);
  for (const handler of installed) handler.setup();
  loggers.clear();
  for (const [name, spec] of Object.entries(config.loggers ?? {})) {
    const own = (spec.handlers ?? []).map((key) => handlers[key]).filter((h) => h !== undefined);
    loggers.set(name, new Logger(name, spec.level ?? "INFO", { handlers: own }));
  }
}

/** The logger of a name; one without handlers when `setup` named none. */
export function getLogger(name = "default"): Logger {
  const held = loggers.get(name);
  if (held !== undefined) return held;
  const made = new Logger(name, "NOTSET");
  loggers.set(name, made);
  return made;
}
