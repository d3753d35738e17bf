/**
 * What a web client in a real browser and a daemon do together, each step with its proof. The short
 * tests and the long run take from here what they have time for.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { closedSession, type DaemonUnderTest } from "../support/daemon.ts";
import type { TempFolder } from "../support/temp_folder.ts";
import { namesIn, offerOf, someBytes, transferIn } from "../support/transfers.ts";
import { meet, type MeetingOptions, type Met, type Role, toDaemon, toPage } from "./meeting.ts";
import type { WebPage } from "./web_page.ts";

/** What all steps need. */
export interface Setting {
  /** The daemon. */
  readonly daemon: DaemonUnderTest;
  /** The page. */
  readonly page: WebPage;
  /** The rendezvous server. */
  readonly url: string;
  /** For files of the daemon's. */
  readonly folder: TempFolder;
}

/** Around one chunk of the page's, and many. */
export const SIZES = [1, 65_536, 65_537, 5_000_000];
/** More than is under way at a time, so that people can step in. */
const LONG = 30_000_000;
/** The page knows of the daemon's end so soon, in milliseconds. */
const KNOWS_MS = 1000;

let files = 0;

/** A name that no file has had. */
export const newName = (): string => `file${++files}.bin`;

/** Has them meet in a role, and leave when it was used. */
export async function inSession(
  { daemon, page, url }: Setting,
  role: Role,
  use: (met: Met) => Promise<void>,
  options: MeetingOptions = {},
): Promise<void> {
  const met = await meet(daemon, page, url, role, options);
  await use(met);
  await daemon.client.closeSession(met.session.sessionId);
  await closedSession(daemon, met.session);
  await met.client.close();
}

/** Files of all sizes each way, one after another. */
export async function exchangeFiles(
  { daemon, folder }: Setting,
  met: Met,
  sizes: readonly number[],
): Promise<void> {
  for (const [seed, size] of sizes.entries()) {
    await toDaemon(daemon, met, newName(), size, seed);
    await toPage(daemon, met, folder.path(newName()), size, seed);
  }
}

/** How many sessions, and how many of them at a time. */
interface SessionsOptions extends MeetingOptions {
  readonly count: number;
  readonly atOnce: number;
}

