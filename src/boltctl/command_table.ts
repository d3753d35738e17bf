/**
 * Every command of boltctl, once: parsing, help and completion derive from this table.
 *
 * @module
 */
import { QUEUE_EXPIRE_MS, REQUEST_KEY_MS } from "../base/timing.ts";
import { TRANSFER_STATES, type TransferState } from "../base/transfer_states.ts";
import { byteSize, filesPerDay, namePattern } from "../vocabulary/accept_rule.ts";
import {
  givenName,
  identityKey,
  networkScope,
  peerCode,
  phaseTimeoutSecs,
  rendezvousUrl,
  role,
  roomOrSession,
  sas,
  SESSION_DEFAULTS as DEFAULTS,
  signalMode,
  signalOwner,
  webConsent,
} from "../vocabulary/session_values.ts";
import { transportChoice } from "../vocabulary/policies.ts";
import {
  archiveName,
  byteRate,
  direction,
  expireDuration,
  idempotencyKey,
  priority,
} from "../vocabulary/transfer_values.ts";
import {
  anyText,
  type Choice,
  oneOf,
  path,
  type ValueKind,
  wholeNumber,
} from "../vocabulary/value_kind.ts";
import type { ArgumentSpec, CommandSpec, FlagSpec } from "./command.ts";

const flag = (
  name: string,
  placeholder: string,
  kind: ValueKind<unknown>,
  summary: string,
): FlagSpec => ({ name, summary, value: { kind, placeholder } });
/** A kind whose values the daemon knows. */
export interface ListedKind extends ValueKind<string> {
  /** The list that they are in. */
  readonly list: WordList;
}
const pathFlag = (name: string, summary: string): FlagSpec => flag(name, "PATH", path, summary);
const text = (name: string, placeholder: string, summary: string): FlagSpec =>
  flag(name, placeholder, anyText, summary);
const choice = (name: string, kind: Choice<string>, summary: string): FlagSpec =>
  flag(name, kind.choices.join("|"), kind, summary);
const argument = (
  placeholder: string,
  min: number,
  max: number,
  kind: ValueKind<unknown> = anyText,
): ArgumentSpec => ({ placeholder, min, max, kind });

/** Flags that every command takes. */
export const COMMON_FLAGS: readonly FlagSpec[] = [
  pathFlag("socket", "The daemon's socket; without it, BOLT_SOCKET names it"),
  flag("api", "FILE", path, "The daemon's api.json, with --local-api tcp; without it, BOLT_API"),
  { name: "json", summary: "Print JSON for programs, one object a line" },
  flag("timeout", "SECS", wholeNumber(1, 86_400), "Give up after so long"),
  { name: "help", summary: "Explain the command and do nothing; so does -h" },
];

/** The flag that stands without a command. */
export const VERSION_FLAG: FlagSpec = { name: "version", summary: "Print the version of boltctl" };

const sasFlag = flag(
  "sas",
  "SAS",
  sas,
  "Confirm without a question: the six characters of the other end",
);
const unprovenFlag: FlagSpec = {
  name: "unproven",
  summary: "Let it in though it has not proven its identity",
};
const waitFlag: FlagSpec = {
  name: "wait",
  summary: "Show progress and wait for the end; Ctrl-C cancels the transfer",
};
/** States of a transfer, as `--state` takes them. */
export const transferState: Choice<TransferState> = oneOf(TRANSFER_STATES);
/** Whether the files of a peer are accepted unasked, as `--auto-accept` takes it. */
export const onOrOff: Choice<"on" | "off"> = oneOf(["on", "off"]);
/** Shells that completion scripts are written for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;
/** What a completion script asks the daemon for: words for an argument, as it is typed. */
export const WORD_LISTS = ["peers", "identities", "transfers", "unfinished", "offers"] as const;
/** One of {@linkcode WORD_LISTS}. */
export type WordList = typeof WORD_LISTS[number];

/** A text that the daemon's words of a list complete. */
const fromList = (list: WordList): ListedKind => ({ ...anyText, list });
const aPeer = fromList("peers");
/** For decisions: no peer by what it calls itself. */
const anIdentity = fromList("identities");
const aTransfer = fromList("transfers");
const anUnfinished = fromList("unfinished");
const anOffer = fromList("offers");
const TRANSFER_NOTE =
  "TRANSFER is an id or its first 4 digits or more, as boltctl transfers shows it.";
