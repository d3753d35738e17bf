/**
 * Two daemons that nobody watches: set up once by `serve --links` and a rule, each on a host of its
 * own, while everything that can happen to them happens at seeded moments. Files are sent all the
 * while; each must arrive once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { isFinal } from "../../src/base/transfer_states.ts";
import { MAX_CHUNK_BYTES } from "../../src/protocol/transfer/limits.ts";
import { SYNC_BYTES } from "../../src/storage/inbox/incoming_file.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { canShape, NetworkNamespace } from "../support/network_namespace.ts";
import { fromFileUrl, join } from "../support/paths.ts";
import { DAEMON, type Program, Run, run } from "../support/program.ts";
import { SmallDisk } from "../support/small_disk.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { sha256, someBytes } from "../support/transfers.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { seededRandom } from "../transport/loss.ts";

/** What happens. */
export const HAPPENINGS = [
  "the sender is killed",
  "the receiver is killed",
  "both are killed",
  "the sender is stopped",
  "the receiver is stopped",
  "the sender's cable is pulled",
  "the receiver's cable is pulled",
  "the sender's address changes",
  "the receiver's address changes",
  "the server is restarted",
  "the receiver's disk is full",
  "the sender's disk is full",
] as const;
/** See {@linkcode HAPPENINGS}. */
export type Happening = typeof HAPPENINGS[number];

/** What is to be done, and how long. */
export interface UnattendedPlan {
  /** Chooses files and moments. */
  readonly seed: number;
  /** How many files are sent. */
  readonly files: number;
  /** How long things happen, in seconds. */
  readonly seconds: number;
  /** How many things happen; each kind at least once when there are as many. */
  readonly happenings: number;
  /** Bytes of the largest file. */
  readonly largest: number;
  /** What the cable carries, e.g. `32mbit`. */
  readonly rate: string;
  /** How long the last file may take when all is well again, in seconds. */
  readonly graceSeconds: number;
}

/** A cut of a file that flowed. */
export interface Cut {
  /** What was the matter. */
  readonly by: "a kill of the receiver" | "anything else";
  /** Bytes that had come, and came again. */
  readonly again: number;
}

/** What came of it. */
export interface UnattendedResult {
  /** How often each happened. */
  readonly happened: ReadonlyMap<Happening, number>;
  /** Files that were sent, and their bytes. */
  readonly sent: { readonly files: number; readonly bytes: number };
  /** Files that arrived: in the inbox, by `boltctl received`, and by the receiver's journal. */
  readonly arrived: {
    readonly inbox: number;
    readonly received: number;
    readonly journal: number;
  };
  /** Files in the inbox that should not be there: second ones, parts, wrong contents. */
  readonly wrong: readonly string[];
  /** Transfers that did not end as they should, of the sender. */
  readonly lost: readonly string[];
  /** Files that flowed and were cut. */
  readonly cuts: readonly Cut[];
  /** Bytes that left the sender's host by its cable. */
  readonly onWire: number;
  /** Starts of daemons that failed, as on a full disk, and were made again. */
  readonly failedStarts: number;
  /** Seconds from the end of all that happened to the last arrival. */
  readonly tail: number;
}

/** Bytes that may come again after a cut. */
export const BOUNDS: Readonly<Record<Cut["by"], number>> = {
  "a kill of the receiver": SYNC_BYTES + MAX_CHUNK_BYTES,
  "anything else": MAX_CHUNK_BYTES,
};

/** Whether this machine lets a test do that. */
export async function canRunUnattended(): Promise<boolean> {
  return await canShape(...cable("1mbit")) && await canMakeSwitch() && await SmallDisk.canMount();
}

/** Whether the kernel has bridges. */
async function canMakeSwitch(): Promise<boolean> {
  await using host = await NetworkNamespace.make();
  return await host.ip("link", "add", "switch", "type", "bridge").then(() => true, () => false);
}

/** What the kernel is told of a cable that carries so much. */
const cable = (rate: string) => ["tbf", "rate", rate, "burst", "256kb", "latency", "50ms"];

