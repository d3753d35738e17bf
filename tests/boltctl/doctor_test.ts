/**
 * What the doctor finds on machines of all kinds, and what it says to do.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { doctorOf } from "../../src/boltctl/commands/doctor.ts";
import type { Attempt, Machine, PathFacts } from "../../src/boltctl/doctor/machine.ts";
import { exitCodeOf } from "../../src/boltctl/exit_codes.ts";
import { contextFor, MemoryTerminal } from "../../src/boltctl/testing/memory_terminal.ts";
import { dirname } from "../support/paths.ts";
import { compare, transcript } from "./support/golden.ts";
import { NOW, Staged } from "./support/staged_daemon.ts";

/** Windows has no modes and, for most users, no links, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const GIB = 1024 ** 3;

/** What a test changes of a machine on which all is well. */
interface Changes {
  readonly now?: string;
  readonly denied?: readonly string[];
  /** Mode of the folder that the socket is in. @default {0o700} */
  readonly socketFolderMode?: number;
  /** By path: what is there instead; null: nothing. */
  readonly paths?: { readonly [path: string]: Partial<PathFacts> | null };
  readonly free?: Attempt<number>;
  readonly addresses?: Attempt<readonly string[]>;
  readonly reach?: Attempt<void>;
}

const file = (mode: number, size = 1): PathFacts => ({ kind: "file", mode, size, changed: null });
const folder: PathFacts = { kind: "folder", mode: 0o700, size: 0, changed: null };
const PATHS: { readonly [path: string]: PathFacts } = {
  "/data": folder,
  "/data/identity.key": file(0o600, 64),
  "/data/pins": folder,
  "/data/pins/trust.json": file(0o600),
  "/data/pins/peers.json": file(0o600),
  "/data/journal.ndjson": file(0o600),
  "/inbox": folder,
};

function machine(changes: Changes, socket: string): Machine {
  const isSocket: PathFacts = { kind: "socket", mode: 0o600, size: 0, changed: null };
  return {
    now: () => Date.parse(changes.now ?? NOW),
    may: (permission) => Promise.resolve(!(changes.denied ?? []).includes(permission.name)),
    look(path) {
      if (path === dirname(socket)) {
        return Promise.resolve({ ok: { ...folder, mode: changes.socketFolderMode ?? 0o700 } });
      }
      const normal = path === socket ? isSocket : PATHS[path];
      const changed = changes.paths?.[path];
      if (changed === null || (changed === undefined && normal === undefined)) {
        return Promise.resolve({ ok: undefined });
      }
      return Promise.resolve({ ok: { ...normal ?? folder, ...changed } });
    },
    freeBytes: () => Promise.resolve(changes.free ?? { ok: 20 * GIB }),
    addresses: () => changes.addresses ?? { ok: ["127.0.0.1", "::1", "192.168.1.7"] },
    reach: () => Promise.resolve(changes.reach ?? { ok: undefined }),
  };
}

/** One visit to the doctor. */
interface Visit {
  readonly about: string;
  readonly words?: readonly string[];
  readonly changes?: Changes;
  readonly socket?: string;
}

const VISITS: readonly Visit[] = [
  { about: "all is well, but for a fake daemon's version" },
  { about: "for programs", words: ["--json"] },
  {
    about: "the daemon is down",
    socket: "/data/daemon.sock",
    words: ["--data-dir", "/data"],
  },
  { about: "a wrong socket", socket: "/inbox" },
  { about: "others may use the socket", changes: { socketFolderMode: 0o755 } },
  {
    about: "permissions are missing",
    changes: {
      denied: ["sys"],
      free: { failed: "no permission" },
      addresses: { failed: "no permission" },
    },
  },
  {
    about: "modes are too open, the identity is cut",
    changes: {
      paths: {
        "/data": { mode: 0o755 },
        "/data/identity.key": { mode: 0o640, size: 63 },
        "/data/pins": { kind: "link" },
      },
    },
  },
  { about: "the clock was reset", changes: { now: "1970-01-01T00:00:09Z" } },
  { about: "the clock has jumped back", changes: { now: "2026-01-01T00:00:00Z" } },
  { about: "the disk is full", changes: { free: { ok: 1000 } } },
  {
    about: "the disk is nearly full",
    changes: { free: { ok: GIB / 2 }, paths: { "/inbox": null } },
  },
  {
    about: "an overlay network and a public address only",
    changes: { addresses: { ok: ["127.0.0.1", "100.64.1.2", "203.0.113.5"] } },
  },
  { about: "no network", changes: { addresses: { ok: ["127.0.0.1", "::1"] } } },
  {
    about: "the rendezvous server answers",
    words: ["--rendezvous-url", "ws://127.0.0.1:3001/?token=hush"],
  },
  {
    about: "it does not",
    words: ["--rendezvous-url", "ws://127.0.0.1:3001"],
    changes: { reach: { failed: "connection refused" } },
  },
];

