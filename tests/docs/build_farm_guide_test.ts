/**
 * The guide of the build farm, followed to the letter on a LAN, with a second worker, and with the
 * server, the store and a worker killed while artifacts are on their way.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { namesIn, sha256 } from "../support/transfers.ts";
import { LONG } from "./lan.ts";
import { canRunOnLan, Guide, GuideDaemon } from "./unattended.ts";

const GUIDE = await Guide.read("docs/guides/build-farm.md");

Deno.test("the build farm takes nine lines a machine at most, all told", () => {
  GUIDE.assertShort(["one", "store"]);
});

Deno.test({
  name:
    "artifacts of two workers arrive at the store once, whole, though the server, the store and a worker are killed in the middle; a worker that is added needs one script",
  ignore: !canRunOnLan,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    await GUIDE.run((lan, folder) => {
      const home = (name: string) => folder.path("machines", name);
      return {
        before: async ([block], machines) => {
          if (block?.machine !== "one" || !block.text.startsWith("boltctl shutdown")) return;
          const [atStore, atOne] = [await machines.named("store"), await machines.named("one")];
          const store = stack.use(await GuideDaemon.of(atStore, GUIDE, "store"));
          const one = stack.use(await GuideDaemon.of(atOne, GUIDE, "one"));
          await one.completed("one-1.tar.gz");
          const [{ sessionId: before } = {}] = await store.client.listLinks();

          // A second worker: its part of the guide under its name, then the store's script.
          const atTwo = await machines.named("two");
          await Deno.writeTextFile(`${home("two")}/job.sh`, GUIDE.program("job.sh"));
          await atTwo.run(
            GUIDE.setupOf("one").replace("worker=one", "worker=two")
              .replaceAll("/mnt/share", folder.path("share")),
          );
          const two = stack.use(await GuideDaemon.of(atTwo, GUIDE, "one"));
          await atStore.run("sh farm.sh");
          await Promise.all([two.linked("store"), store.linked("two")]);
          const links = await store.client.listLinks();
          assertEquals(links.map(({ name, source }) => [name, source]), [
            ["one", "file"],
            ["two", "file"],
          ]);
          assertEquals(links[0]?.sessionId, before, "the first worker's session was touched");

          const workers = [[atOne, one, "one"], [atTwo, two, "two"]] as const;
          const build = (number: number) =>
            Promise.all(workers.map(([machine, , name]) =>
              machine.run(`
head -c ${LONG} /dev/urandom > ${name}-${number}.tar.gz
sh job.sh ${name}-${number}
`)
            ));

          // Artifacts are on their way when the store is killed, while the server is away.
          await lan.slow("one");
          await build(2);
          await one.holdMidway("one-2.tar.gz");
          await lan.killServer();
          await store.kill();
          for (const said of await build(3)) assertStringIncludes(said, "Queued for store");
          await store.start();
          await lan.startServer();
          // The worker is killed when its artifact goes on, and its job is tried again.
          await store.holdMidway("one-2.tar.gz");
          await one.restart();
          assertStringIncludes(await atOne.run("sh job.sh one-2"), "one-2.tar.gz");
          await lan.release("one");
          for (const [, daemon, name] of workers) {
            for (const number of [2, 3]) await daemon.completed(`${name}-${number}.tar.gz`);
          }
          assertStringIncludes(
            await atOne.run("sh job.sh one-3"),
            "Sent before, and completed, for",
          );
          await atStore.run('test "$(boltctl received --json | wc -l)" -eq 5');

          // It is taken off the list: its link ends, the other's goes on.
          await atStore.run(`sed -i '/^two /d' ${folder.path("share")}/workers && sh farm.sh`);
          await store.unlinked("two");
          assertEquals((await store.client.listLinks()).map(({ name }) => name), ["one"]);
        },
        after: async () => {
          const artifacts = `${home("store")}/artifacts`;
          const names = await namesIn(artifacts);
          assertEquals(
            names,
            [1, 2, 3].map((n) => `one-${n}.tar.gz`).concat(
              [2, 3].map((n) => `two-${n}.tar.gz`),
            ),
          );
          for (const name of names) {
            const sent = `${home(name.slice(0, 3))}/${name}`;
            const arrived = await Deno.readFile(`${artifacts}/${name}`);
            assertEquals(sha256(arrived), sha256(await Deno.readFile(sent)), name);
          }
        },
      };
    });
  },
});
