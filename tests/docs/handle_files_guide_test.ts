/**
 * The guide that handles files as they arrive, followed to the letter, while the daemon and the script
 * are killed in the middle.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn } from "../support/transfers.ts";
import { blocksOf, runnableBlocksOf } from "./page.ts";
import { runPage } from "./run_page.ts";

const PAGE = "docs/guides/handle-files.md";
const TEXT = await Deno.readTextFile(new URL(`../../${PAGE}`, import.meta.url));
const BLOCKS = runnableBlocksOf(TEXT);
/** How the two meet, in the page's own words. */
const MEETS = BLOCKS.filter(({ text }) => text.startsWith("boltctl pair"));

Deno.test({
  name:
    "the guide's script handles each file once, though it and the daemon are killed in the middle",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using folder = await TempFolder.make();
    await using server = startRendezvousServer();
    const placed = (text: string) =>
      text.replaceAll("ws://192.168.1.10:3001", server.url)
        .replaceAll("/mnt/share", folder.path("share"));
    const lacking = await runPage(PAGE, folder, server.url, async ([block], machines) => {
      if (block?.text.startsWith("until test -e handled") !== true) return;
      const [store, alice] = [await machines.named("store"), await machines.named("alice")];
      // The script is the shell's last job; the lock tells the daemon's process.
      await store.run(`
until test -e handled/report.pdf; do sleep 0.1; done
kill -9 "$!"
kill -9 "$(cat bolt/lock)"
bolt-daemon serve --data-dir "$HOME/bolt" --device-name store 2> again.log &
boltctl status --wait
`);
      const [answers = "", offers = ""] = MEETS.map(({ text }) =>
        placed(text.replace("boltctl send --wait --to store report.pdf", ""))
      );
      await Promise.all([store.run(answers), alice.run(offers)]);
      // It arrives while no script runs; its name holds what shells trip over.
      await alice.run(`
cp report.pdf "a b\\\\ \\$(c) *.pdf"
boltctl send --wait --to store "a b\\\\ \\$(c) *.pdf"
`);
      await store.run(`
bash handle.sh "$HOME/handled" &
until test "$(ls handled | wc -l)" -ge 2; do sleep 0.1; done
kill -9 "$(cat bolt/lock)"
bolt-daemon serve --data-dir "$HOME/bolt" --device-name store 2> again.log &
boltctl status --wait
`);
      await Promise.all([store.run(answers), alice.run(offers)]);
      await alice.run(`
cp report.pdf third.pdf
echo other >> report.pdf
boltctl send --wait --to store third.pdf report.pdf
`);
      await store.run(`
until test -e handled/third.pdf; do sleep 0.1; done
until test -z "$(boltctl received --null --mark handled/.mark)"; do sleep 0.1; done
test "$(boltctl received --json | wc -l)" -eq 4
`);
    });
    if (lacking.length > 0) return skipped(`${PAGE}: what needs ${lacking.join(", ")}`);
    const home = folder.path("machines", "store");
    assertEquals((await namesIn(`${home}/handled`)).filter((name) => !name.startsWith(".mark")), [
      "a b_ $(c) _.pdf",
      "report.pdf",
      "report.pdf.~1~", // two of one name, of which none is lost
      "third.pdf",
    ]);
    assertEquals(await namesIn(`${home}/bolt/inbox`), []);
  },
});

Deno.test("the guide's script is ten lines at most, and its unit starts it on the daemon's socket", async () => {
  const script = BLOCKS.find(({ file }) => file === "handle.sh")?.text ?? "";
  assert(script.trimEnd().split("\n").length <= 10, script);
  const unit = blocksOf(TEXT).find(({ language }) => language === "ini")?.text ?? "";
  const service = await Deno.readTextFile(
    new URL("../../scripts/service/bolt-daemon.service", import.meta.url),
  );
  const setting = (text: string, name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1];
  for (const name of ["User", "Group"]) {
    assertEquals(setting(unit, name), setting(service, name));
  }
  const data = `/var/lib/${setting(service, "StateDirectory")}`;
  assertEquals(setting(unit, "Environment"), `BOLT_SOCKET=${data}/daemon.sock`);
  assertEquals(setting(unit, "ExecStart"), `/usr/local/bin/handle.sh ${data}/handled`);
});

Deno.test({
  name: "systemd finds nothing wrong with the guide's unit",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using folder = await TempFolder.make();
    const unit = blocksOf(TEXT).find(({ language }) => language === "ini")?.text ?? "";
    // Neither the script nor the daemon's unit need be installed where the test runs.
    const here = unit.replace("/usr/local/bin/handle.sh", Deno.execPath())
      .replace("After=bolt-daemon.service\n", "");
    const path = folder.path("bolt-handle-files.service");
    await Deno.writeTextFile(path, here);
    try {
      const { success, stderr } = await new Deno.Command("systemd-analyze", {
        args: ["verify", "--man=no", path],
      }).output();
      const said = new TextDecoder().decode(stderr);
      assert(success && !said.includes("bolt-handle-files.service"), said);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      skipped("systemd-analyze is not here");
    }
  },
});
