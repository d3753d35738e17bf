/**
 * The programs of this repository, and the one file that holds them both.
 *
 * @module
 */
import {
  BOLTCTL_PERMISSIONS,
  BOTH_PERMISSIONS,
  DAEMON_PERMISSIONS,
  DAEMON_UNSTABLE,
  DAEMON_V8_FLAGS,
  PATH_PERMISSIONS,
} from "./permissions.ts";

/** A program. */
export interface Program {
  /** Its name. */
  readonly name: string;
  /** Entry module. */
  readonly entry: URL;
  /** Permission flags: all that it may do. */
  readonly permissions: readonly string[];
  /** Flags for what it uses of the runtime that is not stable yet. @default {none} */
  readonly unstable?: readonly string[];
  /** How its engine keeps memory: a flag of the runtime. @default {as the engine sees fit} */
  readonly v8Flags?: string;
}

/** The flags of the runtime that a program is started with. */
export function runtimeFlags({ permissions, unstable = [], v8Flags }: Program): readonly string[] {
  return [...unstable, ...permissions, ...(v8Flags === undefined ? [] : [v8Flags])];
}

/** The folder of the repository. */
export const REPOSITORY = new URL("../../", import.meta.url);

/** The daemon. */
export const DAEMON: Program = {
  name: "bolt-daemon",
  entry: new URL("src/main.ts", REPOSITORY),
  permissions: DAEMON_PERMISSIONS,
  unstable: DAEMON_UNSTABLE,
  v8Flags: DAEMON_V8_FLAGS,
};

/** The command-line client of its local API. */
export const BOLTCTL: Program = {
  name: "boltctl",
  entry: new URL("src/boltctl.ts", REPOSITORY),
  permissions: BOLTCTL_PERMISSIONS,
};

/** Both. */
export const PROGRAMS: readonly Program[] = [DAEMON, BOLTCTL];

/** Arguments whose answer shows that a program is itself; it touches nothing by them. */
export interface FirstStart {
  /** The arguments. */
  readonly args: readonly string[];
  /** The exit code. */
  readonly code: number;
  /** What stands in its output. */
  readonly says: string;
}

/** The file that is handed out. */
export interface Download {
  /** Its name. */
  readonly name: string;
  /** Entry module: the daemon, and boltctl as `ctl`. */
  readonly entry: URL;
  /** The runtime's flags where the file has one set for all that it does. */
  readonly flags: readonly string[];
  /** The runtime's flags by what a launcher starts. */
  readonly launcherFlags: {
    /** The one-shot program. */
    readonly oneShot: readonly string[];
    /** `serve`: without those for paths, which the launcher knows from its flags. */
    readonly serve: readonly string[];
    /** boltctl. */
    readonly ctl: readonly string[];
  };
  /** What a build of it is tried with. */
  readonly firstStarts: readonly FirstStart[];
}

/** Both programs as one file. */
export const DOWNLOAD: Download = {
  name: DAEMON.name,
  entry: DAEMON.entry,
  flags: runtimeFlags({ ...DAEMON, permissions: BOTH_PERMISSIONS }),
  launcherFlags: {
    oneShot: runtimeFlags(DAEMON),
    serve: runtimeFlags(DAEMON).filter((flag) => !PATH_PERMISSIONS.includes(flag)),
    ctl: runtimeFlags(BOLTCTL),
  },
  firstStarts: [
    { args: [], code: 1, says: "Usage: bolt-daemon " },
    { args: ["ctl", "version"], code: 0, says: "boltctl " },
  ],
};
