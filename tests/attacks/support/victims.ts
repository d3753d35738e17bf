/**
 * Two honest daemons that know each other, and meet again and again at a rendezvous server that is
 * the attacker. What came of each meeting, and that no file and no word went into wrong hands.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { ApiEvent } from "../../../src/ipc/api/events.ts";
import type { PairRequest, SessionView, Transfer } from "../../../src/ipc/api/schemas.ts";
import type { PublicKey } from "../../../src/protocol/crypto/keys.ts";
import { PublicKey as Key } from "../../../src/protocol/crypto/keys.ts";
import type { DaemonUnderTest } from "../../support/daemon.ts";
import { join } from "../../support/paths.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { namesIn, sha256, someBytes } from "../../support/transfers.ts";
import type { HostileRelay, Tamper } from "./hostile_relay.ts";

/** What a victim saw of a meeting. */
export interface VictimEnd {
  /** `opened`: it let a peer in; `asked`: it asked a person; `ended`: neither. */
  readonly state: "opened" | "asked" | "ended";
  /** The session when that was decided, or at its end. */
  readonly session: SessionView;
  /** The check at which a claimed identity was refused. */
  readonly step: string | undefined;
}

/** What came of a meeting. */
export interface MeetingEnd {
  /** `arrived`: both opened and the file is in the right inbox. */
  readonly result: "arrived" | "refused";
  readonly offerer: VictimEnd;
  readonly answerer: VictimEnd;
}

/** Options of a {@linkcode Victims}. */
export interface VictimsOptions {
  /** Offers; `peerId` alice. */
  readonly alice: DaemonUnderTest;
  /** Answers; `peerId` bob. */
  readonly bob: DaemonUnderTest;
  readonly relay: HostileRelay;
  /** Where each finds the relay. @default {`relay.url`} */
  readonly urls?: { readonly alice: string; readonly bob: string };
}

/** Options of {@linkcode Victims.meet}. */
export interface MeetingOptions {
  /** What the relay does. @default {its duty} */
  readonly tamper?: Tamper;
  /** Who has a file for the other. @default {"alice"} */
  readonly sender?: "alice" | "bob";
  /** Seconds for each phase of connecting. @default {30} */
  readonly phaseTimeoutSecs?: number;
}

const FILE_BYTES = 40_000;

/** Has the two meet, and tells what came of it. The daemons stay the caller's. */
export class Victims implements AsyncDisposable {
  readonly alice: DaemonUnderTest;
  readonly bob: DaemonUnderTest;
  readonly relay: HostileRelay;
  /** Who the two are. */
  readonly identities: {
    readonly offerer: PublicKey<"identity">;
    readonly answerer: PublicKey<"identity">;
  };
  readonly #urls: { readonly alice: string; readonly bob: string };
  readonly #folder: TempFolder;
  /** What each inbox must hold: names and hashes of what the other has sent. */
  readonly #arrived = { alice: new Map<string, string>(), bob: new Map<string, string>() };
  #meetings = 0;

  private constructor(
    options: VictimsOptions,
    identities: Victims["identities"],
    folder: TempFolder,
  ) {
    this.alice = options.alice;
    this.bob = options.bob;
    this.relay = options.relay;
    this.#urls = options.urls ?? { alice: options.relay.url, bob: options.relay.url };
    this.identities = identities;
    this.#folder = folder;
  }

  /** Asks both who they are. */
  static async of(options: VictimsOptions): Promise<Victims> {
    const [offerer, answerer] = await Promise.all(
      [options.alice, options.bob].map(async ({ client }) => {
        const { identity } = await client.status();
        const key = Key.parse("identity", Uint8Array.fromHex(identity).toBase64());
        if (key === undefined) throw new Error("the daemon has no identity");
        return key;
      }),
    );
    assert(offerer !== undefined && answerer !== undefined);
    return new Victims(options, { offerer, answerer }, await TempFolder.make());
  }