async function visit({ about, words = [], changes = {}, socket }: Visit): Promise<string> {
  await using staged = await Staged.serve();
  const terminal = new MemoryTerminal();
  const at = socket ?? staged.socket;
  const line = ["doctor", ...words];
  const code = await doctorOf(machine(changes, socket === undefined ? at : ""))(
    contextFor(line, terminal, at),
  ).then(() => 0 as const, exitCodeOf);
  return transcript(line, terminal, code, [at, about]).replaceAll(
    dirname(at),
    "FOLDER",
  );
}

test("the doctor says what is wrong and what to do, and ends with 1 on a failure", async () => {
  const texts: string[] = [];
  for (const one of VISITS) texts.push(await visit(one));
  await compare("doctor", texts.join("\n"));
});

Deno.test("without a socket the doctor checks the rest and says how to name one", async () => {
  const terminal = new MemoryTerminal();
  const context = { ...contextFor(["doctor", "--json"], terminal, ""), environment: {} };
  const code = await doctorOf(machine({}, ""))(context).then(() => 0, exitCodeOf);
  const [first] = terminal.stdout.split("\n").map((line) => line === "" ? {} : JSON.parse(line))
    .filter(({ check }) => check === "socket");
  assertEquals([code, first.verdict, first.found], [
    1,
    "failure",
    "The daemon is not named",
  ]);
});

const TOLD = "/data/api.json";

/** What the doctor finds about the file that tells the address, and of the data folder. */
async function visitByFile(changes: Changes, normal: PathFacts | undefined) {
  await using staged = await Staged.serve();
  const terminal = new MemoryTerminal();
  const all = machine(changes, "");
  const context = {
    ...contextFor(["doctor", "--json"], terminal, staged.socket),
    environment: { BOLT_API: TOLD },
  };
  const code = await doctorOf({
    ...all,
    look: (path) => path === TOLD ? Promise.resolve({ ok: normal }) : all.look(path),
  })(context).then(() => 0, exitCodeOf);
  const findings = terminal.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const of = (check: string) =>
    findings.filter((one) => one.check === check)
      .map(({ verdict, found }) => `${verdict} ${found}`);
  return { code, told: of("api file"), folder: of("data folder"), permissions: of("permissions") };
}

test("the doctor looks at the file that tells the address: what it is, who may read it", async () => {
  const good = await visitByFile({}, file(0o600));
  assertEquals([good.code, good.told], [0, [
    "ok bolt-daemon answers at /data/api.json (process 1, running)",
  ]]);
  const open = await visitByFile({}, file(0o640));
  assertEquals([open.code, open.told], [1, [
    "failure /data/api.json is open to other users (mode 640): they may use the daemon",
  ]]);
  const link = await visitByFile({}, { ...file(0o777), kind: "link" });
  assertEquals([link.code, link.told], [1, ["failure /data/api.json is a link, not a file"]]);
  const none = await visitByFile({}, undefined);
  assertEquals([none.code, none.told], [1, ["failure There is no /data/api.json"]]);
  const held = await visitByFile({ denied: ["net"] }, file(0o600));
  assertEquals(held.permissions, ["warning boltctl runs without --allow-net=127.0.0.1"]);
});

Deno.test("where files have no modes, as on Windows, the doctor says that it has not checked them", async () => {
  const noModes = { mode: null };
  const paths = Object.fromEntries(Object.keys(PATHS).map((path) => [path, noModes]));
  const { code, told, folder } = await visitByFile({ paths }, { ...file(0), ...noModes });
  assertEquals(code, 0);
  assertEquals(told.slice(1), [
    "warning Who may read /data/api.json is not checked: this system has no modes, and boltctl " +
    "reads no ACLs",
  ]);
  assertEquals(folder, [
    "warning Who may read /data is not checked: this system has no modes, and boltctl reads no ACLs",
  ]);
});
