/**
 * The programs of this repository that become one executable file each.
 *
 * @module
 */
import {
  BOLTCTL_PERMISSIONS,
  DAEMON_PERMISSIONS,
  DAEMON_UNSTABLE,
  DAEMON_V8_FLAGS,
} from "./permissions.ts";

/** Arguments whose answer shows that a program is itself; it touches nothing by them. */
export interface FirstStart {
  /** The arguments. */
  readonly args: readonly string[];
  /** The exit code. */
  readonly code: number;
  /** What stands in its output. */
  readonly says: string;
}

/** A program. */
export interface Program {
  /** Name of the executable. */
  readonly name: string;
  /** Entry module. */
  readonly entry: URL;
  /** Permission flags: all that it may do. */
  readonly permissions: readonly string[];
  /** Flags for what it uses of the runtime that is not stable yet. @default {none} */
  readonly unstable?: readonly string[];
  /** How its engine keeps memory: a flag of the runtime. @default {as the engine sees fit} */
  readonly v8Flags?: string;
  /** What a build of it is tried with. */
  readonly firstStart: FirstStart;
}

/** The flags of the runtime that a program is started with. */
export function runtimeFlags({ permissions, unstable = [], v8Flags }: Program): readonly string[] {
  return [...unstable, ...permissions, ...(v8Flags === undefined ? [] : [v8Flags])];
}

/** The folder of the repository. */
export const REPOSITORY = new URL("../../", import.meta.url);

/** Every program. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "bolt-daemon",
    entry: new URL("src/main.ts", REPOSITORY),
    permissions: DAEMON_PERMISSIONS,
    unstable: DAEMON_UNSTABLE,
    v8Flags: DAEMON_V8_FLAGS,
    firstStart: { args: [], code: 1, says: "Usage: bolt-daemon " },
  },
  {
    name: "boltctl",
    entry: new URL("src/boltctl.ts", REPOSITORY),
    permissions: BOLTCTL_PERMISSIONS,
    firstStart: { args: ["version"], code: 0, says: "boltctl " },
  },
];
