/**
 * A file that two real daemons move across a {@linkcode FaultRelay}: it arrives whole, or both say
 * in time why not. Anything else is an error.
 *
 * @module
 */
import type { ApiEvent } from "../../src/ipc/api/events.ts";
import type { SessionView } from "../../src/ipc/api/schemas.ts";
import { meetingByFile, pairBy, ServedDaemon } from "../support/daemon.ts";
import type { EventOf } from "../support/heard_events.ts";
import type { Program } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { sha256, someBytes } from "../support/transfers.ts";
import {
  type Family,
  FaultRelay,
  type FaultRelayOptions,
  type RelayedMeeting,
  type Standing,
} from "./relay.ts";

/** What may carry a session. */
export const TRANSPORTS = ["udp", "tcp"] as const;
/** One of them. */
export type Transport = typeof TRANSPORTS[number];

/** What came of one side: its transfer's state, or `none` when it never heard of one. */
export interface SideEnd {
  readonly state: string;
  /** The named error of the transfer, or of the session without one. */
  readonly code: string | undefined;
}

/** What came of a file. */
export interface TransferResult {
  /** `arrived`: whole, with the right hash. `ended`: not, and both sides say why. */
  readonly result: "arrived" | "ended";
  readonly sender: SideEnd;
  readonly receiver: SideEnd;
  /** From the request to the end of both sides. */
  readonly ms: number;
  /** Share of datagrams, or of a connection's segments at first, that the relay lost. */
  readonly lost: number;
}

/** How a relay of a family stands to the two; on loopback when undefined. */
export type StandingOf = (
  family: Family,
) => { readonly alice: Standing; readonly bob: Standing };

/** Options of {@linkcode DaemonsOverRelay.transfer}. */
export interface RelayedTransferOptions extends Omit<FaultRelayOptions, "standing"> {
  /** Length of the file. */
  readonly bytes: number;
  /** By when both sides must have ended. */
  readonly deadlineMs: number;
  /** Who sends; the other receives. @default {"alice"} */
  readonly sender?: "alice" | "bob";
  /** What happens once bytes flow to the receiver, whose id of the transfer is told. */
  readonly whenFlowing?: (relay: FaultRelay, transferId: string) => void;
}

type TransferEnd = EventOf<"transfer-finished" | "transfer-failed">;
type SessionClosed = EventOf<"session-closed">;

const isTransferEnd = (event: ApiEvent): event is TransferEnd =>
  event.type === "transfer-finished" || event.type === "transfer-failed";

/** Options of {@linkcode DaemonsOverRelay.make}. */
export interface DaemonsOverRelayOptions {
  /** What carries their sessions. */
  readonly transport: Transport;
  /** The daemon's program. @default {the one from source} */
  readonly alice?: Program;
  /** See {@linkcode DaemonsOverRelayOptions.alice}. */
  readonly bob?: Program;
  /** Where nothing but a relay joins them, how it stands to both. @default {on loopback} */
  readonly standing?: StandingOf;
}

/** Two daemons that trust each other and accept each other's files. */
export class DaemonsOverRelay implements AsyncDisposable {
  readonly alice: ServedDaemon;
  readonly bob: ServedDaemon;
  readonly folder: TempFolder;
  readonly #standing: StandingOf | undefined;
  readonly #stack: AsyncDisposableStack;
  #count = 0;

  private constructor(
    parts: Pick<DaemonsOverRelay, "alice" | "bob" | "folder">,
    standing: StandingOf | undefined,
    stack: AsyncDisposableStack,
  ) {
    this.alice = parts.alice;
    this.bob = parts.bob;
    this.folder = parts.folder;
    this.#standing = standing;
    this.#stack = stack;
  }

