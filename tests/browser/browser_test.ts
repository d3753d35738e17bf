/**
 * A web client of our own in real browsers, and a daemon: the short part. The long one is
 * `deno task test:browser`.
 */
import { assert, assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ServedDaemon } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import {
  cancelled,
  emptyFiles,
  endedByDaemon,
  exchangeFiles,
  inSession,
  pausedToDaemon,
  pausedToPage,
  reloaded,
  sessions,
  type Setting,
  SIZES,
} from "./behaviour.ts";
import { CHROMIUM, FIREFOX, type Installed } from "./browsers.ts";
import { pairRequest, ROLES } from "./meeting.ts";
import { BrowserUnderTest } from "./web_page.ts";

/** Runs a test with one browser, one page and one daemon. */
function inBrowser(
  { name: browserName, program, start }: Installed,
  name: string,
  hidesAddresses: boolean,
  fn: (setting: Setting, t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: `${browserName}${hidesAddresses ? " that hides its addresses" : ""}: ${name}`,
    ignore: program === undefined,
    fn: async (t) => {
      await using stack = new AsyncDisposableStack();
      const browser = stack.use(
        await BrowserUnderTest.start(() => start({ hidesAddresses })),
      );
      const server = stack.use(startRendezvousServer());
      const folder = stack.use(await TempFolder.make());
      const page = stack.use(await browser.open());
      const daemon = stack.use(await ServedDaemon.start());
      await fn({ daemon, page, url: server.url, folder }, t);
      assertEquals(page.errors, []);
    },
  });
}

inBrowser(
  CHROMIUM,
  "files of all sizes, pauses and cancels, in each role",
  true,
  async (setting, t) => {
    for (const role of ROLES) {
      await t.step(`the page ${role}`, async (t) => {
        await inSession(setting, role, async (met) => {
          await t.step("files of many sizes each way", () => exchangeFiles(setting, met, SIZES));
          await t.step("empty files", () => emptyFiles(setting, met));
          await t.step("pauses of the page's file", () => pausedToDaemon(setting, met));
          await t.step("pauses of the daemon's file", () => pausedToPage(setting, met));
          await t.step("cancels", () => cancelled(setting, met));
        });
        await t.step("a page that is loaded anew", () => reloaded(setting, role));
        await t.step("a session that the daemon closes", () => endedByDaemon(setting, role));
      });
    }
  },
);

inBrowser(CHROMIUM, "several sessions at once, in each role", true, async (setting, t) => {
  for (const role of ROLES) {
    await t.step(`the page ${role}`, async () => {
      assertEquals((await sessions(setting, role, { count: 10, atOnce: 3 })).lost, []);
    });
  }
  for (const asPublished of [false, true]) {
    const page = asPublished ? "as published" : "waits for the daemon's";
    await t.step(
      `the page's first HELLO is lost: one that ${page} has its session by the next offer`,
      async () => {
        const options = { count: 2, atOnce: 2, losesHello: true, asPublished };
        assertEquals((await sessions(setting, "answers", options)).lost, []);
      },
    );
  }
  // Some of these it answers with a key that it told nobody: one in five.
  await t.step("the page offers, with sockets from a pool", async () => {
    const options = { count: 10, atOnce: 3, asPublished: true };
    assertEquals((await sessions(setting, "offers", options)).lost, []);
  });
});

inBrowser(FIREFOX, "files each way, in each role", false, async (setting, t) => {
  for (const role of ROLES) {
    await t.step(`the page ${role}`, async () => {
      await inSession(setting, role, (met) => exchangeFiles(setting, met, [1, 65_537, 1_000_000]));
      await reloaded(setting, role);
      await endedByDaemon(setting, role);
    });
  }
});

inBrowser(
  CHROMIUM,
  "candidates that trickle, of each family, before and after",
  false,
  async (setting, t) => {
    for (const role of ROLES) {
      for (const family of [4, 6] as const) {
        for (const candidates of ["before", "after"] as const) {
          await t.step(
            `the page ${role}, IPv${family}, ${candidates} its description`,
            () =>
              inSession(setting, role, async (met) => {
                await exchangeFiles(setting, met, [70_000]);
                const [shown] = (await setting.daemon.client.listSessions())
                  .filter(({ sessionId }) => sessionId === met.session.sessionId);
                assertEquals(shown?.path?.remote.startsWith("["), family === 6);
              }, { family, candidates }),
          );
        }
      }
    }
  },
);

inBrowser(
  CHROMIUM,
  "consent, asked for and given, refused and not asked for",
  true,
  async (setting, t) => {
    const { daemon, page, url } = setting;
    for (const role of ROLES) {
      await t.step(
        `the page ${role}, and nobody is asked`,
        () =>
          inSession(setting, role, (met) => exchangeFiles(setting, met, [1]), {
            asks: false,
            webConsent: "off",
          }),
      );
    }
    await t.step("the page's people do not want to", async () => {
      const codes = { code: "NOTNOW", peer: "ASKING" };
      const asked = await daemon.pair(pairRequest(url, "answers", codes));
      const client = await page.begin({ url, role: "answers", ...codes, consents: false });
      await client.first("asked");
      const { session } = await daemon.event(
        "session-closed",
        ({ session }) => session.sessionId === asked.sessionId,
      );
      assert(session.failure !== undefined);
      await client.close();
    });
    await t.step("the daemon waits for another page", async () => {
      const codes = { code: "AWAITED", peer: "WAITING" };
      await daemon.pair(pairRequest(url, "offers", codes));
      const stranger = await page.begin({ url, role: "offers", code: "STRANGER", peer: "WAITING" });
      const { detail } = await stranger.first("declined");
      assertEquals(detail, "declined");
      await stranger.close();
    });
  },
);
