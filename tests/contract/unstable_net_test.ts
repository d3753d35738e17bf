/** A runtime that was started without what the transport needs. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import project from "../../deno.json" with { type: "json" };
import { fromFileUrl } from "../support/paths.ts";
import { byFile } from "../support/pairs.ts";
import { DAEMON, type Program, Run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** The daemon under the project's configuration but for what it says is not stable yet. */
async function withoutUnstable(folder: TempFolder): Promise<Program> {
  const { unstable: _, ...rest } = project;
  const links = rest.links.map((link) => fromFileUrl(new URL(`../../${link}`, import.meta.url)));
  const config = folder.path("deno.json");
  await Deno.writeTextFile(config, JSON.stringify({ ...rest, links, lock: false }));
  const args = DAEMON.args.filter((arg) => arg !== "--frozen").map((arg) =>
    arg.startsWith("--config=") ? `--config=${config}` : arg
  );
  return { ...DAEMON, args };
}

const contract = await Deno.readTextFile(new URL("../../docs/DAEMON_CONTRACT.md", import.meta.url));
/** The codes that the contract lists: of one-shot runs, then of `serve`. */
const [onceCodes, serveCodes] = contract.split("`code=` of a FATAL line is one of:").slice(1)
  .map((text) => text.slice(0, text.indexOf("\n\n")));

for (
  const [name, codes, argsOf] of [
    [
      "a one-shot run",
      onceCodes,
      (folder: TempFolder) => byFile(folder.path("offer.json"), folder.path("answer.json")).offerer,
    ],
    ["serve", serveCodes, (folder: TempFolder) => ["serve", "--data-dir", folder.path("data")]],
  ] as const
) {
  Deno.test(`${name} without Deno's UDP sockets ends at once, with a FATAL that names the flag`, async () => {
    await using folder = await TempFolder.make();
    await using run = new Run(await withoutUnstable(folder), argsOf(folder));
    const { code: exitCode, stderr } = await run.outcome();
    assertEquals(exitCode, 1);
    assertStringIncludes(stderr, "FATAL: Deno was started without its UDP sockets");
    assertStringIncludes(stderr, "--unstable-net");
    const code = /code=(\w+)/.exec(stderr)?.[1];
    assertStringIncludes(codes ?? "", `\`${code}\``, "the contract lists it");
    // Nothing was begun.
    const left = await Array.fromAsync(Deno.readDir(folder.path(".")), ({ name }) => name);
    assertEquals(left, ["deno.json"]);
  });
}