const MIB = 1024 ** 2;
const SERVER: Program = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--allow-net"],
    fromFileUrl(new URL("../../scripts/rendezvous/main.ts", import.meta.url)),
  ],
};
/** The server's address, and the daemons', whose last number changes. */
const SERVER_ADDRESS = "10.78.0.100";
const addressOf = (who: Who, number: number) =>
  `10.78.0.${(who === "alice" ? 10 : 50) + number}/24`;

type Who = "alice" | "bob";

/** A seeded moment is a number of milliseconds: here nothing else is waited for. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A daemon as a service manager keeps it: started again whenever it ends. */
class Service implements AsyncDisposable {
  failedStarts = 0;
  #daemon: ServedDaemon | undefined;

  constructor(
    readonly who: Who,
    readonly dataDir: string,
    readonly program: Program,
    readonly onEnd: (daemon: ServedDaemon) => Promise<void>,
  ) {}

  get daemon(): ServedDaemon {
    if (this.#daemon === undefined) throw new Error(`${this.who} does not run`);
    return this.#daemon;
  }

  /** Starts it, again and again until it serves. */
  async start(flags: readonly string[]): Promise<ServedDaemon> {
    const { dataDir, program } = this;
    for (;;) {
      try {
        return this.#daemon = await ServedDaemon.start({ dataDir, flags, program });
      } catch {
        this.failedStarts++;
        await pause(1000); // as its unit says, but sooner
      }
    }
  }

  /** Ends it. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { daemon } = this;
    this.#daemon = undefined;
    daemon.run.kill(signal);
    const { code, stderr } = await daemon.run.outcome();
    // A peer that is out of reach, or behind a full cable, can't confirm a stop in its time.
    if (signal === "SIGTERM" && !stderr.includes("code=INTERRUPTED")) assertEquals(code, 0, stderr);
    await daemon[Symbol.asyncDispose]();
    await this.onEnd(daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon?.[Symbol.asyncDispose]();
  }
}

/** How far each file had come, over all tries of it, by the receiver's account. */
class Tries {
  readonly cuts: Cut[] = [];
  /** By hash and size: bytes that had come when it was cut, and whether by a kill of the receiver. */
  readonly #cut = new Map<string, { readonly came: number; readonly killed: boolean }>();
  #seen = 0;
  readonly #live = new Map<string, string>();

  /** Takes what a run of the receiver has told since the last time. */
  take({ events }: ServedDaemon): void {
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen];
      if (
        event?.type !== "transfer-started" && event?.type !== "transfer-failed" &&
        event?.type !== "transfer-finished"
      ) continue;
      const { transferId, direction, fileHash, resumedFrom = 0, transferred } = event.transfer;
      if (direction !== "incoming" || fileHash === undefined) continue;
      if (event.type === "transfer-started") {
        this.#live.set(transferId, fileHash);
        const cut = this.#cut.get(fileHash);
        if (cut === undefined) continue;
        const by = cut.killed ? "a kill of the receiver" : "anything else";
        this.cuts.push({ by, again: Math.max(0, cut.came - resumedFrom) });
        this.#cut.delete(fileHash);
      } else if (this.#live.delete(transferId) && event.type === "transfer-failed") {
        this.#cut.set(fileHash, { came: transferred, killed: false });
      }
    }
  }

  /** A run of the receiver has ended; what was under way when it was killed is on its disk. */
  async end(daemon: ServedDaemon): Promise<void> {
    this.take(daemon);
    this.#seen = 0;
    for (const [transferId, hash] of this.#live) {
      const part = join(daemon.inbox, `.${transferId}.part`);
      const { size } = await Deno.stat(part).catch(() => ({ size: 0 }));
      this.#cut.set(hash, { came: size, killed: true });
    }
    this.#live.clear();
  }
}

/** Everything: hosts, server, daemons, disks. */
class World implements AsyncDisposable {
  readonly happened = new Map<Happening, number>();
  readonly tries = new Tries();
  #server: Run | undefined;
  #numbers = { alice: 0, bob: 0 };

  private constructor(
    readonly hosts: Readonly<Record<Who | "server", NetworkNamespace>>,
    readonly disks: Readonly<Record<Who, SmallDisk>>,
    readonly folder: TempFolder,
    readonly stack: AsyncDisposableStack,
  ) {}

  readonly services: Record<Who, Service> = {} as Record<Who, Service>;

