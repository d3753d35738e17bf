/**
 * Connecting to the peer in file mode.
 *
 * A run that starts before its peer may find the file of an earlier run and take it for the
 * peer's. So while the channel is not open both sides go on watching: when the file changes, the
 * attempt is given up and the next one is made with what is there now.
 *
 * @module
 */
import type { FileOptions } from "./options.ts";
import { abortable } from "../../base/deadline.ts";
import { logFor } from "../../log/log.ts";
import { CHANNEL_LABEL } from "../../protocol/payload_exchange.ts";
import {
  encodeBundle,
  parseBundle,
  type SdpType,
  type SignalBundle,
} from "../../protocol/signal/bundle.ts";
import type { ReadSignal, SignalFileWatcher } from "../../signaling/file/signal_file_watcher.ts";
import { SignalFiles } from "../../signaling/file/signal_files.ts";
import { readBundleLine, writeBundleLine } from "../../signaling/file/standard_streams.ts";
import type { Channel } from "../../transport/channel.ts";
import { loggedConnectOptions, type RunParts } from "./run_parts.ts";

const log = logFor("bolt-daemon");
/** The path that stands for stdin or stdout. */
const STANDARD_STREAM = "-";

/** Exchanges offer and answer through files or standard streams, and connects. */
export async function connectByFile(options: FileOptions, parts: RunParts): Promise<Channel> {
  return options.role === "offerer"
    ? await connectAsOfferer(options, parts)
    : await connectAsAnswerer(options, parts);
}

async function connectAsOfferer(options: FileOptions, parts: RunParts): Promise<Channel> {
  const { offer: offerPath, answer: answerPath } = options;
  const files = await openFiles(options, parts);
  const answers = sourceOf(files, "answer");
  using exchange = parts.phases.begin(`the answer at ${nameOf(answerPath, "stdin")}`);
  const connectOptions = loggedConnectOptions(options.scope, parts.signal);
  let connecting: Disposable & { readonly signal: AbortSignal } | undefined;
  try {
    for (;;) {
      await using peer = await parts.connector.offer({ ...connectOptions, label: CHANNEL_LABEL });
      await publish(files, offerPath, peer.offer, (connecting ?? exchange).signal);
      log.info("offer written", { to: nameOf(offerPath, "stdout") });
      const answer = await answers.next((connecting ?? exchange).signal);
      log.info("answer read", { from: nameOf(answerPath, "stdin") });
      connecting ??= parts.phases.begin("the DataChannel to open");
      const channel = await unlessReplaced(
        (signal) => peer.connect(answer, signal),
        answers,
        connecting.signal,
      );
      if (channel !== undefined) return channel;
      log.warn("the answer was replaced before the channel opened: offering again");
      await files.removeTheirs(connecting.signal);
    }
  } finally {
    connecting?.[Symbol.dispose]();
  }
}

async function connectAsAnswerer(options: FileOptions, parts: RunParts): Promise<Channel> {
  const { offer: offerPath, answer: answerPath } = options;
  const files = await openFiles(options, parts);
  const offers = sourceOf(files, "offer");
  using exchange = parts.phases.begin(`the offer at ${nameOf(offerPath, "stdin")}`);
  let connecting: Disposable & { readonly signal: AbortSignal } | undefined;
  try {
    for (;;) {
      const offer = await offers.next((connecting ?? exchange).signal);
      log.info("offer read", { from: nameOf(offerPath, "stdin") });
      const connectOptions = loggedConnectOptions(options.scope, parts.signal);
      await using peer = await parts.connector.answer(offer, connectOptions);
      await publish(files, answerPath, peer.answer, (connecting ?? exchange).signal);
      log.info("answer written", { to: nameOf(answerPath, "stdout") });
      connecting ??= parts.phases.begin("the DataChannel to open");
      const channel = await unlessReplaced(
        (signal) => peer.connect(signal),
        offers,
        connecting.signal,
      );
      if (channel !== undefined) return channel;
      log.warn("the offer was replaced before the channel opened: answering the new one");
    }
  } finally {
    connecting?.[Symbol.dispose]();
  }
}

