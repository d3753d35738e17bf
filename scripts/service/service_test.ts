/**
 * The service files: what they start is a command line that the daemon takes, and the platforms'
 * own checkers find nothing wrong.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseServeOptions } from "../../src/cli/serve_options.ts";
import { ServedDaemon } from "../../tests/support/daemon.ts";
import { skipped } from "../../tests/support/skipped.ts";
import { TempFolder } from "../../tests/support/temp_folder.ts";

const unit = await Deno.readTextFile(new URL("./bolt-daemon.service", import.meta.url));
const plist = await Deno.readTextFile(new URL("./bolt-daemon.plist", import.meta.url));

/** Runs a checker; undefined, with a message, where it is not installed. */
async function check(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args] })
      .output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert(success, `${program} ${args.join(" ")}: ${said}`);
    return said;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    skipped(`${program} is not here`);
    return undefined;
  }
}

/** The settings of the unit, by name; comments left out. */
const settings = new Map(
  unit.split("\n").filter((line) => /^\w+=/.test(line)).map((line) => {
    const at = line.indexOf("=");
    return [line.slice(0, at), line.slice(at + 1)] as const;
  }),
);

Deno.test("the unit starts the daemon with flags that it takes, on the folder that it is given", () => {
  const [program, command, ...flags] = settings.get("ExecStart")?.split(" ") ?? [];
  assertEquals([program, command], ["/usr/local/bin/bolt-daemon", "serve"]);
  const { dataDir, shutdownTimeoutSecs } = parseServeOptions(flags);
  assertEquals(dataDir, `/var/lib/${settings.get("StateDirectory")}`);
  assert(Number(settings.get("TimeoutStopSec")) > shutdownTimeoutSecs);
});

Deno.test({
  name: "a reload of the unit has the file of links read again, and ends no daemon that has none",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = await TempFolder.make();
    const links = folder.path("links.json");
    await Deno.writeTextFile(links, '{"version": 1, "links": []}');
    const [, script = ""] = /^\/bin\/sh -c '(.*)'$/.exec(settings.get("ExecReload") ?? "") ?? [];
    // systemd puts the process number into the command.
    const reload = async ({ run }: ServedDaemon) => {
      const args = ["-c", script.replaceAll("${MAINPID}", String(run.pid))];
      return (await new Deno.Command("/bin/sh", { args }).output()).success;
    };
    await using linked = await ServedDaemon.start({ flags: ["--links", links] });
    assertEquals(await reload(linked), true);
    await linked.run.said("the file of links was read again links=0");
    await linked.stop();
    await using other = await ServedDaemon.start();
    assertEquals(await reload(other), false);
    assertEquals((await other.client.status()).state, "running");
    await other.stop();
  },
});

Deno.test("a daemon that can't start for a while, as on a full disk, is started again until it can", () => {
  assertEquals([settings.get("Restart"), settings.get("RestartSec")], ["on-failure", "5"]);
  assertEquals(settings.get("StartLimitIntervalSec"), "0");
});

Deno.test("the unit is hardened as far as V8 allows", () => {
  assert(!settings.has("MemoryDenyWriteExecute"), "V8 needs memory that it writes and executes");
  assertEquals(settings.get("StateDirectoryMode"), "0700");
  assertEquals(settings.get("CapabilityBoundingSet"), "");
  assertEquals(settings.get("NoNewPrivileges"), "true");
  assertEquals(settings.get("ProtectSystem"), "strict");
});

Deno.test({
  name: "systemd finds nothing wrong with the unit",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = await TempFolder.make();
    // The program need not be installed where the test runs.
    const path = folder.path("bolt-daemon.service");
    await Deno.writeTextFile(path, unit.replace("/usr/local/bin/bolt-daemon", Deno.execPath()));
    const said = await check("systemd-analyze", ["verify", "--man=no", path]);
    if (said !== undefined) assert(!said.includes("bolt-daemon.service"), said);
  },
});

Deno.test("the plist starts the daemon with flags that it takes", () => {
  const [, list = ""] = /<key>ProgramArguments<\/key>\s*<array>([^]*?)<\/array>/.exec(plist) ?? [];
  const words = [...list.matchAll(/<string>([^<]*)<\/string>/g)].map(([, word]) => word ?? "");
  assertEquals(words.slice(0, 2), ["/Users/USERNAME/.local/bin/bolt-daemon", "serve"]);
  const { dataDir, shutdownTimeoutSecs } = parseServeOptions(words.slice(2));
  assertStringIncludes(dataDir, "/Users/USERNAME/");
  const [, exit] = /<key>ExitTimeOut<\/key>\s*<integer>(\d+)</.exec(plist) ?? [];
  assert(Number(exit) > shutdownTimeoutSecs);
});

Deno.test("the plist is a property list", async () => {
  await using folder = await TempFolder.make();
  const path = folder.path("bolt-daemon.plist");
  await Deno.writeTextFile(path, plist);
  if (Deno.build.os === "darwin") await check("plutil", ["-lint", path]);
  else if (await check("xmllint", ["--nonet", "--noout", path]) === undefined) {
    const read = "import plistlib, sys; plistlib.load(open(sys.argv[1], 'rb'))";
    await check("python3", ["-c", read, path]);
  }
});
