/**
 * scp, to an sshd of our own.
 *
 * @module
 */
import { TempFolder } from "../../../tests/support/temp_folder.ts";
import { checkArrived } from "../daemon_pair.ts";
import { descendantsOf } from "./process_tree.ts";
import { freePort, listening, measureEnding, Program, runProgram, until } from "./programs.ts";
import { figuresOf, onlyFile, type Tool } from "./tool.ts";

/** sshd only starts by its whole path. */
const SSHD = "/usr/sbin/sshd";
/** Where it wants an empty folder for the part of it that has no rights. */
const PRIVILEGE_SEPARATION = "/run/sshd";

/** A copy over ssh. */
export const SCP: Tool = {
  name: "scp",
  programs: ["scp", "ssh-keygen", SSHD],
  carry: async (files, signal) => {
    const { path, name } = onlyFile(files);
    await using folder = await TempFolder.make();
    for (const key of ["host", "user"]) {
      const args = ["-q", "-t", "ed25519", "-N", "", "-f", folder.path(key)];
      await runProgram("ssh-keygen", args, signal);
    }
    const port = freePort();
    await Deno.mkdir(PRIVILEGE_SEPARATION, { recursive: true });
    await Deno.writeTextFile(
      folder.path("sshd_config"),
      `Port ${port}
ListenAddress 127.0.0.1
HostKey ${folder.path("host")}
AuthorizedKeysFile ${folder.path("user.pub")}
Subsystem sftp internal-sftp
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
`,
    );
    await using server = new Program(SSHD, ["-D", "-e", "-f", folder.path("sshd_config")]);
    await listening(port, signal);
    // The connection that was looked with.
    await until(async () => (await descendantsOf(server.pid)).length === 1, signal);
    const args = [
      ...["-q", "-F", "none", "-i", folder.path("user"), "-P", String(port)],
      ...["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"],
      ...[path, `127.0.0.1:${folder.path(name)}`],
    ];
    const took = await measureEnding(signal, () => [new Program("scp", args)], [server.pid]);
    await checkArrived(folder.path(), files);
    return figuresOf(files.bytes, took);
  },
};
