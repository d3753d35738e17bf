/**
 * The guide of the folder whose files appear elsewhere, followed to the letter on a LAN, with the
 * server and both daemons killed in the middle, and writers that take their time.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { namesIn, sha256 } from "../support/transfers.ts";
import { LONG } from "./lan.ts";
import { canRunOnLan, Guide, GuideDaemon } from "./unattended.ts";

const GUIDE = await Guide.read("docs/guides/drop-folder.md");
Deno.test("the drop folder takes nine lines a side at most, all told", () => {
  GUIDE.assertShort(["alice", "bob"]);
});

Deno.test({
  name:
    "what is put into the folder appears at the other end once, whole, though the server and both daemons are killed in the middle, and nothing of a file that is being written",
  ignore: !canRunOnLan,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const hashes = new Map<string, string>();
    await GUIDE.run((lan, folder) => {
      const home = (name: string) => folder.path("machines", name);
      const drop = (name: string) => `${home("alice")}/drop/${name}`;
      /** Puts a file there, or goes on with it; `arrivesAs` is what becomes of what is there now. */
      const write = async (name: string, bytes: number, arrivesAs?: string) => {
        const content = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)));
        using file = await Deno.open(drop(name), { create: true, append: true });
        const writer = file.writable.getWriter();
        for (let left = bytes; left > 0; left -= content.length) {
          await writer.write(content.subarray(0, left));
        }
        await writer.close();
        if (arrivesAs !== undefined) hashes.set(arrivesAs, sha256(await Deno.readFile(drop(name))));
      };
      return {
        before: async ([block], machines) => {
          if (block?.machine !== "alice" || !block.text.startsWith("boltctl shutdown")) return;
          const [atBob, atAlice] = [await machines.named("bob"), await machines.named("alice")];
          const bob = stack.use(await GuideDaemon.of(atBob, GUIDE, "bob"));
          const alice = stack.use(await GuideDaemon.of(atAlice, GUIDE, "alice"));
          /** As cron does it. */
          const look = () => atAlice.run(`${GUIDE.cronCommand()} || true`);
          /** The last write was that long ago, in place of a wait. */
          const rest = (name: string) => atAlice.run(`touch -d '2 minutes ago' 'drop/${name}'`);
          const dropped = () => namesIn(`${home("alice")}/drop`);

          // The page's own file: taken out when it has arrived, not before.
          hashes.set("report.pdf", sha256(await Deno.readFile(drop("report.pdf"))));
          await alice.completed("report.pdf");
          await look();
          assertEquals(await dropped(), []);

          await lan.killServer();
          await bob.kill();
          const odd = "a b$(c) é.bin";
          await write(odd, LONG, odd);
          await write(".hidden", 100);
          await write("growing", 100);
          await rest(odd);
          await rest(".hidden");
          await look();
          await alice.restart();
          await look();
          assertEquals(await alice.sent(), ["report.pdf", odd]);
          await lan.slow("alice");
          await lan.startServer();
          await bob.start();
          await alice.holdMidway(odd);
          const cutOff = await bob.flows(odd);
          await alice.restart();
          await look();
          await bob.holdMidway(odd, cutOff);
          await bob.restart();
          await lan.release("alice");
          await alice.completed(odd);
          assertEquals(await dropped(), [".hidden", odd, "growing"]);
          await look();
          assertEquals(await dropped(), [".hidden", "growing"]);

          // Its writer has gone on, and is done. A file of the same name as before comes too.
          await write("growing", 100, "growing");
          await write("report.pdf", 100, "report (1).pdf");
          await rest("growing");
          await rest("report.pdf");
          await look();
          await Promise.all([alice.completed("growing"), bob.completed("report.pdf")]);

          // Written to while it is sent.
          await lan.slow("alice");
          await write("late", LONG);
          await rest("late");
          await look();
          const failed = await alice.flows("late");
          await alice.client.pauseTransfer(failed);
          await write("late", 100, "late");
          await lan.release("alice");
          await alice.client.resumeTransfer(failed);
          await alice.failed("late", "SOURCE_CHANGED");
          await look();
          assertEquals((await alice.sent()).length, 5, "it was sent although just written to");
          await rest("late");
          await look();
          await alice.completed("late");
          await look();
          assertEquals(await dropped(), [".hidden"]);

          await alice.kill();
          await write("last", 100);
          await rest("last");
          assertStringIncludes(await look(), "The daemon can't be reached");
          await atAlice.run("rm drop/last");
          await alice.start();
          await atBob.run('test "$(boltctl received --json | wc -l)" -eq 5');
        },
        after: async () => {
          const arrived = `${home("bob")}/arrived`;
          assertEquals(await namesIn(arrived), [...hashes.keys()].toSorted());
          for (const [name, hash] of hashes) {
            assertEquals(sha256(await Deno.readFile(`${arrived}/${name}`)), hash, name);
          }
        },
      };
    });
  },
});
