/**
 * boltctl as a process, with the permissions that its one-file build has.
 *
 * @module
 */
import { BOLTCTL_PERMISSIONS } from "../../../scripts/build/permissions.ts";
import { fromFileUrl } from "../../support/paths.ts";
import type { Program } from "../../support/program.ts";

const MAIN = fromFileUrl(new URL("../../../src/boltctl.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../../deno.json", import.meta.url));

/** boltctl for the daemon at this socket, from source. */
export function boltctl(
  socket: string,
  permissions: readonly string[] = BOLTCTL_PERMISSIONS,
): Program {
  return {
    command: Deno.execPath(),
    args: ["run", "--quiet", "--frozen", `--config=${CONFIG}`, ...permissions, MAIN],
    env: { DENO_NO_UPDATE_CHECK: "1", BOLT_SOCKET: socket, NO_COLOR: "1" },
  };
}
