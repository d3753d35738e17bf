/**
 * The local API over TCP, of real daemons: what tells its address, who may read that, what becomes of
 * it when daemons are killed, and how boltctl finds it.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parseApiFile, type TcpAddress, urlOf } from "../../src/ipc/api/address.ts";
import { DaemonClient } from "../../src/ipc/client/client.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { DAEMON, type Outcome, type Program, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

const NO_MODES = Deno.build.os === "windows"; // its files have ACLs, which nothing here reads
const NO_KILL = Deno.build.os === "windows"; // what it calls SIGTERM ends a process at once

/** Starts a daemon that serves over TCP; resolves when it serves. */
async function serve(dataDir: string): Promise<Run> {
  const daemon = new Run(DAEMON, ["serve", "--data-dir", dataDir, "--local-api", "tcp"]);
  try {
    await daemon.said("serving");
    return daemon;
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

async function told(file: string): Promise<TcpAddress> {
  const address = parseApiFile(await Deno.readFile(file));
  if (address === undefined) throw new Error(`${file} tells no address`);
  return address;
}

/** boltctl with this in its environment and nothing else that names a daemon. */
function boltctlWith(env: Readonly<Record<string, string>>): Program {
  return { ...boltctl(""), env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", ...env } };
}

const exists = async (path: string) => {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
};

Deno.test({
  name: "serve --local-api tcp tells its address in a private file while it runs, and nowhere else",
  ignore: NO_MODES || NO_KILL,
  fn: async () => {
    await using folder = await TempFolder.make();
    const dataDir = folder.path("data");
    const file = folder.path("data", "api.json");
    await using daemon = await serve(dataDir);
    assertEquals(((await Deno.lstat(file)).mode ?? 0) & 0o777, 0o600);
    assert(!await exists(folder.path("data", "daemon.sock")), "there is no socket beside it");
    const address = await told(file);
    const byFlag = await run(boltctlWith({}), ["status", "--json", "--api", file]);
    assertEquals([byFlag.code, byFlag.stderr], [0, ""]);
    assertEquals(JSON.parse(byFlag.stdout).dataDir, dataDir);
    // Nothing but the file and the loopback address is needed.
    const held = {
      ...boltctl("", [
        "--no-prompt",
        "--allow-net=127.0.0.1",
        `--allow-read=${file}`,
        "--allow-env=BOLT_API,BOLT_SOCKET,NO_COLOR",
      ]),
      env: { DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1", BOLT_API: file },
    };
    const byVariable = await run(held, ["status"]);
    assertEquals([byVariable.code, byVariable.stderr], [0, ""]);
    // A second daemon has no part of it.
    const second = await run(DAEMON, ["serve", "--data-dir", dataDir, "--local-api", "tcp"]);
    assertEquals(second.code, 1);
    assertStringIncludes(second.stderr, "code=FOLDER_LOCKED");
    assertEquals(await told(file), address);
    const bySocket = await run(boltctlWith({}), [
      "status",
      "--socket",
      folder.path("data", "daemon.sock"),
    ]);
    assertEquals(bySocket.code, 3);
    assertStringIncludes(bySocket.stderr, `serves over TCP: use --api ${file}`);
    daemon.kill("SIGTERM");
    const { code, stdout, stderr } = await daemon.outcome();
    assertEquals(code, 0, stderr);
    assert(!await exists(file), "it goes with the daemon");
    assertMatch(stderr, /\[bolt-daemon\] serving data_dir=\S+ api=\S+api\.json/);
    assertStringIncludes(stderr, urlOf(address));
    for (const said of [stdout, stderr, second.stderr, byFlag.stdout, bySocket.stderr]) {
      assert(!said.includes(address.token), said);
    }
    const gone = await run(boltctlWith({ BOLT_API: file }), ["status"]);
    assertEquals(gone.code, 3);
    assertStringIncludes(gone.stderr, `there is no ${file}`);
  },
});

Deno.test({
  name: "what a killed daemon leaves is said to be left over, and the next one replaces it",
  ignore: NO_MODES || NO_KILL,
  fn: async () => {
    await using folder = await TempFolder.make();
    const dataDir = folder.path("data");
    const file = folder.path("data", "api.json");
    const status = (): Promise<Outcome> => run(boltctlWith({ BOLT_API: file }), ["status"]);
    {
      await using killed = await serve(dataDir);
      killed.kill("SIGKILL");
      await killed.outcome();
    }
    const old = await told(file);
    const stale = await status();
    assertEquals(stale.code, 3);
    assertStringIncludes(stale.stderr, "no daemon listens at");
    assertStringIncludes(stale.stderr, "left over from a daemon that was killed");
    const visit = await run(boltctlWith({ BOLT_API: file }), ["doctor"]);
    assertEquals(visit.code, 1);
    assertStringIncludes(visit.stdout, "FAILURE  api file: The daemon can't be reached");
    // A link is not followed, and not replaced either.
    await Deno.rename(file, folder.path("elsewhere"));
    await Deno.symlink(folder.path("elsewhere"), file);
    const refused = await run(DAEMON, ["serve", "--data-dir", dataDir, "--local-api", "tcp"]);
    assertEquals(refused.code, 1);
    assertStringIncludes(refused.stderr, "is not a regular file: remove it and start again");
    assertEquals(await told(folder.path("elsewhere")), old);
    const linked = await status();
    assertEquals(linked.code, 1);
    assertStringIncludes(linked.stderr, "is not a regular file");
    await Deno.remove(file);
    await Deno.rename(folder.path("elsewhere"), file);
    {
      await using daemon = await serve(dataDir);
      const address = await told(file);
      assert(address.token !== old.token);
      assertEquals((await new DaemonClient(address).status()).state, "running");
      // The old token opens nothing at the new daemon.
      const answer = await fetch(`${urlOf(address)}/v1/status`, {
        headers: { authorization: `Bearer ${old.token}` },
      });
      assertEquals([answer.status, (await answer.json()).code], [401, "TOKEN_REFUSED"]);
      // Others may not be able to read it: boltctl would not know who wrote it.
      await Deno.chmod(file, 0o644);
      const open = await status();
      assertEquals(open.code, 1);
      assertStringIncludes(open.stderr, "is open to other users");
      await Deno.chmod(file, 0o600);
      daemon.kill("SIGKILL");
      await daemon.outcome();
    }
    // A daemon at a socket leaves no address of an earlier one either.
    await using atSocket = new Run(DAEMON, ["serve", "--data-dir", dataDir]);
    await atSocket.said("serving");
    assert(!await exists(file));
    const wrongWay = await status();
    assertEquals(wrongWay.code, 3);
    assertStringIncludes(wrongWay.stderr, "serves at a socket: use --socket");
    atSocket.kill("SIGTERM");
    assertEquals((await atSocket.outcome()).code, 0);
  },
});

Deno.test({
  name: "boltctl that follows a daemon over TCP finds it again after a restart",
  ignore: NO_KILL,
  fn: async () => {
    await using folder = await TempFolder.make();
    const dataDir = folder.path("data");
    const env = { BOLT_API: folder.path("data", "api.json") };
    await using daemon = await serve(dataDir);
    const first = await told(env.BOLT_API);
    await using waiting = new Run(boltctlWith(env), ["events", "--json", "--count", "1"]);
    const client = new DaemonClient(first);
    while (!(await client.metrics()).includes("bolt_api_event_streams 1\n"));
    daemon.kill("SIGKILL");
    await daemon.outcome();
    await using again = await serve(dataDir);
    assert((await told(env.BOLT_API)).token !== first.token);
    const { code, stdout, stderr } = await waiting.outcome();
    assertEquals([code, JSON.parse(stdout).type], [0, "gap"], stderr);
    again.kill("SIGTERM");
    assertEquals((await again.outcome()).code, 0);
  },
});

Deno.test("a socket that is not going to be there is refused before anything is touched", async () => {
  await using folder = await TempFolder.make();
  const flags = ["--local-api", "tcp", "--socket-path", folder.path("bolt.sock")];
  const { code, stderr } = await run(DAEMON, [
    "serve",
    "--data-dir",
    folder.path("data"),
    ...flags,
  ]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "--socket-path has no effect with --local-api tcp");
  assert(!await exists(folder.path("data")));
});
