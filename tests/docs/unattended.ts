/**
 * What the tests of the guides share whose machines nobody attends: the guide run on a LAN, what it
 * asks of its reader, and daemons that are killed and started again as it starts them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { LinkView, Transfer } from "../../src/ipc/api/schemas.ts";
import { DaemonClient } from "../../src/ipc/client/client.ts";
import { HeardEvents } from "../support/heard_events.ts";
import { canMakeNamespaces, canShape } from "../support/network_namespace.ts";
import { skipped } from "../support/skipped.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { Lan, SLOW } from "./lan.ts";
import type { Machine } from "./machine.ts";
import { type Block, blocksOf } from "./page.ts";
import { type BeforeBlocks, runPage } from "./run_page.ts";

/** Most lines that a guide asks of its reader on each machine: commands, settings, scripts. */
const MOST_LINES = 9;
/** Where the set-up ends. */
const END_OF_SETUP = "\n## What you see\n";

/** Whether guides can be run on a LAN here, with hosts whose way out can be slowed. */
export const canRunOnLan: boolean = await canMakeNamespaces() &&
  await canShape(...SLOW);
if (!canRunOnLan) skipped("guides on a LAN of network namespaces: Linux, root, iproute2, sch_tbf");

/** A guide. */
export class Guide {
  readonly #page: string;
  readonly #blocks: readonly Block[];
  readonly #setup: readonly Block[];

  private constructor(page: string, text: string) {
    this.#page = page;
    this.#blocks = blocksOf(text);
    const end = text.indexOf(END_OF_SETUP);
    assert(end > 0, `${page} does not say where its set-up ends`);
    this.#setup = blocksOf(text.slice(0, end));
  }

  /** Reads one, by its path in the repository. */
  static async read(page: string): Promise<Guide> {
    return new Guide(page, await Deno.readTextFile(new URL(`../../${page}`, import.meta.url)));
  }

