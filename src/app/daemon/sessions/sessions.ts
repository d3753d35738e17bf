/**
 * The daemon's sessions: opened on request, decided about, bounded, remembered for a while.
 *
 * @module
 */
import { abortable, Deadline } from "../../../base/deadline.ts";
import { DaemonError, messageOf } from "../../../base/errors.ts";
import { PAGE_HELLO_MS } from "../../../base/timing.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import type { PairParameters } from "../../../ipc/api/operations.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { peerText } from "../../../ipc/api/peer_text.ts";
import type { SessionView } from "../../../ipc/api/schemas.ts";
import type { Log } from "../../../log/log.ts";
import type { IdentityKeyPair } from "../../../protocol/crypto/keys.ts";
import { IdentityRefusedError } from "../../../protocol/identity/identity_handshake.ts";
import { DescriptionSecrets } from "../../../protocol/identity/proven_identity.ts";
import type { RandomSource } from "../../../protocol/crypto/random_source.ts";
import type { PeerFacts, SessionEnd } from "../../../protocol/session/effects.ts";
import type { ExtensionName } from "../../../protocol/extensions.ts";
import { limitsFor } from "../../../protocol/transfer/limits.ts";
import {
  BINARY_ENCODING,
  CAPABILITIES,
  type Capability,
  RESUME,
} from "../../../protocol/messages/capabilities.ts";
import {
  type IdentityClaim,
  type RefusedClaim,
  Session,
} from "../../../protocol/session/session.ts";
import type { PeerCode } from "../../../protocol/signal/peer_code.ts";
import type { Registrations } from "../../../signaling/rendezvous/registrations.ts";
import type { Connector, TransportChoice } from "../../../transport/connector.ts";
import type { CountedSessionEnd, Tally } from "../tally.ts";
import type { SessionTransfers } from "../transfers/session_transfers.ts";
import type { TransferService } from "../transfers/transfer_service.ts";
import { type Gatekeeper, ownIdentityRefused } from "../trust/gatekeeper.ts";
import type { SessionConnection } from "./connect_session.ts";
import { PeerSession } from "./peer_session.ts";
import { prepareSealing } from "./prepare_sealing.ts";

/** Ended sessions that can still be looked up. */
const MAX_KEPT = 64;

const STOPPING = "the daemon is stopping";

/** Told of every session, by whatever it was asked for. */
export interface SessionObserver {
  /** It is open: its peer was let in. */
  opened(session: SessionView): void;
  /** It, or the attempt at it, has ended; `refused` says whether its peer was not let in. */
  ended(session: SessionView, refused: boolean): void;
}

/** Options of {@linkcode Sessions}. */
export interface SessionsOptions {
  /** Who we are; the secret half proves it, and stays the caller's. */
  readonly identity: IdentityKeyPair;
  /** Our code unless a request names one. */
  readonly selfCode: PeerCode;
  /** What we say and hear beyond the published protocol. */
  readonly extensions: ReadonlySet<ExtensionName>;
  /** Most bytes of a file, sent or received. */
  readonly maxFileBytes: number;
  /** Shown to others. */
  readonly deviceName: string;
  /** Most sessions at once, those being opened too. */
  readonly maxPeers: number;
  /** What may carry sessions. */
  readonly transport: TransportChoice;
  /** Has us registered at rendezvous servers. */
  readonly registrations: Registrations;
  /** Told of what opens and ends. */
  readonly observer: SessionObserver;
  /** Loads what makes connections: late, so that the daemon starts fast. */
  readonly loadConnector: () => Promise<Connector>;
  /** Decides who is let in. */
  readonly gatekeeper: Gatekeeper;
  /** Where events are published. */
  readonly events: EventHub;
  /** Counts ends and refusals. */
  readonly tally: Tally;
  /** Where it is logged. */
  readonly log: Log;
  /** Carries on the transfers of open sessions. */
  readonly transfers: TransferService;
  /** For the peer of a session that is closed to confirm that, in milliseconds. */
  readonly confirmMs: number;
  /** Fresh random bytes. */
  readonly random: RandomSource;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Entry {
  view: SessionView;
  /** The identity that it was asked for with. */
  readonly expects?: string;
  readonly abort: AbortController;
  /**
   * Resolved when the session is over, with who ended it, though its channel may take a while to
   * close.
   */
  readonly over: PromiseWithResolvers<SessionEnd["by"]>;
  peer?: PeerSession;
  transfers?: SessionTransfers;
  running?: Promise<void>;
  /** Its peer was not let in. */
  refused?: true;
  /**
   * Set when it is closed or the daemon stops: whether the peer has confirmed its transfers'
   * cancel.
   */
  confirmed?: Promise<boolean>;
}

/** The sessions of this run of the daemon, ended ones for a while. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #entries = new Map<string, Entry>();
  #stopping = false;

  /** Starts with none. */
  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** Whether peers prove their identities to us, and we ours to them. */
  get proves(): boolean {
    return this.#options.extensions.has("proven-identity");
  }