  /** Starts them, and pairs them: without a relay, unless only a relay joins them. */
  static async make(
    { transport, standing, ...programs }: DaemonsOverRelayOptions,
  ): Promise<DaemonsOverRelay> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(await TempFolder.make());
    const flags = ["--transport", transport];
    const start = async (program: Program | undefined) =>
      stack.use(await ServedDaemon.start({ flags, ...(program === undefined ? {} : { program }) }));
    const alice = await start(programs.alice);
    const bob = await start(programs.bob);
    const sessions = await pairOver(standing, folder, alice, bob);
    await alice.client.setAutoAccept(sessions.alice.identity ?? "", { enabled: true });
    await bob.client.setAutoAccept(sessions.bob.identity ?? "", { enabled: true });
    const daemons = new DaemonsOverRelay({ alice, bob, folder }, standing, stack.move());
    await close([alice, sessions.alice], [bob, sessions.bob]);
    return daemons;
  }

  /**
   * Opens a session across a relay in these conditions and sends a file. The sender offers.
   *
   * @throws {Error} When it neither arrives nor ends on both sides, within the deadline.
   */
  async transfer(options: RelayedTransferOptions): Promise<TransferResult> {
    const { whenFlowing, sender = "alice", family = "IPv4" } = options;
    const standing = standingOf(this.#standing?.(family), sender);
    await using relay = await FaultRelay.open({ ...options, ...standing });
    const end = await this.#transfer(
      relay.meeting(this.folder),
      options,
      (id) => whenFlowing?.(relay, id),
    );
    const { counts } = relay;
    if (counts.received === 0) throw new Error("nothing went through the relay");
    return { ...end, lost: counts.lost / counts.received };
  }

  /** As {@linkcode DaemonsOverRelay.transfer}, without a relay: over whatever lies between the two. */
  async transferDirectly(
    options: Pick<RelayedTransferOptions, "bytes" | "deadlineMs">,
    whenFlowing?: () => Promise<unknown>,
  ): Promise<TransferResult> {
    const end = await this.#transfer(meetingByFile(this.folder), options, () => whenFlowing?.());
    return { ...end, lost: 0 };
  }

  async #transfer(
    { offerer, answerer }: RelayedMeeting,
    options: Pick<RelayedTransferOptions, "bytes" | "deadlineMs" | "seed" | "sender">,
    whenFlowing: (transferId: string) => unknown,
  ): Promise<Omit<TransferResult, "lost">> {
    const began = performance.now();
    const left = () => Math.max(1, options.deadlineMs - (performance.now() - began));
    const [from, to] = options.sender === "bob" ? [this.bob, this.alice] : [this.alice, this.bob];
    const ours = await from.pair(offerer);
    const theirs = await to.pair(answerer);
    const name = `file-${++this.#count}.bin`;
    const path = this.folder.path(name);
    const content = someBytes(options.bytes, options.seed ?? 1);
    await Deno.writeFile(path, content);
    const receiving = received(to, theirs, name, left());
    const sending = sent(from, ours, path, left());
    const flowing = flowingTo(to, theirs, name, left())
      .then((id) => id === undefined ? undefined : whenFlowing(id));
    const ends = await Promise.all([sending, receiving, flowing]);
    const [sender, { end: receiver, savedAt }] = ends;
    const ms = performance.now() - began;
    await Deno.remove(path);
    await close([from, ours], [to, theirs]);
    const facts = { sender, receiver, ms };
    if (savedAt !== undefined) {
      const arrived = sha256(await Deno.readFile(savedAt));
      await Deno.remove(savedAt);
      if (arrived !== sha256(content)) throw new Error(`${name} arrived with a wrong hash`);
      return { result: "arrived", ...facts };
    }
    for (const side of [sender, receiver]) {
      if (side.code === undefined) throw new Error(`no named error: ${JSON.stringify(facts)}`);
    }
    return { result: "ended", ...facts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** The sender offers. */
function standingOf(standing: ReturnType<StandingOf> | undefined, sender: "alice" | "bob") {
  if (standing === undefined) return {};
  const { alice, bob } = standing;
  const [offerer, answerer] = sender === "alice" ? [alice, bob] : [bob, alice];
  return { standing: { offerer, answerer } };
}

async function pairOver(
  standing: StandingOf | undefined,
  folder: TempFolder,
  alice: ServedDaemon,
  bob: ServedDaemon,
) {
  if (standing === undefined) return await pairBy(meetingByFile(folder), alice, bob);
  await using relay = await FaultRelay.open(standingOf(standing("IPv4"), "alice"));
  return await pairBy(relay.meeting(folder), alice, bob);
}

async function sent(
  from: ServedDaemon,
  session: SessionView,
  path: string,
  ms: number,
): Promise<SideEnd> {
  const opened = await opening(from, session, ms);
  if (opened.type === "session-closed") return withoutTransfer(opened);
  const { sessionId } = session;
  const [queued] = await from.client.send({ paths: [path], sessionId, priority: 0 });
  const isIt = (event: ApiEvent): event is TransferEnd =>
    isTransferEnd(event) && event.transfer.transferId === queued?.transferId;
  return endOf(await from.heard.find("the end of sending", isIt, ms));
}

async function received(
  to: ServedDaemon,
  session: SessionView,
  name: string,
  ms: number,
): Promise<{ readonly end: SideEnd; readonly savedAt?: string }> {
  const isEnd = (event: ApiEvent): event is TransferEnd =>
    isTransferEnd(event) && event.transfer.name === name;
  const isOver = (event: ApiEvent): event is TransferEnd | SessionClosed =>
    isEnd(event) || isClosed(event, session);
  let over: ApiEvent = await to.heard.find("the end of receiving", isOver, ms);
  if (over.type === "session-closed") {
    const isOffered = to.events.some((event) =>
      event.type === "transfer-offered" && event.transfer.name === name
    );
    if (!isOffered) return { end: withoutTransfer(over) };
    over = await to.heard.find("the end of receiving", isEnd, ms);
  }
  if (!isTransferEnd(over)) throw new Error("unreachable");
  const { path } = over.transfer;
  const isSaved = over.type === "transfer-finished" && path !== undefined;
  return { end: endOf(over), ...(isSaved ? { savedAt: path } : {}) };
}

/** The receiver's id of the transfer at the first sign of bytes; undefined when none come. */
async function flowingTo(
  to: ServedDaemon,
  session: SessionView,
  name: string,
  ms: number,
): Promise<string | undefined> {
  const ids = new Set<string>();
  const isFlowing = (event: ApiEvent): event is ApiEvent => {
    if (event.type === "transfer-started" && event.transfer.name === name) {
      ids.add(event.transfer.transferId);
    }
    return event.type === "transfer-progress" && ids.has(event.transferId) ||
      isTransferEnd(event) && event.transfer.name === name || isClosed(event, session);
  };
  const event = await to.heard.find("bytes", isFlowing, ms);
  return event.type === "transfer-progress" ? event.transferId : undefined;
}

async function close(...ends: readonly (readonly [ServedDaemon, SessionView])[]): Promise<void> {
  for (const [daemon, { sessionId }] of ends) await daemon.client.closeSession(sessionId);
  for (const [daemon, session] of ends) {
    await daemon.event("session-closed", (event) => isClosed(event, session));
  }
}

function isClosed(event: ApiEvent, { sessionId }: SessionView): event is SessionClosed {
  return event.type === "session-closed" && event.session.sessionId === sessionId;
}

/** The session's opening, or its end. */
function opening(
  daemon: ServedDaemon,
  session: SessionView,
  ms: number,
): Promise<EventOf<"session-opened"> | SessionClosed> {
  const isIt = (event: ApiEvent): event is EventOf<"session-opened"> | SessionClosed =>
    isClosed(event, session) ||
    event.type === "session-opened" && event.session.sessionId === session.sessionId;
  return daemon.heard.find("the opening of a session", isIt, ms);
}

function endOf({ transfer }: TransferEnd): SideEnd {
  const { state, failure } = transfer;
  return { state, code: failure?.code ?? (state === "completed" ? undefined : state) };
}

function withoutTransfer({ session }: SessionClosed): SideEnd {
  return { state: "none", code: session.failure?.code };
}
