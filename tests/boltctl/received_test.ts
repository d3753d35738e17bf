/**
 * `boltctl received` with real daemons: each file is listed once to who notes what it has handled,
 * whatever is killed in between.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import type { Received } from "../../src/ipc/api/schemas.ts";
import { formatMark, parseMark } from "../../src/boltctl/received_mark.ts";
import { meeting, openedSession, ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { type Program, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, Pair, someBytes, transferIn } from "../support/transfers.ts";
import { boltctl } from "./support/boltctl.ts";

/** Windows has no modes and, for most users, no links, no POSIX signals, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** The paths that are listed to who has this mark. */
async function listed(program: Program, mark: string): Promise<string[]> {
  const { code, stdout, stderr } = await run(program, ["received", "--mark", mark, "--null"]);
  assertEquals([code, stderr], [0, ""]);
  return stdout.split("\0").slice(0, -1);
}

/** Numbers that look random and are the same in each run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

test("paths are exact in JSON and with --null, and made safe for people", async () => {
  await using folder = await TempFolder.make();
  const inbox = folder.path("in\nbox \u001b[2J");
  await using pair = await Pair.make({ bob: ["--inbox", inbox] });
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  await transferIn(pair.alice, await pair.send("a b", someBytes(3)), "completed");
  const program = boltctl(join(pair.bob.dataDir, "daemon.sock"));
  const path = `${inbox}/a b`;
  assertEquals(await Deno.readFile(path), someBytes(3));
  assertEquals((await run(program, ["received", "--null"])).stdout, `${path}\0`);
  const json: Received = JSON.parse((await run(program, ["received", "--json"])).stdout);
  assertEquals([json.path, json.size, json.identity], [path, 3, pair.toAlice]);
  const { stdout } = await run(program, ["received"]);
  assertEquals(stdout.trimEnd().split("\n").length, 1);
  assert(stdout.includes("in\\u{a}box \\u{1b}[2J/a b\n"), stdout);
});

test("files are noted as handled by id and by path, by several programs at once, and none is lost", async () => {
  await using folder = await TempFolder.make();
  const mark = folder.path("mark");
  await using pair = await Pair.make();
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  for (let n = 1; n <= 6; n++) {
    await transferIn(pair.alice, await pair.send(`file-${n}`, someBytes(n)), "completed");
  }
  const program = boltctl(join(pair.bob.dataDir, "daemon.sock"));
  const { files } = await pair.bob.client.listReceived();
  const pathOf = (n: number) => join(pair.bob.inbox, `file-${n}`);
  assertEquals(await listed(program, mark), [1, 2, 3, 4, 5, 6].map(pathOf));
  const note = (...what: string[]) => run(program, ["received", "--mark", mark, "--done", ...what]);
  const noted = await Promise.all([
    note(pathOf(6)),
    note(files[2]?.receivedId ?? ""),
    note(pathOf(5)),
    note(files[0]?.receivedId ?? "", files[1]?.receivedId ?? ""),
  ]);
  assertEquals(noted.map(({ code, stderr }) => [code, stderr]), noted.map(() => [0, ""]));
  assertEquals(await listed(program, mark), [pathOf(4)]);
  // Ids that no file has had: the mark is as it was.
  const issued = files[5]?.receivedId ?? "";
  for (const id of [`${issued.slice(0, 8)}-99999`, `${issued.slice(0, 8)}-7`, "00000000-4"]) {
    const refused = await note(id);
    assertEquals(refused.code, 1, id);
    assertStringIncludes(refused.stderr, `No file that arrived has the id ${id}`);
  }
  assertEquals(await listed(program, mark), [pathOf(4)]);
  assertEquals(await listed(program, folder.path("another mark")), [1, 2, 3, 4, 5, 6].map(pathOf));
  assertEquals((await note(pathOf(4))).code, 0);
  assertEquals(await listed(program, mark), []);
  assertEquals((await note(pathOf(4))).code, 1, "it is handled already");
  assertEquals(parseMark(await Deno.readTextFile(mark)), {
    through: files[5]?.receivedId ?? "",
    done: [],
  });
  assertEquals(((await Deno.stat(mark)).mode ?? 0) & 0o777, 0o600);
  // A name that is free again: by its path the earlier of two is noted first.
  await Deno.remove(pathOf(1));
  await transferIn(pair.alice, await pair.send("file-1", someBytes(1)), "completed");
  await Deno.remove(pathOf(1));
  await transferIn(pair.alice, await pair.send("file-1", someBytes(2)), "completed");
  assertEquals(await listed(program, mark), [pathOf(1), pathOf(1)]);
  assertEquals((await note(pathOf(1))).code, 0);
  const left = await run(program, ["received", "--mark", mark, "--json"]);
  assertEquals(JSON.parse(left.stdout).size, 2);
});

/** Notes a file; killed after so many milliseconds, where it has not ended. The exit code. */
async function noteOr(
  killMs: number | undefined,
  program: Program,
  mark: string,
  path: string,
): Promise<number> {
  await using note = new Run(program, ["received", "--mark", mark, "--done", path]);
  const ended = note.outcome();
  const timer = killMs === undefined ? undefined : setTimeout(() => {
    try {
      note.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }, killMs);
  try {
    return (await ended).code;
  } finally {
    clearTimeout(timer);
  }
}

test("a gap is said on stderr, once: the mark goes on behind it, and what came after is listed", async () => {
  await using folder = await TempFolder.make();
  const mark = folder.path("mark");
  await using pair = await Pair.make();
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  await transferIn(pair.alice, await pair.send("kept", someBytes(1)), "completed");
  // Of another record: nobody can tell what of it was handled.
  await Deno.writeTextFile(mark, formatMark({ through: "00000000-7", done: ["00000000-9"] }));
  const program = boltctl(join(pair.bob.dataDir, "daemon.sock"));
  const first = await run(program, ["received", "--mark", mark, "--null"]);
  assertEquals([first.code, first.stdout], [0, `${join(pair.bob.inbox, "kept")}\0`]);
  assert(first.stderr.startsWith("boltctl: Files that arrived are missing here"), first.stderr);
  assertEquals(parseMark(await Deno.readTextFile(mark)), { done: [] });
  assertEquals(await listed(program, mark), [join(pair.bob.inbox, "kept")]);
});

/** Two daemons in processes of their own, which trust each other by key, and are started anew. */
class Ends implements AsyncDisposable {
  alice: ServedDaemon;
  bob: ServedDaemon;

  private constructor(
    readonly folder: TempFolder,
    readonly rendezvous: string,
    alice: ServedDaemon,
    bob: ServedDaemon,
  ) {
    this.alice = alice;
    this.bob = bob;
  }

  static async start(folder: TempFolder, rendezvous: string): Promise<Ends> {
    const [alice, bob] = [await serve(folder, "alice"), await serve(folder, "bob")];
    const [forBob, forAlice] = await Promise.all(
      [alice, bob].map(async ({ client }) => (await client.status()).identity),
    );
    const trust = { decision: "allow_always" } as const;
    await alice.client.trust(forAlice ?? "", { ...trust, name: "bob" });
    await bob.client.trust(forBob ?? "", { ...trust, name: "alice" });
    await bob.client.setAutoAccept(forBob ?? "", { enabled: true });
    return new Ends(folder, rendezvous, alice, bob);
  }

  get bobsInbox(): string {
    return this.bob.inbox;
  }

  /** Opens a session; gives the identity of bob. */
  async meet(): Promise<string> {
    const { offerer, answerer } = meeting(this.rendezvous);
    const [ours] = await Promise.all([
      this.alice.pair(offerer).then((session) => openedSession(this.alice, session)),
      this.bob.pair(answerer).then((session) => openedSession(this.bob, session)),
    ]);
    return ours.identity ?? "";
  }

  async send(name: string, identity: string) {
    const path = this.folder.path(name);
    await Deno.writeFile(path, someBytes(200_000));
    await this.alice.client.send({ paths: [path], identity });
  }

  /** Kills one, or stops it in order, and starts it again. */
  async restart(who: "alice" | "bob", how: "killed" | "stopped"): Promise<void> {
    if (how === "stopped") await this[who].stop();
    else this[who].run.kill("SIGKILL");
    await this[who][Symbol.asyncDispose]();
    this[who] = await serve(this.folder, who);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.alice[Symbol.asyncDispose]();
    await this.bob[Symbol.asyncDispose]();
  }
}

const serve = (folder: TempFolder, name: string) =>
  ServedDaemon.start({ dataDir: folder.path(`data of ${name}`) });

test("daemons, reader and notes killed at any moment: no file is lost, none is listed after its note", async () => {
  await using folder = await TempFolder.make();
  await using server = startRendezvousServer({ port: 0 });
  await using ends = await Ends.start(folder, server.url);
  const mark = folder.path("mark");
  const program = boltctl(join(ends.bob.dataDir, "daemon.sock"));
  const random = numbers(16);
  const seen = new Set<string>();
  const noted = new Set<string>();
  const killAt = ["transfer-offered", "transfer-started", "transfer-finished"] as const;
  for (let round = 0; round < 8; round++) {
    const identity = await ends.meet();
    await ends.send(`whole-${round}`, identity);
    await ends.alice.event(
      "transfer-finished",
      ({ transfer }) => transfer.name === `whole-${round}`,
    );
    await ends.send(`killed-${round}`, identity);
    const moment = killAt[round % killAt.length] ?? "transfer-offered";
    await ends.alice.event(moment, ({ transfer }) => transfer.name === `killed-${round}`);
    await ends.restart(random.next().value < 0.7 ? "bob" : "alice", "killed");
    for (const path of await listed(program, mark)) {
      assert(!noted.has(path), `${path} was listed after its note`);
      seen.add(path);
      const chance = random.next().value;
      if (chance < 0.3) continue; // whoever handles it is killed before its note
      // Killed while it starts, or when it has read the mark, or has it replaced; or not at all.
      const killMs = chance < 0.6 ? (chance - 0.3) * 2000 : undefined;
      if (await noteOr(killMs, program, mark, path) === 0) noted.add(path);
    }
  }
  // Not stopped in order: alice may be dead, and a transfer with her can't be ended in order then.
  await ends.restart("bob", "killed");
  for (const path of await listed(program, mark)) {
    assert(!noted.has(path), `${path} was listed after its note`);
    seen.add(path);
    const { code } = await run(program, ["received", "--mark", mark, "--done", path]);
    assertEquals(code, 0);
  }
  assertEquals(await listed(program, mark), []);
  const names = (await namesIn(ends.bobsInbox)).filter((name) => !name.startsWith("."));
  assertEquals([...seen].map((path) => path.split("/").at(-1)).sort(), names);
  assert(names.length >= 8, String(names));
  assert(noted.size >= 3, "some notes were made while things were killed");
});

test("received --follow goes on over a kill and a stop of the daemon, and lists each file once", async () => {
  await using folder = await TempFolder.make();
  await using server = startRendezvousServer({ port: 0 });
  await using ends = await Ends.start(folder, server.url);
  const program = boltctl(join(ends.bob.dataDir, "daemon.sock"));
  await using following = new Run(program, ["received", "--follow", "--json"]);
  await ends.bob.streams(2);
  const arrive = async (name: string) => {
    const identity = await ends.meet();
    await ends.send(name, identity);
    await ends.alice.event("transfer-finished", ({ transfer }) => transfer.name === name);
  };
  await arrive("first");
  assert((await following.line()).includes("first"));
  await ends.restart("bob", "killed");
  await ends.bob.streams(2);
  await arrive("second");
  // Something arrives, and the daemon goes before it may have been listed.
  await arrive("third");
  await ends.restart("bob", "stopped");
  await ends.bob.streams(2);
  await arrive("fourth");
  await following.printed("fourth");
  following.kill("SIGINT");
  const { code, stdout } = await following.outcome();
  const files = stdout.trimEnd().split("\n").map((line): Received => JSON.parse(line));
  assertEquals(files.map(({ name }) => String(name)), ["first", "second", "third", "fourth"]);
  assertEquals(code, 130);
});
