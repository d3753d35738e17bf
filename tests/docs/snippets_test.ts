/**
 * The documents' commands do what they say: each page's blocks marked `runnable` are run in order,
 * in clean folders, against real daemons.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { messageOf } from "../../src/base/errors.ts";
import { skipped } from "../support/skipped.ts";
import { fromFileUrl } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { fillProgramsFolder } from "./programs_folder.ts";
import { Machine } from "./machine.ts";
import { type RunnableBlock, runnableBlocksOf } from "./page.ts";

const REPOSITORY = new URL("../../", import.meta.url);

const ESSENTIAL: readonly string[] = ["bolt-daemon", "boltctl", "script"];

/** Pages, the longest first, and how many copies of the file `report.pdf` they leave in inboxes. */
const PAGES: readonly { readonly page: string; readonly received: number }[] = [
  { page: "README.md", received: 1 },
  { page: "docs/guides/ci.md", received: 1 },
  { page: "docs/guides/overlay.md", received: 1 },
  { page: "docs/guides/sandbox.md", received: 1 },
  { page: "docs/guides/integrate.md", received: 3 },
  { page: "docs/guides/lan.md", received: 1 },
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

/** Runs a page. @returns The programs that its blocks need and that are not here. */
async function runPage(page: string, folder: TempFolder, rendezvous: string): Promise<string[]> {
  for (const name of ["bin", "share", "machines"]) await Deno.mkdir(folder.path(name));
  await Deno.writeFile(folder.path("report.pdf"), crypto.getRandomValues(new Uint8Array(60_000)));
  const { env, missing } = await fillProgramsFolder(folder.path("bin"));
  const markdown = await Deno.readTextFile(new URL(page, REPOSITORY));
  // Addresses and folders that the documents use for examples.
  const text = markdown
    .replaceAll(/(192\.168\.1\.10|100\.101\.102\.103|127\.0\.0\.1):3001/g, new URL(rendezvous).host)
    .replaceAll("/mnt/share", folder.path("share"));
  const blocks = runnableBlocksOf(text);
  assert(blocks.length > 0, `${page} has nothing to run`);
  // Without one of these a page makes no sense; without an interpreter only its own blocks do not.
  const essential = missing.filter((program) =>
    ESSENTIAL.includes(program) && blocks.some(({ text }) => mentions(text, program))
  );
  if (essential.length > 0) return essential;
  const lacking = new Set<string>();
  await using machines = new Machines(folder, env);
  for (const group of groupsOf(blocks)) {
    const needed = missing.filter((program) => group.some(({ text }) => mentions(text, program)));
    needed.forEach((program) => lacking.add(program));
    if (needed.length > 0) continue;
    const started = [];
    for (const { machine, text, file } of group) {
      const where = await machines.named(machine);
      if (file === undefined) started.push(where.run(text));
      else await Deno.writeTextFile(`${where.home}/${file}`, text);
    }
    await Promise.all(started);
  }
  return [...lacking];
}

/** The machines of a page, each made when it is first named. */
class Machines implements AsyncDisposable {
  readonly #folder: TempFolder;
  readonly #env: Readonly<Record<string, string>>;
  readonly #byName = new Map<string, Machine>();
  readonly #owned = new AsyncDisposableStack();

  constructor(folder: TempFolder, env: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#env = env;
  }

  /** A machine whose home holds `report.pdf` and the clone `bolt-daemon`. */
  async named(name: string): Promise<Machine> {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const home = this.#folder.path("machines", name);
    await Deno.mkdir(home);
    await Deno.copyFile(this.#folder.path("report.pdf"), `${home}/report.pdf`);
    await Deno.symlink(fromFileUrl(REPOSITORY), `${home}/bolt-daemon`);
    const machine = this.#owned.use(new Machine({ name, home, env: this.#env }));
    this.#byName.set(name, machine);
    await machine.start();
    return machine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** Blocks that begin together. */
function groupsOf(blocks: readonly RunnableBlock[]): RunnableBlock[][] {
  const groups: RunnableBlock[][] = [];
  for (const block of blocks) {
    const last = groups.at(-1);
    if (block.together && last !== undefined) last.push(block);
    else groups.push([block]);
  }
  return groups;
}

/** `script`, the terminal of whoever answers `boltctl pair`, is needed where that is asked. */
const mentions = (text: string, program: string) =>
  new RegExp(`(^|[ (])${program === "script" ? "(boltctl|alice|bob) pair" : program}\\b`, "m")
    .test(text);

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