  static async make(bytes: number, rate: string): Promise<World> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const hosts = {
      alice: stack.use(await NetworkNamespace.make()),
      bob: stack.use(await NetworkNamespace.make()),
      server: stack.use(await NetworkNamespace.make()),
    };
    // A switch, on the server's host: each daemon has a cable to it.
    await hosts.server.ip("link", "add", "switch", "type", "bridge");
    await hosts.server.ip("addr", "add", `${SERVER_ADDRESS}/24`, "dev", "switch");
    await hosts.server.ip("link", "set", "switch", "up");
    for (const who of ["alice", "bob"] as const) {
      await hosts[who].lay(who, [addressOf(who, 0)], hosts.server, []);
      await hosts.server.ip("link", "set", who, "master", "switch");
      await hosts[who].shape(who, ...cable(rate));
    }
    const disks = {
      alice: stack.use(await SmallDisk.mount(folder.path("alice"), 64)),
      bob: stack.use(await SmallDisk.mount(folder.path("bob"), Math.ceil(bytes / MIB) + 200)),
    };
    const world = new World(hosts, disks, folder, stack.move());
    for (const who of ["alice", "bob"] as const) {
      world.services[who] = world.stack.use(
        new Service(
          who,
          join(disks[who].path, "data"),
          hosts[who].inside(DAEMON),
          async (daemon) => {
            if (who === "bob") await world.tries.end(daemon);
          },
        ),
      );
    }
    await world.startServer();
    return world;
  }

  /** Starts both, once to learn their keys, and then as they are to run. */
  async setUp(): Promise<void> {
    const identities: Record<Who, string> = { alice: "", bob: "" };
    for (const who of ["alice", "bob"] as const) {
      const { client } = await this.services[who].start([]);
      identities[who] = (await client.status()).identity;
      await this.services[who].end("SIGTERM");
    }
    this.toBob = identities.bob;
    const common = {
      ...{ rendezvousUrl: `ws://${SERVER_ADDRESS}:3001`, room: "r", session: "s" },
      phaseTimeoutSecs: 20,
    };
    const links = {
      alice: { name: "bob", identity: identities.bob, role: "offerer", peerId: "alice", to: "bob" },
      bob: {
        ...{ name: "alice", identity: identities.alice, role: "answerer" },
        ...{ peerId: "bob", expectPeer: "alice" },
      },
    };
    for (const who of ["alice", "bob"] as const) {
      const file = { version: 1, links: [{ ...links[who], ...common }] };
      await Deno.writeTextFile(this.#linkFile(who), JSON.stringify(file), { mode: 0o600 });
      await this.start(who);
    }
    await this.services.bob.daemon.client.setAutoAccept(identities.alice, { enabled: true });
  }

  toBob = "";

  #linkFile(who: Who): string {
    return this.folder.path(`${who}.links.json`);
  }

  async start(who: Who): Promise<void> {
    await this.services[who].start(["--links", this.#linkFile(who)]);
  }

  async startServer(): Promise<void> {
    const flags = ["--host", SERVER_ADDRESS, "--port", "3001", "--behaviour", "replace"];
    this.#server = new Run(this.hosts.server.inside(SERVER), flags);
    await this.#server.said("listening");
  }

  /** Something happens, and is over after so long. */
  async happen(what: Happening, ms: number): Promise<void> {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
    switch (what) {
      case "the sender is killed":
        return await this.#restart(["alice"], "SIGKILL", ms);
      case "the receiver is killed":
        return await this.#restart(["bob"], "SIGKILL", ms);
      case "both are killed":
        return await this.#restart(["alice", "bob"], "SIGKILL", ms);
      case "the sender is stopped":
        return await this.#restart(["alice"], "SIGTERM", ms);
      case "the receiver is stopped":
        return await this.#restart(["bob"], "SIGTERM", ms);
      case "the sender's cable is pulled":
        return await this.#pull("alice", ms);
      case "the receiver's cable is pulled":
        return await this.#pull("bob", ms);
      case "the sender's address changes":
        return await this.#readdress("alice");
      case "the receiver's address changes":
        return await this.#readdress("bob");
      case "the server is restarted":
        await this.#server?.[Symbol.asyncDispose]();
        await pause(ms);
        return await this.startServer();
      case "the receiver's disk is full":
      case "the sender's disk is full": {
        const who = what.startsWith("the sender") ? "alice" : "bob";
        using _filler = await this.disks[who].fill();
        await pause(ms);
      }
    }
  }

  async #restart(
    who: readonly Who[],
    signal: "SIGKILL" | "SIGTERM",
    ms: number,
  ): Promise<void> {
    await Promise.all(who.map((one) => this.services[one].end(signal)));
    await pause(ms);
    await Promise.all(who.map((one) => this.start(one)));
  }

  async #pull(who: Who, ms: number): Promise<void> {
    await this.hosts.server.ip("link", "set", who, "down");
    await pause(ms);
    await this.hosts.server.ip("link", "set", who, "up");
  }

  async #readdress(who: Who): Promise<void> {
    const before = addressOf(who, this.#numbers[who]);
    this.#numbers[who] = (this.#numbers[who] + 1) % 30;
    const address = addressOf(who, this.#numbers[who]);
    await this.hosts[who].ip("addr", "del", before, "dev", who);
    await this.hosts[who].ip("addr", "add", address, "dev", who);
  }

  /** Bytes that have left the sender's host. */
  async onWire(): Promise<number> {
    const [link] = JSON.parse(await this.hosts.alice.ip("-j", "-s", "link", "show", "alice"));
    return link.stats64.tx.bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    await this.stack.disposeAsync();
  }
}

