/**
 * The daemon as one file, built here and run in place of `deno run`.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { packPrograms } from "../../scripts/build/pack.ts";
import { REPOSITORY } from "../../scripts/build/programs.ts";
import { hostTarget } from "../../scripts/build/targets.ts";
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
