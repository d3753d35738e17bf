/**
 * The demo does what the README says of it.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "../support/paths.ts";
import { run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

const DEMO = {
  command: Deno.execPath(),
  args: [
    "run",
    "-A",
    "--quiet",
    fromFileUrl(new URL("../../scripts/demo/main.ts", import.meta.url)),
  ],
  env: { DENO_NO_UPDATE_CHECK: "1" },
};

Deno.test("the demo exchanges the payload, shows one SAS, moves a named file, and exits 0", async () => {
  await using folder = await TempFolder.make();
  await Deno.writeTextFile(folder.path("named.txt"), "hello\n");
  const { code, stdout, stderr } = await run(DEMO, [folder.path("named.txt")]);
  assertEquals(code, 0, stdout + stderr);
  assertMatch(stdout, /alice is shown SAS ([0-9A-F]{6}),\n {3}bob is shown SAS \1:/);
  assertMatch(stdout, /alice sent: {3}([0-9a-f]{64})\n.*bob received: \1\n/);
});

Deno.test("the demo of a file that is not there fails and says so", async () => {
  const { code, stderr } = await run(DEMO, ["/no/such/file"]);
  assertEquals(code, 1);
  assertMatch(stderr, /no such file/i);
});
