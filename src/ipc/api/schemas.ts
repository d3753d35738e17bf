/**
 * The shapes of the local API, once: JSON Schemas from which the handlers validate, the OpenAPI
 * document is made, and the TypeScript types derive.
 *
 * Names are camelCase, times RFC 3339 in UTC, sizes bytes, durations seconds. Text that a peer
 * chose is `PeerText`: its unsafe characters are spelled out before it gets here.
 *
 * @module
 */
import * as Type from "typebox";
import type { TProperties } from "typebox";
import { QUEUE_EXPIRE_MS, REQUEST_KEY_MS } from "../../base/timing.ts";
import { TRANSFER_STATES, WAITING_FOR } from "../../base/transfer_states.ts";
import { byteCount, filesPerDay, namePattern } from "../../vocabulary/accept_rule.ts";
import {
  pairingPolicy,
  pinnedDecision,
  transportChoice,
  unprovenPolicy,
} from "../../vocabulary/policies.ts";
import * as asked from "../../vocabulary/session_values.ts";
import * as transferValues from "../../vocabulary/transfer_values.ts";
import type { Choice, ValueKind, WholeNumber } from "../../vocabulary/value_kind.ts";
import type { PeerText } from "./peer_text.ts";
import type { Static } from "./schema.ts";

/** What an application sends: exactly these members; an unknown one is refused, not ignored. */
const strict = <T extends TProperties>(title: string, description: string, properties: T) =>
  Type.Object(properties, { title, description, additionalProperties: false });

/** What the daemon answers: a reader ignores members that it does not know. */
const answer = <T extends TProperties>(title: string, description: string, properties: T) =>
  Type.Object(properties, { title, description });

const text = (description: string, maxLength = 4096) => Type.String({ description, maxLength });
const count = (description: string) => Type.Integer({ description, minimum: 0 });
const choice = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>(Type.Enum([...values], { type: "string", description }));
const DEFAULTS = asked.SESSION_DEFAULTS;
const wordOf = <T extends string>({ choices }: Choice<T>, description: string) =>
  choice(choices, description);
const numberOf = ({ min, max }: WholeNumber, description: string) =>
  Type.Integer({ description, minimum: min, maximum: max });
/**
 * A text that is read by the parser of its kind: what that refuses is refused, and what the daemon
 * gets is the normal form. In requests only: see `parse` in `validate.ts`.
 */
const written = <T extends string>(kind: ValueKind<T>, description: string) =>
  Type.Codec(
    Type.Refine(
      Type.String({ description }),
      (text: string) => kind.parse(text) !== undefined,
      () => `must be ${kind.expects}`,
    ),
  ).Decode((text: string): T => {
    const value = kind.parse(text);
    if (value === undefined) throw new TypeError("a text was decoded before it was checked");
    return value;
  }).Encode((value: T): string => value);
const peerChosen = (description: string) =>
  Type.Unsafe<PeerText>(Type.String({
    description: `${description} A peer may have chosen it; unsafe characters are spelled out.`,
    pattern: "^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]*$",
  }));
