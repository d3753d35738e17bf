/**
 * A daemon and a web client that meet, and files that go between them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { PairingDecision, PairRequest, SessionView } from "../../src/ipc/api/schemas.ts";
import { type DaemonUnderTest, meeting, openedSession, pairingOf } from "../support/daemon.ts";
import { sha256, someBytes, transferIn } from "../support/transfers.ts";
import type { WebClientOptions } from "./page/options.ts";
import type { PageClient, WebPage } from "./web_page.ts";

/** Which side the page is. */
export const ROLES = ["offers", "answers"] as const;
/** Which side the page is. */
export type Role = typeof ROLES[number];

/** What a meeting may have besides. */
export interface MeetingOptions extends Partial<WebClientOptions> {
  /** Whether the daemon asks the page's people, as offerer. */
  readonly webConsent?: "on" | "off";
  /** What the daemon's person decides. @default {allowed, with its files} */
  readonly decision?: PairingDecision;
}

/** A session that is open at both ends. */
export interface Met {
  /** The page's end. */
  readonly client: PageClient;
  /** The daemon's. */
  readonly session: SessionView;
}

/** A large file takes so long at most, on a machine with much else to do. */
const ARRIVES_MS = 300_000;

let codes = 0;

/** Codes of a page and a daemon that nobody has had. */
function newCodes(): { readonly code: string; readonly peer: string } {
  codes++;
  return { code: `PAGE${codes}`, peer: `BOLT${codes}` };
}

/** What the daemon is asked for. */
export function pairRequest(
  url: string,
  role: Role,
  { code, peer }: { readonly code: string; readonly peer: string },
  webConsent?: "on" | "off",
): PairRequest {
  const { offerer, answerer } = meeting(url);
  const asks = webConsent === undefined ? {} : { webConsent };
  const request = role === "answers"
    ? { ...offerer, peerId: peer, to: code, web: true, ...asks }
    : { ...answerer, peerId: peer, expectPeer: code, web: true };
  return request as PairRequest;
}

/** Has a daemon and a client in a page meet; both people say yes, and read the same SAS. */
export async function meet(
  daemon: DaemonUnderTest,
  page: WebPage,
  url: string,
  role: Role,
  options: MeetingOptions = {},
): Promise<Met> {
  const { webConsent, decision: _, ...clientOptions } = options;
  const codes = newCodes();
  const asked = await daemon.pair(pairRequest(url, role, codes, webConsent));
  const client = await page.begin({ url, role, ...codes, ...clientOptions });
  try {
    return await letIn(daemon, client, asked, options);
  } catch (error) {
    await daemon.client.closeSession(asked.sessionId).catch(() => {}); // it may have ended
    const ofSession = daemon.events.filter((event) =>
      JSON.stringify(event).includes(asked.sessionId)
    );
    const told = [...ofSession, ...await client.happened()].map((one) => JSON.stringify(one));
    await client.close();
    throw new Error(`${error}; what was told of it:\n${told.join("\n")}`, { cause: error });
  }
}

async function letIn(
  daemon: DaemonUnderTest,
  client: PageClient,
  asked: SessionView,
  { decision }: MeetingOptions,
): Promise<Met> {
  const { pairingId, sas } = await pairingOf(daemon, asked);
  // Its people read the same; before it they may have read that of a channel that was of no use.
  await client.first("opened", { name: sas });
  const { decision: word, acceptFiles } = decision ?? { decision: "allow_once", acceptFiles: true };
  await daemon.client.decidePairing(pairingId, {
    decision: word,
    unproven: true,
    ...(acceptFiles === undefined ? {} : { acceptFiles }),
  });
  return { client, session: await openedSession(daemon, asked) };
}

/** The page sends a file: the daemon has it whole. */
export async function toDaemon(
  daemon: DaemonUnderTest,
  { client }: Met,
  name: string,
  size: number,
  seed = 0,
): Promise<void> {
  await client.send(name, size, seed);
  await client.first("sent", { name });
  await arrived(daemon, name, size, seed);
}

/** A file that a page sends comes whole. */
export async function arrived(
  daemon: DaemonUnderTest,
  name: string,
  size: number,
  seed: number,
): Promise<void> {
  const { transfer } = await daemon.event(
    "transfer-finished",
    ({ transfer }) => transfer.direction === "incoming" && transfer.name === name,
    ARRIVES_MS,
  );
  const hash = sha256(await Deno.readFile(transfer.path ?? ""));
  assertEquals([transfer.size, hash], [size, sha256(someBytes(size, seed))]);
}

/** The daemon sends a file: the page has it whole. */
export async function toPage(
  daemon: DaemonUnderTest,
  { client, session }: Met,
  path: string,
  size: number,
  seed = 0,
): Promise<void> {
  const bytes = someBytes(size, seed);
  await Deno.writeFile(path, bytes);
  const to = { sessionId: session.sessionId };
  const [sent] = await daemon.client.send({ paths: [path], ...to, priority: 0 });
  if (sent === undefined) throw new Error("nothing was queued");
  const name = String(sent.name);
  const { size: got, detail } = await client.first("received", {
    name,
    withinMs: ARRIVES_MS,
  });
  assertEquals([got, detail], [size, sha256(bytes)]);
  const told = await transferIn(daemon, sent, "completed");
  assertEquals(told.confirmed, false);
}