interface File {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly hash: string;
  /** When it is sent, in milliseconds from the beginning. */
  readonly at: number;
}

/** Sizes from nothing to the largest, most of them small. */
function sizeOf(random: () => number, number: number, largest: number): number {
  if (number === 0) return largest;
  const kind = random();
  if (kind < 0.08) return 0;
  if (kind < 0.45) return Math.floor(random() * Math.min(100_000, largest));
  if (kind < 0.75) return Math.floor(random() * Math.min(3_000_000, largest));
  if (kind < 0.93) return Math.floor(random() * largest / 4);
  return Math.floor(random() * largest);
}

async function makeFiles(folder: string, plan: UnattendedPlan): Promise<File[]> {
  const random = seededRandom(plan.seed);
  const files: File[] = [];
  for (let number = 0; number < plan.files; number++) {
    const name = `file-${String(number).padStart(4, "0")}`;
    const size = sizeOf(random, number, plan.largest);
    const content = someBytes(size, Math.floor(random() * 1e9));
    const path = join(folder, name);
    await Deno.writeFile(path, content);
    const at = number === 0 ? 0 : random() * plan.seconds * 900;
    files.push({ name, path, size, hash: sha256(content), at });
  }
  return files;
}

/** What happens, each kind in turn and then by chance, in an order by chance. */
function makeHappenings({ seed, happenings }: UnattendedPlan): Happening[] {
  const random = seededRandom(seed + 1);
  const all = Array.from({ length: happenings }, (_, i) => {
    const at = i < HAPPENINGS.length ? i : Math.floor(random() * HAPPENINGS.length);
    return HAPPENINGS[at] ?? HAPPENINGS[0];
  });
  for (let i = all.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [all[i], all[j]] = [all[j] ?? HAPPENINGS[0], all[i] ?? HAPPENINGS[0]];
  }
  return all;
}

/** Sends a file as a script does: until the daemon has taken it, with a key. */
async function sendOne(world: World, file: File, begin: number): Promise<string> {
  await pause(Math.max(0, begin + file.at - performance.now()));
  for (;;) {
    try {
      const [sent] = await world.services.alice.daemon.client.send({
        paths: [file.path],
        identity: world.toBob,
        idempotencyKey: file.name,
      });
      assert(sent !== undefined);
      return sent.transferId;
    } catch {
      await pause(500); // the daemon is not there, or its disk is full
    }
  }
}

/** Waits until all files have arrived for their sender, or the time is over. */
async function untilDone(world: World, ids: readonly string[], seconds: number): Promise<string[]> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const states = new Map<string, string>();
    let isOver = true;
    for (const id of ids) {
      const { state, confirmed, failure, waitingFor } = await world.services.alice.daemon.client
        .getTransfer(id);
      if (state === "completed" && confirmed === true) continue;
      states.set(id, `${id} is ${state}: ${failure?.code ?? waitingFor ?? "?"}`);
      isOver &&= isFinal(state);
    }
    if (states.size === 0 || isOver || performance.now() > end) return [...states.values()];
    await pause(500);
  }
}

