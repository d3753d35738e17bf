/**
 * One file between two real daemons that is cut off at seeded bytes, again and again and in all ways,
 * and must arrive whole, once, without that anything comes again that was kept.
 *
 * @module
 */
import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import { SYNC_BYTES } from "../../src/storage/inbox/incoming_file.ts";
import { MAX_CHUNK_BYTES } from "../../src/protocol/transfer/limits.ts";
import type { Transfer } from "../../src/ipc/api/schemas.ts";
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import { meetingByFile, openedSession, pairBy, ServedDaemon } from "../support/daemon.ts";
import type { EventOf } from "../support/heard_events.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { namesIn, sha256, someBytes } from "../support/transfers.ts";
import { seededRandom } from "../transport/loss.ts";
import { FaultRelay } from "./relay.ts";

/** How a file is cut off. */
export const CUTS = [
  "the sender is killed",
  "the receiver is killed",
  "both are killed",
  "the path is cut",
  "the sender is stopped",
  "the receiver is stopped",
] as const;
/** See {@linkcode CUTS}. */
export type Cut = typeof CUTS[number];

/** What came of one file. */
export interface CutCounts {
  /** Cuts, in order, with the bytes that had come before. */
  readonly cuts: readonly { readonly cut: Cut; readonly at: number }[];
  /** Bytes that came more than once. */
  readonly again: number;
}

const NAME = "backup.bin";
/** Longest wait for anything: a lost path is noticed within a minute. */
const WAIT_MS = 120_000;

const DIES: Readonly<Record<Cut, readonly ("alice" | "bob")[]>> = {
  "the sender is killed": ["alice"],
  "the receiver is killed": ["bob"],
  "both are killed": ["alice", "bob"],
  "the path is cut": [],
  "the sender is stopped": ["alice"],
  "the receiver is stopped": ["bob"],
};

type Ended = EventOf<"transfer-finished" | "transfer-failed">;

/** Alice, who sends, and bob, who accepts what she sends. */
class Two implements AsyncDisposable {
  readonly folder: TempFolder;
  readonly #daemons = new Map<"alice" | "bob", ServedDaemon>();
  toBob = "";

  constructor(folder: TempFolder) {
    this.folder = folder;
  }

  get alice(): ServedDaemon {
    return this.#get("alice");
  }

  get bob(): ServedDaemon {
    return this.#get("bob");
  }