const PEER_NOTE =
  "PEER is an identity, the name that you gave the peer, a peer code, a device name, or the first 4 " +
  "digits or more of an identity.";

/** How two daemons meet at a rendezvous server. */
const MEETING_FLAGS: readonly FlagSpec[] = [
  flag(
    "rendezvous-url",
    "URL",
    rendezvousUrl,
    "The rendezvous server",
  ),
  flag("room", "NAME", roomOrSession, "Room, the same at both ends"),
  flag("session", "NAME", roomOrSession, "Session, the same at both ends"),
  flag("to", "CODE", peerCode, "Peer code of the answerer, for the offerer"),
  flag("expect-peer", "CODE", peerCode, "Peer code of the offerer, for the answerer"),
  flag("peer-id", "CODE", peerCode, "Our own peer code (default: made up)"),
  choice(
    "network-scope",
    networkScope,
    `Addresses that may be used (default: ${DEFAULTS.networkScope})`,
  ),
  flag(
    "phase-timeout-secs",
    "SECS",
    phaseTimeoutSecs,
    `Deadline of each phase (default: ${DEFAULTS.phaseTimeoutSecs})`,
  ),
  choice("transport", transportChoice, "What may carry it (default: as the daemon's --transport)"),
];
/** What `boltctl link` does. */
export const LINK_ACTIONS = ["list", "add", "wait", "remove", "pause", "resume"] as const;
/** See {@linkcode LINK_ACTIONS}. */
export type LinkAction = typeof LINK_ACTIONS[number];
/** The first word after `link`, which completes; a name may follow. */
const linkWord: Choice<string> = { ...anyText, choices: LINK_ACTIONS };

/** The shells are offered, and the lists taken as well: by the scripts themselves. */
const shellOrList: Choice<string> = {
  ...oneOf([...SHELLS, ...WORD_LISTS]),
  choices: SHELLS,
  expects: oneOf(SHELLS).expects,
};

/** A command that does one thing to each of some transfers. */
const steering = <const Name extends string>(name: Name, summary: string) => ({
  name,
  summary,
  details: [TRANSFER_NOTE],
  argument: argument("TRANSFER", 1, 100, anUnfinished),
  flags: [],
  examples: [`${name} 3f2a`],
  needsDaemon: true,
});

/**
 * The table.
 * @internal
 */
