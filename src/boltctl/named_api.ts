/**
 * Where the daemon is asked: at a socket, or at the address that a file tells.
 *
 * @module
 */
import { dirname, isAbsolute, join } from "node:path";
import { StorageError, UsageError } from "../base/errors.ts";
import { type ApiAddress, MAX_API_FILE_BYTES, parseApiFile } from "../ipc/api/address.ts";
import type { ApiLocation } from "../ipc/client/client.ts";
import { DATA_NAMES } from "../storage/data_folder.ts";
import type { Environment } from "./context.ts";
import type { FlagValues } from "./flag_values.ts";

/** What names the daemon on the command line or in the environment. */
export interface NamedApi {
  /** A Unix socket, or the file of a daemon that serves over TCP. */
  readonly kind: "socket" | "file";
  /** Absolute path. */
  readonly path: string;
}

/**
 * What `--socket` or `--api` names, else `BOLT_SOCKET` or `BOLT_API`; there is no default.
 *
 * @param absolutePath Makes a path absolute.
 * @throws {UsageError} When none names one, or two do.
 */
export function namedApi(
  flags: FlagValues,
  environment: Environment,
  absolutePath: (path: string) => string,
): NamedApi {
  const flagged = oneOf(
    flags.text("socket"),
    flags.text("api"),
    "--socket and --api are both given: leave out one of them",
  );
  const named = flagged ?? oneOf(
    environment.BOLT_SOCKET,
    environment.BOLT_API,
    "BOLT_SOCKET and BOLT_API are both set: unset one of them, or give --socket or --api",
  );
  if (named === undefined) {
    throw new UsageError(
      "The daemon is not named: give --socket PATH or set BOLT_SOCKET (bolt-daemon serve makes " +
        "daemon.sock in its --data-dir, unless --socket-path says otherwise); for one that runs " +
        "with --local-api tcp, give --api FILE or set BOLT_API (api.json in its --data-dir)",
    );
  }
  const { kind, path } = named;
  return { kind, path: isAbsolute(path) ? path : absolutePath(path) };
}

function oneOf(
  socket: string | undefined,
  file: string | undefined,
  both: string,
): NamedApi | undefined {
  const isSocket = socket !== undefined && socket !== "";
  const isFile = file !== undefined && file !== "";
  if (isSocket && isFile) throw new UsageError(both);
  if (isSocket) return { kind: "socket", path: socket };
  return isFile ? { kind: "file", path: file } : undefined;
}

/** Where a client finds the daemon. The file is read anew for each call. */
export function locationOf({ kind, path }: NamedApi): ApiLocation {
  return {
    name: path,
    address: () => kind === "socket" ? Promise.resolve({ kind: "unix", path }) : readApiFile(path),
  };
}

const ADVICE = "name the api.json of a daemon that runs with --local-api tcp";

/**
 * The address that a file tells. It must be private, and belong to whom its folder belongs to.
 *
 * @throws {DaemonUnreachableError} When it is not there.
 * @throws {StorageError} When it is not private or tells no address.
 */
async function readApiFile(path: string): Promise<ApiAddress> {
  // Loaded by those that need it: most daemons are asked at a socket.
  const [{ readPrivateFile }, { denoFileSystem }] = await Promise.all([
    import("../storage/private_path.ts"),
    import("../storage/file_system.ts"),
  ]);
  const bytes = await readPrivateFile(denoFileSystem, path, {
    uid: await ownerOf(dirname(path)),
    limit: MAX_API_FILE_BYTES,
    invalid: "API_FILE_INVALID",
    advice: ADVICE,
  });
  if (bytes === undefined) {
    const { DaemonUnreachableError } = await import("../ipc/client/client.ts");
    throw new DaemonUnreachableError(
      `The daemon can't be reached: there is no ${path}; is bolt-daemon serve --local-api tcp ` +
        "running with this data folder?",
    );
  }
  const address = parseApiFile(bytes);
  if (address !== undefined) return address;
  throw new StorageError(
    "API_FILE_INVALID",
    `${path} tells no address of the local API: ${ADVICE}`,
  );
}

/**
 * Who owns a folder; null where that can't be seen. A file that is private and can be read is this
 * user's own all the same, unless this user is root.
 */
async function ownerOf(folder: string): Promise<number | null> {
  try {
    return (await Deno.stat(folder)).uid;
  } catch {
    return null;
  }
}

/** What is in the folder of what was named, when its daemon serves the other way; else nothing. */
export async function servedOtherwise({ kind, path }: NamedApi): Promise<string | undefined> {
  const folder = dirname(path);
  const other = join(folder, kind === "socket" ? DATA_NAMES.api : DATA_NAMES.socket);
  try {
    const { isFile, isSocket } = await Deno.lstat(other);
    if (kind === "socket") {
      return isFile ? `; the daemon of ${folder} serves over TCP: use --api ${other}` : undefined;
    }
    return isSocket
      ? `; the daemon of ${folder} serves at a socket: use --socket ${other}`
      : undefined;
  } catch {
    return undefined; // what can't be seen is no help
  }
}
