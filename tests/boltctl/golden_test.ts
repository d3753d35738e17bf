/**
 * What every command prints, for people and for programs: compared with the files in `golden/`.
 *
 * @module
 */
import { COMMANDS } from "../../src/boltctl/command_table.ts";
import type { DaemonEvent } from "../../src/ipc/api/events.ts";
import { OperationError } from "../../src/ipc/api/problem.ts";
import { peerText } from "../../src/ipc/api/peer_text.ts";
import type {
  LinkView,
  Pairing,
  PeerView,
  ReceivedList,
  SessionView,
} from "../../src/ipc/api/schemas.ts";
import { OFFER_ID } from "../../src/ipc/testing/served_fake.ts";
import { assertGolden, type Scene } from "./support/golden.ts";
import {
  BEA,
  BOB,
  EVE,
  LINK,
  NOW,
  PAIRING,
  PEERS,
  receivedFile,
  session,
  transfer,
} from "./support/staged_daemon.ts";

/** A command for people, for programs, and on a narrow terminal with colour. */
function threeWays(words: readonly string[], stage?: Scene["stage"]): Scene[] {
  const staged = stage === undefined ? {} : { stage };
  return [
    { words, ...staged },
    { words: [...words, "--json"], ...staged },
    { words, ...staged, terminal: { columns: 60, color: true }, about: "60 columns, colour" },
  ];
}

const OFFER = transfer(5, {
  direction: "incoming",
  state: "offered",
  waitingFor: "decision",
  name: peerText("photo.jpg"),
});
const SECOND_OFFER = { ...OFFER, transferId: BEA.slice(0, 32), name: peerText("second.jpg") };
const DONE = transfer(6, { state: "completed", transferred: 3_000_000 });
const HALF = transfer(7, { state: "active", transferred: 1_500_000, name: peerText("half.bin") });
const FAILED = transfer(8, {
  protocolTransferId: "e5".repeat(16),
  state: "failed",
  transferred: 10,
  name: peerText("very long name of a film that no table has room for.mkv"),
  size: 5 * 1024 ** 3,
  failure: { code: "CONNECTION_LOST", message: peerText("the peer went away") },
});
/** As the daemon refuses a key. */
const REUSED = new OperationError(
  "IDEMPOTENCY_KEY_REUSED",
  "this Idempotency-Key came with another request before (other files, peer, priority or " +
    "expiry): use a fresh one for each request",
);
/** Bob's daemon is away, and linked. */
const LINKED_AWAY = PEERS.map((peer) =>
  peer.identity === BOB
    ? { ...peer, connected: false, link: { name: "bob", state: "trying" } as const }
    : peer
);
const LIST = { transfers: [OFFER, DONE, HALF, FAILED] };

const progress = (
  transferId: string,
  transferred: number,
  bytesPerSecond: number,
): DaemonEvent => ({
  type: "transfer-progress",
  transferId,
  transferred,
  size: 3_000_000,
  bytesPerSecond,
});

/** Two files on their way, as a daemon tells it. */
function sent(last: DaemonEvent["type"] & `transfer-${string}`): DaemonEvent[] {
  const named = (number: number, name: string) => transfer(number, { name: peerText(name) });
  const [first, second] = [named(1, "report.pdf"), named(2, "notes.txt")];
  const ended = last === "transfer-finished"
    ? { ...second, state: "completed", transferred: 3_000_000 } as const
    : { ...second, state: "rejected" } as const;
  return [
    { type: "transfer-queued", transfer: first },
    { type: "transfer-queued", transfer: second },
    { type: "transfer-offered", transfer: { ...first, state: "offered" } },
    { type: "transfer-started", transfer: { ...first, state: "active" } },
    progress(first.transferId, 1_200_000, 400_000),
    {
      type: "transfer-finished",
      transfer: { ...first, state: "completed", transferred: 3_000_000 },
    },
    { type: "transfer-offered", transfer: { ...second, state: "offered" } },
    last === "transfer-finished"
      ? { type: last, transfer: ended }
      : { type: "transfer-failed", transfer: ended },
  ];
}

