/**
 * The links: pairings that are made again whenever they are lost, without people. Each does again
 * what it was told, with the one identity that it was told; nobody is discovered, and no way chosen.
 *
 * @module
 */
import { messageOf, StorageError } from "../../../base/errors.ts";
import { LINK_TURN_MS } from "../../../base/timing.ts";
import { shownUrl } from "../../../base/shown_url.ts";
import type { Clock } from "../../../base/timer.ts";
import type { EventHub } from "../../../ipc/server/event_hub.ts";
import type { LinkParameters, PairParameters } from "../../../ipc/api/operations.ts";
import { peerText } from "../../../ipc/api/peer_text.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import type { LinkView, SessionView } from "../../../ipc/api/schemas.ts";
import type { Log } from "../../../log/log.ts";
import { distinctCodes, type PeerCode } from "../../../protocol/signal/peer_code.ts";
import type { Registrations } from "../../../signaling/rendezvous/registrations.ts";
import { formatLinks, type Link, MAX_KEPT_LINKS } from "../../../storage/link_file.ts";
import type { LinkStore } from "../../../storage/link_store.ts";
import { Serial } from "../../../storage/serial.ts";
import { foldName } from "../../../storage/trust_file.ts";
import type { TrustStore } from "../../../storage/trust_store.ts";
import { SESSION_DEFAULTS } from "../../../vocabulary/session_values.ts";
import { noneIsProven, type SessionObserver, type Sessions } from "../sessions/sessions.ts";
import type { Tally } from "../tally.ts";
import { ownIdentityRefused } from "../trust/gatekeeper.ts";
import { AddressWatch } from "./address_watch.ts";
import type { LinkFailure } from "./link_machine.ts";
import { LinkRunner } from "./link_runner.ts";

/** What a link is made of. */
export interface LinksOptions {
  /** Our own identity, 64 lower-case hex digits. */
  readonly identity: string;
  /** Where links of the API are kept. */
  readonly store: LinkStore;
  /** The pinned decisions about peers. */
  readonly trust: TrustStore;
  /** Opens sessions. */
  readonly sessions: Sessions;
  /** Has us registered at rendezvous servers. */
  readonly registrations: Registrations;
  /** Where events are published. */
  readonly events: EventHub;
  /** Counts attempts and refusals. */
  readonly tally: Tally;
  /** Where it is logged. */
  readonly log: Log;
  /** The time of day, for what is shown, and timers. */
  readonly clock: Clock;
  /** Milliseconds on a clock that never goes back. */
  readonly steady: () => number;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** This machine's addresses. */
  readonly addresses: () => readonly string[];
  /** Called when {@linkcode Links.isLinked} may say something else of somebody. */
  readonly onLinked: () => void;
}

/** All links, of the API and of the file of `--links`. */
export class Links implements SessionObserver {
  readonly #options: LinksOptions;
  /** By identity. */
  readonly #runners = new Map<string, LinkRunner>();
  /** Sessions that are to be kept once they are open, by id. */
  readonly #keeping = new Map<string, KeptRequest>();
  readonly #addresses: AddressWatch;
  /** Each change ends before the next one looks at what there is. */
  readonly #changes = new Serial(MAX_KEPT_LINKS);
  #fromFile: readonly Link[] = [];
  #nextTurn = -Infinity;
  #isStopping = false;
  readonly #started = Promise.withResolvers<void>();

