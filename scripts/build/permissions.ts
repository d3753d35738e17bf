/**
 * What each program may do on the machine it runs on and how its engine keeps memory: flags of
 * `deno run` and `deno compile`, with nothing asked for while it runs. The tasks of `deno.json`
 * spell them out; a test holds the two together.
 *
 * @module
 */

/**
 * The daemon's. The WebRTC library reads the machine's addresses, and lists the environment when it
 * is loaded: `--ignore-env` shows it an empty one. `statfs` tells how much space is free for what is
 * received. Signal files may be anywhere, so reading and writing are not narrowed to folders.
 */
export const DAEMON_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-sys=networkInterfaces,statfs",
  "--ignore-env",
  "--allow-read",
  "--allow-write",
];

/**
 * Those of the daemon's that a launcher puts folders to: what `serve` may touch is known from its
 * flags.
 */
export const PATH_PERMISSIONS: readonly string[] = ["--allow-read", "--allow-write"];

/**
 * What the daemon uses of the runtime that is not stable yet: its UDP sockets. From source it is
 * `deno.json` that says so; a build has none.
 */
export const DAEMON_UNSTABLE: readonly string[] = ["--unstable-net"];

/**
 * How the daemon's engine collects garbage. A transfer makes some 15 bytes of it for each byte of
 * the file, nearly all short-lived; left to itself the engine lets it grow to what serves a web page.
 *
 * - Young objects get 1 MiB, not 16, and as much again to copy to: they fill it whether or not there
 *   is need, and buffers hang on them. It costs no time that can be measured: a file of 256 MiB takes
 *   as much CPU as with 4 MiB.
 * - A full collection comes when the old ones have grown by half, not to as much as fourfold.
 */
export const DAEMON_V8_FLAGS = "--v8-flags=--max-semi-space-size=1,--heap-growing-percent=50";

/**
 * What the environment tells the runtime: to ask no server for updates, and on Linux, by malloc of
 * glibc, that all its threads share what they give back; else each keeps some for itself: 2 MiB with
 * a session, some 15 after a first start.
 */
export const RUNTIME_ENVIRONMENT: Readonly<Record<string, string>> = {
  DENO_NO_UPDATE_CHECK: "1",
  MALLOC_ARENA_MAX: "1",
};

/**
 * boltctl's. The socket's path is not known when the file is built, and `--allow-net=unix:PATH` takes
 * one exact path and no pattern: so the network, reading and writing are not narrowed. Only the
 * socket, the paths given to `doctor` and its `--rendezvous-url` are touched; docs/BOLTCTL.md tells how
 * to start it from source with the one socket alone.
 */
export const BOLTCTL_PERMISSIONS: readonly string[] = [
  "--no-prompt",
  "--allow-net",
  "--allow-sys=networkInterfaces,statfs",
  "--allow-env=BOLT_API,BOLT_SOCKET,NO_COLOR",
  "--allow-read",
  "--allow-write",
];

/**
 * Of one file that holds both and has one set of flags, as `deno compile` makes it: the daemon's, and
 * the two variables that boltctl reads.
 */
export const BOTH_PERMISSIONS: readonly string[] = [
  ...DAEMON_PERMISSIONS,
  ...BOLTCTL_PERMISSIONS.filter((flag) => flag.startsWith("--allow-env=")),
];