export const TABLE = [
  {
    name: "status",
    summary: "Show the daemon at a glance",
    details: [
      "Version, identity, folders, and how many sessions and transfers there are. With --wait, " +
      "for a daemon that is being started: it is waited for, up to a minute or --timeout.",
    ],
    flags: [{ name: "wait", summary: "Wait until the daemon serves" }],
    examples: ["status", "status --json", "status --wait"],
    needsDaemon: true,
  },
  {
    name: "identity",
    summary: "Print this daemon's identity key",
    details: [
      "64 hexadecimal digits and nothing else: what boltctl trust and boltctl pair --identity take " +
      "at the other end. With --wait, of a daemon that is being started: it is waited for, up to a " +
      "minute or --timeout.",
    ],
    flags: [{ name: "wait", summary: "Wait until the daemon serves" }],
    examples: ["identity", "identity --wait"],
    needsDaemon: true,
  },
  {
    name: "peers",
    summary: "List the peers that the daemon knows",
    details: [`With PEER, all that is known of one. ${PEER_NOTE}`],
    argument: argument("PEER", 0, 1, aPeer),
    flags: [],
    examples: ["peers", "peers bob"],
    needsDaemon: true,
  },
  {
    name: "pair",
    summary: "Open a session with a peer, or answer one that asks to be let in",
    details: [
      "With --role a session is opened, through files or a rendezvous server, as the " +
      "daemon's own flags of these names say. Without --role a pairing request that " +
      "waits, or the next one, is answered.",
      "",
      "An unknown peer is let in only when its people and you have compared the SAS. On a " +
      "terminal it is shown in large and asked about; elsewhere the peer is refused, " +
      "unless --sas gives the six characters that the other end shows. With --json the " +
      "session's events are printed.",
      "",
      "With --identity only the peer that proves that key is let in, and nobody is asked. A peer " +
      "that does not prove its identity, such as a web client, is let in only with --unproven: " +
      "its SAS can be forged by whoever relays the signals.",
      "",
      "A web application asks its people whether they want the session before it takes one, and so " +
      "does --web. A web client that asks nobody needs --web-consent off.",
    ],
    flags: [
      choice("role", role, "Open a session in this role"),
      choice("signal", signalMode, `How offer and answer travel (default: ${DEFAULTS.signal})`),
      pathFlag("offer", "The offer file, with --signal file"),
      pathFlag("answer", "The answer file, with --signal file"),
      choice(
        "signal-owner",
        signalOwner,
        `Who may own the peer's file (default: ${DEFAULTS.signalOwner})`,
      ),
      ...MEETING_FLAGS,
      { name: "web", summary: "The other end is a web client" },
      { name: "keep", summary: "Make it again whenever it is lost; needs --peer-id" },
      choice(
        "web-consent",
        webConsent,
        `Ask its people before the offer (default: ${DEFAULTS.webConsent})`,
      ),
      flag("identity", "KEY", identityKey, "The identity that the peer must prove, 64 digits"),
      { name: "no-wait", summary: "Return as soon as the session is begun" },
      sasFlag,
      unprovenFlag,
      { name: "once", summary: "Let the peer in for this session only" },
      { name: "accept-files", summary: "Take its files without asking, in this session" },
      { name: "deny", summary: "Refuse the peer that asks" },
      text("pairing", "ID", "The request to answer, when several wait"),
    ],
    examples: [
      "pair --role offerer --offer /mnt/share/offer.json --answer /mnt/share/answer.json",
      "pair --role answerer --signal rendezvous --rendezvous-url ws://192.168.1.10:3001 " +
      "--room home --session 1 --expect-peer alice --peer-id bob",
      "pair --sas A1B2C3",
    ],
    needsDaemon: true,
  },
  {
    name: "link",
    summary: "Keep pairings: make them again whenever they are lost",
    details: [
      "boltctl link list [NAME] shows them; wait NAME waits until a session is open, up to a minute " +
      "or --timeout; add, remove, pause and resume NAME change them. A link is a pairing through a rendezvous server that the daemon makes again after a " +
      "restart or an outage of either end, the server or the network, without anybody's doing.",
      "",
      "Only the peer that proves --identity is let in. That key must be trusted: --trust does what " +
      "boltctl trust KEY --name NAME does, and adds the link. The other end needs a link too, with " +
      "the other role and the codes the other way round. To remove or pause a link ends its session.",
    ],
    argument: argument("list|add|wait|remove|pause|resume", 0, 2, linkWord),
    flags: [
      choice("role", role, "Our role: one end offers, the other answers"),
      flag("identity", "KEY", identityKey, "The identity that the peer must prove, 64 digits"),
      { name: "trust", summary: "Trust that key, under the link's name, as you typed it" },
      ...MEETING_FLAGS,
    ],
    examples: [
      "link",
      `link add bob --trust --identity ${"3f2a".padEnd(64, "0")} --role offerer ` +
      "--rendezvous-url ws://192.168.1.10:3001 --room home --session 1 --peer-id alice --to bob",
      "link wait bob --timeout 3600",
      "link pause bob",
    ],
    needsDaemon: true,
  },
  {
    name: "sessions",
    summary: "List the sessions, those that have ended too",
    details: ["Those of this run of the daemon, the oldest first; of ended ones, the last few."],
    flags: [],
    examples: ["sessions", "sessions --json"],
    needsDaemon: true,
  },
  {
    name: "disconnect",
    summary: "End the sessions with a peer, or one session",
    details: [
      `SESSION is an id or its first 4 characters or more, as boltctl sessions shows it. ${PEER_NOTE}`,
      "",
      "Transfers under way are cancelled. The peer stays trusted, and may come again; boltctl untrust " +
      "ends that. A link opens another session at once or a little later: to have none, boltctl link " +
      "pause NAME instead, which ends the link's session too.",
    ],
    argument: argument("PEER|SESSION", 1, 1, aPeer),
    flags: [],
    examples: ["disconnect bob"],
    needsDaemon: true,
  },
  {
    name: "trust",
    summary: "Pin a decision about a peer, or set whether its files are accepted unasked",
    details: [
      `${PEER_NOTE} A full identity may be one that the daemon has not met.`,
      "",
      "Without a flag the peer is let in from now on. With --name its key is trusted as you typed " +
      "it: the peer need not have been met, is let in only with a proof that it holds the key, and " +
      "is called so from now on. A peer that has not proven its identity is let in only with " +
      "--unproven.",
      "",
      "With --auto-accept on its files are accepted unasked, those that wait already too, in sessions " +
      "in which it proves its identity. --max-size, --names, --min-free and --per-day are what a file " +
      "must meet for that, all of them; people are asked about the others. Given again, they take the " +
      "place of what was set. A pattern fits the whole name: * is any characters or none, ? one. " +
      "--unpack asks nothing of a file: archives are unpacked as by boltctl accept --unpack.",
      "",
      "A peer that came with another key than the pinned one is refused until --replaces and --sas " +
      "say that its people confirmed the new key, or --replaces and --name that you typed it.",
    ],
    argument: argument("PEER", 1, 1, anIdentity),
    flags: [
      { name: "deny", summary: "Refuse the peer from now on" },
      choice("auto-accept", onOrOff, "Accept its files unasked, or no longer"),
      flag("max-size", "SIZE", byteSize, "With --auto-accept on: files of at most so many bytes"),
      flag("names", "PATTERN", namePattern, "With --auto-accept on: files whose names fit"),
      flag("min-free", "SIZE", byteSize, "With --auto-accept on: while so many bytes stay free"),
      flag("per-day", "NUMBER", filesPerDay, "With --auto-accept on: so many a day, of UTC"),
      { name: "unpack", summary: "With --auto-accept on: make folders of its tar archives" },
      flag("name", "NAME", givenName, "Trust its key as typed, and call it so"),
      unprovenFlag,
      flag("replaces", "IDENTITY", identityKey, "The pinned identity that it replaces"),
      flag("sas", "SAS", sas, "The six characters that were compared, with --replaces"),
    ],
    examples: [
      "trust bob",
      `trust ${"3f2a".padEnd(64, "0")} --name bob`,
      `trust ${"3f2a".padEnd(64, "0")} --name bob --auto-accept on`,
      "trust bob --auto-accept on",
      "trust bob --auto-accept on --max-size 20G --names 'backup-*.tar' --min-free 50G --per-day 3",
      "trust 3f2a --deny",
    ],
    needsDaemon: true,
  },
  {
    name: "untrust",
    summary: "Forget the decision about a peer",
    details: [`${PEER_NOTE} The daemon asks about it again when it connects.`],
    argument: argument("PEER", 1, 1, anIdentity),
    flags: [],
    examples: ["untrust bob"],
    needsDaemon: true,
  },
  {
    name: "send",
    summary: "Send files and folders to a connected or linked peer",
    details: [
      "Each file is a transfer; all are queued or none. The daemon reads the files: " +
      "boltctl does not open them. Without --to they go to the only peer that is connected or linked.",
      "",
      "A folder is sent as NAME.tar, which any peer can unpack and which is never on a disk here; with " +
      "--as all that is named becomes one such archive. Symbolic links, pipes and devices are left " +
      "out, which is said. What changes while it is sent ends the transfer.",
      "",
      "Files for a linked peer wait for it whenever it is away, over restarts of both daemons, " +
      "and go on where they were cut off. With --wait the command waits as long.",
      "",
      "With --idempotency-key the files are sent once, however often the command is given within " +
      `${REQUEST_KEY_MS / 86_400_000} days: again it tells of the same transfers. With another ` +
      "command line the key is refused.",
      "",
      `${PEER_NOTE} With --json the transfers are printed: as they were queued, or with ` +
      "--wait as they ended.",
    ],
    argument: argument("FILE|FOLDER", 1, 100, path),
    flags: [
      flag("to", "PEER", aPeer, "The peer that receives them"),
      flag("as", "NAME.tar", archiveName, "Send all of them as one tar archive of this name"),
      flag("priority", "NUMBER", priority, "Higher goes first (default: 0)"),
      flag(
        "expire",
        "DURATION",
        expireDuration,
        `Wait so long at most for a linked peer that is away (default: ${
          QUEUE_EXPIRE_MS / 86_400_000
        }d)`,
      ),
      flag(
        "rate-limit",
        "RATE",
        byteRate,
        "Send each no faster: bytes a second, as in 500K or 10M",
      ),
      flag("idempotency-key", "KEY", idempotencyKey, "Send them once, however often this is given"),
      waitFlag,
    ],
    examples: [
      "send report.pdf",
      "send --to bob --wait photos.zip notes.txt",
      "send --to bob holidays",
      "send --to bob --as work.tar drafts notes.txt",
      "send --to nas --expire 12h backup.tar",
      "send --to nas --idempotency-key backup-2026-11-27 backup.tar",
    ],
    needsDaemon: true,
  },
  {
    name: "accept",
    summary: "Take an offered file",
    details: [
      `${TRANSFER_NOTE} Without it, the only file that is offered; with --wait-for-offer the ` +
      "next one where none is, for up to a minute or --timeout; with --all every file that is " +
      "offered now, if any.",
      "",
      "With --unpack a tar archive becomes a folder of its name once all of it has come: of its regular " +
      "files and folders, under safe names, and all of it or nothing. Where that can't be, it stays an " +
      "archive, which is said; with --wait the command then ends with 1. Other files are taken as ever.",
    ],
    argument: argument("TRANSFER", 0, 1, anOffer),
    flags: [
      text("name", "NAME", "Save under this name"),
      { name: "wait-for-offer", summary: "Wait for a file to be offered when none is" },
      { name: "all", summary: "Take every file that is offered" },
      { name: "unpack", summary: "Make a folder of a tar archive" },
      waitFlag,
    ],
    examples: [
      "accept",
      "accept 3f2a --name report.pdf --wait",
      "accept --wait-for-offer --wait",
      "accept --all",
      "accept --unpack --wait",
    ],
    needsDaemon: true,
  },
  {
    name: "reject",
    summary: "Refuse an offered file",
    details: [`${TRANSFER_NOTE} Without it, the only file that is offered.`],
    argument: argument("TRANSFER", 0, 1, anOffer),
    flags: [],
    examples: ["reject", "reject 3f2a"],
    needsDaemon: true,
  },
  steering("cancel", "End transfers, in either direction"),
  steering("pause", "Hold transfers"),
  steering("resume", "Let held transfers go on"),
  {
    name: "transfers",
    summary: "List transfers, newest first",
    details: [`With TRANSFER, all that is known of one. ${TRANSFER_NOTE}`],
    argument: argument("TRANSFER", 0, 1, aTransfer),
    flags: [
      choice("state", transferState, "Only those in this state"),
      choice("direction", direction, "Only those that go this way"),
      flag("limit", "NUMBER", wholeNumber(1, 10_000), "Most of them (default: 50)"),
    ],
    examples: ["transfers", "transfers --direction incoming --state offered"],
    needsDaemon: true,
  },
  {
    name: "received",
    summary: "List files that have arrived, each once to who notes what it has handled",
    details: [
      "A line a file, the earliest first: id, time, size, peer and path. The daemon keeps note of the " +
      "last 10000 at least; what it no longer knows is said on stderr.",
      "",
      "With --mark only files are listed that are not noted in FILE as handled. --done notes files, by " +
      "id, or by path: the earliest of that path that is not handled yet, for which the daemon is asked " +
      "and, where it is being started again, waited for up to a minute or --timeout. Whatever is killed or " +
      "restarted in between, a file is listed again until its --done has returned, and never after.",
    ],
    argument: argument("ID|PATH", 0, 100),
    flags: [
      { name: "follow", summary: "Go on with files as they arrive, over restarts of the daemon" },
      pathFlag("mark", "The file in which handled files are noted; made when it is missing"),
      { name: "done", summary: "Note that the files named are handled, and list none" },
      { name: "null", summary: "Print paths alone, exactly, each ended by a NUL" },
    ],
    examples: [
      "received",
      "received --follow --null --mark ~/.handled",
      "received --mark ~/.handled --done 9f86d081-12",
    ],
    needsDaemon: true,
  },
  {
    name: "events",
    summary: "Print what happens, as it happens",
    details: [
      "A line an event, until Ctrl-C or --timeout, or until --count events have come. When the " +
      "daemon stops or is killed, it is waited for; what it tells then begins with a gap: events " +
      "are missing.",
    ],
    flags: [
      text("after", "ID", "Begin after this event, as far as the daemon still has it"),
      flag("count", "NUMBER", wholeNumber(1, 1_000_000_000), "End after so many events"),
    ],
    examples: ["events", "events --json --count 1"],
    needsDaemon: true,
  },
  {
    name: "watch",
    summary: "Show sessions, transfers and events as they go on",
    details: [
      "On a terminal the whole of it: open sessions, transfers with progress and rates, and the last " +
      "events, until q or Ctrl-C. A daemon that stops is waited for.",
      "",
      "Not on a terminal, or with --plain: a line for whatever happens, until Ctrl-C or until the " +
      "daemon stops.",
    ],
    flags: [{ name: "plain", summary: "Lines only, for screen readers and terminals of old" }],
    examples: ["watch", "watch --plain"],
    needsDaemon: true,
  },
  {
    name: "shutdown",
    summary: "Stop the daemon",
    details: [
      "Active transfers are cancelled first, and their peers have the daemon's " +
      "--shutdown-timeout-secs to confirm that, unless --force is given. With --wait, transfers " +
      "that were left are listed, and the command then ends with 1.",
    ],
    flags: [
      { name: "force", summary: "Do not wait for transfers to be cancelled" },
      { name: "wait", summary: "Return when the daemon has gone" },
    ],
    examples: ["shutdown", "shutdown --wait --timeout 10"],
    needsDaemon: true,
  },
  {
    name: "doctor",
    summary: "Check this machine and the daemon, and say what to do",
    details: [
      "Permissions, socket, versions, clock, data folder, disk space, addresses by scope " +
      "and, with --rendezvous-url, whether that server answers. Works while the daemon is " +
      "down. Ends with 1 when a finding is a failure; warnings alone are no failure.",
    ],
    flags: [
      pathFlag("data-dir", "The daemon's data folder (default: as the daemon says)"),
      flag("rendezvous-url", "URL", rendezvousUrl, "Try to reach this rendezvous server"),
    ],
    examples: ["doctor", "doctor --data-dir ~/.bolt --rendezvous-url ws://192.168.1.10:3001"],
    needsDaemon: true,
  },
  {
    name: "completion",
    summary: "Print a completion script for a shell",
    details: [
      "Write it to where the shell looks for it:",
      "bash: ~/.local/share/bash-completion/completions/boltctl",
      "zsh:  a folder of $fpath, as _boltctl",
      "fish: ~/.config/fish/completions/boltctl.fish",
      "",
      "Peers and transfers are completed too, where the daemon answers within a second.",
    ],
    argument: argument("bash|zsh|fish", 1, 1, shellOrList),
    flags: [],
    examples: ["completion bash"],
    needsDaemon: true,
  },
  {
    name: "help",
    summary: "Explain boltctl or one of its commands",
    details: ["With --json, the commands and their flags for programs."],
    argument: argument("COMMAND", 0, 1),
    flags: [],
    examples: ["help", "help send"],
    needsDaemon: false,
  },
  {
    name: "version",
    summary: "Print the version of boltctl",
    details: ["boltctl status shows the daemon's version, and boltctl doctor compares the two."],
    flags: [],
    examples: ["version"],
    needsDaemon: false,
  },
] as const satisfies readonly CommandSpec[];

/** The name of a command. */
export type CommandName = typeof TABLE[number]["name"];

/** A command of the table. */
export type Command = CommandSpec & { readonly name: CommandName };

/** Every command, in the order that help lists them. */
export const COMMANDS: readonly Command[] = TABLE;

/** The command of a name, if there is one. */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}
