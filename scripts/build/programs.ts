/**
 * The programs that are built, and what each may do on the machine it runs on. The tasks of
 * `deno.json` spell the same flags out; a test holds the two together.
 *
 * @module
 */

/** A program of this repository that becomes one executable file. */
export interface Program {
  /** Name of the executable. */
  readonly name: string;
  /** Entry module. */
  readonly entry: URL;
  /** Permission flags of `deno run` and `deno compile`: all it may do, with nothing asked for. */
  readonly permissions: readonly string[];
}

/** The folder of the repository. */
export const REPOSITORY = new URL("../../", import.meta.url);

/**
 * Every program. The WebRTC library reads the machine's addresses, and lists the environment when
 * it is loaded: `--ignore-env` shows it an empty one. Signal files may be anywhere, so reading and
 * writing are not narrowed to folders.
 */
export const PROGRAMS: readonly Program[] = [
  {
    name: "bolt-daemon",
    entry: new URL("src/main.ts", REPOSITORY),
    permissions: [
      "--no-prompt",
      "--allow-net",
      "--allow-sys=networkInterfaces",
      "--ignore-env",
      "--allow-read",
      "--allow-write",
    ],
  },
];