/**
 * Does it all.
 *
 * @param say Told what happens.
 */
export async function runUnattended(
  plan: UnattendedPlan,
  say: (line: string) => Promise<void> = () => Promise.resolve(),
): Promise<UnattendedResult> {
  await using sources = await TempFolder.make();
  const files = await makeFiles(sources.path(), plan);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  await using world = await World.make(bytes, plan.rate);
  await world.setUp();
  const wireBefore = await world.onWire();
  const begin = performance.now();
  const at = () => `${((performance.now() - begin) / 1000).toFixed(1)} s`;
  const sending = Promise.all(files.map((file) => sendOne(world, file, begin)));
  const random = seededRandom(plan.seed + 2);
  const happenings = makeHappenings(plan);
  const each = plan.seconds * 1000 / happenings.length;
  for (const what of happenings) {
    await pause(random() * each * 0.8);
    // Half of the outages are short, the longest outlast what a session stands.
    const ms = random() < 0.5 ? random() * 2000 : random() * Math.min(20_000, each * 1.5);
    await say(`${at()}: ${what} (${(ms / 1000).toFixed(1)} s)`);
    await world.happen(what, ms);
    world.tries.take(world.services.bob.daemon);
  }
  const ids = await sending;
  const calm = performance.now();
  await say(`${at()}: all is well again`);
  const lost = await untilDone(world, ids, plan.graceSeconds);
  const tail = (performance.now() - calm) / 1000;
  world.tries.take(world.services.bob.daemon);
  await say(`${at()}: done, ${lost.length} lost`);
  return await judge(world, files, { lost, tail, onWire: await world.onWire() - wireBefore });
}

/** Looks at what is there. */
async function judge(
  world: World,
  files: readonly File[],
  known: Pick<UnattendedResult, "lost" | "tail" | "onWire">,
): Promise<UnattendedResult> {
  const { alice, bob } = world.services;
  const wrong: string[] = [];
  const expected = new Map(files.map((file) => [file.name, file]));
  let inbox = 0;
  for await (const { name } of Deno.readDir(bob.daemon.inbox)) {
    const file = expected.get(name);
    if (file === undefined) {
      wrong.push(`${name} is in the inbox`);
      continue;
    }
    if (sha256(await Deno.readFile(join(bob.daemon.inbox, name))) === file.hash) inbox++;
    else wrong.push(`${name} is not what was sent`);
  }
  const listing = await run(boltctl(join(bob.dataDir, "daemon.sock")), ["received", "--json"]);
  const told = listing.stdout.trim().split("\n").filter((line) => line !== "")
    .map((line) => String(JSON.parse(line).path));
  for (const path of told) {
    if (told.indexOf(path) !== told.lastIndexOf(path)) wrong.push(`${path} is received twice`);
  }
  const journal = await completedIn(bob.daemon);
  const { happened, tries: { cuts } } = world;
  return {
    ...known,
    ...{ happened, wrong, cuts },
    sent: { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) },
    arrived: { inbox, received: new Set(told).size, journal },
    failedStarts: alice.failedStarts + bob.failedStarts,
  };
}

async function completedIn({ client }: ServedDaemon): Promise<number> {
  let [count, cursor]: [number, string | undefined] = [0, undefined];
  do {
    const page: Awaited<ReturnType<typeof client.listTransfers>> = await client.listTransfers({
      ...{ limit: 200, direction: "incoming", state: "completed" },
      ...(cursor === undefined ? {} : { cursor }),
    });
    count += page.transfers.length;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return count;
}

/** What is not as it must be; empty when all is. */
export function faultsOf(
  { sent, arrived, wrong, lost, cuts }: UnattendedResult,
): readonly string[] {
  return [
    ...wrong,
    ...lost,
    ...Object.entries(arrived).flatMap(([where, count]) =>
      count === sent.files ? [] : [`${count} of ${sent.files} files by ${where}`]
    ),
    ...cuts.flatMap(({ by, again }) =>
      again > BOUNDS[by] ? [`${again} bytes came again after ${by}`] : []
    ),
  ];
}