  /** Sessions that have not ended. */
  get open(): number {
    return [...this.#entries.values()].filter(({ view }) => !isEnded(view)).length;
  }

  /**
   * Begins to open a session.
   *
   * @throws {OperationError} LIMIT_EXCEEDED, POLICY_REFUSED, STOPPING
   */
  pair(request: PairParameters): SessionView {
    const { maxPeers, events, identity: { publicKey } } = this.#options;
    const { expectIdentity } = request;
    if (this.#stopping) throw new OperationError("STOPPING", STOPPING);
    if (expectIdentity === publicKey.hex) throw ownIdentityRefused();
    if (expectIdentity !== undefined && !this.proves) throw noneIsProven();
    if (this.open >= maxPeers) {
      throw new OperationError(
        "LIMIT_EXCEEDED",
        `${maxPeers} sessions are open or being opened already (--max-peers): close one first`,
      );
    }
    const view: SessionView = {
      sessionId: crypto.randomUUID(),
      state: "signaling",
      role: request.role,
      signal: request.signal,
      web: request.signal === "rendezvous" && request.web === true,
      createdAt: this.#time(),
    };
    const entry: Entry = {
      view,
      ...(expectIdentity === undefined ? {} : { expects: expectIdentity }),
      abort: new AbortController(),
      over: Promise.withResolvers<SessionEnd["by"]>(),
    };
    this.#entries.set(view.sessionId, entry);
    this.#forgetOld();
    events.publish({ type: "session-started", session: view });
    entry.running = this.#run(entry, request);
    return view;
  }

  /** All that are remembered, the oldest first. */
  list(): SessionView[] {
    return [...this.#entries.values()].map(({ view }) => view);
  }

  /** One session. @throws {OperationError} SESSION_NOT_FOUND */
  get(sessionId: string): SessionView {
    return this.#find(sessionId).view;
  }

  /**
   * Ends one, or the attempt at it.
   *
   * @param resumable Whether its transfers are to go on in another session, where it can resume.
   * @throws {OperationError} SESSION_NOT_FOUND
   */
  close(sessionId: string, resumable = false): SessionView {
    const entry = this.#find(sessionId);
    this.#closeInOrder(entry, "the session was closed by the application", resumable);
    return entry.view;
  }

  /** Ends the attempt at one, unless it is open by now. @throws {OperationError} SESSION_NOT_FOUND */
  abandon(sessionId: string, message: string): void {
    const entry = this.#find(sessionId);
    if (entry.view.state !== "open") this.#end(entry, message);
  }

  /** The transfers of an open session, found by its id. */
  transfersOf(sessionId: string): SessionTransfers | undefined {
    const entry = this.#entries.get(sessionId);
    return entry?.view.state === "open" ? entry.transfers : undefined;
  }

  /**
   * The transfers of the open session with a peer: a proven one. One in which the identity is only
   * claimed counts where it has never been proven, and is not trusted by key.
   */
  transfersWith(identity: string): SessionTransfers | undefined {
    const open = this.#allOf(identity).filter(({ view }) => view.state === "open");
    const proven = open.find(({ view }) => view.proven === true);
    if (proven !== undefined) return proven.transfers;
    return this.#options.gatekeeper.isProven(identity) ? undefined : open[0]?.transfers;
  }

  /** The open session in which this identity is proven. */
  provenWith(identity: string): SessionView | undefined {
    return this.#allOf(identity)
      .find(({ view }) => view.state === "open" && view.proven === true)?.view;
  }

  /** Whether a session that is open only claims this identity. */
  hasUnprovenWith(identity: string): boolean {
    return this.#allOf(identity).some(({ view }) => view.state === "open" && !view.proven);
  }

  /** Ends the sessions with an identity; `but` one, where it is given. */
  closeAllOf(identity: string, message: string, but?: string): void {
    for (const entry of this.#allOf(identity)) {
      if (entry.view.sessionId !== but) this.#closeInOrder(entry, message);
    }
  }

  /** Ends the sessions that only claim an identity. */
  closeUnprovenOf(identity: string, message: string): void {
    for (const entry of this.#allOf(identity)) {
      if (entry.view.proven !== true) this.#closeInOrder(entry, message);
    }
  }

  /**
   * Opens none any more, and cancels what is in transfer over those that are open; they stay open.
   *
   * @param signal Ends the wait.
   * @returns The ids of the sessions whose peer has not confirmed that, when all have or the wait
   * ended.
   */
  async cancelTransfers(signal: AbortSignal): Promise<ReadonlySet<string>> {
    this.#stopping = true;
    const unconfirmed = new Set<string>();
    const waits: Promise<void>[] = [];
    for (const entry of this.#entries.values()) {
      const { peer, view: { sessionId, state } } = entry;
      if (state === "open" && peer !== undefined) {
        entry.confirmed = this.#cancelTransfersOf(sessionId, peer, STOPPING, signal, true);
      } else if (entry.confirmed === undefined) this.#end(entry, STOPPING);
      const heard = entry.confirmed?.then((confirmed) =>
        void (confirmed || unconfirmed.add(sessionId))
      );
      if (heard !== undefined) waits.push(heard);
    }
    await Promise.all(waits);
    return unconfirmed;
  }

  /**
   * Whether the peer of a session has confirmed the cancel of its transfers; undefined when none
   * was sent: the session was not open, or nobody closes it.
   */
  confirmedBy(sessionId: string | undefined): Promise<boolean> | undefined {
    return sessionId === undefined ? undefined : this.#entries.get(sessionId)?.confirmed;
  }

  /** Opens none any more and ends all in order; resolves when they have ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const entries = [...this.#entries.values()];
    for (const entry of entries) this.#end(entry, STOPPING, true);
    await Promise.all(entries.map(({ running }) => running));
  }

  /** Ends all at once. */
  async force(): Promise<void> {
    this.#stopping = true;
    const entries = [...this.#entries.values()];
    await Promise.all(entries.map(async ({ abort, peer, running }) => {
      abort.abort(new OperationError("STOPPING", STOPPING));
      await peer?.[Symbol.asyncDispose]();
      await running;
    }));
  }

  async #run(entry: Entry, request: PairParameters): Promise<void> {
    const { log, tally } = this.#options;
    try {
      const connection = await this.#connect(entry, request);
      using _secrets = connection.ours;
      const end = await this.#carry(entry, connection);
      await this.#conclude(entry, end);
    } catch (error) {
      const code = error instanceof DaemonError ? error.code : "SESSION_FAILED";
      const message = messageOf(error);
      log.warn("a session failed", { session: entry.view.sessionId, code, reason: message });
      const failed = !entry.abort.signal.aborted;
      this.#update(entry, {
        state: failed ? "failed" : "closed",
        endedAt: this.#time(),
        ...(failed ? { failure: { code, message: peerText(message) } } : {}),
      });
      tally.sessionEnded(failed ? "failed" : "local");
      this.#options.events.publish({ type: "session-closed", session: entry.view });
      this.#options.observer.ended(entry.view, false);
    } finally {
      // It can be looked up for a while, and must not keep its connection's memory for so long.
      delete entry.peer;
      delete entry.transfers;
    }
  }

  async #connect(entry: Entry, request: PairParameters): Promise<SessionConnection> {
    const { loadConnector, transport, selfCode, deviceName, identity, random, log } = this.#options;
    const { registrations } = this.#options;
    const [connector, { connectSession }] = await Promise.all([
      loadConnector(),
      import("./connect_session.ts"),
    ]);
    let sealing: Promise<void> | undefined;
    const canSeal = () => sealing ??= prepareSealing(log);
    const connection = await connectSession({
      request,
      connector,
      transport,
      selfCode,
      deviceName,
      registrations,
      commits: this.proves,
      freshSecrets: () => new DescriptionSecrets(identity.publicKey, random),
      signal: entry.abort.signal,
      onConnecting: () => {
        this.#update(entry, { state: "connecting" });
        canSeal();
      },
      onPageChannel: async (connection, signal) => {
        await canSeal();
        return await this.#greetPage(entry, connection, signal);
      },
    });
    await canSeal();
    return connection;
  }