  /** Has them meet without an attack; both people let the other in for good, and take its files. */
  async acquaint(): Promise<void> {
    const sessions = await this.#pair(undefined, 30);
    const ends = await Promise.all([
      this.#decide(this.alice, sessions.alice),
      this.#decide(this.bob, sessions.bob),
    ]);
    assert(ends.every(({ proven }) => proven));
    await this.alice.client.setAutoAccept(this.identities.answerer.hex, { enabled: true });
    await this.bob.client.setAutoAccept(this.identities.offerer.hex, { enabled: true });
    await this.#close(sessions);
  }

  /** Tells each the other's key, and has it take the other's files; they need not have met. */
  async tellKeys(): Promise<void> {
    const { offerer: alice, answerer: bob } = this.identities;
    for (
      const [{ client }, { hex }, name] of [
        [this.alice, bob, "bob"],
        [this.bob, alice, "alice"],
      ] as const
    ) {
      await client.trust(hex, { decision: "allow_always", name });
      await client.setAutoAccept(hex, { enabled: true });
    }
  }

  /** Has them meet, one of them with a file for the other. What came of it. */
  async meet(options: MeetingOptions = {}): Promise<MeetingEnd> {
    const { tamper, sender = "alice", phaseTimeoutSecs = 30 } = options;
    const name = `file-${++this.#meetings}.bin`;
    const content = someBytes(FILE_BYTES, this.#meetings);
    const path = this.#folder.path(name);
    await Deno.writeFile(path, content);
    const [from, to] = sender === "alice" ? [this.alice, this.bob] : [this.bob, this.alice];
    const sessions = await this.#pair(tamper, phaseTimeoutSecs);
    const [offerer, answerer] = await Promise.all([
      this.#outcome(this.alice, sessions.alice),
      this.#outcome(this.bob, sessions.bob),
    ]);
    const { offerer: a, answerer: b } = this.identities;
    const isOpenAt = { alice: offerer.state === "opened", bob: answerer.state === "opened" };
    let arrived = false;
    if (isOpenAt[sender]) {
      const identity = (sender === "alice" ? b : a).hex;
      const [sent] = await from.client.send({ paths: [path], identity, priority: 0 });
      assert(sent !== undefined);
      arrived = await this.#transferred(from, sent, name, to);
    }
    if (arrived) {
      assert(isOpenAt.alice && isOpenAt.bob, "a file was sent, and nobody was there to receive it");
      this.#arrived[sender === "alice" ? "bob" : "alice"].set(name, sha256(content));
    }
    await this.#close(sessions);
    await Deno.remove(path);
    await this.#checkInboxes();
    const ends = {
      offerer: await this.#ended(this.alice, offerer),
      answerer: await this.#ended(this.bob, answerer),
    };
    return { result: arrived ? "arrived" : "refused", ...ends };
  }

  /** Has them meet, and stops where a person would be asked: what each shows. */
  async begin(tamper: Tamper | undefined, phaseTimeoutSecs = 30): Promise<{
    readonly offerer: VictimEnd;
    readonly answerer: VictimEnd;
  }> {
    const sessions = await this.#pair(tamper, phaseTimeoutSecs);
    const [offerer, answerer] = await Promise.all([
      this.#outcome(this.alice, sessions.alice),
      this.#outcome(this.bob, sessions.bob),
    ]);
    return { offerer, answerer };
  }

  async #pair(tamper: Tamper | undefined, phaseTimeoutSecs: number) {
    this.relay.between("alice", "bob", tamper ?? ((signal) => [signal]));
    const common = {
      signal: "rendezvous",
      room: "room",
      session: "session",
      phaseTimeoutSecs,
    } as const;
    const offerer: PairRequest = {
      ...common,
      rendezvousUrl: this.#urls.alice,
      role: "offerer",
      peerId: "alice",
      to: "bob",
    };
    const answerer: PairRequest = {
      ...common,
      rendezvousUrl: this.#urls.bob,
      role: "answerer",
      peerId: "bob",
      expectPeer: "alice",
    };
    return { alice: await this.alice.pair(offerer), bob: await this.bob.pair(answerer) };
  }

