/**
 * Web clients in a real browser, at length: `deno task test:browser`. With `-- --write` the table
 * goes to docs/TESTING.md.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { machine, publish, say, tableOf } from "../faults/results.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf } from "../support/transfers.ts";
import { seededRandom } from "../transport/loss.ts";
import { CHROMIUM, FIREFOX, type Installed } from "./browsers.ts";
import { exchangeFiles, inSession, newName, sessions, type Setting } from "./behaviour.ts";
import { arrived, type MeetingOptions, type Met, type Role, ROLES, toPage } from "./meeting.ts";
import { BrowserUnderTest } from "./web_page.ts";

/** `BOLT_BROWSER_SESSIONS`, of each kind; and files: `BOLT_BROWSER_FILES`, in all. */
const SESSIONS = Number(Deno.env.get("BOLT_BROWSER_SESSIONS") ?? "200");
const FILES = Number(Deno.env.get("BOLT_BROWSER_FILES") ?? "1000");
const SEED = Number(Deno.env.get("BOLT_SEED") ?? "20261127");
/** So many fewer sessions with Firefox, which is a second witness. */
const FIREFOX_SHARE = 4;
/** Sessions that are made at a time. */
const AT_ONCE = 4;
/** Files that a page sends back to back. */
const BURST = 5;
const LARGE = 50_000_000;

/** What one part of the run came to. */
interface Row {
  readonly what: string;
  readonly sessions: number;
  readonly files: number;
  readonly lost: readonly string[];
  /** From the first request to the last end. */
  readonly seconds: number;
}

const rows: Row[] = [];

/** Keeps a core busy until it is disposed of. */
function burnCore(): Disposable {
  const source = "for (let n = 0;; n++) if (n < 0) break;";
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  return {
    [Symbol.dispose]: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}

/** Makes sessions, several at a time, under load; a file goes each way in each. */
async function manySessions(
  what: string,
  setting: Setting,
  role: Role,
  { count, ...options }: MeetingOptions & { readonly count: number },
): Promise<Row> {
  using _load = burnCore();
  const since = performance.now();
  const { lost } = await sessions(setting, role, {
    ...options,
    count,
    atOnce: AT_ONCE,
  });
  const files = 2 * (count - lost.length);
  return { what, sessions: count, files, lost, seconds: (performance.now() - since) / 1000 };
}

/** Sends files both ways at once, those of the page back to back; `byHand` each is accepted. */
async function manyFiles(
  { daemon, folder }: Setting,
  met: Met,
  { count, random, byHand }: { count: number; random: () => number; byHand: boolean },
): Promise<void> {
  const size = () => 1 + Math.floor(200_000 * random() ** 3);
  const fromPage = async () => {
    for (let sent = 0; sent < count / 2; sent += BURST) {
      const names = Array.from({ length: BURST }, newName);
      const accepting = !byHand ? undefined : Promise.all(names.map(async (name) => {
        const { transferId } = await offerOf(daemon, name);
        await daemon.client.acceptTransfer(transferId, {});
      }));
      const checks: Promise<void>[] = [];
      for (const name of names) {
        const length = size();
        await met.client.send(name, length, sent);
        checks.push(arrived(daemon, name, length, sent));
      }
      await Promise.all([accepting, ...checks]);
    }
  };
  const toThePage = async () => {
    for (let sent = 0; sent < count / 2; sent++) {
      await toPage(daemon, met, folder.path(newName()), size(), sent);
    }
  };
  await Promise.all([fromPage(), toThePage()]);
}

async function tell(row: Row): Promise<void> {
  rows.push(row);
  const { what, sessions, files, lost, seconds } = row;
  await say(
    `${what}: ${sessions} sessions, ${files} files, ${lost.length} lost, ${seconds.toFixed(0)} s`,
  );
  for (const reason of row.lost) await say(`  ${reason}`);
}

/** Runs a part with a browser, a page and a daemon of its own. */
function part(
  { name: browserName, program, start }: Installed,
  name: string,
  hidesAddresses: boolean,
  fn: (setting: Setting) => Promise<void>,
): void {
  Deno.test({
    name: name.startsWith(browserName) ? name : `${browserName}, ${name}`,
    ignore: program === undefined,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const browser = stack.use(await BrowserUnderTest.start(() => start({ hidesAddresses })));
      const server = stack.use(startRendezvousServer());
      const folder = stack.use(await TempFolder.make());
      const page = stack.use(await browser.open());
      const daemon = stack.use(await ServedDaemon.start());
      await fn({ daemon, page, url: server.url, folder });
      assertEquals(page.errors, []);
    },
  });
}

