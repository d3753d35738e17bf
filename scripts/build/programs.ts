/**
 * The programs of this repository that become one executable file each.
 *
 * @module
 */
import { BOLTCTL_PERMISSIONS, DAEMON_PERMISSIONS } from "./permissions.ts";

/** A program. */
export interface Program {
  /** Name of the executable. */
  readonly name: string;
  /** Entry module. */
  readonly entry: URL;
  /** Permission flags: all that it may do. */
  readonly permissions: readonly string[];
}

/** The folder of the repository. */
export const REPOSITORY = new URL("../../", import.meta.url);

/** Every program. */
export const PROGRAMS: readonly Program[] = [
  {
    name: "bolt-daemon",
    entry: new URL("src/main.ts", REPOSITORY),
    permissions: DAEMON_PERMISSIONS,
  },
  {
    name: "boltctl",
    entry: new URL("src/boltctl.ts", REPOSITORY),
    permissions: BOLTCTL_PERMISSIONS,
  },
];
