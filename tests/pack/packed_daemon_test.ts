/**
 * The programs as one file, built here and run in place of `deno run`.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { packPrograms } from "../../scripts/build/pack.ts";
import { REPOSITORY } from "../../scripts/build/programs.ts";
import { hostTarget } from "../../scripts/build/targets.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import { namesIn } from "../../src/storage/testing/temporary_folder.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { assertExchanged, byFile, byRendezvous } from "../support/pairs.ts";
import { type Program, Run, run } from "../support/program.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { TempFolder } from "../support/temp_folder.ts";

Deno.test({
  name: "the packed daemon does what the daemon from source does",
  // The file for Windows is a zip.
  ignore: Deno.build.os === "windows",
  fn: async (t) => {
    await using folder = await TempFolder.make();
    const { name, sha256 } = await packPrograms(hostTarget(), folder.path());
    const packed: Program = {
      command: folder.path(name),
      args: [],
      // Without Deno's own settings of the environment that runs the tests.
      env: { XDG_CACHE_HOME: folder.path("cache"), DENO_NO_UPDATE_CHECK: "" },
    };

    await t.step(
      "first starts at once, with bad arguments: Unknown flags MUST cause exit 1",
      async () => {
        const runs = Array.from({ length: 4 }, () => run(packed, ["--bogus"]));
        for (const { code, stdout, stderr } of await Promise.all(runs)) {
          assertEquals([code, stdout], [1, ""], stderr);
          assertStringIncludes(stderr, "[bolt-daemon] FATAL: Unknown argument: --bogus");
        }
      },
    );

    await t.step("no arguments print the usage line and exit 1", async () => {
      assertEquals(await run(packed, []), {
        code: 1,
        stdout: "",
        stderr: "Usage: bolt-daemon --role offerer|answerer " +
          "[--signal file|rendezvous] [options]\n",
      });
    });

    await t.step("the payload is exchanged through files", async () => {
      const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
      await assertBothExchange(packed, args);
    });

    await t.step("the payload is exchanged through standard streams", async () => {
      const args = byFile("-", "-");
      await using offerer = new Run(packed, args.offerer);
      await using answerer = new Run(packed, args.answerer);
      await answerer.input(await offerer.line());
      await offerer.input(await answerer.line());
      assertExchanged("Offerer", await offerer.outcome());
      assertExchanged("Answerer", await answerer.outcome());
    });

    await t.step("the payload is exchanged through a rendezvous server", async () => {
      await using server = startRendezvousServer();
      await assertBothExchange(packed, byRendezvous(server.url));
    });

    await t.step("`ctl` is boltctl, and so is a file of that name", async () => {
      const boltctl = folder.path("boltctl");
      await Deno.symlink(packed.command, boltctl);
      const ways: [Program, string[]][] = [[packed, ["ctl"]], [
        { ...packed, command: boltctl },
        [],
      ]];
      for (const [program, args] of ways) {
        const version = { code: 0, stdout: `boltctl ${manifest.version}\n`, stderr: "" };
        assertEquals(await run(program, [...args, "version"]), version);
        const env = { ...program.env, BOLT_SOCKET: "/nonexistent/daemon.sock" };
        const { code, stderr } = await run({ ...program, env }, [...args, "status"]);
        assertEquals(code, 3);
        assertStringIncludes(stderr, "/nonexistent/daemon.sock");
      }
    });

    await t.step("serve narrows itself to its folders, for a user without a home", async () => {
      const home = folder.path("service");
      for (const name of ["state", "cache", "share", "out", "elsewhere"]) {
        await Deno.mkdir(`${home}/${name}`, { recursive: true });
      }
      await Deno.writeTextFile(`${home}/out/report`, "report");
      if (Deno.uid() === 0) await chownAll(home, NOBODY);
      await Deno.chmod(folder.path(), 0o755);
      const asUser = ["--reuid", `${NOBODY}`, "--regid", `${NOBODY}`, "--clear-groups"];
      const service: Program = Deno.uid() === 0
        ? {
          command: "setpriv",
          args: [...asUser, packed.command],
          env: { ...packed.env, HOME: "", XDG_CACHE_HOME: `${home}/cache` },
        }
        : packed;
      await using daemon = await ServedDaemon.start({
        program: service,
        dataDir: `${home}/state/data`,
        flags: [`--allow-signal-in=${home}/share`, "--allow-send-from", `${home}/out`],
      });
      const words = (await Deno.readTextFile(`/proc/${daemon.run.pid}/cmdline`)).split("\0");
      const [read = "", write = ""] = ["--allow-read", "--allow-write"].map((flag) =>
        words.find((word) => word.startsWith(flag))
      );
      assertEquals(write, `--allow-write=${home}/state/data,${home}/share`);
      assertEquals(read.replace(/^[^,]*,/, ""), `${home}/state/data,${home}/share,${home}/out`);

      const pairIn = (where: string) =>
        daemon.client.pair({
          role: "offerer",
          signal: "file",
          offer: `${home}/${where}/offer`,
          answer: `${home}/${where}/answer`,
        });
      await assertRejects(() => pairIn("elsewhere"), ApiError, "--allow-signal-in");
      const { sessionId } = await pairIn("share");
      // It writes its offer there.
      while (!(await namesIn(`${home}/share`)).includes("offer")) {
        const { state } = await daemon.client.getSession(sessionId);
        assertEquals(state, "signaling");
      }
      const said = daemon.run.stderr;
      assertEquals(said.includes("WARN"), false, said);
      await daemon.stop();
    });

    await t.step("without flags for them serve writes no signal file anywhere", async () => {
      const dataDir = folder.path("closed");
      await using daemon = await ServedDaemon.start({ program: packed, dataDir });
      const pairing = () =>
        daemon.client.pair({
          role: "offerer",
          signal: "file",
          offer: folder.path("offer-of-serve"),
          answer: folder.path("answer-to-serve"),
        });
      await assertRejects(pairing, ApiError, "start it with --allow-signal-in for that folder");
      assertEquals((await namesIn(folder.path())).includes("offer-of-serve"), false);
      await daemon.stop();
    });

    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      await t.step(`${signal} ends it with exit 1 and FATAL`, async () => {
        const { answerer } = byFile(folder.path("never", "o"), folder.path("never", "a"));
        await using waiting = new Run(packed, answerer);
        await waiting.said("role=Answerer");
        waiting.kill(signal);
        const { code, stderr } = await waiting.outcome();
        assertEquals(code, 1, stderr);
        assertStringIncludes(stderr, "[bolt-daemon] FATAL: ");
      });
    }

    await t.step("packing again, from a copy elsewhere, gives the same bytes", async () => {
      const copy = folder.path("copy", "of", "the", "sources");
      for (const part of ["src", "scripts", "deno.json", "deno.lock", "LICENSE"]) {
        await copyTree(new URL(part, REPOSITORY).pathname, `${copy}/${part}`);
      }
      const out = folder.path("again");
      const { code, stderr } = await run({
        command: Deno.execPath(),
        args: ["run", "--quiet", "--no-prompt", "-A", `${copy}/scripts/build/pack.ts`],
        env: { DENO_NO_UPDATE_CHECK: "1" },
      }, ["--out", out]);
      assertEquals(code, 0, stderr);
      assertEquals(await Deno.readTextFile(`${out}/SHA256SUMS`), `${sha256}  ${name}\n`);
    });
  },
});

async function assertBothExchange(
  packed: Program,
  args: { readonly offerer: readonly string[]; readonly answerer: readonly string[] },
): Promise<void> {
  await using offerer = new Run(packed, args.offerer);
  await using answerer = new Run(packed, args.answerer);
  assertExchanged("Offerer", await offerer.outcome());
  assertExchanged("Answerer", await answerer.outcome());
}

const NOBODY = 65534;

async function chownAll(path: string, user: number): Promise<void> {
  await Deno.chown(path, user, user);
  if (!(await Deno.stat(path)).isDirectory) return;
  for (const name of await namesIn(path)) await chownAll(`${path}/${name}`, user);
}

async function copyTree(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(from, to);
    return;
  }
  for await (const { name } of Deno.readDir(from)) {
    await copyTree(`${from}/${name}`, `${to}/${name}`);
  }
}