  async #decide(daemon: DaemonUnderTest, session: SessionView): Promise<SessionView> {
    const { sessionId } = session;
    const { pairing: { pairingId, sas } } = await daemon.event(
      "pairing-requested",
      ({ pairing }) => pairing.sessionId === sessionId,
    );
    await daemon.client.decidePairing(pairingId, { decision: "allow_always", sas });
    return (await daemon.event("session-opened", (e) => e.session.sessionId === sessionId)).session;
  }

  /** Whichever comes first: it is opened, asked about, or over. */
  async #outcome(daemon: DaemonUnderTest, session: SessionView): Promise<VictimEnd> {
    const { sessionId } = session;
    const isIt = (event: ApiEvent): event is Decided =>
      event.type === "pairing-requested"
        ? event.pairing.sessionId === sessionId
        : (event.type === "session-opened" || event.type === "session-closed") &&
          event.session.sessionId === sessionId;
    const event = await daemon.heard.find("a session's opening, question or end", isIt);
    const state = STATE_OF[event.type];
    const known = event.type === "pairing-requested"
      ? await daemon.client.getSession(sessionId)
      : event.session;
    return { state, session: known, step: this.#stepOf(daemon, sessionId) };
  }

  #stepOf(daemon: DaemonUnderTest, sessionId: string): string | undefined {
    const refused = daemon.events.find((event) =>
      event.type === "identity-refused" && event.sessionId === sessionId
    );
    return refused?.type === "identity-refused" ? refused.step : undefined;
  }

  async #ended(daemon: DaemonUnderTest, end: VictimEnd): Promise<VictimEnd> {
    const { sessionId } = end.session;
    const { session } = await daemon.event(
      "session-closed",
      (event) => event.session.sessionId === sessionId,
    );
    return { ...end, session, step: this.#stepOf(daemon, sessionId) };
  }

  /** Whether a file was sent whole: then both ends say `completed`. */
  async #transferred(
    from: DaemonUnderTest,
    { transferId }: Transfer,
    name: string,
    to: DaemonUnderTest,
  ): Promise<boolean> {
    const sent = await from.heard.find(
      "the end of sending",
      (event): event is TransferEnd =>
        isTransferEnd(event) && event.transfer.transferId === transferId,
    );
    if (sent.transfer.state !== "completed") return false;
    await to.heard.find(
      "the end of receiving",
      (event): event is TransferEnd =>
        isTransferEnd(event) && event.transfer.name === name &&
        event.transfer.state === "completed",
    );
    return true;
  }

  async #close(sessions: { readonly alice: SessionView; readonly bob: SessionView }) {
    for (const whose of ["alice", "bob"] as const) {
      await this[whose].client.closeSession(sessions[whose].sessionId);
    }
    for (const whose of ["alice", "bob"] as const) {
      const { sessionId } = sessions[whose];
      await this[whose].event("session-closed", (e) => e.session.sessionId === sessionId);
    }
  }

  /** Both inboxes hold what the two have sent each other, whole, and nothing else. */
  async #checkInboxes(): Promise<void> {
    for (const whose of ["alice", "bob"] as const) {
      const { inbox } = this[whose];
      const expected = this.#arrived[whose];
      assertEquals(await namesIn(inbox), [...expected.keys()].sort(), `the inbox of ${whose}`);
      for (const [name, hash] of expected) {
        assertEquals(sha256(await Deno.readFile(join(inbox, name))), hash, name);
        await Deno.remove(join(inbox, name));
        expected.delete(name);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}

type TransferEnd = Extract<ApiEvent, { type: "transfer-finished" | "transfer-failed" }>;
type Decided = Extract<
  ApiEvent,
  { type: "pairing-requested" | "session-opened" | "session-closed" }
>;

const STATE_OF = {
  "pairing-requested": "asked",
  "session-opened": "opened",
  "session-closed": "ended",
} as const;

const isTransferEnd = (event: ApiEvent): event is TransferEnd =>
  event.type === "transfer-finished" || event.type === "transfer-failed";