  /** How many lines it asks for on each machine; continued lines count, empty ones and comments do not. */
  linesPerMachine(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { words, text } of this.#setup) {
      const machine = words.find((word) => word !== "runnable" && !word.startsWith("file=")) ?? "";
      const lines = text.split("\n").filter((line) => !/^\s*(#|$)/.test(line));
      counts.set(machine, (counts.get(machine) ?? 0) + lines.length);
    }
    return counts;
  }

  /** Asserts that it asks for no more than it may, of these machines. */
  assertShort(machines: readonly string[]): void {
    const counts = this.linesPerMachine();
    assertEquals([...counts.keys()].toSorted(), machines.toSorted());
    for (const [machine, lines] of counts) {
      assert(lines <= MOST_LINES, `${this.#page} has ${lines} lines for ${machine}`);
    }
  }

  /** The line that starts a machine's daemon. */
  startOf(machine: string): string {
    const text = this.#setup.filter(({ words }) => words.includes(machine))
      .map((block) => block.text).join("");
    const [line] = /^bolt-daemon serve .*&$/m.exec(text) ?? [];
    assert(line !== undefined, `${this.#page} starts no daemon on ${machine}`);
    return line;
  }

  /** The set-up's blocks that are run on a machine, as one. */
  setupOf(machine: string): string {
    return this.#setup.filter(({ words, language }) => language === "sh" && words.includes(machine))
      .filter(({ words }) => !words.some((word) => word.startsWith("file=")))
      .map(({ text }) => text).join("");
  }

  /** The text of a program that is to be saved under that name. */
  program(name: string): string {
    return this.#blocks.find(({ words }) => words.includes(`file=${name}`))?.text ?? "";
  }

  /** What cron would run: in the home of its owner, without what shells have set. */
  cronCommand(): string {
    const [line = ""] =
      this.#blocks.find(({ language }) => language === "crontab")?.text.split("\n") ?? [];
    const [, command = ""] = /^(?:\S+ ){5}(.+)$/.exec(line) ?? [];
    // A % would end the command.
    assert(command !== "" && !command.includes("%"), line);
    return `env -u BOLT_SOCKET -C "$HOME" sh -c '${command.replaceAll("'", `'\\''`)}'`;
  }

  /** Runs it on a LAN. */
  async run(
    check: (lan: Lan, folder: TempFolder) => {
      readonly before: BeforeBlocks;
      readonly after: () => Promise<void>;
    },
  ): Promise<void> {
    await using folder = await TempFolder.make();
    await using lan = await Lan.make();
    const { before, after } = check(lan, folder);
    const lacking = await runPage(this.#page, folder, lan.url, before, (name) => lan.shellOf(name));
    if (lacking.length > 0) skipped(`${this.#page}: what needs ${lacking.join(", ")}`);
    else await after();
  }
}

/** The daemon of a machine, which the guide has started. */
export class GuideDaemon implements AsyncDisposable {
  readonly client: DaemonClient;
  readonly #machine: Machine;
  readonly #start: string;
  #heard: HeardEvents;

  private constructor(machine: Machine, start: string, client: DaemonClient, heard: HeardEvents) {
    this.#machine = machine;
    this.#start = start;
    this.client = client;
    this.#heard = heard;
  }

  /** Listens to it. */
  static async of(machine: Machine, guide: Guide, name: string): Promise<GuideDaemon> {
    const client = new DaemonClient({ kind: "unix", path: `${machine.home}/bolt/daemon.sock` });
    return new GuideDaemon(machine, guide.startOf(name), client, await HeardEvents.of(client));
  }

  /** Kills it, in the middle of whatever it does. */
  async kill(): Promise<void> {
    await this.#machine.run('kill -9 "$(cat bolt/lock)"');
    await this.#heard[Symbol.asyncDispose]();
  }

  /** Starts it by the guide's own line. */
  async start(): Promise<void> {
    await this.#machine.run(`${this.#start}\nboltctl status --wait > started`);
    this.#heard = await HeardEvents.of(this.client);
  }

  /** Kills it, and starts it. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /**
   * Waits until a file flows, and holds it, so that it can't have passed when somebody is killed.
   *
   * @param before The try before, which is not meant.
   */
  async holdMidway(name: string, before?: string): Promise<void> {
    await this.client.pauseTransfer(await this.flows(name, before));
  }

  /** Waits until a file flows, and gives its id here. */
  async flows(name: string, before?: string): Promise<string> {
    const { transfer: { transferId } } = await this.#heard.first(
      "transfer-started",
      ({ transfer }) => transfer.name === name && transfer.transferId !== before,
    );
    return transferId;
  }

  /** Waits until a file has gone over whole. */
  async completed(name: string): Promise<void> {
    const isIt = (one: Transfer) => one.name === name && one.state === "completed";
    const { transfers } = await this.client.listTransfers({});
    if (transfers.some(isIt)) return;
    await this.#heard.first("transfer-finished", ({ transfer }) => isIt(transfer));
  }

  /** Waits until a file has failed so. */
  async failed(name: string, code: string): Promise<void> {
    await this.#heard.first(
      "transfer-failed",
      ({ transfer }) => transfer.name === name && transfer.failure?.code === code,
    );
  }

  /** Waits until the session of the link of a name is open. */
  async linked(name: string): Promise<void> {
    const isOpen = (link: LinkView) => link.name === name && link.state === "connected";
    // It may not be there yet.
    if ((await this.client.listLinks()).some(isOpen)) return;
    await this.#heard.first("link-changed", ({ link }) => isOpen(link));
  }

  /** Waits until there is no link of the name any more. */
  async unlinked(name: string): Promise<void> {
    await this.#heard.first("link-removed", ({ link }) => link.name === name);
  }

  /** Names of all that was sent, the earliest first. */
  async sent(): Promise<string[]> {
    const { transfers } = await this.client.listTransfers({ direction: "outgoing" });
    return transfers.map(({ name }) => name).reverse();
  }

  /** Names of all transfers that it knows, the earliest first, each `completed`. */
  async allCompleted(): Promise<string[]> {
    const { transfers } = await this.client.listTransfers({ limit: 200 });
    for (const { state, name } of transfers) assertEquals([name, state], [name, "completed"]);
    return transfers.map(({ name }) => name).reverse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heard[Symbol.asyncDispose]();
  }
}
