/**
 * What a command of boltctl is: one value from which parsing, help and completion derive.
 *
 * @module
 */

import type { ValueKind } from "../vocabulary/value_kind.ts";

/** What a flag takes. */
export interface ValueSpec {
  /** How it is read, and by that what completes it. */
  readonly kind: ValueKind<unknown>;
  /** The word that stands for it in help. */
  readonly placeholder: string;
}

/** A flag. Without `value` it is a switch. */
export interface FlagSpec {
  /** Without the leading hyphens. */
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** What it takes. */
  readonly value?: ValueSpec;
}

/** Arguments that are no flags. */
export interface ArgumentSpec {
  /** The word that stands for it in help, e.g. `FILE`. */
  readonly placeholder: string;
  /** Fewest of them. */
  readonly min: number;
  /** Most of them. */
  readonly max: number;
  /** How it is read, and by that what completes it. */
  readonly kind: ValueKind<unknown>;
}

/** A command. */
export interface CommandSpec {
  /** The word on the command line. */
  readonly name: string;
  /** One line, no full stop. */
  readonly summary: string;
  /** Paragraphs of `help COMMAND`; an empty one is an empty line. */
  readonly details: readonly string[];
  /** Arguments that are no flags. */
  readonly argument?: ArgumentSpec;
  /** Flags beside the common ones. */
  readonly flags: readonly FlagSpec[];
  /** Command lines without the program's name. */
  readonly examples: readonly string[];
  /** Whether it may speak to the daemon: its client is loaded, and the socket flags apply. */
  readonly needsDaemon: boolean;
}
