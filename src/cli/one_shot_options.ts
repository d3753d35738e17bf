/**
 * The command line of the one-shot program (Operator Contract, "CLI Flags"). Pure: arguments in,
 * options or a {@linkcode UsageError} out, before any file or network is touched.
 *
 * @module
 */
import {
  type CommonOptions,
  ONE_SHOT_FLAGS,
  type OneShotOptions,
} from "../app/one_shot/options.ts";
import { UsageError } from "../base/errors.ts";
import { distinctCodes, type PeerCode } from "../protocol/signal/peer_code.ts";
import { flagName } from "../vocabulary/flag_table.ts";
import { CODES_MUST_DIFFER } from "../vocabulary/session_values.ts";
import { readOptions } from "./flags.ts";

/** What a run without arguments prints. */
export const USAGE =
  "Usage: bolt-daemon --role offerer|answerer [--signal file|rendezvous] [options]";

type Option = keyof typeof ONE_SHOT_FLAGS;

const FILE_OPTIONS: readonly Option[] = ["offer", "answer", "signalOwner"];
const RENDEZVOUS_OPTIONS: readonly Option[] = [
  "rendezvousUrl",
  "room",
  "session",
  "to",
  "expectPeer",
  "peerId",
];

/**
 * Parses the arguments of the one-shot program.
 *
 * @param args The arguments, at least one.
 * @param makePeerId Makes the default of `--peer-id`.
 * @throws {UsageError} When a flag is unknown, given twice, without its value, or of a wrong value.
 */
export function parseOneShotOptions(
  args: readonly string[],
  makePeerId: () => PeerCode,
): OneShotOptions {
  const { options, given } = readOptions(args, ONE_SHOT_FLAGS);
  const { role, signal, room, session } = options;
  const common: Omit<CommonOptions, "unused"> = {
    role,
    scope: options.networkScope,
    phaseTimeoutSecs: options.phaseTimeoutSecs,
    logFormat: options.logFormat,
    logLevel: options.logLevel,
  };
  const present = (names: readonly Option[]) =>
    names.filter((name) => given.has(name)).map((name) => `--${flagName(name)}`);
  if (signal === "file") {
    const { offer, answer, signalOwner: owner } = options;
    return { ...common, signal, offer, answer, owner, unused: present(RENDEZVOUS_OPTIONS) };
  }
  if (room === undefined) throw missing("--signal rendezvous requires --room NAME");
  if (session === undefined) throw missing("--signal rendezvous requires --session NAME");
  const remote = role === "offerer" ? options.to : options.expectPeer;
  if (remote === undefined) {
    const flag = role === "offerer" ? "--to" : "--expect-peer";
    throw missing(`--signal rendezvous with --role ${role} requires ${flag} PEER_CODE`);
  }
  const self = options.peerId ?? makePeerId();
  const codes = distinctCodes(self, remote);
  if (codes === undefined) throw new UsageError(`--peer-id ${self} ${CODES_MUST_DIFFER}`);
  const unused = present([...FILE_OPTIONS, role === "offerer" ? "expectPeer" : "to"]);
  return { ...common, signal, url: options.rendezvousUrl, room, session, ...codes, unused };
}

const missing = (message: string): UsageError => new UsageError(message);