const HASHED: DaemonEvent[] = [
  { type: "transfer-queued", transfer: transfer(1) },
  ...[900_000, 990_000, 2_400_000].map((hashed): DaemonEvent => {
    const { transferId, size } = transfer(1);
    return { type: "transfer-hashing", transferId, hashed, size };
  }),
  { type: "transfer-offered", transfer: transfer(1, { state: "offered" }) },
  { type: "transfer-finished", transfer: transfer(1, { state: "completed", confirmed: true }) },
];
const TO_BROWSER = transfer(1, { state: "completed", confirmed: false });
const CONFIRMED = transfer(2, { state: "completed", confirmed: true });
const UNCONFIRMED: DaemonEvent[] = [
  { type: "transfer-queued", transfer: transfer(1) },
  { type: "transfer-finished", transfer: TO_BROWSER },
];
/** Trusted by key and named; pinned before identities were proven; and those of all scenes. */
const KNOWN: readonly PeerView[] = [
  {
    identity: "c0de".padEnd(64, "3"),
    ...{ trust: "allow_always", autoAccept: true, proven: false, trustedByKey: true },
    ...{ connected: false, name: "store", peerCode: "ABCDEFGHJKMNPQRS" },
    lastSeenAt: "2025-12-30T00:00:00Z",
  },
  {
    identity: "01d0".padEnd(64, "4"),
    ...{ trust: "allow_always", autoAccept: true, proven: false, trustedByKey: false },
    ...{ connected: false, deviceName: peerText("an old daemon") },
  },
  ...PEERS,
];
/** A link in each state, as a table and a sentence show it. */
const LINKS: readonly LinkView[] = [
  LINK,
  {
    ...LINK,
    ...{ name: "bea", identity: BEA, state: "trying", source: "file", role: "answerer" },
    ...{ server: "unreachable", peerAtServer: false, nextTryAt: "2026-01-02T03:04:17Z" },
    failure: { code: "RENDEZVOUS_UNREACHABLE", message: peerText("cannot reach the server") },
  },
  {
    ...LINK,
    ...{ name: "eve", identity: EVE, state: "refused", attempts: 9, refusals: 4 },
    nextTryAt: "2026-01-02T03:05:05Z",
    failure: { code: "IDENTITY_REFUSED", message: peerText("somebody else\u001b[2J came") },
  },
  { ...LINK, name: "rest", state: "paused", server: "registering", peerAtServer: false },
];
const LINK_TO_BEA: LinkView = { ...LINK, identity: BEA, name: "bea", sessionId: "s2" };
const linkOf = ({ name, state, nextTryAt, failure }: LinkView): PeerView["link"] => ({
  ...{ name, state },
  ...(nextTryAt === undefined ? {} : { nextTryAt }),
  ...(failure === undefined ? {} : { failure }),
});
/** The peers, each with the link of its place. */
const LINKED: readonly PeerView[] = PEERS.map((peer, at) => {
  const link = LINKS[at] && linkOf(LINKS[at]);
  return link === undefined ? peer : { ...peer, link };
});
const LINK_FLAGS = [
  ...["--identity", BOB, "--role", "answerer", "--rendezvous-url", "wss://meet.example"],
  ...["--room", "home", "--session", "1", "--peer-id", "alice", "--expect-peer", "bob"],
];
const RULE = ["--max-size=20G", "--names", "db-*.tar", "--min-free=512M", "--per-day=3"];
const RULED: readonly PeerView[] = PEERS.slice(0, 1).map((peer) => ({
  ...peer,
  acceptRule: { maxSize: 20 * 1024 ** 3, names: "db-*.tar", minFree: 512 * 1024 ** 2, perDay: 3 },
}));
const SESSIONS: readonly SessionView[] = [
  session({
    sessionId: "77aa0000-1",
    state: "failed",
    identity: EVE,
    endedAt: NOW,
    failure: { code: "CONNECTION_LOST", message: peerText("the peer went away") },
  }),
  session({
    sessionId: "0b5e0001-2",
    identity: BOB,
    deviceName: peerText("Bob's laptop"),
    openedAt: NOW,
    path: { transport: "tcp", local: "192.168.1.10:40000", remote: "192.168.1.11:50000" },
  }),
  session({ sessionId: "0b5e0003-3", identity: BOB, proven: false, name: "bob" }),
  {
    sessionId: "5e550004-4",
    state: "signaling",
    ...{ role: "answerer", signal: "rendezvous", web: false, createdAt: NOW },
  },
];
/** The links that two of the sessions are of. */
const KEPT: readonly LinkView[] = [
  { ...LINK, sessionId: "0b5e0001-2" },
  { ...LINK, name: "bea at home", identity: BEA, state: "trying", sessionId: "5e550004-4" },
];
const RECEIVED: { readonly [after: string]: ReceivedList } = {
  "": {
    files: [receivedFile(1), receivedFile(2, { path: "/in\nbox/\u202egnp\u001b[2J" })],
    gap: false,
    more: true,
  },
  "9f86d081-2": { files: [receivedFile(3)], gap: false, before: "9f86d081-2", more: false },
};
const WITH_GAP: { readonly [after: string]: ReceivedList } = {
  "": { files: [receivedFile(1)], gap: false, more: true },
  "9f86d081-1": { files: [receivedFile(65)], gap: true, before: "9f86d081-64", more: false },
};
const UNPROVEN: Pairing = { ...PAIRING, proven: false };
const FILES = ["--offer", "/share/offer.json", "--answer", "/share/answer.json"];
const OPENING: DaemonEvent[] = [
  { type: "session-started", session: session({ state: "signaling" }) },
  { type: "pairing-requested", pairing: PAIRING },
];
const OPENED: DaemonEvent[] = [
  { type: "pairing-decided", pairing: { ...PAIRING, state: "allowed" } },
  { type: "session-opened", session: session() },
];
const PAIR = { onPair: OPENING, onDecide: OPENED };
const ended = (code: string, message: string): DaemonEvent => ({
  type: "session-closed",
  session: session({ state: "failed", failure: { code, message: peerText(message) } }),
});

