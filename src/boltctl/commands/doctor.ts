/**
 * `boltctl doctor`.
 *
 * @module
 */
import { join } from "node:path";
import { UsageError } from "../../base/errors.ts";
import { DATA_NAMES } from "../../storage/data_folder.ts";
import { rendezvousUrl } from "../../vocabulary/session_values.ts";
import type { Context, RunCommand } from "../context.ts";
import {
  checkByFile,
  checkDaemon,
  checkVersions,
  type DaemonFindings,
} from "../doctor/check_daemon.ts";
import { checkDataFolder, checkSpace } from "../doctor/check_folder.ts";
import {
  checkAddresses,
  checkClock,
  checkPermissions,
  checkRendezvous,
} from "../doctor/check_machine.ts";
import { failure, type Finding, type Verdict } from "../doctor/finding.ts";
import { type Machine, THIS_MACHINE } from "../doctor/machine.ts";
import { ReportedFailure } from "../exit_codes.ts";
import type { StyleName } from "../output/output.ts";
import { type NamedApi, namedApi } from "../named_api.ts";
import { VERSION } from "../version.ts";

/** Checks this machine and the daemon. */
export const doctor: RunCommand = doctorOf(THIS_MACHINE);

/** The doctor of a machine. */
export function doctorOf(machine: Machine): RunCommand {
  return async (context) => {
    const findings = await examine(context, machine);
    findings.forEach((finding) => printFinding(context, finding));
    if (findings.some(({ verdict }) => verdict === "failure")) throw new ReportedFailure();
  };
}

/** Every finding, in the order of the checks. */
async function examine(context: Context, machine: Machine): Promise<Finding[]> {
  const { flags, signal, absolutePath } = context;
  const url = flags.value("rendezvous-url", rendezvousUrl);
  const named = namedIfAny(context);
  const daemon = await examineDaemon(context, machine, named);
  const given = flags.text("data-dir");
  const folder = given === undefined ? daemon.status?.dataDir : absolutePath(given);
  const inbox = daemon.status?.inbox ??
    (folder === undefined ? undefined : join(folder, DATA_NAMES.inbox));
  return [
    await checkPermissions(machine, named),
    ...daemon.findings,
    checkVersions(VERSION, daemon.status),
    checkClock(machine, daemon.status),
    ...(folder === undefined ? [] : await checkDataFolder(machine, folder)),
    ...(inbox === undefined ? [] : [await checkSpace(machine, inbox)]),
    checkAddresses(machine),
    ...(url === undefined ? [] : [await checkRendezvous(machine, url, signal)]),
  ];
}

/** What names the daemon, if anything does: without, the rest is checked all the same. */
function namedIfAny({ flags, environment, absolutePath }: Context): NamedApi | undefined {
  try {
    return namedApi(flags, environment, absolutePath);
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

async function examineDaemon(
  { client, signal }: Context,
  machine: Machine,
  named: NamedApi | undefined,
): Promise<DaemonFindings> {
  if (named?.kind === "socket") return await checkDaemon(machine, named.path, client(), signal);
  if (named?.kind === "file") return await checkByFile(machine, named.path, client(), signal);
  const advice =
    "Give --socket PATH or set BOLT_SOCKET: it is daemon.sock in the data folder; or " +
    "--api FILE, or BOLT_API: api.json there, of a daemon with --local-api tcp";
  return { findings: [failure("socket", "The daemon is not named", advice)] };
}

const MARKS: { readonly [verdict in Verdict]: readonly [StyleName, string] } = {
  ok: ["green", "ok     "],
  warning: ["yellow", "warning"],
  failure: ["red", "FAILURE"],
};

function printFinding({ output }: Context, finding: Finding): void {
  const [style, word] = MARKS[finding.verdict];
  output.result(finding, () => {
    output.marked(style, word, `  ${finding.check}: ${finding.found}`);
    if (finding.advice !== undefined) output.line(`         -> ${finding.advice}`);
  });
}