/** Makes sessions with a file each way; tells why some were lost. */
export async function sessions(
  setting: Setting,
  role: Role,
  { count, atOnce, ...options }: SessionsOptions,
): Promise<{ readonly lost: readonly string[] }> {
  const lost: string[] = [];
  let begun = 0;
  const inTurn = async () => {
    while (begun++ < count) {
      try {
        await inSession(setting, role, (met) => exchangeFiles(setting, met, [70_000]), options);
      } catch (error) {
        lost.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  return { lost };
}

/** An empty file: the page says nothing of it, and the daemon sends none; what follows arrives. */
export async function emptyFiles(setting: Setting, met: Met): Promise<void> {
  const { daemon, folder } = setting;
  const empty = newName();
  await met.client.send(empty, 0);
  const path = folder.path(newName());
  await Deno.writeFile(path, new Uint8Array());
  const sending = { paths: [path], sessionId: met.session.sessionId, priority: 0 };
  const refusal = await daemon.client.send(sending).then(() => undefined, (error) => error);
  assert(refusal instanceof Error, "an empty file was taken");
  assert(/empty/.test(refusal.message), refusal.message);
  await exchangeFiles(setting, met, [5]);
  const told = daemon.events.some((event) => JSON.stringify(event).includes(`"${empty}"`));
  assert(!told, "something was told of an empty file");
}

/** The page's file, held up and let go by people at either end. */
export async function pausedToDaemon({ daemon }: Setting, { client }: Met): Promise<void> {
  const name = newName();
  const sending = client.send(name, LONG);
  const offer = await offerOf(daemon, name);
  await daemon.client.pauseTransfer(offer.transferId);
  await client.first("paused", { name });
  await daemon.client.resumeTransfer(offer.transferId);
  await client.first("resumed", { name });
  await client.steer("pause", name);
  await transferIn(daemon, offer, "paused");
  await client.steer("resume", name);
  await sending;
  await transferIn(daemon, offer, "completed");
}

/** The daemon's file, held up and let go by people at either end. */
export async function pausedToPage(
  { daemon, folder }: Setting,
  { client, session }: Met,
): Promise<void> {
  const name = newName();
  await Deno.writeFile(folder.path(name), someBytes(LONG));
  const sending = { paths: [folder.path(name)], sessionId: session.sessionId, priority: 0 };
  const [sent] = await daemon.client.send(sending);
  assert(sent !== undefined);
  await transferIn(daemon, sent, "active");
  await daemon.client.pauseTransfer(sent.transferId);
  await client.first("paused", { name });
  await daemon.client.resumeTransfer(sent.transferId);
  await client.first("resumed", { name });
  const paused = daemon.heard.all.length;
  await client.steer("pause", name);
  await pausedAfter(daemon, sent.transferId, paused);
  await client.steer("resume", name);
  await client.first("received", { name });
  await transferIn(daemon, sent, "completed");
}

async function pausedAfter(daemon: DaemonUnderTest, id: string, seen: number): Promise<void> {
  await daemon.event(
    "transfer-paused",
    (event) => event.transfer.transferId === id && daemon.heard.all.indexOf(event) >= seen,
  );
}

/** Files that people at one end or the other no longer want. */
export async function cancelled(setting: Setting, met: Met): Promise<void> {
  const { daemon, folder } = setting;
  const { client, session } = met;
  for (const by of ["daemon", "page"] as const) {
    const theirs = newName();
    const sending = client.send(theirs, LONG);
    const offer = await offerOf(daemon, theirs);
    if (by === "daemon") {
      await daemon.client.cancelTransfer(offer.transferId);
      await client.first("cancelled", { name: theirs });
    } else await client.steer("cancel", theirs);
    await transferIn(daemon, offer, "cancelled");
    await sending;
    const ours = newName();
    await Deno.writeFile(folder.path(ours), someBytes(LONG));
    const asked = { paths: [folder.path(ours)], sessionId: session.sessionId, priority: 0 };
    const [sent] = await daemon.client.send(asked);
    assert(sent !== undefined);
    // The page knows a file by its first chunk: a cancel that comes before it names none.
    await daemon.event(
      "transfer-progress",
      ({ transferId, transferred }) => transferId === sent.transferId && transferred > 0,
    );
    if (by === "daemon") {
      await daemon.client.cancelTransfer(sent.transferId);
      await client.first("cancelled", { name: ours });
    } else await client.steer("cancel", ours);
    await transferIn(daemon, sent, "cancelled");
    const names = await namesIn(daemon.inbox);
    assert(!names.some((name) => name.startsWith(theirs)), "something of a cancelled file stays");
    const happened = await client.happened();
    const received = happened.some(({ kind, name }) => kind === "received" && name === ours);
    assert(!received, "a cancelled file was received");
  }
  // What is left of them on either side disturbs nothing.
  await exchangeFiles(setting, met, [100_000]);
}

/** A page that is loaded anew in the middle of a file: the daemon knows, and the next one meets. */
export async function reloaded(setting: Setting, role: Role): Promise<void> {
  const { daemon, page, url } = setting;
  const met = await meet(daemon, page, url, role);
  const name = newName();
  // The page that would tell of it is gone.
  met.client.send(name, LONG).catch(() => {});
  const offer = await offerOf(daemon, name);
  await page.reload();
  await transferIn(daemon, offer, "interrupted");
  await closedSession(daemon, met.session);
  await inSession(setting, role, (again) => exchangeFiles(setting, again, [100_000]));
}

/** The daemon closes the session, in the middle of a file: the page knows within a second. */
export async function endedByDaemon(setting: Setting, role: Role): Promise<void> {
  const { daemon, page, url } = setting;
  const { client, session } = await meet(daemon, page, url, role);
  const name = newName();
  const sending = client.send(name, LONG).catch(() => {});
  await offerOf(daemon, name);
  const asked = Date.now();
  await daemon.client.closeSession(session.sessionId);
  const { at } = await client.first("ended");
  assertEquals([at - asked < KNOWS_MS, at - asked], [true, at - asked]);
  await sending;
  await closedSession(daemon, session);
  await client.close();
}