const HAPPENING: DaemonEvent[] = [
  ...OPENING,
  ...OPENED,
  { type: "pairing-requested", pairing: UNPROVEN },
  { type: "session-opened", session: session({ proven: false }) },
  {
    type: "key-mismatch",
    sessionId: "s2",
    deviceName: PAIRING.deviceName,
    pinned: BOB,
    presented: EVE,
    proven: true,
  },
  ...PEERS.slice(0, 1).map((peer) => ({ type: "peer-changed", peer } as const)),
  ...RULED.map((peer) => ({ type: "peer-changed", peer } as const)),
  ...sent("transfer-failed"),
  {
    type: "transfer-hashing",
    transferId: transfer(9).transferId,
    hashed: 900_000,
    size: 3_000_000,
  },
  { type: "link-added", link: LINK },
  ...LINKS.map((link) => ({ type: "link-changed", link } as const)),
  { type: "link-not-kept", sessionId: "s2", message: peerText("the session is not kept") },
  { type: "link-removed", link: LINK },
  { type: "transfer-offered", transfer: OFFER },
  { type: "transfer-paused", transfer: { ...HALF, state: "paused", waitingFor: "slot" } },
  { type: "transfer-resumed", transfer: HALF },
  ended("CONNECTION_LOST", "the peer went away"),
  { type: "daemon-stopping", reason: "signal" },
];
const ALL_OF_IT = ["--count", String(HAPPENING.length)];
const LEFT_BEHIND: readonly DaemonEvent[] = [
  { type: "daemon-stopping", reason: "api" },
  { type: "daemon-stopped", graceful: false, transfersLeft: [OFFER.transferId] },
];
/** Peers whose keys people typed, and named. One calls itself as another was named. */
const NAMED: readonly PeerView[] = PEERS.map((peer, i) => {
  if (i === 0) return { ...peer, trustedByKey: true, name: "eve" };
  return i === 1 ? { ...peer, trustedByKey: true, name: "Bea" } : peer;
});
const SCENES: { readonly [name: string]: readonly Scene[] } = {
  status: [
    ...threeWays(["status"]),
    { about: "it serves already", words: ["status", "--wait", "--json"] },
    {
      about: "it never serves",
      words: ["status", "--wait", "--timeout", "1"],
      socket: "/nonexistent/bolt.sock",
    },
  ],
  identity: [
    { words: ["identity"] },
    { words: ["identity", "--json"] },
    { about: "it serves already", words: ["identity", "--wait"] },
    {
      about: "it never serves",
      words: ["identity", "--wait", "--timeout", "1"],
      socket: "/nonexistent/bolt.sock",
    },
  ],
  peers: [
    ...threeWays(["peers"]),
    { words: ["peers", "bob"] },
    { words: ["peers", "3f2b", "--json"] },
    { about: "80 columns", words: ["peers"], stage: { peers: KNOWN }, terminal: { columns: 80 } },
    ...KNOWN.slice(0, 2).map(({ identity }) => ({
      words: ["peers", identity.slice(0, 8)],
      stage: { peers: KNOWN },
    })),
    { words: ["peers"], stage: { peers: RULED } },
    { words: ["peers", "bob"], stage: { peers: RULED } },
    { words: ["peers"], stage: { peers: [] } },
    { words: ["peers"], stage: { peers: NAMED } },
    { words: ["peers", "Eve"], stage: { peers: NAMED } },
    { about: "with links", words: ["peers"], stage: { peers: LINKED } },
    { words: ["peers", "3f2b"], stage: { peers: LINKED } },
    { words: ["peers", "eve"], stage: { peers: LINKED } },
  ],
  link: [
    ...threeWays(["link"], { links: LINKS }),
    ...LINKS.slice(0, 3).map(({ name }) => ({
      words: ["link", "list", name],
      stage: { links: LINKS },
    })),
    { words: ["link", "list", "bob", "--json"] },
    { words: ["link", "list"], stage: { links: [] } },
    { words: ["link", "list", "nobody"] },
    { words: ["link", "add", "bob", ...LINK_FLAGS] },
    { words: ["link", "add", "bob", ...LINK_FLAGS, "--json"] },
    { words: ["link", "add", "bob", ...LINK_FLAGS, "--transport", "tcp", "--json"] },
    { words: ["link", "add", "bob", ...LINK_FLAGS, "--transport", "sctp"] },
    { words: ["link", "list"], stage: { links: [{ ...LINK, transport: "tcp" }] } },
    {
      words: ["link", "add", "bob", ...LINK_FLAGS],
      stage: { failure: new OperationError("POLICY_REFUSED", "the identity is not trusted") },
    },
    { words: ["link", "add", "bob", "--trust", ...LINK_FLAGS] },
    { words: ["link", "list", "--trust"] },
    { words: ["link", "wait", "bob"] },
    { words: ["link", "wait", "bob", "--json"] },
    { words: ["link", "wait", "nobody"] },
    ...["remove", "pause", "resume"].flatMap((action) => [
      { words: ["link", action, "bob"] },
      { words: ["link", action, "bob", "--json"] },
    ]),
    { about: "wrong turns", words: ["link", "delete", "bob"] },
    { words: ["link", "add"] },
    { words: ["link", "add", "bob"] },
    { words: ["link", "add", "bob\u202e", ...LINK_FLAGS] },
    { words: ["link", "add", "bob", ...LINK_FLAGS, "--to", "eve"] },
    { words: ["link", "add", "bob", ...LINK_FLAGS.slice(0, -4), "--peer-id", "bob"] },
    { words: ["link", "pause", "bob", "--role", "offerer"] },
  ],
  pair: [
    {
      about: "a pairing that is kept",
      words: ["pair", ...LINK_FLAGS, "--signal", "rendezvous", "--keep"],
      stage: { onPair: [...OPENED.slice(1), { type: "link-added", link: LINK_TO_BEA }] },
    },
    {
      about: "one that is not, and says why",
      words: ["pair", ...LINK_FLAGS, "--signal", "rendezvous", "--keep"],
      stage: {
        onPair: [
          ...OPENED.slice(1),
          { type: "link-not-kept", sessionId: "s2", message: peerText("it is not kept: why") },
        ],
      },
    },
    { words: ["pair", "--role", "offerer", ...FILES, "--keep"] },
    {
      words: [
        ...["pair", ...LINK_FLAGS.slice(0, -4), "--expect-peer", "bob"],
        ...["--signal", "rendezvous", "--keep"],
      ],
    },
    {
      about: "a person says yes",
      words: ["pair", "--role", "offerer", ...FILES],
      stage: PAIR,
      terminal: { columns: 80, types: ["yes"] },
    },
    {
      about: "a narrow terminal; answers that are none, then no",
      words: ["pair", "--role", "offerer", ...FILES],
      stage: PAIR,
      terminal: { columns: 40, types: ["what?", "", "NO"] },
    },
    {
      about: "very narrow, and stdin ends",
      words: ["pair", "--role", "offerer", ...FILES],
      stage: PAIR,
      terminal: { columns: 20, endsInput: true },
    },
    {
      about: "the request ends before the answer",
      words: ["pair", "--role", "offerer", ...FILES],
      stage: {
        onPair: [...OPENING, {
          type: "pairing-decided",
          pairing: { ...PAIRING, state: "expired", expiresAt: PAIRING.requestedAt },
        }],
      },
      terminal: { columns: 80 },
    },
    {
      about: "not a terminal: refused",
      words: ["pair", "--role", "offerer", ...FILES],
      stage: PAIR,
    },
    {
      about: "not a terminal, the SAS confirmed",
      words: ["pair", "--role", "offerer", ...FILES, "--sas", "a1b2c3"],
      stage: PAIR,
    },
    {
      words: ["pair", "--role", "offerer", ...FILES, "--sas", "A1B2C3", "--json"],
      stage: PAIR,
    },
    {
      about: "a bad SAS",
      words: ["pair", "--role=offerer", ...FILES, "--sas=000000"],
      stage: PAIR,
    },
    {
      about: "the peer never came",
      words: ["pair", "--role", "answerer", ...FILES],
      stage: { onPair: [ended("DEADLINE", "phase timeout expired: waiting for the offer file")] },
    },
    {
      about: "another key",
      words: ["pair", "--role", "answerer", ...FILES],
      stage: {
        onPair: [{
          type: "key-mismatch",
          sessionId: "s2",
          deviceName: PAIRING.deviceName,
          pinned: BOB,
          presented: EVE,
          proven: true,
        }, ended("KEY_MISMATCH", "the peer came with another key than the pinned one")],
      },
    },
    { words: ["pair", "--role", "offerer", ...FILES, "--no-wait"] },
    { words: ["pair", "--role", "offerer", ...FILES, "--no-wait", "--json"] },
    {
      about: "answering a request that waits",
      words: ["pair", "--once"],
      stage: { pairings: [PAIRING] },
      terminal: { columns: 80, types: ["y"] },
    },
    { words: ["pair", "--sas=A1B2C3", "--json"], stage: { pairings: [PAIRING] } },
    { words: ["pair", "--deny"], stage: { pairings: [PAIRING] } },
    {
      about: "a peer that has not proven its identity",
      words: ["pair", "--deny"],
      stage: { pairings: [UNPROVEN] },
    },
    { words: ["pair"], stage: { pairings: [PAIRING] } },
    {
      words: ["pair", "--deny"],
      stage: { pairings: [PAIRING, { ...PAIRING, pairingId: "p7" }] },
    },
    {
      words: ["pair", "--deny", "--pairing", "p7"],
      stage: { pairings: [PAIRING, { ...PAIRING, pairingId: "p7" }] },
    },
    { words: ["pair", "--deny", "--pairing", "p9"], stage: { pairings: [PAIRING] } },
    {
      about: "a peer that has not proven its identity",
      words: ["pair"],
      stage: { pairings: [UNPROVEN] },
      terminal: { columns: 80, types: ["yes"] },
    },
    {
      words: ["pair", "--unproven"],
      stage: { pairings: [UNPROVEN] },
      terminal: { columns: 80, types: ["yes"] },
    },
    {
      about: "a peer that is known comes under another peer code",
      words: ["pair"],
      stage: { pairings: [{ ...PAIRING, peerCode: "NEW1", knownAs: peerText("bea") }] },
      terminal: { columns: 80, types: ["no"] },
    },
    {
      words: ["pair", "--sas", "A1B2C3", "--unproven", "--once"],
      stage: { pairings: [UNPROVEN] },
    },
    {
      about: "a peer that is let in with its files",
      words: ["pair", "--unproven", "--once", "--accept-files"],
      stage: { pairings: [UNPROVEN] },
    },
    {
      about: "somebody else than the key that was named",
      words: ["pair", "--role", "answerer", ...FILES, "--identity", BOB],
      stage: {
        onPair: [{
          type: "identity-refused",
          sessionId: "s2",
          claimed: EVE,
          step: "expected-identity",
          message: peerText("the peer has proven another identity"),
        }, ended("IDENTITY_REFUSED", "the peer has proven another identity")],
      },
    },
    { words: ["pair", "--role", "offerer", ...FILES, "--identity", "3f2a"] },
    { about: "no request comes", words: ["pair", "--deny", "--timeout", "1"] },
  ],
  sessions: [
    ...threeWays(["sessions"], { sessions: SESSIONS }),
    { words: ["sessions"] },
  ],
  disconnect: [
    {
      about: "a peer with two sessions",
      words: ["disconnect", "bob"],
      stage: { sessions: SESSIONS },
    },
    { words: ["disconnect", "bob", "--json"], stage: { sessions: SESSIONS } },
    { words: ["disconnect", "0b5e0003"], stage: { sessions: SESSIONS } },
    { about: "of two", words: ["disconnect", "0b5e"], stage: { sessions: SESSIONS } },
    { words: ["disconnect", "0b"], stage: { sessions: SESSIONS } },
    { about: "it has ended", words: ["disconnect", "eve"], stage: { sessions: SESSIONS } },
    { words: ["disconnect", "nobody"], stage: { sessions: SESSIONS } },
    {
      about: "a link makes one of them again",
      words: ["disconnect", "bob"],
      stage: { sessions: SESSIONS, links: KEPT },
    },
    { words: ["disconnect", "bob", "--json"], stage: { sessions: SESSIONS, links: KEPT } },
    {
      about: "an attempt of a link",
      words: ["disconnect", "5e550004"],
      stage: { sessions: SESSIONS, links: KEPT },
    },
    {
      about: "not the link's session",
      words: ["disconnect", "0b5e0003"],
      stage: { sessions: SESSIONS, links: KEPT },
    },
    {
      about: "the link rests",
      words: ["disconnect", "bob"],
      stage: {
        sessions: SESSIONS,
        links: KEPT.map((link) => ({ ...link, state: "paused" as const })),
      },
    },
  ],
  trust: [
    { words: ["trust", "bob"] },
    { words: ["trust", "3f2a", "--deny", "--json"] },
    { words: ["trust", "Bob's laptop", "--auto-accept", "on"] },
    { words: ["trust", "bob", "--auto-accept", "off", "--json"] },
    { words: ["trust", "bob", "--auto-accept", "on", ...RULE] },
    { words: ["trust", "bob", "--auto-accept", "on", "--per-day=3", "--json"] },
    { words: ["trust", "bob", "--auto-accept", "off", "--per-day=3"] },
    { words: ["trust", "bob", "--names", "*.pdf"] },
    { words: ["trust", "bob", "--auto-accept", "on", "--max-size", "lots"] },
    { words: ["trust", "bob", "--auto-accept", "on", "--names", "../*"] },
    { words: ["trust", "c".repeat(64), "--replaces", BOB, "--sas", "A1B2C3"] },
    { words: ["trust", "bob", "--replaces", BOB] },
    { words: ["trust", "bob", "--auto-accept", "on", "--deny"] },
    { words: ["trust", "C".repeat(64), "--name", "carol"] },
    { words: ["trust", BOB, "--name", "bob", "--auto-accept", "on", "--per-day=3"] },
    { words: ["trust", "c".repeat(64), "--name", "carol", "--replaces", BOB] },
    { words: ["trust", BOB, "--name", "bob", "--replaces", BOB] },
    { words: ["trust", "bob", "--name", "bobby"] },
    { words: ["trust", "3f2b"] },
    { words: ["trust", "3f2b1111", "--name", "bea"] },
    { words: ["trust", "3f2b1111", "--name", "bea", "--unproven"] },
    { words: ["trust", "3f2b", "--name", "bea "] },
    { words: ["trust", "3f2b", "--deny", "--name", "bea"] },
  ],
  untrust: [{ words: ["untrust", "77aa"] }, { words: ["untrust", "eve", "--json"] }].map(
    (scene) => ({ ...scene, stage: { peers: PEERS } }),
  ),
  send: [
    { words: ["send", "/files/report.pdf", "/files/notes.txt"] },
    { words: ["send", "/files/report.pdf", "--to", "bob", "--priority", "-5", "--json"] },
    {
      words: ["send", "/files/report.pdf", "/files/notes.txt", "--wait"],
      stage: { onSend: sent("transfer-finished") },
    },
    {
      words: ["send", "/files/report.pdf", "/files/notes.txt", "--wait", "--json"],
      stage: { onSend: sent("transfer-finished") },
    },
    {
      about: "bars",
      words: ["send", "/files/report.pdf", "/files/notes.txt", "--wait"],
      stage: { onSend: sent("transfer-finished") },
      terminal: { columns: 72 },
    },
    {
      about: "the peer refuses the second",
      words: ["send", "/files/report.pdf", "/files/notes.txt", "--wait"],
      stage: { onSend: sent("transfer-failed") },
    },
    {
      about: "a large file, hashed first",
      words: ["send", "/files/report.pdf", "--wait"],
      stage: { onSend: HASHED },
    },
    {
      about: "the same with a bar",
      words: ["send", "/files/report.pdf", "--wait"],
      stage: { onSend: HASHED },
      terminal: { columns: 72 },
    },
    {
      about: "a peer that can't confirm",
      words: ["send", "/files/report.pdf", "--wait"],
      stage: { onSend: UNCONFIRMED },
    },
    {
      about: "a peer that can't confirm, with a bar",
      words: ["send", "/files/report.pdf", "--wait"],
      stage: { onSend: UNCONFIRMED },
      terminal: { columns: 72 },
    },
    {
      about: "a peer that can't confirm, JSON",
      words: ["send", "/files/report.pdf", "--wait", "--json"],
      stage: { onSend: UNCONFIRMED },
    },
    {
      about: "it never begins",
      words: ["send", "/files/report.pdf", "--wait", "--timeout", "1"],
    },
    {
      about: "a key that came before, and whose file has arrived meanwhile",
      words: ["send", "/files/report.pdf", "--idempotency-key", "nightly-1"],
      stage: { sentBefore: [DONE] },
    },
    {
      about: "the same, waited for",
      words: ["send", "/files/report.pdf", "--idempotency-key", "nightly-1", "--wait"],
      stage: { sentBefore: [DONE] },
    },
    {
      about: "a key that came with another request",
      words: ["send", "/files/report.pdf", "--idempotency-key", "nightly-1"],
      stage: { sendRefusal: REUSED },
    },
    {
      about: "a key that came with another request, JSON",
      words: ["send", "/files/report.pdf", "--idempotency-key", "nightly-1", "--json"],
      stage: { sendRefusal: REUSED },
    },
    { words: ["send", "/x", "--idempotency-key", "two words"] },
    { words: ["send", "/x", "--idempotency-key="] },
    { about: "the only linked peer, away", words: ["send", "/x"], stage: { peers: LINKED_AWAY } },
    { words: ["send", "/x"], stage: { peers: [] } },
    {
      words: ["send", "/x"],
      stage: { peers: PEERS.map((peer) => ({ ...peer, connected: true })) },
    },
    { words: ["send", "/x", "--to", "nobody"] },
    { words: ["send", "/x", "--to", "77a"] },
    { words: ["send", "-", "--to", "bob"] },
  ],
  accept: [
    { words: ["accept"], stage: LIST },
    { words: ["accept", "5a5b", "--name", "me.jpg", "--json"], stage: LIST },
    {
      words: ["accept", "--wait"],
      stage: {
        ...LIST,
        onAccept: [
          { type: "transfer-started", transfer: { ...OFFER, state: "active" } },
          progress(OFFER.transferId, 900_000, 1_000_000),
          {
            type: "transfer-finished",
            transfer: { ...OFFER, state: "completed", path: "/inbox/photo.jpg" },
          },
        ],
      },
    },
    {
      about: "the disk is full",
      words: ["accept", "--wait"],
      stage: {
        ...LIST,
        onAccept: [{
          type: "transfer-failed",
          transfer: {
            ...OFFER,
            state: "failed",
            failure: { code: "DISK_FULL", message: peerText("the disk of the inbox is full") },
          },
        }],
      },
    },
    { words: ["accept", "--all"], stage: { transfers: [OFFER, SECOND_OFFER] } },
    { words: ["accept", "--all", "--json"], stage: { transfers: [OFFER, SECOND_OFFER] } },
    {
      words: ["accept", "--all", "--wait"],
      stage: {
        transfers: [OFFER, SECOND_OFFER],
        onAccept: [OFFER, SECOND_OFFER].map((offer) => ({
          type: "transfer-finished",
          transfer: { ...offer, state: "completed", path: `/inbox/${offer.name}` },
        })),
      },
    },
    { words: ["accept", "--all"] },
    { words: ["accept", "--all", "5a5b"], stage: LIST },
    { words: ["accept", "--all", "--name", "x"], stage: LIST },
    { words: ["accept"] },
    { words: ["accept", "5a5"], stage: LIST },
    { words: ["accept", "--wait-for-offer"], stage: LIST },
    {
      about: "an offer comes",
      words: ["accept", "--wait-for-offer"],
      stage: {
        onList: [
          ...sent("transfer-failed"),
          { type: "transfer-offered", transfer: { ...OFFER, transferId: OFFER_ID } },
        ],
      },
    },
    { about: "none comes", words: ["accept", "--wait-for-offer", "--timeout", "1"] },
    { words: ["accept", "5a5b", "--wait-for-offer"], stage: LIST },
    {
      words: ["accept"],
      stage: { transfers: [OFFER, { ...OFFER, transferId: BEA.slice(0, 32) }] },
    },
  ],
  reject: [
    { words: ["reject"], stage: LIST },
    { words: ["reject", "5a5b", "--json"], stage: LIST },
    { words: ["reject", "9999"], stage: LIST },
  ],
  cancel: [
    { words: ["cancel", "7a7b"], stage: LIST },
    { words: ["cancel", "7a7b", "6a6b", "--json"], stage: LIST },
    { words: ["cancel"], stage: LIST },
  ],
  pause: [{ words: ["pause", "7a7b"], stage: LIST }, {
    words: ["pause", "7a7b", "--json"],
    stage: LIST,
  }],
  resume: [
    { words: ["resume", "7a7b"], stage: LIST },
    { words: ["resume", "7a7b", "--json"], stage: LIST },
  ],
  transfers: [
    ...threeWays(["transfers"], LIST),
    { words: ["transfers", "8a8b"], stage: LIST },
    { words: ["transfers", "8a8b", "--json"], stage: LIST },
    { words: ["transfers"], stage: { transfers: [TO_BROWSER, CONFIRMED] } },
    { words: ["transfers", "1a1b"], stage: { transfers: [TO_BROWSER] } },
    { words: ["transfers", "2a2b"], stage: { transfers: [CONFIRMED] } },
    { words: ["transfers", "--direction", "incoming", "--limit", "1"], stage: LIST },
    { words: ["transfers", "--state", "paused"], stage: LIST },
    { words: ["transfers", "--state", "stuck"], stage: LIST },
  ],
  watch: [
    { words: ["watch"], stage: { ...LIST, onList: HAPPENING } },
    { words: ["watch", "--json"], stage: { ...LIST, onList: HAPPENING.slice(-2) } },
    {
      about: "plain lines on a terminal",
      words: ["watch", "--plain"],
      stage: { ...LIST, onList: HAPPENING.slice(-4) },
      terminal: { columns: 80 },
    },
    { words: ["watch"], stage: { onList: HAPPENING.slice(-1) } },
    {
      about: "a peer that can't confirm",
      words: ["watch"],
      stage: { onList: [...UNCONFIRMED, ...HAPPENING.slice(-1)] },
    },
  ],
  received: [
    { words: ["received"], stage: { received: RECEIVED } },
    { words: ["received", "--json"], stage: { received: RECEIVED } },
    { words: ["received", "--null"], stage: { received: RECEIVED } },
    { words: ["received"] },
    { about: "a gap", words: ["received"], stage: { received: WITH_GAP } },
    { about: "a gap, JSON", words: ["received", "--json"], stage: { received: WITH_GAP } },
    { words: ["received", "--null", "--json"] },
    { words: ["received", "--done", "9f86d081-1"] },
    { words: ["received", "--done", "--mark", "/nonexistent/mark"] },
    { words: ["received", "--done", "report.pdf", "--mark", "/nonexistent/mark"] },
    { words: ["received", "--done", "9f86d081-1", "--mark", "/nonexistent/mark"] },
    { words: ["received", "--done", "/inbox/other", "--mark", "/nonexistent/mark"] },
    { words: ["received", "--mark", "/etc/hosts"] },
    { words: ["received", "--done", "9f86d081-1", "--follow", "--mark", "/nonexistent/mark"] },
    { words: ["received", "9f86d081-1"] },
    { about: "nothing arrives", words: ["received", "--follow", "--timeout", "1"] },
  ],
  events: [
    { words: ["events", "--after", "run1-0", ...ALL_OF_IT], stage: { before: HAPPENING } },
    {
      words: ["events", "--after", "run1-0", "--json", ...ALL_OF_IT],
      stage: { before: HAPPENING },
    },
    { words: ["events", "--after", "run1-2", "--count", "1"], stage: { before: HAPPENING } },
    { words: ["events", "--after", "run9-9", "--count", "1"], stage: { before: HAPPENING } },
    {
      about: "files that were sent",
      words: ["events", "--after", "run1-0", "--count", "2"],
      stage: {
        before: [...UNCONFIRMED.slice(1), { type: "transfer-finished", transfer: CONFIRMED }],
      },
    },
    { words: ["events", "--after", "yesterday"] },
    { about: "nothing happens", words: ["events", "--timeout", "1"] },
  ],
  shutdown: [
    { words: ["shutdown"] },
    { words: ["shutdown", "--json", "--force"] },
    ...threeWays(["shutdown", "--wait"]),
    ...threeWays(["shutdown", "--wait"], { onShutdown: LEFT_BEHIND }),
    { words: ["shutdown", "--wait", "--force"], stage: { onShutdown: LEFT_BEHIND } },
    { about: "killed", words: ["shutdown", "--wait"], stage: { onShutdown: [] } },
  ],
  completion: [
    { words: ["completion", "bash"] },
    { words: ["completion", "zsh"] },
    { words: ["completion", "fish"] },
    { words: ["completion", "csh"] },
  ],
  help: [
    { words: ["help"] },
    { words: [] },
    ...COMMANDS.map(({ name }) => ({ words: ["help", name] })),
    { words: ["help", "version", "--json"] },
    { words: ["help", "me"] },
  ],
  version: [
    { words: ["version"] },
    { words: ["version", "--json"] },
    { words: ["--version"] },
  ],
  wrong_turns: [
    { about: "no socket named", words: ["status"], socket: null },
    { about: "no daemon", words: ["status"], socket: "/nonexistent/bolt.sock" },
    { about: "no daemon, JSON", words: ["status", "--json"], socket: "/nonexistent/bolt.sock" },
    { about: "no socket at that path", words: ["status"], socket: "/etc/hosts" },
    { about: "an unknown peer", words: ["peers", "nobody"] },
    { about: "an ambiguous peer", words: ["peers", "3f"] },
    {
      about: "refused by policy",
      words: ["peers"],
      stage: { failure: new OperationError("POLICY_REFUSED", "Peers are not told") },
    },
    {
      about: "refused by policy, JSON",
      words: ["peers", "--json"],
      stage: { failure: new OperationError("POLICY_REFUSED", "Peers are not told") },
    },
    {
      about: "the daemon is stopping",
      words: ["peers"],
      stage: { failure: new OperationError("STOPPING", "The daemon is stopping") },
    },
    {
      about: "the peer is gone",
      words: ["send", "/x", "--to", "bob"],
      stage: {
        failure: new OperationError("PEER_NOT_CONNECTED", "No session with that peer is open"),
      },
    },
    {
      about: "a file that can't be read",
      words: ["send", "/x", "--to", "bob"],
      stage: { failure: new OperationError("FILE_UNREADABLE", "/x does not exist") },
    },
    { words: ["statsu"] },
    { words: ["trans"] },
    { words: ["--json"] },
    { words: ["status", "--jason"] },
    { words: ["status", "me"] },
    { words: ["send"] },
    { words: ["status", "--timeout", "0"] },
    { words: ["status", "--timeout"] },
    { words: ["status", "--socket", "a", "--socket=b"] },
    { words: ["send", "--to", "--wait", "x"] },
    { words: ["pair", "--room", "x"] },
    { words: ["pair", "--role", "offerer", "--offer", "x"] },
    { words: ["pair", "--role", "offerer", "--signal", "rendezvous", "--room", "r"] },
    { words: ["pair", "--sas", "12345"] },
    { words: ["status", "\u202e\u001b[2J"] },
  ],
};

/** Windows has no Unix sockets, at which the staged daemons are served. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

for (const [name, scenes] of Object.entries(SCENES)) {
  test(`boltctl: ${name} prints what its golden file holds`, () => assertGolden(name, scenes));
}
