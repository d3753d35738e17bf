/**
 * Runs a page of the documents: its blocks marked `runnable`, in order, each on its machine.
 *
 * @module
 */
import { assert } from "@std/assert";
import { fromFileUrl } from "../support/paths.ts";
import type { Program } from "../support/program.ts";
import type { TempFolder } from "../support/temp_folder.ts";
import { Machine } from "./machine.ts";
import { type RunnableBlock, runnableBlocksOf } from "./page.ts";
import { fillProgramsFolder } from "./programs_folder.ts";

const REPOSITORY = new URL("../../", import.meta.url);

const ESSENTIAL: readonly string[] = ["bolt-daemon", "boltctl", "script"];

/** What else happens on a page: called before the blocks that begin together are run. */
export type BeforeBlocks = (blocks: readonly RunnableBlock[], machines: Machines) => Promise<void>;

/** The shell of the machine of a name. */
export type ShellOf = (machine: string) => Promise<Program>;

/**
 * Runs a page.
 *
 * @param shellOf The shells of its machines, where they are not to be on this host.
 * @param folder Empty; machines get folders in `machines`.
 * @param rendezvous The URL of the rendezvous server.
 * @returns The programs that its blocks need and that are not here.
 */
export async function runPage(
  page: string,
  folder: TempFolder,
  rendezvous: string,
  before: BeforeBlocks = () => Promise.resolve(),
  shellOf?: ShellOf,
): Promise<string[]> {
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
  await using machines = new Machines(folder, env, shellOf);
  for (const group of groupsOf(blocks)) {
    const needed = missing.filter((program) => group.some(({ text }) => mentions(text, program)));
    needed.forEach((program) => lacking.add(program));
    if (needed.length > 0) continue;
    await before(group, machines);
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
export class Machines implements AsyncDisposable {
  readonly #folder: TempFolder;
  readonly #env: Readonly<Record<string, string>>;
  readonly #shellOf: ShellOf | undefined;
  readonly #byName = new Map<string, Machine>();
  readonly #owned = new AsyncDisposableStack();

  /** None at first. */
  constructor(folder: TempFolder, env: Readonly<Record<string, string>>, shellOf?: ShellOf) {
    this.#folder = folder;
    this.#env = env;
    this.#shellOf = shellOf;
  }

  /** A machine whose home holds `report.pdf` and the clone `bolt-daemon`. */
  async named(name: string): Promise<Machine> {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const home = this.#folder.path("machines", name);
    await Deno.mkdir(home);
    await Deno.copyFile(this.#folder.path("report.pdf"), `${home}/report.pdf`);
    await Deno.symlink(fromFileUrl(REPOSITORY), `${home}/bolt-daemon`);
    const shell = await this.#shellOf?.(name);
    const machine = this.#owned.use(
      new Machine({ name, home, env: this.#env, ...(shell === undefined ? {} : { shell }) }),
    );
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
