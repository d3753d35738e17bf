/**
 * `boltctl completion`.
 *
 * @module
 */
import { Deadline } from "../../base/deadline.ts";
import { escapeUnsafe } from "../../base/text.ts";
import { COMPLETION_MS } from "../../base/timing.ts";
import { isFinal } from "../../base/transfer_states.ts";
import type { PeerView, Transfer } from "../../ipc/api/schemas.ts";
import { SHELLS, WORD_LISTS, type WordList } from "../command_table.ts";
import { completionScript } from "../completion_script.ts";
import type { Context } from "../context.ts";
import { quotedName } from "../output/peer_name.ts";
import { shortId } from "../resolve.ts";

/** A word that completes what is typed. */
export interface ListedWord {
  /** What is inserted. */
  readonly word: string;
  /** What is said of it; may be empty. */
  readonly about: string;
}

/** Transfers that are offered, the newest ones. */
const MOST_TRANSFERS = 100;
/** Columns of what is said of a word. */
const LONGEST_ABOUT = 40;

/** Prints the completion script of a shell, or the words that one asks for. */
export async function completion(context: Context): Promise<void> {
  const { output, args, terminal } = context;
  const list = WORD_LISTS.find((name) => name === args[0]);
  if (list !== undefined) return await printWords(context, list);
  const shell = SHELLS.find((name) => name === args[0]) ?? "bash";
  const script = completionScript(shell);
  output.result({ shell, script }, () => terminal.write(script));
}

/** A line a word. Where the daemon does not answer, nothing: a shell is at work. */
async function printWords(context: Context, list: WordList): Promise<void> {
  const { output, terminal, signal } = context;
  using deadline = new Deadline(COMPLETION_MS, { parent: signal, what: "the daemon's words" });
  let words: readonly ListedWord[];
  try {
    words = await wordsOf(context, list, deadline.signal);
  } catch {
    signal.throwIfAborted();
    return;
  }
  for (const { word, about } of words) {
    output.result({ word, about }, () => terminal.write(`${word}\t${escapeUnsafe(about)}\n`));
  }
}

async function wordsOf(
  { client }: Context,
  list: WordList,
  signal: AbortSignal,
): Promise<readonly ListedWord[]> {
  if (list === "peers" || list === "identities") {
    return peerWords(await client().listPeers(signal), list);
  }
  const offered = { state: "offered", direction: "incoming" } as const;
  const { transfers } = await client().listTransfers(
    { limit: MOST_TRANSFERS, ...(list === "offers" ? offered : {}) },
    signal,
  );
  const wanted = transfers.filter(({ state }) => list !== "unfinished" || !isFinal(state));
  return wanted.map(transferWord);
}

/**
 * Names that people gave, else codes or the first digits of identities; with `peers` also what those
 * call themselves that are let in or here: for a decision about a peer that would not do.
 */
export function peerWords(
  peers: readonly PeerView[],
  list: "peers" | "identities",
): readonly ListedWord[] {
  return peers.flatMap(({ identity, name, peerCode, deviceName, trust, connected }) => {
    const digits = shortId(identity);
    const called = deviceName === undefined ? "" : quotedName(deviceName, LONGEST_ABOUT);
    const words = [name ?? (list === "peers" ? peerCode : undefined) ?? digits];
    const mayBeCalled = list === "peers" && (connected || trust === "allow_always");
    if (mayBeCalled && name === undefined && deviceName !== undefined) words.push(deviceName);
    return words.filter(isPlain).map((word) => ({
      word,
      about: word === digits ? called : `${digits} ${called}`.trim(),
    }));
  });
}

const transferWord = ({ transferId, name, state }: Transfer): ListedWord => ({
  word: shortId(transferId),
  about: `${name} (${state})`,
});

/** Whether a word is taken for itself on a command line: no flag, and nothing in it spelled out. */
const isPlain = (word: string): boolean =>
  word !== "" && !word.startsWith("-") && !word.includes("\\") && escapeUnsafe(word) === word;
