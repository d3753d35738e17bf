/**
 * Fuzzing: a search for inputs that a parser does not survive; seeded, so that a run can be repeated, with
 * the failing input printed in base64, ready to be kept.
 *
 * @module
 */
import { Rng } from "./rng.ts";

/** Something that takes hostile input. */
export interface Target<Input extends string | Uint8Array = string | Uint8Array> {
  /** What it parses; names its file of kept inputs. */
  readonly name: string;
  /** Makes an input. */
  readonly make: (rng: Rng) => Input;
  /**
   * Parses it. Refusing it in the parser's own way is fine.
   *
   * @returns Whether the parser took it: a run that only ever meets refusals is worth nothing.
   * @throws What is not: another error, or a result that breaks what the parser promises.
   */
  readonly check: (input: Input) => boolean;
  /** What an input costs, in those of a parser: so many times fewer are tried. @default {1} */
  readonly cost?: number;
}

/** A target whose inputs can be kept as base64, whatever they are. */
export interface AnyTarget {
  /** See {@linkcode Target}. */
  readonly name: string;
  /** See {@linkcode Target}. */
  readonly cost: number;
  /**
   * Tries the inputs of a seed, as many as cost `count`. Gives the cost of those that the parser
   * took. @throws {FuzzFailure}
   */
  fuzz(seed: number, count: number): number;
  /** Tries a kept input. @throws {FuzzFailure} */
  replay(base64: string): void;
}

/** A parser did not stand an input. */
export class FuzzFailure extends Error {
  /**
   * Makes an error.
   *
   * @param target The target's name.
   * @param input The input in base64 (texts as UTF-16, so that lone surrogates live).
   * @param cause What was thrown.
   */
  constructor(readonly target: string, readonly input: string, cause: unknown) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(
      `${target} does not stand "${input}" (${why}); keep it: add it to ` +
        `tests/attacks/fuzz_corpus/${target}.json`,
      { cause },
    );
  }
}

/** A target of bytes. */
export function bytesTarget(target: Target<Uint8Array>): AnyTarget {
  return anyTarget(target, (bytes) => bytes.toBase64(), (text) => Uint8Array.fromBase64(text));
}

/** A target of text. */
export function textTarget(target: Target<string>): AnyTarget {
  return anyTarget(target, (text) => utf16(text).toBase64(), fromUtf16);
}

function anyTarget<Input extends string | Uint8Array>(
  { name, make, check, cost = 1 }: Target<Input>,
  encode: (input: Input) => string,
  decode: (base64: string) => Input,
): AnyTarget {
  const attempt = (input: Input) => {
    try {
      return check(input);
    } catch (error) {
      throw new FuzzFailure(name, encode(input), error);
    }
  };
  return {
    name,
    cost,
    fuzz: (seed, count) => {
      const rng = new Rng(seed);
      let taken = 0;
      for (let left = count; left > 0; left -= cost) {
        const input = make(rng);
        if (withoutStacks(() => attempt(input))) taken += cost;
      }
      return taken;
    },
    replay: (base64) => void attempt(decode(base64)),
  };
}

/** Most inputs are refused by an error: what it costs is the stack, which nobody reads. */
function withoutStacks<T>(act: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return act();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function utf16(text: string): Uint8Array {
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  return new Uint8Array(units.buffer);
}

function fromUtf16(base64: string): string {
  const units = new Uint16Array(Uint8Array.fromBase64(base64).buffer);
  let text = "";
  for (const unit of units) text += String.fromCharCode(unit);
  return text;
}

/** Runs what may refuse with an error of one of these classes, and with no other. */
export function mayRefuse<T>(
  classes: readonly (abstract new (...args: never[]) => Error)[],
  parse: () => T,
): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (classes.some((one) => error instanceof one)) return undefined;
    throw error;
  }
}
