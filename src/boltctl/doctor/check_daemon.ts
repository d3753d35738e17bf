/**
 * Checks of the socket, or of the file that tells the address, and of the daemon behind it.
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
  const advice = "Start the daemon (bolt-daemon serve), or name the socket that it made: --socket";
  const { status, findings } = await ask(client, { check: "socket", at: socket, advice }, signal);
  return { ...(status === undefined ? {} : { status }), findings: [...findings, ...folder] };
}

/** Looks at the file that tells the address, and asks the daemon there. */
export async function checkByFile(
  machine: Machine,
  file: string,
  client: DaemonClient,
  signal: AbortSignal,
): Promise<DaemonFindings> {
  const wrong = await checkApiFile(machine, file);
  if (wrong !== undefined) return { findings: [wrong] };
  const advice =
    "Start the daemon (bolt-daemon serve --local-api tcp), or name its api.json: --api";
  const asked = await ask(client, { check: "api file", at: file, advice }, signal);
  const modes = await machine.look(file);
  if (!("ok" in modes) || modes.ok?.mode !== null) return asked;
  const unchecked = warning(
    "api file",
    `Who may read ${file} is not checked: this system has no modes, and boltctl reads no ACLs`,
    `Look that nobody but the daemon's user is listed: icacls "${file}"`,
  );
  return { ...asked, findings: [...asked.findings, unchecked] };
}

/** What is asked, and how its findings call it. */
interface Place {
  readonly check: string;
  readonly at: string;
  readonly advice: string;
}

async function ask(
  client: DaemonClient,
  { check, at, advice }: Place,
  signal: AbortSignal,
): Promise<DaemonFindings> {
  try {
    const status = await client.status(signal);
    const who = `bolt-daemon answers at ${at} (process ${status.pid}, ${status.state})`;
    const answers = status.state === "running"
      ? fine(check, who)
      : warning(check, who, "It is stopping: start it again when it has gone");
    return { status, findings: [answers] };
  } catch (error) {
    signal.throwIfAborted();
    return { findings: [failure(check, messageOf(error), advice)] };
  }
}

/** What is wrong with the file itself; what its client finds out by reading it is left to that. */
async function checkApiFile(machine: Machine, file: string): Promise<Finding | undefined> {
  const looked = await machine.look(file);
  if ("failed" in looked) {
    const found = `${file} can't be looked at: ${looked.failed}`;
    return failure("api file", found, "Run boltctl as the daemon's user");
  }
  if (looked.ok === undefined) {
    return failure(
      "api file",
      `There is no ${file}`,
      "Start the daemon (bolt-daemon serve --local-api tcp), or name its api.json: --api",
    );
  }
  if (looked.ok.kind !== "file") {
    const found = `${file} is a ${looked.ok.kind}, not a file`;
    return failure("api file", found, "Name the daemon's api.json, which is in its data folder");
  }
  const { mode } = looked.ok;
  if (mode === null || (mode & 0o077) === 0) return undefined;
  return failure(
    "api file",
    `${file} is open to other users (mode ${mode.toString(8)}): they may use the daemon`,
    `Start the daemon anew, so that it has another token; then look who changed the mode`,
  );
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
    `${socket} is a ${looked.ok.kind}, not a socket`,
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