const time = (description: string) =>
  Type.String({ description, pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$" });

const identity = Type.String({
  description: "An identity key's public half, 64 lower-case hex digits.",
  pattern: "^[0-9a-f]{64}$",
});
const sas = Type.String({
  description:
    "The short authentication string that both people read, 6 upper-case hex digits. Where `proven` is false, " +
    "whoever relays the signals can forge it: no decision may rest on it.",
  pattern: "^[0-9A-F]{6}$",
});
const name = Type.String({
  description: "The name that people gave the peer: no other peer has it.",
});
const opaqueId = (description: string) =>
  Type.String({ description, pattern: "^[A-Za-z0-9_-]{1,64}$" });
const sessionId = opaqueId("A session of this run of the daemon.");
const pairingId = opaqueId("A pairing request of this run of the daemon.");
const transferId = Type.String({
  description: "A transfer of this daemon, 32 lower-case hex digits.",
  pattern: "^[0-9a-f]{32}$",
});
const peerCode = Type.String({
  description: "A rendezvous peer code: 1 to 16 ASCII letters and digits.",
  pattern: "^[A-Za-z0-9]{1,16}$",
});
const writtenIdentity = written(
  asked.identityKey,
  "An identity key's public half, 64 hex digits, capital or not.",
);
const writtenCode = written(
  asked.peerCode,
  "A rendezvous peer code: 1 to 16 ASCII letters and digits, hyphens ignored.",
);
const writtenSas = written(
  asked.sas,
  "The short authentication string that both people read, 6 hex digits, spaces ignored.",
);
/** On Windows a path begins with a drive or with a server's name. */
const ABSOLUTE_PATH = Deno.build.os === "windows"
  ? "^([A-Za-z]:[\\\\/]|\\\\\\\\)[^\\u0000]*$"
  : "^/[^\\u0000]*$";
const localPath = (description: string) =>
  Type.String({ description, pattern: ABSOLUTE_PATH, maxLength: 4096 });
const discriminator = (description: string) =>
  written(asked.roomOrSession, `${description} ${asked.roomOrSession.expects}.`);

/** @internal */
export const Failure = answer("Failure", "Why something failed.", {
  code: text("Stable upper-case code, e.g. CONNECTION_LOST.", 64),
  message: peerChosen("What happened and what to do, for people."),
});
/** Why something failed: a stable code and a message for the operator. */
export type Failure = Static<typeof Failure>;

/** @internal */
export const Status = answer("Status", "The daemon at a glance.", {
  version: text("The daemon's version.", 64),
  state: choice(["running", "stopping"], "What the daemon is doing."),
  pid: count("The daemon's process id."),
  startedAt: time("When the daemon started."),
  identity,
  deviceName: Type.Optional(text("The name that peers are shown.", 256)),
  dataDir: text("The data folder."),
  inbox: text("Where received files go."),
  pairingPolicy: wordOf(pairingPolicy, "What happens to an unknown identity."),
  unprovenPeers: wordOf(unprovenPolicy, "What happens to a session that is not proven."),
  sessions: Type.Object({
    open: count("Sessions that are open or being opened."),
    limit: count("How many there may be."),
  }),
  pendingPairings: count("Pairing requests that wait for a decision."),
  transfers: Type.Object({
    active: count("Transfers that flow."),
    waiting: count("All others that have not ended; each says what it is `waitingFor`."),
    limit: count("How many may flow at once."),
  }),
});
/** The daemon at a glance. */
export type Status = Static<typeof Status>;

const expectIdentity = written(
  asked.identityKey,
  "The identity that the peer must prove, 64 hex digits: another is refused, and this one is let " +
    "in for this session without a question.",
);
const sessionOptions = {
  expectIdentity: Type.Optional(expectIdentity),
  networkScope: Type.Optional(
    wordOf(asked.networkScope, `Which addresses may be used. Default: ${DEFAULTS.networkScope}.`),
  ),
  phaseTimeoutSecs: Type.Optional(
    numberOf(
      asked.phaseTimeoutSecs,
      `Deadline of each phase, in seconds. Default: ${DEFAULTS.phaseTimeoutSecs}.`,
    ),
  ),
  transport: Type.Optional(wordOf(
    transportChoice,
    "What may carry it, as `serve --transport` has it; not with `web`. Default: that of the daemon.",
  )),
};
const throughFiles = {
  signal: Type.Literal("file"),
  offer: localPath("The absolute path of the offer file."),
  answer: localPath("The absolute path of the answer file; another than the offer's."),
  signalOwner: Type.Optional(wordOf(
    asked.signalOwner,
    "Who may own the peer's file: `own` is that of the daemon's user and root's. " +
      `Default: ${DEFAULTS.signalOwner}.`,
  )),
  ...sessionOptions,
};
const throughRendezvous = {
  signal: Type.Literal("rendezvous"),
  rendezvousUrl: written(
    asked.rendezvousUrl,
    "The ws:// or wss:// URL of the rendezvous server, without user name or fragment; no other " +
      "is contacted.",
  ),
  room: discriminator("Room discriminator, the same at both ends:"),
  session: discriminator("Session discriminator, the same at both ends:"),
  peerId: Type.Optional(writtenCode),
  web: Type.Optional(Type.Boolean({
    description: "The other end is a web client: no hello and ack. Default: false.",
  })),
  keep: Type.Optional(Type.Boolean({
    description:
      "Keep it as a link once the session is open, proven and pinned; needs `peerId`. Default: false.",
  })),
  ...sessionOptions,
};

/** @internal */
export const PairRequest = Type.Union([
  strict("PairFileOfferer", "Offer through files.", {
    role: Type.Literal("offerer"),
    ...throughFiles,
  }),
  strict("PairFileAnswerer", "Answer through files.", {
    role: Type.Literal("answerer"),
    ...throughFiles,
  }),
  strict("PairRendezvousOfferer", "Offer through a rendezvous server.", {
    role: Type.Literal("offerer"),
    to: writtenCode,
    webConsent: Type.Optional(wordOf(
      asked.webConsent,
      "With `web`: whether the client's people are asked before the offer, as web applications do. " +
        `A client that asks nobody needs \`off\`. Default: ${DEFAULTS.webConsent}.`,
    )),
    ...throughRendezvous,
  }),
  strict("PairRendezvousAnswerer", "Answer through a rendezvous server.", {
    role: Type.Literal("answerer"),
    expectPeer: writtenCode,
    ...throughRendezvous,
  }),
], {
  title: "PairRequest",
  description: "How to open a session. The names and rules are those of the command line.",
});
/** What `pair` takes; `signal` and `role` say which of the forms it is. */
export type PairRequest = Static<typeof PairRequest>;

/** @internal */
export const SessionView = answer("Session", "A session with a peer, from first signal to end.", {
  sessionId,
  state: choice(
    ["signaling", "connecting", "handshaking", "deciding", "open", "closing", "closed", "failed"],
    "How far it is. `deciding`: a pairing request waits for an answer.",
  ),
  role: wordOf(asked.role, "Which side this daemon is."),
  signal: wordOf(asked.signalMode, "How it was signaled."),
  web: Type.Boolean({ description: "The peer is a web client." }),
  path: Type.Optional(Type.Object({
    transport: choice(["udp", "tcp"], "What carries it."),
    local: Type.String({ description: "Address and port of this end." }),
    remote: Type.String({ description: "Address and port of the peer's end." }),
  }, { description: "The way to the peer that was chosen when the connection was made." })),
  createdAt: time("When it was asked for."),
  openedAt: Type.Optional(time("When both sides had agreed.")),
  endedAt: Type.Optional(time("When it ended.")),
  peerCode: Type.Optional(peerCode),
  identity: Type.Optional(identity),
  deviceName: Type.Optional(peerChosen("The peer's device name.")),
  proven: Type.Optional(Type.Boolean({
    description: "The peer has proven that it holds the identity's key; false: it only claims it.",
  })),
  name: Type.Optional(name),
  sas: Type.Optional(sas),
  failure: Type.Optional(Failure),
});
/** A session with a peer, from its first signal to its end. */
export type SessionView = Static<typeof SessionView>;

/**
 * The sessions of this run of the daemon.
 * @internal
 */
export const SessionList = answer("SessionList", "The sessions of this run of the daemon.", {
  sessions: Type.Array(SessionView),
});

const linkName = written(
  asked.givenName,
  `What the link is called: ${asked.givenName.expects}; no other link has the name.`,
);
const nameInPath: ValueKind<string> = {
  expects: "the name of a link, percent-encoded",
  parse(text) {
    try {
      return asked.givenName.parse(decodeURIComponent(text));
    } catch {
      return undefined; // no percent-encoding of UTF-8
    }
  },
};
const toLink = {
  name: linkName,
  identity: written(
    asked.identityKey,
    "The identity that the peer must prove, 64 hex digits; trusted by key, or proven and pinned.",
  ),
  rendezvousUrl: throughRendezvous.rendezvousUrl,
  room: throughRendezvous.room,
  session: throughRendezvous.session,
  peerId: writtenCode,
  networkScope: sessionOptions.networkScope,
  transport: sessionOptions.transport,
  phaseTimeoutSecs: sessionOptions.phaseTimeoutSecs,
};

/** @internal */
export const LinkRequest = Type.Union([
  strict("LinkOfferer", "A link in which this daemon makes the offer.", {
    role: Type.Literal("offerer"),
    to: writtenCode,
    ...toLink,
  }),
  strict("LinkAnswerer", "A link in which this daemon answers.", {
    role: Type.Literal("answerer"),
    expectPeer: writtenCode,
    ...toLink,
  }),
], {
  title: "LinkRequest",
  description: "A pairing through a rendezvous server that is kept, and whom it is with.",
});
/** What `addLink` takes. */
export type LinkRequest = Static<typeof LinkRequest>;

const linkState = choice(
  ["connected", "trying", "refused", "paused"],
  "`connected`: a session is open. `trying`: the peer or the server is waited for, or an attempt " +
    "is under way. `refused`: who came is not who is expected, or the peer is not let in; it is " +
    "tried again. `paused`: it rests.",
);
const nextTryAt = time(
  "When the next attempt is made at the latest; absent while the peer's coming is waited for.",
);

/** @internal */
export const LinkView = answer("Link", "A pairing that is kept, and how it is.", {
  name: text("What it is called.", 256),
  identity,
  state: linkState,
  source: choice(["api", "file"], "Where it was added: over the API, or in the file of `--links`."),
  role: wordOf(asked.role, "Which side this daemon is."),
  rendezvousUrl: text("The rendezvous server, without the query of its URL."),
  room: text("The room."),
  session: text("The session discriminator."),
  peerId: peerCode,
  remoteCode: peerCode,
  networkScope: wordOf(asked.networkScope, "Which addresses may be used."),
  phaseTimeoutSecs: count("Deadline of each phase, in seconds."),
  transport: Type.Optional(
    wordOf(transportChoice, "What may carry its sessions; absent: what the daemon's may."),
  ),
  server: choice(
    ["registering", "registered", "unreachable", "taken-over"],
    "Whether this daemon is registered at the server. `taken-over`: another program has " +
      "registered `peerId` there, and receives what is meant for this daemon.",
  ),
  peerAtServer: Type.Boolean({ description: "The server says that the peer is registered too." }),
  attempts: count("Attempts to connect in this run of the daemon."),
  refusals: count("Attempts in which who came was refused."),
  sessionId: Type.Optional(sessionId),
  nextTryAt: Type.Optional(nextTryAt),
  failure: Type.Optional(Failure),
});
/** A pairing that is kept. */
export type LinkView = Static<typeof LinkView>;

/**
 * The links.
 * @internal
 */
export const LinkList = answer("LinkList", "The pairings that are kept.", {
  links: Type.Array(LinkView),
});

const ruleNumbers = {
  maxSize: Type.Optional(numberOf(byteCount, "Most bytes of a file.")),
  minFree: Type.Optional(
    numberOf(byteCount, "Fewest bytes that stay free in the inbox when all of the file is there."),
  ),
  perDay: Type.Optional(numberOf(
    filesPerDay,
    "Most files that are taken in a day of UTC, counted as they arrive.",
  )),
  unpack: Type.Optional(Type.Boolean({
    description:
      "Asks nothing of a file: tar archives become folders, as with `unpack` of accept. Default: false.",
  })),
};
const NAMES =
  "A pattern that fits the whole name: `*` is any characters or none, `?` one, all else itself.";

const AcceptRule = answer(
  "AcceptRule",
  "What a file must meet to be accepted without asking; a member that is absent asks nothing.",
  { ...ruleNumbers, names: Type.Optional(text(NAMES, 255)) },
);

/** @internal */
export const PeerView = answer("Peer", "An identity that is pinned or was met in this run.", {
  identity,
  trust: choice(["allow_always", "deny_always", "none"], "The pinned decision, if any."),
  autoAccept: Type.Boolean({
    description:
      "Its offers are accepted without asking, in sessions in which it proves who it is, where " +
      "they meet `acceptRule`.",
  }),
  acceptRule: Type.Optional(AcceptRule),
  proven: Type.Boolean({
    description: "It has proven its identity before: without proof it is not let in any more.",
  }),
  trustedByKey: Type.Boolean({
    description: "Its key was typed: without proof it is not let in, from the start.",
  }),
  name: Type.Optional(name),
  connected: Type.Boolean({ description: "A session with it is open." }),
  sessionId: Type.Optional(sessionId),
  lastSeenAt: Type.Optional(time(
    "When a session with it was last open, or it was pinned; after a crash of the daemon, when that " +
      "session opened. Absent while one is open, and where it is not known.",
  )),
  link: Type.Optional(Type.Object({
    name: text("What the link is called.", 256),
    state: linkState,
    nextTryAt: Type.Optional(nextTryAt),
    failure: Type.Optional(Failure),
  }, { description: "The link to it, if there is one." })),
  peerCode: Type.Optional(peerCode),
  deviceName: Type.Optional(peerChosen("Its device name when it was last met.")),
});
/** An identity that the daemon knows: pinned, or met in this run. */
export type PeerView = Static<typeof PeerView>;

/**
 * The peers that the daemon knows.
 * @internal
 */
export const PeerList = answer("PeerList", "The peers that the daemon knows.", {
  peers: Type.Array(PeerView),
});

const unproven = Type.Boolean({
  description:
    "Let the peer in though it has not proven its identity: whoever relays the signals may be in " +
    "its place. Default: false.",
});

/** @internal */
export const TrustRequest = strict(
  "TrustRequest",
  "Pins a decision. `name` trusts the identity by its key, which was typed: it need not have been " +
    "met, and must always prove itself. `replaces` needs `sas`, which people compared in a proven " +
    "session, or `name`.",
  {
    decision: wordOf(pinnedDecision, "A decision about an identity that is kept."),
    replaces: Type.Optional(writtenIdentity),
    sas: Type.Optional(writtenSas),
    name: Type.Optional(
      written(asked.givenName, `What the peer is called: ${asked.givenName.expects}.`),
    ),
    unproven: Type.Optional(unproven),
  },
);
/** What `trust` takes. */
export type TrustRequest = Static<typeof TrustRequest>;

/** @internal */
export const AutoAcceptRequest = strict(
  "AutoAcceptRequest",
  "Whether a peer's offers are accepted without asking. With `enabled` come what a file must meet; " +
    "people are asked about the others.",
  {
    enabled: Type.Boolean({
      description: "True: accept its offers without asking, those that wait already too.",
    }),
    ...ruleNumbers,
    names: Type.Optional(written(namePattern, NAMES)),
  },
);
/** What `set auto-accept` takes. */
export type AutoAcceptRequest = Static<typeof AutoAcceptRequest>;

/** @internal */
export const Pairing = answer("Pairing", "An unknown identity that asks to be let in.", {
  pairingId,
  sessionId,
  state: choice(["pending", "allowed", "denied", "expired"], "Whether it was decided."),
  identity,
  deviceName: peerChosen("Its device name."),
  peerCode: Type.Optional(peerCode),
  proven: Type.Boolean({ description: "It has proven that it holds the identity's key." }),
  knownAs: Type.Optional(peerChosen(
    "What the identity is known as, where it is pinned already: it comes under a peer code that is " +
      "not its own, or is not proven and only claims to be that peer.",
  )),
  sas,
  requestedAt: time("When it asked."),
  expiresAt: time("When it is refused if nobody decides."),
});
/** An unknown identity that waits for (or had) a decision. */
export type Pairing = Static<typeof Pairing>;

/**
 * The pairing requests that wait for a decision.
 * @internal
 */
export const PairingList = answer("PairingList", "The requests that wait for a decision.", {
  pairings: Type.Array(Pairing),
});

/** @internal */
export const PairingDecision = strict(
  "PairingDecision",
  "A decision. With `sas`, it counts only when that is the SAS of this request. A peer that has not " +
    "proven its identity is let in, or denied always, only with `unproven`.",
  {
    decision: choice(
      ["allow_once", "allow_always", "deny_once", "deny_always"],
      "`_always` is pinned; `_once` lives as long as the session.",
    ),
    sas: Type.Optional(writtenSas),
    unproven: Type.Optional(unproven),
    acceptFiles: Type.Optional(Type.Boolean({
      description:
        "Accept the peer's files without asking, in this session only. Only with a decision that " +
        "allows. Default: false.",
    })),
  },
);
/** What a pairing decision takes. */
export type PairingDecision = Static<typeof PairingDecision>;

const whatToSend = {
  paths: Type.Array(localPath("The absolute path of a file or folder."), {
    description: "The files, one transfer each. A folder is sent as one tar archive of its name.",
    minItems: 1,
    maxItems: 100,
  }),
  as: Type.Optional(written(
    transferValues.archiveName,
    "Send all of them, files and folders, in one transfer: a tar archive of this name.",
  )),
  priority: Type.Optional(numberOf(
    transferValues.priority,
    "Higher goes first; among equal ones peers take turns, and each peer's go in the order asked. " +
      "Default: 0.",
  )),
  rateLimit: Type.Optional(numberOf(
    transferValues.rateLimit,
    "How fast each of the transfers is sent at most, in bytes of the file a second. Default: as fast " +
      "as it goes, within `serve --rate-limit`.",
  )),
  expireSecs: Type.Optional(numberOf(
    transferValues.expireSecs,
    "How long the files wait for a linked peer while it is away, in seconds; without effect for other " +
      `peers. Default: ${QUEUE_EXPIRE_MS / 1000}.`,
  )),
};

/** @internal */
export const SendRequest = Type.Union([
  strict("SendToPeer", "To a peer with an open session, or a linked one, which may be away.", {
    ...whatToSend,
    identity: writtenIdentity,
  }),
  strict("SendToSession", "To the peer of a session.", { ...whatToSend, sessionId }),
], { title: "SendRequest", description: "Files of this machine, and who gets them." });
/** What `send` expects: files of this machine, and either a peer or one of its sessions. */
export type SendRequest = Static<typeof SendRequest>;

/**
 * The header of a request that is carried out once, however often it comes.
 * @internal
 */
export const IDEMPOTENCY_KEY = Type.String({
  description: "Chosen by the application, a fresh one for each request: within " +
    `${REQUEST_KEY_MS / 86_400_000} days the same request with the same key is not carried out ` +
    "again, and is answered with the transfers of the first.",
  pattern: transferValues.IDEMPOTENCY_KEY_PATTERN,
});

const transferState = choice(
  TRANSFER_STATES,
  "How far it is; the last five are final. `offered`: the receiver's decision is awaited. " +
    "`paused`: it was accepted and does not flow, see `waitingFor`.",
);
/** @internal */
export const WaitingFor = choice(
  WAITING_FOR,
  "What it waits for; absent when it flows or has ended. `session`: its peer's session, in which " +
    "another file is offered or flows. `peer`: its linked peer, which is away. `peer-space`: its linked peer to have space for it, which is tried at `nextTryAt`. `hash`: the SHA-256 of the file to send. `peer-decision`, " +
    "`decision`: the peer, or an application of this daemon, to accept. `slot`: one of the " +
    "`--max-transfers` that may flow. `resume`, `peer-resume`: an application of this daemon, or " +
    "the peer, to end a pause. `confirmation`: all was sent, the peer has not confirmed it yet.",
);
/** What a transfer that has not ended waits for. */
export type WaitingFor = Static<typeof WaitingFor>;

const direction = wordOf(transferValues.direction, "Seen from this daemon.");

/** @internal */
export const Transfer = answer("Transfer", "One file on its way, or that was.", {
  transferId,
  protocolTransferId: Type.Optional(Type.String({
    description:
      "Its id in the protocol, the same at both ends, as in the peer's log. Incoming: the " +
      "same as `transferId`. Outgoing: absent before the file is offered, and a new one when it is " +
      "offered again because the peer's own offer went first.",
    pattern: "^[0-9a-f]{32}$",
  })),
  direction,
  state: transferState,
  confirmed: Type.Optional(Type.Boolean({
    description:
      "Outgoing and completed: whether the peer has said, in a session in which it has " +
      "proven its identity, that it has read all of it. False: all was sent and nothing was said " +
      "against it; a peer that answers no such question (a web client), or that has not proven who " +
      "it is, can't confirm. Absent for incoming files, which are verified here, and for files that " +
      "were sent before this was kept.",
  })),
  waitingFor: Type.Optional(WaitingFor),
  identity,
  sessionId: Type.Optional(sessionId),
  name: peerChosen("The file's name."),
  path: Type.Optional(text(
    "Outgoing: the source. Incoming and completed: where the file is. As it is on the disk, to be " +
      "opened: escape it before it is shown.",
  )),
  archive: Type.Optional(answer(
    "Archive",
    "Outgoing: files and folders that are sent as one tar archive, which is put together as it is read.",
    {
      paths: Type.Array(text("As it is on the disk: escape it before it is shown."), {
        description: "What it is made of.",
      }),
      skipped: Type.Optional(count(
        "How many entries were left out: links, pipes, devices, the daemon's own data, names that are " +
          "not Unicode. Absent where it was queued in an earlier run of the daemon.",
      )),
      skippedNames: Type.Optional(Type.Array(text("A path in the archive, escaped, and why."), {
        description: "The first of them.",
        maxItems: 10,
      })),
    },
  )),
  size: count("The file's size, in bytes."),
  transferred: count(
    "How far it is, in bytes from the file's start: those sent or received so far, and before them " +
      "`resumedFrom`.",
  ),
  resumedFrom: Type.Optional(count(
    "Bytes at the file's start that came in earlier tries, and not again in this one. Outgoing: as " +
      "the peer claims; `transferred` less this was sent. Absent when it began at its first byte.",
  )),
  keptBytes: Type.Optional(count(
    "Incoming and ended early: bytes that are kept here, with which the file goes on when the same " +
      "peer sends it again. Absent when nothing is kept.",
  )),
  hashed: Type.Optional(count(
    "Outgoing and queued: bytes of the file read so far for its hash, which the offer carries.",
  )),
  priority: Type.Integer({ description: "Higher goes first." }),
  rateLimit: Type.Optional(count("Outgoing: how fast it is sent at most, in bytes a second.")),
  unpacked: Type.Optional(Type.Boolean({
    description:
      "Incoming and completed: true when `path` is the folder that the archive was unpacked into. " +
      "`size` and `fileHash` are the archive's.",
  })),
  unpackFailure: Type.Optional(answer(
    "UnpackFailure",
    "Incoming and completed, in the run in which it arrived: why the archive was not unpacked though " +
      "that was asked for.",
    {
      code: text("Stable upper-case code, e.g. ARCHIVE_REFUSED.", 64),
      message: peerChosen("What happened and what to do, for people."),
    },
  )),
  fileHash: Type.Optional(Type.String({
    description: "SHA-256 of the file, 64 hex digits.",
    pattern: "^[0-9a-f]{64}$",
  })),
  createdAt: time("When it was queued or offered."),
  updatedAt: time("When it last changed."),
  nextTryAt: Type.Optional(time(
    "Outgoing, and its linked peer had no space for it: when it is offered again, if the peer is there.",
  )),
  expiresAt: Type.Optional(time(
    "Outgoing, for a linked peer, and not ended: when it is given up if it still waits.",
  )),
  failure: Type.Optional(Failure),
});
/** One file on its way, or that was. */
export type Transfer = Static<typeof Transfer>;

/**
 * The transfers that a `send` has queued.
 * @internal
 */
export const TransferList = answer("TransferList", "The queued transfers, in order.", {
  transfers: Type.Array(Transfer),
});

/** @internal */
export const TransferPage = answer("TransferPage", "A page of transfers, newest first.", {
  transfers: Type.Array(Transfer),
  nextCursor: Type.Optional(text("`cursor` of the next page; absent on the last.", 128)),
});
/** A page of transfers, newest first. */
export type TransferPage = Static<typeof TransferPage>;

/** @internal */
export const TransferQuery = strict("TransferQuery", "Which transfers to list.", {
  limit: Type.Optional(Type.Integer({
    description: "Most transfers in a page. Default: 50.",
    minimum: 1,
    maximum: 200,
  })),
  cursor: Type.Optional(Type.String({
    description: "`nextCursor` of the page before.",
    pattern: "^[A-Za-z0-9_-]{1,128}$",
  })),
  state: Type.Optional(transferState),
  direction: Type.Optional(direction),
});
/** Query of the transfer list. */
export type TransferQuery = Static<typeof TransferQuery>;

const receivedId = (description: string) =>
  Type.String({ description, pattern: "^[0-9a-f]{8}-[1-9][0-9]{0,14}$" });

/** @internal */
export const Received = answer("Received", "A file that has arrived.", {
  receivedId: receivedId(
    "Its place among all that have arrived: the number behind the hyphen counts up by one. What to " +
      "send as `after` to go on behind it.",
  ),
  transferId: Type.String({
    description: "The transfer that brought it, which may not be remembered any more.",
    pattern: "^[0-9a-f]{32}$",
  }),
  identity,
  name: peerChosen("The name that it was offered under."),
  path: text(
    "Where it was put, as it is on the disk, to be opened: escape it before it is shown. It may have " +
      "been taken away since.",
  ),
  size: count("Its size, in bytes."),
  fileHash: Type.String({
    description: "SHA-256 of the file, verified, 64 hex digits.",
    pattern: "^[0-9a-f]{64}$",
  }),
  createdAt: time("When it was offered."),
  receivedAt: time("When it had arrived."),
});
/** A file that has arrived. */
export type Received = Static<typeof Received>;

/** @internal */
export const ReceivedList = answer(
  "ReceivedList",
  "Files that have arrived, the earliest first; as many as the daemon gives at a time.",
  {
    files: Type.Array(Received),
    gap: Type.Boolean({
      description:
        "Files between `after` and the first of these are not known any more, or `after` is of " +
        "another record: what follows begins with the oldest that is known.",
    }),
    before: Type.Optional(
      receivedId("The file before the first of these; absent: there was none ever."),
    ),
    more: Type.Boolean({ description: "There are files after the last of these." }),
  },
);
/** A part of the files that have arrived. */
export type ReceivedList = Static<typeof ReceivedList>;

/** @internal */
export const ReceivedQuery = strict("ReceivedQuery", "Where to begin.", {
  after: Type.Optional(
    receivedId("the `receivedId` of a file. Default: the oldest that is known."),
  ),
});
/** Query of the files that have arrived. */
export type ReceivedQuery = Static<typeof ReceivedQuery>;

/** @internal */
export const AcceptRequest = strict("AcceptRequest", "How to take an offered file.", {
  name: Type.Optional(Type.String({
    description:
      "The name to save it under instead of the offered one: no separators, no control characters.",
    pattern: "^(?!\\.{1,2}$)[^/\\\\\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]+$",
    maxLength: 255,
  })),
  unpack: Type.Optional(Type.Boolean({
    description:
      "Make a folder of it when it has arrived, if its name ends in .tar: of its regular files and " +
      "folders, under safe names. Where that can't be it stays a file, and `unpackFailure` says why. " +
      "Default: false.",
  })),
});
/** What `accept` takes. */
export type AcceptRequest = Static<typeof AcceptRequest>;

/** @internal */
export const ShutdownRequest = strict("ShutdownRequest", "How to stop.", {
  force: Type.Optional(Type.Boolean({
    description: "Do not wait for transfers to be cancelled cleanly. Default: false.",
  })),
});
/** What `shutdown` takes. */
export type ShutdownRequest = Static<typeof ShutdownRequest>;

/**
 * The answer to `/healthz`.
 * @internal
 */
export const Health = answer("Health", "The daemon answers.", { status: Type.Literal("ok") });

/**
 * A rendezvous peer code.
 * @internal
 */
export const PeerCodeText = peerCode;
/**
 * An identity as the daemon tells it, in lower-case digits.
 * @internal
 */
export const IdentityText = identity;
/**
 * A device name that a peer chose.
 * @internal
 */
export const PeerChosenName = peerChosen("The peer's device name.");

/**
 * What happened, for people; parts may be a peer's.
 * @internal
 */
export const PeerChosenText = peerChosen("What happened and what to do, for people.");

/**
 * Parameters in paths.
 * @internal
 */
export const PATH_PARAMETERS = {
  identity: writtenIdentity,
  sessionId,
  pairingId,
  transferId,
  linkName: written(nameInPath, "The name of a link, percent-encoded."),
} as const;
/** The name of a parameter in a path. */
export type PathParameter = keyof typeof PATH_PARAMETERS;
