/**
 * Checks of the socket and of the daemon behind it.
 *
 * @module
 */
import { dirname } from "node:path";
import { messageOf } from "../../base/errors.ts";
import type { DaemonClient } from "../../ipc/client/client.ts";
import type { Status } from "../../ipc/api/schemas.ts";
import { failure, type Finding, fine, warning } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** The daemon's state, if it answers, and the findings. */
export interface DaemonFindings {
  /** In the order of the checks. */
  readonly findings: readonly Finding[];
  /** What the daemon said of itself. */
  readonly status?: Status;
}

/** Looks at the socket and asks the daemon. */
export async function checkDaemon(
  machine: Machine,
  socket: string,
  client: DaemonClient,
  signal: AbortSignal,
): Promise<DaemonFindings> {
  const at = await checkSocketFile(machine, socket);
  if (at !== undefined) return { findings: [at] };
  const folder = await checkSocketFolder(machine, dirname(socket));
  try {
    const status = await client.status(signal);
    const who = `bolt-daemon answers at ${socket} (process ${status.pid}, ${status.state})`;
    const answers = status.state === "running"
      ? fine("socket", who)
      : warning("socket", who, "It is stopping: start it again when it has gone");
    return { status, findings: [answers, ...folder] };
  } catch (error) {
    signal.throwIfAborted();
    const advice =
      "Start the daemon (bolt-daemon serve), or name the socket that it made: --socket";
    return { findings: [failure("socket", messageOf(error), advice), ...folder] };
  }
}

async function checkSocketFile(machine: Machine, socket: string): Promise<Finding | undefined> {
  const looked = await machine.look(socket);
  if ("failed" in looked) {
    return failure(
      "socket",
      `${socket} can't be looked at: ${looked.failed}`,
      "Run boltctl as the daemon's user, and give it read and write on the socket",
    );
  }
  if (looked.ok === undefined) {
    return failure(
      "socket",
      `There is no socket at ${socket}`,
      "Start the daemon (bolt-daemon serve), or name the socket that it made: --socket",
    );
  }
  if (looked.ok.kind === "socket") return undefined;
  return failure(
    "socket",
    `${socket} is a ${looked.ok.kind}, no socket`,
    "Name the daemon's socket: it is daemon.sock in the data folder unless --socket-path said so",
  );
}

async function checkSocketFolder(machine: Machine, folder: string): Promise<readonly Finding[]> {
  const looked = await machine.look(folder);
  const mode = "ok" in looked ? looked.ok?.mode ?? null : null;
  if (mode === null || (mode & 0o077) === 0) return [];
  return [failure(
    "socket folder",
    `${folder} is open to other users (mode ${mode.toString(8)}): they may use the daemon`,
    `chmod 700 ${folder}`,
  )];
}

/** Compares the versions of the two programs. */
export function checkVersions(own: string, status: Status | undefined): Finding {
  if (status === undefined) {
    return fine("versions", `boltctl ${own}; the daemon does not say its own`);
  }
  if (status.version === own) return fine("versions", `boltctl and bolt-daemon are both ${own}`);
  return warning(
    "versions",
    `boltctl is ${own}, bolt-daemon ${status.version}`,
    "Install both from the same release",
  );
}