  /**
   * Begins the session on a page's channel. Resolves with nothing once the page has said HELLO, or the
   * session has ended; or else with what was begun, which counts no more.
   */
  async #greetPage(
    entry: Entry,
    connection: SessionConnection,
    signal: AbortSignal,
  ): Promise<AsyncDisposable | void> {
    const { peer, greeted } = this.#begin(entry, connection);
    using deadline = new Deadline(PAGE_HELLO_MS, { what: "the page's HELLO", parent: signal });
    try {
      return await abortable(greeted, deadline.signal);
    } catch (error) {
      delete entry.peer;
      const left = { [Symbol.asyncDispose]: () => this.#giveUp(entry, peer) };
      if (!signal.aborted) return left;
      await left[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #giveUp(entry: Entry, peer: PeerSession): Promise<void> {
    await peer[Symbol.asyncDispose]();
    this.#countSilence(entry, await peer.ended);
  }

  /** Runs the protocol over the open channel, to its end. */
  async #carry(entry: Entry, connection: SessionConnection): Promise<SessionEnd> {
    try {
      const peer = entry.peer ?? this.#begin(entry, connection).peer;
      return await peer.ended;
    } finally {
      await connection.channel.close({ graceful: false });
    }
  }

  /** Says HELLO on the open channel. `greeted`: both have, or the session has ended. */
  #begin(
    entry: Entry,
    { channel, ours, theirs, peerCode, deviceName }: SessionConnection,
  ): { readonly peer: PeerSession; readonly greeted: Promise<void> } {
    const { identity, random, gatekeeper } = this.#options;
    this.#update(entry, {
      state: "handshaking",
      ...(peerCode === undefined ? {} : { peerCode }),
      ...(deviceName === "" ? {} : { deviceName: peerText(deviceName) }),
      ...(channel.path === undefined ? {} : { path: channel.path }),
    });
    const peerKind = entry.view.web ? "web" : "daemon";
    const proof = {
      role: entry.view.role,
      identitySecret: identity.secretKey,
      nonce: ours.nonce,
      commitment: ours.commitment,
      remoteCommitment: theirs.commitment,
      certificates: channel.certificates,
    };
    const session = new Session({
      identity: identity.publicKey,
      ephemeral: ours.ephemeral,
      remoteEphemeral: theirs.publicKey,
      ...(this.proves ? { proof } : {}),
      refuse: (claim) => unexpected(claim, entry.expects) ?? gatekeeper.refuses(claim),
      random,
      peerKind,
      capabilities: capabilitiesWith(this.#options.extensions),
      limits: limitsFor(this.#options.maxFileBytes),
    });
    const { promise: greeted, resolve } = Promise.withResolvers<void>();
    // One that was given up may still hear from its peer.
    const ifCounts = (tell: () => void) => {
      if (entry.peer === peer) tell();
      resolve();
    };
    const peer: PeerSession = new PeerSession({
      session,
      channel,
      listener: {
        established: (facts) => ifCounts(() => this.#established(entry, peer, facts, deviceName)),
        ending: (end) => ifCounts(() => this.#ending(entry, end)),
      },
    });
    entry.peer = peer;
    if (entry.abort.signal.aborted) throw entry.abort.signal.reason;
    peer.start();
    return { peer, greeted };
  }

  #established(entry: Entry, peer: PeerSession, facts: PeerFacts, deviceName: string): void {
    const { log, tally } = this.#options;
    const { sessionId, peerCode } = entry.view;
    if (facts.btrLogToken !== undefined) log.warn(facts.btrLogToken, { session: sessionId });
    const identity = facts.identity.hex;
    const { sas, proven, btr } = facts;
    const name = proven ? this.#options.gatekeeper.nameOf(identity) : undefined;
    this.#update(entry, {
      ...{ state: "deciding", identity, proven, sas },
      ...(name === undefined ? {} : { name }),
    });
    log.info("handshake done", { session: sessionId, identity, proven, sas, btr });
    if (!proven) {
      log.warn(
        "the peer has not proven its identity, and who relays the signals can forge its SAS",
        {
          session: sessionId,
        },
      );
    }
    const identified = {
      sessionId,
      identity,
      deviceName,
      proven,
      sas,
      ...(peerCode === undefined ? {} : { peerCode }),
    };
    const isExpected = entry.expects !== undefined;
    const judged = this.#options.gatekeeper.judge(identified, entry.over.promise, isExpected);
    judged.then((admission) => {
      if (isEnded(entry.view) || entry.view.state === "closing") return;
      if (admission.admitted) {
        return this.#admit(entry, peer, facts, admission.acceptsFiles ?? false);
      }
      const failure = { code: admission.code, message: peerText(admission.message) };
      this.#update(entry, { failure });
      entry.refused = true;
      tally.refused(admission.code);
      if (admission.wireCode === undefined) peer.close(admission.message);
      else peer.fail(admission.wireCode, "the identity key is not the one that is pinned");
    }).catch((error) => {
      // A decision that can't be kept lets nobody in.
      log.error("the decision about a peer failed", { reason: messageOf(error) });
      this.#update(entry, {
        failure: { code: "STORAGE_FAILED", message: peerText(messageOf(error)) },
      });
      peer.close("the decision about the peer failed");
    });
  }

  #admit(entry: Entry, peer: PeerSession, facts: PeerFacts, acceptsFiles: boolean): void {
    const { proven, resumes } = facts;
    const identity = facts.identity.hex;
    const { transfers, events, log, tally } = this.#options;
    const { sessionId } = entry.view;
    for (const older of this.#allOf(identity)) {
      // Who only claims to be the peer ends no session in which it has proven who it is.
      if (older === entry || (older.view.proven === true && !proven)) continue;
      // A peer that comes again has lost its session, though we may not know yet.
      older.transfers?.markLost();
      // Its transfers go on in the newer one.
      this.#end(older, "the peer opened a newer session", true);
    }
    const who = { identity, proven, resumes, acceptsFiles };
    entry.transfers = transfers.attach({ sessionId, ...who, peer });
    this.#update(entry, { state: "open", openedAt: this.#time() });
    tally.sessionOpened(proven);
    log.info("session open", { session: sessionId, identity, proven });
    events.publish({ type: "session-opened", session: entry.view });
    this.#options.observer.opened(entry.view);
    transfers.start(entry.transfers);
  }

  /** The session is over: nothing is decided about it or sent over it any more. */
  #ending(entry: Entry, end: SessionEnd): void {
    if (!isEnded(entry.view)) this.#update(entry, { state: "closing" });
    if (end.by !== "local") entry.transfers?.markLost();
    entry.over.resolve(end.by);
  }

  /** Tells of the end at once; resolves when it is kept how long the peer was here. */
  #conclude(entry: Entry, end: SessionEnd): Promise<void> {
    const { transfers, events, log, tally } = this.#options;
    if (end.error instanceof IdentityRefusedError) this.#identityRefused(entry, end.error);
    this.#countSilence(entry, end);
    const { sessionId, failure: known, identity, proven = false, openedAt } = entry.view;
    const failure = known ??
      (end.error === undefined
        ? undefined
        : { code: end.error.code, message: peerText(end.error.message) });
    this.#update(entry, {
      state: failure === undefined ? "closed" : "failed",
      endedAt: this.#time(),
      ...(failure === undefined ? {} : { failure }),
    });
    const kept = identity === undefined || openedAt === undefined
      ? Promise.resolve()
      : this.#options.gatekeeper.left({ identity, proven });
    tally.sessionEnded(entry.refused ? "refused" : countedEnd(end, failure?.code));
    const reason = failure?.message;
    log.info("session ended", { session: sessionId, by: end.by, code: failure?.code, reason });
    if (entry.transfers !== undefined) {
      transfers.sessionEnded(entry.transfers, end.error?.message ?? "the session ended");
    }
    events.publish({ type: "session-closed", session: entry.view });
    this.#options.observer.ended(entry.view, entry.refused === true);
    return kept;
  }

  /** Where an identity is expected, no SAS is asked for, and none can be guessed. */
  #countSilence({ expects, view }: Entry, { nonceLeft }: SessionEnd): void {
    if (nonceLeft && expects === undefined) {
      this.#options.gatekeeper.countSilentAttempt(view.peerCode);
    }
  }

  /** The peer claimed an identity and did not prove it: nobody's key has changed. */
  #identityRefused(entry: Entry, { claimed, step, message }: IdentityRefusedError): void {
    const { events, log, tally } = this.#options;
    const { sessionId, peerCode } = entry.view;
    entry.refused = true;
    tally.refused("IDENTITY_REFUSED");
    this.#update(entry, { failure: { code: "IDENTITY_REFUSED", message: peerText(message) } });
    log.error("an identity that was claimed is not proven, and the session was refused", {
      session: sessionId,
      peer_code: peerCode,
      claimed: claimed.hex,
      step,
      reason: message,
    });
    events.publish({
      type: "identity-refused",
      sessionId,
      claimed: claimed.hex,
      step,
      message: peerText(message),
      ...(peerCode === undefined ? {} : { peerCode }),
    });
  }

  /** Resolves with whether the peer has confirmed the cancel, when it has or the signal aborts. */
  async #cancelTransfersOf(
    sessionId: string,
    peer: PeerSession,
    message: string,
    signal: AbortSignal,
    resumable = false,
  ): Promise<boolean> {
    try {
      await peer.cancelTransfers(message, signal, resumable);
      return true;
    } catch (error) {
      this.#options.log.warn("a peer has not confirmed the last messages", {
        session: sessionId,
        reason: messageOf(error),
      });
      return false;
    }
  }

  /**
   * Ends a session as soon as its peer has confirmed the cancel of its transfers, or the time is
   * over.
   */
  #closeInOrder(entry: Entry, message: string, resumable = false): void {
    const { peer, view: { sessionId, state } } = entry;
    if (state !== "open" || peer === undefined) return this.#end(entry, message);
    this.#update(entry, { state: "closing" });
    entry.transfers?.markClosing();
    entry.confirmed = (async () => {
      using deadline = new Deadline(this.#options.confirmMs, {
        what: "the peer to confirm the close of its session",
      });
      const { signal } = deadline;
      const confirmed = await this.#cancelTransfersOf(sessionId, peer, message, signal, resumable);
      this.#end(entry, message);
      return confirmed;
    })();
  }

  /** Ends one, or the attempt at it, without waiting for its transfers. */
  #end(entry: Entry, message: string, resumable = false): void {
    if (isEnded(entry.view)) return;
    entry.abort.abort(new OperationError("STOPPING", message));
    entry.peer?.close(message, resumable);
  }

  #update(entry: Entry, changes: Partial<SessionView>): void {
    entry.view = { ...entry.view, ...changes };
  }

  #allOf(identity: string): Entry[] {
    return [...this.#entries.values()].filter(({ view }) => view.identity === identity);
  }

  #find(sessionId: string): Entry {
    const entry = this.#entries.get(sessionId);
    if (entry !== undefined) return entry;
    throw new OperationError("SESSION_NOT_FOUND", "no such session in this run of the daemon");
  }

  #forgetOld(): void {
    for (const [id, { view }] of this.#entries) {
      if (this.#entries.size <= MAX_KEPT + this.#options.maxPeers) return;
      if (isEnded(view)) this.#entries.delete(id);
    }
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

/** An identity was asked for, and nobody proves any. */
export function noneIsProven(): OperationError {
  return new OperationError(
    "POLICY_REFUSED",
    "no identity can be expected while none is proven: start the daemon without --extensions " +
      "none, or leave the identity out",
  );
}

/** What our HELLO lists, but for the proof of our identity, which the session adds. */
function capabilitiesWith(extensions: ReadonlySet<ExtensionName>): readonly Capability[] {
  return [
    ...CAPABILITIES,
    ...(extensions.has("binary-encoding") ? [BINARY_ENCODING] : []),
    ...(extensions.has("resume") ? [RESUME] : []),
  ];
}

/** Why a peer is not the one that a session was asked for with; undefined when it is, or none was. */
function unexpected(
  { identity, proven }: IdentityClaim,
  expected: string | undefined,
): RefusedClaim | undefined {
  if (expected === undefined || (proven && identity.hex === expected)) return undefined;
  const reason = proven
    ? "the peer has proven another identity than the one that was asked for: somebody else came"
    : "the session was asked for with an identity, and the peer proves none: it is not that peer, or " +
      "an older program";
  return { step: "expected-identity", reason };
}

function countedEnd({ by }: SessionEnd, code: string | undefined): CountedSessionEnd {
  if (code === "CONNECTION_LOST") return "lost";
  return code === undefined && by !== "failure" ? by : "failed";
}

function isEnded({ state }: SessionView): boolean {
  return state === "closed" || state === "failed";
}