  /** Begins with none. */
  constructor(options: LinksOptions) {
    this.#options = options;
    this.#addresses = new AddressWatch({
      addresses: options.addresses,
      after: options.clock.after,
      isWanted: () => [...this.#runners.values()].some((runner) => runner.isWaiting),
      onChange: () => this.#onAddressesChanged(),
    });
  }

  /** Begins with the links that are kept, and those of the file. */
  async start(fromFile: readonly Link[]): Promise<void> {
    await this.#changes.run(async () => {
      await this.#trustFile(fromFile);
      this.#fromFile = fromFile;
      for (const link of fromFile) this.#run(link, "file");
      for (const link of this.#options.store.list()) {
        if (this.#isCovered(link)) this.#warnOfCovered(link);
        // The API is served already: one may have just been added.
        else if (!this.#runners.has(link.identity)) this.#run(link, "api");
      }
    });
    this.#started.resolve();
    this.#options.onLinked();
  }

  /** Resolves when all links are there that were kept. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /**
   * Takes the links of the file as it is now: those that are there no longer end, those that are
   * another are made anew, the others go on.
   *
   * @throws {StorageError} When a key of the file can't be trusted; the links are as before then.
   */
  reload(fromFile: readonly Link[]): Promise<void> {
    return this.#changes.run(() => this.#reload(fromFile));
  }

  async #reload(fromFile: readonly Link[]): Promise<void> {
    if (this.#isStopping) return;
    await this.#trustFile(fromFile);
    const before = this.#fromFile;
    this.#fromFile = fromFile;
    for (const link of before) {
      const now = fromFile.find(({ identity }) => identity === link.identity);
      if (now === undefined || !isSameLink(now, link)) await this.#end(link.identity, true);
    }
    for (const link of fromFile) {
      const running = this.#runners.get(link.identity);
      if (running?.source === "file") continue;
      if (running !== undefined) await this.#end(link.identity, false);
      this.#run(link, "file");
    }
    for (const [identity, { link }] of this.#runners) {
      if (this.#runners.get(identity)?.source === "api" && this.#isCovered(link)) {
        this.#warnOfCovered(link);
        await this.#end(identity, true);
      }
    }
    // One that the file had taken the place of, and has no longer.
    for (const link of this.#options.store.list()) {
      if (!this.#isCovered(link) && !this.#runners.has(link.identity)) this.#run(link, "api");
    }
    this.#options.log.info("the file of links was read again", { links: fromFile.length });
    this.#options.onLinked();
  }

  /** All links. */
  list(): LinkView[] {
    return [...this.#runners.values()].map((runner) => this.#view(runner));
  }

  /** One link. @throws {OperationError} LINK_NOT_FOUND */
  get(name: string): LinkView {
    return this.#view(this.#find(name));
  }

  /** The link to an identity, if there is one. */
  linkTo(identity: string): LinkView | undefined {
    const runner = this.#runners.get(identity);
    return runner === undefined ? undefined : this.#view(runner);
  }

  /** Whether a link leads to an identity, which is trusted: also while it rests, or is refused. */
  isLinked(identity: string): boolean {
    // As they are kept, not as they run: a link that is made anew is one all the time.
    const isKept = [...this.#fromFile, ...this.#options.store.list()].some((link) =>
      link.identity === identity && (this.#fromFile.includes(link) || !this.#isCovered(link))
    );
    return isKept && this.#notTrusted(identity) === undefined;
  }

  /** Whom links lead to. */
  get identities(): Iterable<string> {
    return this.#runners.keys();
  }

  /** How many links are in a state. */
  count(state: LinkView["state"]): number {
    return [...this.#runners.values()].filter((runner) => runner.state.state === state).length;
  }

  /**
   * Adds a link.
   *
   * @throws {OperationError} LINK_EXISTS, LIMIT_EXCEEDED, POLICY_REFUSED, STOPPING
   * @throws {StorageError} When it can't be kept.
   */
  add(parameters: LinkParameters): Promise<LinkView> {
    return this.#changes.run(() => this.#add(parameters));
  }

  async #add(parameters: LinkParameters): Promise<LinkView> {
    const link = linkOf(parameters, { ...parameters, remote: remoteOf(parameters) });
    if (this.#isStopping) throw new OperationError("STOPPING", "the daemon is stopping");
    this.#checkPolicy(link.identity);
    const same = [...this.#runners.values()].find((runner) => isRival(runner.link, link));
    if (same !== undefined) {
      throw new OperationError(
        "LINK_EXISTS",
        `the link ${same.link.name} has that name or leads to that identity: remove it first`,
      );
    }
    this.#checkRoom();
    await this.#options.store.put(link);
    return this.#view(this.#run(link, "api"));
  }

  /**
   * Forgets a link, and ends its session.
   *
   * @throws {OperationError} LINK_NOT_FOUND; INVALID_STATE for one of the file.
   * @throws {StorageError} When that can't be kept.
   */
  remove(name: string): Promise<void> {
    return this.#changes.run(async () => {
      const { link, source } = this.#find(name);
      if (source === "file") {
        throw new OperationError(
          "INVALID_STATE",
          "that link is one of the file of --links: take it out there, and send the daemon SIGHUP",
        );
      }
      await this.#options.store.remove(link.identity);
      await this.#end(link.identity, true);
      this.#options.onLinked();
    });
  }

  /**
   * Lets a link rest, and ends its session; or lets it go on. One of the file does so until the next
   * start or SIGHUP that changes it.
   *
   * @throws {OperationError} LINK_NOT_FOUND
   * @throws {StorageError} When that can't be kept.
   */
  setPaused(name: string, paused: boolean): Promise<LinkView> {
    return this.#changes.run(async () => {
      const runner = this.#find(name);
      if (runner.source === "api") await this.#options.store.put({ ...runner.link, paused });
      const { sessionId } = runner.state;
      runner.setPaused(paused);
      // What is under way goes on when the link does.
      if (paused) this.#closeSession(sessionId, true);
      return this.#view(runner);
    });
  }

  /**
   * Opens a session that is kept as a link once it is open, proven, and its peer pinned.
   *
   * @throws {OperationError} As {@linkcode Sessions.pair}, and LIMIT_EXCEEDED.
   */
  pairAndKeep(request: KeptRequest): SessionView {
    const { expectIdentity } = request;
    const { sessions } = this.#options;
    if (!sessions.proves) throw noneIsProven();
    if (expectIdentity !== undefined) this.#checkPolicy(expectIdentity);
    if (expectIdentity === undefined || !this.#runners.has(expectIdentity)) this.#checkRoom();
    const session = sessions.pair(request);
    this.#keeping.set(session.sessionId, request);
    return session;
  }

  /** Something was decided about an identity. */
  trustChanged(identity: string): void {
    const runner = this.#runners.get(identity);
    runner?.setBlocked(this.#notTrusted(identity));
    if (runner !== undefined) this.#options.onLinked();
  }

  /** A session is open: a link's, or one that is to be kept, or another one. */
  opened(session: SessionView): void {
    const { sessionId, identity, proven } = session;
    const asked = this.#keeping.get(sessionId);
    this.#keeping.delete(sessionId);
    // Who only claims an identity is not the peer of any link.
    if (identity !== undefined && proven === true) {
      this.trustChanged(identity); // it may have been decided about on the way
      this.#runners.get(identity)?.opened(sessionId);
    }
    if (asked !== undefined) {
      this.#changes.run(() => this.#keep(asked, session))
        .catch((error) => this.#notKept(session, messageOf(error)));
    }
  }

  /** A session has ended: a link's or another one. */
  ended(session: SessionView, refused: boolean): void {
    const { sessionId, failure } = session;
    this.#keeping.delete(sessionId);
    for (const runner of this.#runners.values()) runner.ended(sessionId, failure, refused);
  }

  /** Ends all; their sessions are the daemon's to end. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#addresses.stop();
    await Promise.all([...this.#runners.values()].map((runner) => runner[Symbol.asyncDispose]()));
  }

  #run(link: Link, source: LinkView["source"]): LinkRunner {
    const { registrations, sessions, trust, events, tally, log, steady, clock, random } =
      this.#options;
    const runner: LinkRunner = new LinkRunner({
      link,
      source,
      registrations,
      steady,
      random,
      after: clock.after,
      turn: () => this.#takeTurn(),
      attempt: () => {
        tally.linkAttempted();
        return sessions.pair(requestOf(link)).sessionId;
      },
      abandon: (sessionId) => sessions.abandon(sessionId, PEER_ANEW),
      onRefused: () => tally.linkRefused(),
      onChanged: () => this.#onChanged(runner),
    });
    this.#runners.set(link.identity, runner);
    const known = trust.nameOf(link.identity);
    log.info("link kept", { link: link.name, identity: link.identity, source, peer: known });
    events.publish({ type: "link-added", link: this.#view(runner) });
    runner.setBlocked(this.#notTrusted(link.identity));
    const open = sessions.provenWith(link.identity);
    if (open !== undefined) runner.opened(open.sessionId);
    runner.start();
    this.#addresses.look();
    return runner;
  }

  /**
   * Takes the turn for an attempt. Links that all have a reason to begin at one moment, as when their
   * server is back, begin one after the other: servers limit the rate of messages.
   *
   * @returns Milliseconds until there may be a turn; 0 when it is taken.
   */
  #takeTurn(): number {
    const now = this.#options.steady();
    if (now < this.#nextTurn) return this.#nextTurn - now;
    this.#nextTurn = now + LINK_TURN_MS;
    return 0;
  }

  async #end(identity: string, closes: boolean): Promise<void> {
    const runner = this.#runners.get(identity);
    if (runner === undefined) return;
    this.#runners.delete(identity);
    const view = this.#view(runner);
    await runner[Symbol.asyncDispose]();
    if (closes) this.#closeSession(view.sessionId);
    this.#options.log.info("link removed", { link: view.name, identity });
    this.#options.events.publish({ type: "link-removed", link: view });
  }

  #closeSession(sessionId: string | undefined, resumable = false): void {
    if (sessionId !== undefined) this.#options.sessions.close(sessionId, resumable);
  }

  #onChanged(runner: LinkRunner): void {
    const { log, events } = this.#options;
    const { link, state: { state, server, failure, sessionId } } = runner;
    const fields = {
      link: link.name,
      identity: link.identity,
      state,
      server,
      session: sessionId,
      code: failure?.code,
      reason: failure?.message,
    };
    const isBad = state === "refused" || server === "taken-over";
    if (isBad) log.warn("link", fields);
    else log.info("link", fields);
    events.publish({ type: "link-changed", link: this.#view(runner) });
    this.#addresses.look();
  }

  #onAddressesChanged(): void {
    this.#options.log.info("this machine's addresses have changed: links are tried now");
    this.#options.registrations.hurry();
    for (const runner of this.#runners.values()) runner.addressesChanged();
  }

  /** Keeps a session that is open now. */
  async #keep(request: KeptRequest, session: SessionView): Promise<void> {
    const { store, trust } = this.#options;
    const { identity = "", proven } = session;
    if (proven !== true) return this.#notKept(session, "the peer has not proven who it is");
    if (this.#notTrusted(identity) !== undefined) {
      return this.#notKept(session, "the peer is let in for this session only: trust it first");
    }
    const running = this.#runners.get(identity);
    if (running?.source === "file") {
      return this.#notKept(session, "the file of --links has a link to that peer");
    }
    const remote = remoteOf(request);
    const name = running?.link.name ?? this.#freeName(trust.nameOf(identity) ?? remote, identity);
    const link = linkOf(request, { name, identity, remote });
    await store.put(link);
    if (this.#isStopping) return;
    await this.#end(identity, false);
    this.#run(link, "api"); // which finds the session, unless that has ended meanwhile
  }

  /** That name, or with digits of the identity behind it where another link has it. */
  #freeName(name: string, identity: string): string {
    const isTaken = [...this.#runners.values()].some(({ link }) =>
      foldName(link.name) === foldName(name)
    );
    return isTaken ? `${[...name].slice(0, 48).join("")}-${identity.slice(0, 8)}` : name;
  }

  #notKept({ sessionId }: SessionView, reason: string): void {
    this.#options.log.warn("a session is not kept as a link", { session: sessionId, reason });
    const message = peerText(`the session is not kept as a link: ${reason}`);
    this.#options.events.publish({ type: "link-not-kept", sessionId, message });
  }

  /** Keys of the file are trusted as typed: who may write it may trust. */
  async #trustFile(links: readonly Link[]): Promise<void> {
    const { trust, log, identity: own, sessions } = this.#options;
    const invalid = (at: number, what: string) =>
      new StorageError("LINKS_INVALID", `the file of --links has links[${at}].${what}`);
    if (links.length > 0 && !sessions.proves) {
      throw invalid(0, `identity: ${noneIsProven().message}`);
    }
    for (const [at, { identity, name }] of links.entries()) {
      if (identity === own) throw invalid(at, `identity: ${ownIdentityRefused().message}`);
      const owner = trust.list().find((peer) =>
        peer.name !== undefined && foldName(peer.name) === foldName(name)
      );
      if (owner !== undefined && owner.identity !== identity) {
        throw invalid(
          at,
          `name ${name}: another peer is called so (boltctl untrust it, or rename)`,
        );
      }
    }
    for (const { identity, name } of links) {
      if (trust.decisionFor(identity) !== undefined && this.#notTrusted(identity) === undefined) {
        continue;
      }
      if (trust.decisionFor(identity) === "deny_always") continue; // said of the link
      await trust.allowByKey(identity, name);
      sessions.closeUnprovenOf(identity, "the identity must prove itself from now on");
      this.trustChanged(identity);
      log.info("a key is trusted by the file of links", { identity, name });
    }
  }

  /** Why no session with an identity is opened by a link; undefined when one may be. */
  #notTrusted(identity: string): LinkFailure | undefined {
    const { trust } = this.#options;
    if (trust.decisionFor(identity) === "allow_always" && trust.mustProve(identity)) {
      return undefined;
    }
    return {
      code: "POLICY_REFUSED",
      message:
        "the identity is not trusted by key, nor proven and pinned: boltctl trust KEY --name " +
        "NAME",
    };
  }

  #checkPolicy(identity: string): void {
    if (identity === this.#options.identity) throw ownIdentityRefused();
    if (!this.#options.sessions.proves) throw noneIsProven();
    const refusal = this.#notTrusted(identity);
    if (refusal !== undefined) throw new OperationError("POLICY_REFUSED", refusal.message);
  }

  #checkRoom(): void {
    if (this.#runners.size < MAX_KEPT_LINKS) return;
    throw new OperationError(
      "LIMIT_EXCEEDED",
      `${MAX_KEPT_LINKS} links are kept already: remove one`,
    );
  }

  /** Whether the file has a link in the place of this one. */
  #isCovered(link: Link): boolean {
    return this.#fromFile.some((other) => isRival(other, link));
  }

  #warnOfCovered({ name }: Link): void {
    this.#options.log.warn("a link rests: the file of --links has one of its name or identity", {
      link: name,
    });
  }

  #find(name: string): LinkRunner {
    const folded = foldName(name);
    const found = [...this.#runners.values()].find(({ link }) => foldName(link.name) === folded);
    if (found !== undefined) return found;
    throw new OperationError("LINK_NOT_FOUND", "no link has that name; boltctl link list has all");
  }

  #view({ link, source, state, attempts, refusals }: LinkRunner): LinkView {
    const { nextTry, failure, isPeerThere, sessionId, server } = state;
    const { clock, steady } = this.#options;
    return {
      name: link.name,
      identity: link.identity,
      state: state.state,
      source,
      role: link.role,
      rendezvousUrl: shownUrl(link.rendezvousUrl),
      room: link.room,
      session: link.session,
      peerId: link.codes.self,
      remoteCode: link.codes.remote,
      networkScope: link.networkScope,
      phaseTimeoutSecs: link.phaseTimeoutSecs,
      ...(link.transport === undefined ? {} : { transport: link.transport }),
      server,
      peerAtServer: isPeerThere,
      attempts,
      refusals,
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(nextTry === undefined
        ? {}
        : { nextTryAt: new Date(clock.now() + nextTry - steady()).toISOString() }),
      ...(failure === undefined
        ? {}
        : { failure: { code: failure.code, message: peerText(failure.message) } }),
    };
  }
}