  /** Starts who does not run. */
  async start(): Promise<void> {
    for (const who of ["alice", "bob"] as const) {
      if (this.#daemons.has(who)) continue;
      // The relay carries datagrams; a connection would go past it.
      const flags = ["--transport", "udp"];
      const dataDir = this.folder.path(who);
      this.#daemons.set(who, await ServedDaemon.start({ dataDir, flags }));
    }
  }

  /** Ends one. */
  async end(who: "alice" | "bob", signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const daemon = this.#get(who);
    daemon.run.kill(signal);
    const { code, stderr } = await daemon.run.outcome();
    if (signal === "SIGTERM") assertEquals(code, 0, stderr);
    await daemon[Symbol.asyncDispose]();
    this.#daemons.delete(who);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }

  #get(who: "alice" | "bob"): ServedDaemon {
    const daemon = this.#daemons.get(who);
    if (daemon === undefined) throw new Error(`${who} does not run`);
    return daemon;
  }
}

/** Counts the bytes that the offerer's end of a relay takes in. */
function counted(relay: FaultRelay): () => number {
  let count = 0;
  const arrivals = relay.forth.arrivals.bind(relay.forth);
  relay.forth.arrivals = (bytes, now) => {
    count += bytes;
    return arrivals(bytes, now);
  };
  return () => count;
}

/**
 * Sends a file of so many bytes and cuts it off in each of these ways, one after the other.
 *
 * @throws {AssertionError} When it does not arrive whole, once, or more comes again than may.
 */
export async function sendThroughCuts(
  size: number,
  cuts: readonly Cut[],
  seed: number,
): Promise<CutCounts> {
  const random = seededRandom(seed);
  await using two = new Two(await TempFolder.make());
  const path = two.folder.path(NAME);
  const content = someBytes(size, seed);
  await Deno.writeFile(path, content);
  await two.start();
  const sessions = await pairBy(meetingByFile(two.folder), two.alice, two.bob);
  two.toBob = sessions.alice.identity ?? "";
  await two.bob.client.setAutoAccept(sessions.bob.identity ?? "", { enabled: true });
  const done: { cut: Cut; at: number }[] = [];
  let [again, kept, had] = [0, 0, 0];
  let last: string | undefined;
  for (const cut of [...cuts, undefined]) {
    await two.start();
    const heard = last === undefined ? undefined : await two.alice.client.getTransfer(last);
    if (heard?.state === "completed") break; // it was through before the cut
    await using relay = await FaultRelay.open();
    const { alice, bob } = two;
    const wire = counted(relay);
    const { offerer, answerer } = relay.meeting(two.folder);
    const [ours, theirs] = [await alice.pair(offerer), await bob.pair(answerer)];
    await openedSession(alice, ours);
    await openedSession(bob, theirs);
    const [sent] = await alice.client.send({ paths: [path], identity: two.toBob, priority: 0 });
    if (sent === undefined) throw new Error("nothing was queued");
    last = sent.transferId;
    // Somewhere in what is left; the last part of it may pass before the cut.
    const upTo = cut === undefined ? Infinity : had + Math.floor(random() * (size - had) * 0.7);
    const over = end(alice, (event) => event.transfer.transferId === sent.transferId);
    over.catch(() => {}); // its daemon may be killed before
    // Nothing comes of a file that has arrived in an earlier try.
    const flowing = flowed(bob, theirs.sessionId, upTo);
    const seen = await Promise.race([flowing, over.then(() => undefined)]);
    flowing.catch(() => {});
    const { resumedFrom = 0 } = seen ?? {};
    if (seen !== undefined) {
      assertGreaterOrEqual(resumedFrom, kept - kept % MAX_CHUNK_BYTES, "what was kept comes again");
      again += had - resumedFrom;
    }
    if (cut === undefined) {
      assertEquals((await over).type, "transfer-finished");
      assertLessOrEqual(wire(), (size - resumedFrom) * 1.25 + 1_000_000, "bytes on the wire");
      break;
    }
    if (cut === "the path is cut") relay.conditions = { cut: true };
    const isKill = cut.includes("killed");
    for (const who of DIES[cut]) await two.end(who, isKill ? "SIGKILL" : "SIGTERM");
    // Whoever is left notices by himself.
    if (!DIES[cut].includes("alice")) await over;
    const part = seen?.transferId;
    if (part === undefined) continue;
    if (!DIES[cut].includes("bob")) {
      await end(bob, (event) => event.transfer.transferId === part);
    }
    const state = await keptIn(two.folder.path("bob"), part);
    if (state === undefined) continue; // it has arrived
    kept = state.bytes;
    had = state.came;
    done.push({ cut, at: had });
    const lost = cut === "the receiver is killed" || cut === "both are killed"
      ? SYNC_BYTES + MAX_CHUNK_BYTES
      : MAX_CHUNK_BYTES;
    assertLessOrEqual(had - kept, lost, `${cut}: what has come is kept`);
  }
  assertEquals(await namesIn(two.bob.inbox), [NAME], "once, and no part is left");
  assertEquals(sha256(await Deno.readFile(join(two.bob.inbox, NAME))), sha256(content));
  const { transfers } = await two.bob.client.listTransfers({ limit: 100 });
  assertEquals(transfers.filter(({ state }) => state === "completed").length, 1);
  return { cuts: done, again };
}

/** Resolves when so many bytes have come over that session, or its transfer is over. */
async function flowed(
  bob: ServedDaemon,
  sessionId: string,
  upTo: number,
): Promise<Transfer | undefined> {
  let started: Transfer | undefined;
  const isThere = (event: ApiEvent): event is ApiEvent => {
    switch (event.type) {
      case "transfer-started":
        if (event.transfer.sessionId === sessionId) started = event.transfer;
        return false;
      case "transfer-progress":
        return event.transferId === started?.transferId && event.transferred >= upTo;
      case "transfer-finished":
      case "transfer-failed":
        return event.transfer.sessionId === sessionId;
      default:
        return false;
    }
  };
  await bob.heard.find("bytes", isThere, WAIT_MS);
  return started;
}

function end(daemon: ServedDaemon, fits: (event: Ended) => boolean): Promise<Ended> {
  const isIt = (event: ApiEvent): event is Ended =>
    (event.type === "transfer-finished" || event.type === "transfer-failed") && fits(event);
  return daemon.heard.find("the end of a transfer", isIt, WAIT_MS);
}

/** What bob's folder says of a part: bytes that are journaled as kept, and that have come. */
async function keptIn(
  dataDir: string,
  transferId: string,
): Promise<{ readonly bytes: number; readonly came: number } | undefined> {
  const lines = (await Deno.readTextFile(join(dataDir, "journal.ndjson"))).trim().split("\n");
  const last = lines.map((line) => JSON.parse(line).entry)
    .findLast((entry) => entry.transferId === transferId);
  assert(last !== undefined, "the journal knows the transfer");
  if (last.kept === undefined) return undefined;
  const { size } = await Deno.stat(join(dataDir, "inbox", `.${transferId}.part`));
  return { bytes: last.kept.bytes, came: size };
}