/** The files of the run, judged before any is touched; a standard stream is none. */
async function openFiles(
  { role, offer, answer, owner }: FileOptions,
  { phases }: RunParts,
): Promise<SignalFiles<SignalBundle>> {
  const ours = role === "offerer" ? "offer" : "answer";
  const paths = {
    ...(offer === STANDARD_STREAM ? {} : { offer }),
    ...(answer === STANDARD_STREAM ? {} : { answer }),
  };
  using preparing = phases.begin("the disk or network share of the signal files");
  return await SignalFiles.open(
    { ours, paths, parse: parseBundle, owner, warn: (message) => log.warn(message) },
    preparing.signal,
  );
}

async function publish(
  files: SignalFiles<SignalBundle>,
  path: string,
  bundle: SignalBundle,
  signal: AbortSignal,
): Promise<void> {
  if (path === STANDARD_STREAM) await writeBundleLine(bundle, signal);
  else await files.publish(encodeBundle(bundle), signal);
}

/** Where bundles come from. */
interface BundleSource {
  /** The next bundle that differs from the one before. */
  next(signal: AbortSignal): Promise<SignalBundle>;
  /** Resolves when the bundle that was read last has been replaced. */
  replaced(signal: AbortSignal): Promise<void>;
}

/** The peer's half, from its file or, where it has none, from stdin. */
function sourceOf({ theirs }: SignalFiles<SignalBundle>, kind: SdpType): BundleSource {
  return theirs === undefined ? new LineSource(kind) : new FileSource(theirs);
}

class FileSource implements BundleSource {
  readonly #watcher: SignalFileWatcher<SignalBundle>;
  #taken: string | undefined;
  #waiting: ReadSignal<SignalBundle> | undefined;
  constructor(watcher: SignalFileWatcher<SignalBundle>) {
    this.#watcher = watcher;
  }
  async next(signal: AbortSignal): Promise<SignalBundle> {
    const found = this.#waiting ?? await this.#read(signal);
    this.#waiting = undefined;
    this.#taken = found.text;
    return found.value;
  }
  async replaced(signal: AbortSignal): Promise<void> {
    this.#waiting = await this.#read(signal);
  }
  #read(signal: AbortSignal): Promise<ReadSignal<SignalBundle>> {
    const previous = this.#taken === undefined ? {} : { previous: this.#taken };
    return this.#watcher.next({ signal, ...previous });
  }
}

class LineSource implements BundleSource {
  readonly #kind: SdpType;
  constructor(kind: SdpType) {
    this.#kind = kind;
  }
  next(signal: AbortSignal): Promise<SignalBundle> {
    return readBundleLine(this.#kind, signal);
  }
  /** A line can't be replaced. */
  replaced(signal: AbortSignal): Promise<void> {
    return abortable(new Promise<never>(() => {}), signal);
  }
}

/** What `connect` brings, or undefined when the peer's bundle was replaced before. */
async function unlessReplaced(
  connect: (signal: AbortSignal) => Promise<Channel>,
  source: BundleSource,
  signal: AbortSignal,
): Promise<Channel | undefined> {
  const other = new AbortController();
  const both = AbortSignal.any([signal, other.signal]);
  let failure: { readonly error: unknown } | undefined;
  // Whichever ends first ends the other; only the first failure is the cause.
  const first = <T>(promise: Promise<T>): Promise<T | undefined> =>
    promise.catch((error) => {
      failure ??= { error };
      return undefined;
    }).finally(() => other.abort());
  const replacing = source.replaced(both).then(() => true);
  const [channel, replaced] = await Promise.all([first(connect(both)), first(replacing)]);
  if (channel !== undefined || replaced) return channel;
  throw failure?.error;
}

const nameOf = (path: string, stream: string): string => path === STANDARD_STREAM ? stream : path;