const PEER_ANEW = "the peer has come anew, and knows nothing of this attempt: another one is made";

/** A pairing through a rendezvous server under a code of our own. */
export type KeptRequest = Extract<PairParameters, { signal: "rendezvous" }>;

/** What a request says, in the form in which it is kept. */
function linkOf(
  request: Omit<LinkParameters | KeptRequest, "name" | "identity">,
  { name, identity, remote }: Pick<Link, "name" | "identity"> & { readonly remote: PeerCode },
): Link {
  const { role, rendezvousUrl, room, session, peerId } = request;
  const { networkScope = SESSION_DEFAULTS.networkScope } = request;
  const { phaseTimeoutSecs = SESSION_DEFAULTS.phaseTimeoutSecs, transport } = request;
  const codes = peerId === undefined ? undefined : distinctCodes(peerId, remote);
  // The rules of requests have seen to it.
  if (codes === undefined) throw new TypeError("a link without two peer codes");
  const told = { name, identity, role, rendezvousUrl, room, session, codes };
  const carried = transport === undefined ? {} : { transport };
  return { ...told, networkScope, phaseTimeoutSecs, ...carried, paused: false };
}

const remoteOf = (request: LinkParameters | KeptRequest): PeerCode =>
  request.role === "offerer" ? request.to : request.expectPeer;

/** What a link asks for each time. */
function requestOf(link: Link): PairParameters {
  const { identity, rendezvousUrl, room, session, codes, networkScope, phaseTimeoutSecs } = link;
  const { transport } = link;
  const common = {
    signal: "rendezvous",
    ...{ rendezvousUrl, room, session, networkScope, phaseTimeoutSecs },
    ...(transport === undefined ? {} : { transport }),
    peerId: codes.self,
    expectIdentity: identity,
  } as const;
  return link.role === "offerer"
    ? { ...common, role: "offerer", to: codes.remote }
    : { ...common, role: "answerer", expectPeer: codes.remote };
}

/** Whether two links can't both be: they have one name, or lead to one identity. */
function isRival(one: Link, other: Link): boolean {
  return one.identity === other.identity || foldName(one.name) === foldName(other.name);
}

/** Whether two links are told the same. */
function isSameLink(one: Link, other: Link): boolean {
  const [told, toldNow] = [one, other].map((link) => formatLinks([link]).toBase64());
  return told === toldNow;
}
