/**
 * The guide of the nightly backup, followed to the letter on a LAN, and then left alone for nights in
 * which whatever can go is gone.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { namesIn, sha256 } from "../support/transfers.ts";
import { LONG } from "./lan.ts";
import { canRunOnLan, Guide, GuideDaemon } from "./unattended.ts";

const GUIDE = await Guide.read("docs/guides/nightly-backup.md");
/** Fills her folder anew. */
const newDocuments = (bytes: number) => `head -c ${bytes} /dev/urandom > documents/data`;
Deno.test("the nightly backup takes nine lines a side at most, all told", () => {
  GUIDE.assertShort(["alice", "nas"]);
});

Deno.test({
  name:
    "each night's backup arrives once, whole, though the nas and the server are away and both daemons are killed in its middle",
  ignore: !canRunOnLan,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    await GUIDE.run((lan, folder) => {
      const home = (name: string) => folder.path("machines", name);
      let nas: GuideDaemon;
      let alice: GuideDaemon;
      return {
        before: async ([block], machines) => {
          const [atNas, atAlice] = [await machines.named("nas"), await machines.named("alice")];
          if (block?.text.startsWith("mkdir -p documents")) {
            nas = stack.use(await GuideDaemon.of(atNas, GUIDE, "nas"));
            alice = stack.use(await GuideDaemon.of(atAlice, GUIDE, "alice"));
          }
          if (block?.text.startsWith("boltctl received")) {
            await nas.completed((await alice.sent())[0] ?? "");
          }
          if (block?.machine !== "alice" || !block.text.startsWith("boltctl shutdown")) return;
          // cron's PATH begins with this folder: the machine's calendar.
          await atAlice.run(`
mkdir -p .local/bin
printf '%s\\n' '#!/bin/sh' 'cat "$HOME/today"' > .local/bin/date
chmod +x .local/bin/date
`);
          const night = (today: string) =>
            atAlice.run(`echo ${today} > today\n${GUIDE.cronCommand()}`);

          const first = "documents-2030-01-01.tar.gz";
          await lan.killServer();
          await nas.kill();
          await atAlice.run(newDocuments(LONG));
          assertStringIncludes(await night("2030-01-01"), `which is away: ${first}`);
          await alice.restart();
          assertStringIncludes(await night("2030-01-01"), `which is away: ${first}`);
          await lan.slow("alice");
          await lan.startServer();
          await nas.start();
          await alice.holdMidway(first);
          const cutOff = await nas.flows(first);
          await alice.restart();
          await nas.holdMidway(first, cutOff);
          await nas.restart();
          await lan.release("alice");
          await alice.completed(first);
          assertStringIncludes(await night("2030-01-01"), "Sent before, and completed, for");

          const second = "documents-2030-01-02.tar.gz";
          await atAlice.run(newDocuments(1_000));
          assertStringIncludes(await night("2030-01-02"), second);
          await alice.completed(second);
          assertEquals((await alice.allCompleted()).slice(1), [first, second]);
          await atNas.run('test "$(boltctl received --json | wc -l)" -eq 3');
        },
        after: async () => {
          const packages = (await namesIn(home("alice"))).filter((name) =>
            name.endsWith(".tar.gz")
          );
          assertEquals(packages.length, 3);
          assertEquals(await namesIn(`${home("nas")}/backups`), packages);
          for (const name of packages) {
            const [sent, arrived] = [`${home("alice")}/${name}`, `${home("nas")}/backups/${name}`];
            assertEquals(sha256(await Deno.readFile(arrived)), sha256(await Deno.readFile(sent)));
          }
        },
      };
    });
  },
});