for (const browser of [CHROMIUM, FIREFOX]) {
  for (const hidesAddresses of [true, false]) {
    for (const role of ROLES) {
      const name = `page ${role}, addresses ${hidesAddresses ? "hidden" : "shown"}`;
      const count = Math.ceil(browser === CHROMIUM ? SESSIONS : SESSIONS / FIREFOX_SHARE);
      const all = `${count} of ${count} sessions carry a file each way, under load`;
      part(browser, `${name}: ${all}`, hidesAddresses, async (setting) => {
        const row = await manySessions(`${browser.name}, ${name}`, setting, role, { count });
        await tell(row);
        assertEquals(row.lost, []);
      });
    }
  }
}

for (const role of ROLES) {
  for (const byHand of [false, true]) {
    const what = `Chromium, page ${role}, many files${byHand ? ", each accepted by hand" : ""}`;
    const count = Math.ceil(FILES / 4);
    part(
      CHROMIUM,
      `${what}: ${count} of ${count} arrive, both ways at once`,
      true,
      async (setting) => {
        const since = performance.now();
        const decision = {
          decision: "allow_once",
          ...(byHand ? {} : { acceptFiles: true }),
        } as const;
        const random = seededRandom(SEED);
        await inSession(
          setting,
          role,
          (met) => manyFiles(setting, met, { count, random, byHand }),
          {
            decision,
          },
        );
        const seconds = (performance.now() - since) / 1000;
        const failed = setting.daemon.events.filter(({ type }) => type === "transfer-failed");
        await tell({
          what,
          sessions: 1,
          files: count,
          lost: failed.map((one) => JSON.stringify(one)),
          seconds,
        });
        assertEquals(failed, []);
      },
    );
  }
  part(CHROMIUM, `page ${role}: 50 MB each way`, true, async (setting) => {
    const since = performance.now();
    await inSession(setting, role, (met) => exchangeFiles(setting, met, [LARGE]));
    const seconds = (performance.now() - since) / 1000;
    await tell({
      what: `Chromium, page ${role}, 50 MB each way`,
      sessions: 1,
      files: 2,
      lost: [],
      seconds,
    });
  });
}

// The published client says HELLO in its open event, where Chromium may lose it, and has its sockets
// from a pool, where Chromium may answer with another key: see docs/guides/web.md.
for (const role of ROLES) {
  const what = `Chromium, page ${role} as published, addresses hidden`;
  part(
    CHROMIUM,
    `${what}: none of ${SESSIONS} sessions is lost`,
    true,
    async (setting) => {
      const row = await manySessions(what, setting, role, { asPublished: true, count: SESSIONS });
      await tell(row);
      const failed = setting.daemon.events.filter(({ type }) => type === "transfer-failed");
      assertEquals(failed, []);
      assertEquals(row.lost, []);
    },
  );
}

/** What the program calls itself. */
async function versionOf({ name, program }: Installed): Promise<string> {
  if (program === undefined) return `no ${name}`;
  const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
  return new TextDecoder().decode(stdout).trim().replace(/ built.*/, "");
}

Deno.test({
  name: "the results are told",
  ignore: CHROMIUM.program === undefined,
  fn: async () => {
    const header = ["web client", "sessions", "files", "lost", "seconds"];
    const cells = rows.map(({ what, sessions, files, lost, seconds }) => [
      what,
      String(sessions),
      String(files),
      String(lost.length),
      seconds.toFixed(0),
    ]);
    const versions = await Promise.all([CHROMIUM, FIREFOX].map(versionOf));
    const text = `${machine()}, ${
      versions.join(", ")
    }. One daemon as it is served, one page; ${AT_ONCE} sessions at a time
beside a program that keeps a core busy, with 70 kB each way. Files of the
runs with many: up to 200 kB, seed ${SEED}, those of the page ${BURST} back to back.

${tableOf([header, ...cells])}`;
    await publish({ mark: "web clients", document: "TESTING.md", title: "Testing" }, text);
  },
});
