/**
 * The programs of this repository that become one executable file each.
 *
 * @module
 */
import { BOLTCTL_PERMISSIONS, DAEMON_PERMISSIONS, DAEMON_V8_FLAGS } from "./permissions.ts";

/** A program. */
export interface Program {
  /** Name of the executable. */
  readonly name: string;
  /** Entry module. */
  readonly entry: URL;
  /** Permission flags: all that it may do. */
  readonly permissions: readonly string[];
  /** How its engine keeps memory: a flag of the runtime. @default {as the engine sees fit} */
  readonly v8Flags?: string;
}

/** The flags of the runtime that a program is started with. */
export function runtimeFlags({ permissions, v8Flags }: Program): readonly string[] {
  return v8Flags === undefined ? permissions : [...permissions, v8Flags];
}

/** The folder of the repository. */
export const REPOSITORY = new URL("../../", import.meta.url);

/** Every program. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "bolt-daemon",
    entry: new URL("src/main.ts", REPOSITORY),
    permissions: DAEMON_PERMISSIONS,
    v8Flags: DAEMON_V8_FLAGS,
  },
  {
    name: "boltctl",
    entry: new URL("src/boltctl.ts", REPOSITORY),
    permissions: BOLTCTL_PERMISSIONS,
  },
];
