/**
 * What each program may do on the machine it runs on: flags of `deno run` and `deno compile`, with
 * nothing asked for while it runs. The tasks of `deno.json` spell them out; a test holds the two
 * together.
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
