/**
 * The documents' commands do what they say: each page's blocks marked `runnable` are run in order,
 * in clean folders, against real daemons.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { messageOf } from "../../src/base/errors.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { runPage } from "./run_page.ts";

/** Pages, the longest first, and how many copies of the file `report.pdf` they leave in inboxes. */
const PAGES: readonly { readonly page: string; readonly received: number }[] = [
  { page: "README.md", received: 1 },
  { page: "docs/guides/ci.md", received: 1 },
  { page: "docs/guides/overlay.md", received: 1 },
  { page: "docs/guides/links.md", received: 1 },
  { page: "docs/guides/sandbox.md", received: 1 },
  { page: "docs/guides/integrate.md", received: 3 },
  { page: "docs/guides/lan.md", received: 1 },
  // Its script takes the file out of the inbox.
  { page: "docs/guides/handle-files.md", received: 0 },
];

/** Pages that are run at once: their programs mostly wait for each other. */
const LANES = 3;

Deno.test({
  name: "the commands of the documents do what their pages say",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const rest = [...PAGES];
    const lane = async (): Promise<void> => {
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) await tryPage(next);
    };
    const ended = await Promise.allSettled(Array.from({ length: LANES }, lane));
    const failures = ended.filter((one) => one.status === "rejected").map(({ reason }) => reason);
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n"));
  },
});

async function tryPage({ page, received }: typeof PAGES[number]): Promise<void> {
  await using folder = await TempFolder.make();
  await using server = startRendezvousServer();
  try {
    const lacking = await runPage(page, folder, server.url);
    if (lacking.length > 0) return skipped(`${page}: what needs ${lacking.join(", ")}`);
    const content = await Deno.readFile(folder.path("report.pdf"));
    assertEquals(await countCopies(folder.path("machines"), content), received);
  } catch (cause) {
    throw new Error(`${page}: ${messageOf(cause)}`, { cause });
  }
}

/** Files in folders called `inbox`; each must hold the content. */
async function countCopies(folder: string, content: Uint8Array): Promise<number> {
  let count = 0;
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) count += await countCopies(path, content);
    else if (isFile && folder.endsWith("/inbox")) {
      assertEquals(await Deno.readFile(path), content, path);
      count++;
    }
  }
  return count;
}
