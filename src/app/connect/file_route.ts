/**
 * Offer and answer in two files, or on standard streams: any of the two can be `-`.
 *
 * A file is read anew until the channel is open: who writes it again replaces what was read before.
 *
 * @module
 */
import type { SdpType } from "../../protocol/signal/bundle.ts";
import type { ReadSignal, SignalFileWatcher } from "../../signaling/file/signal_file_watcher.ts";
import { SignalFiles } from "../../signaling/file/signal_files.ts";
import type { SignalOwner } from "../../signaling/file/signal_owner.ts";
import { writeSignalLine } from "../../signaling/file/standard_streams.ts";
import type {
  ConnectObserver,
  Exchange,
  ExchangeParts,
  LocalDescription,
  RemoteDescription,
  Route,
} from "./route.ts";
import { type DescriptionSource, StreamSource } from "./stream_source.ts";

/** The path that stands for stdin or stdout. */
const STANDARD_STREAM = "-";

/** How a description is spelled as one line of text. */
export interface TextSchema<Ours, Theirs> {
  /** The line, without a line feed; `offer` is the peer's when ours is the answer. */
  encode(local: LocalDescription<Ours>, offer?: RemoteDescription<Theirs>): string;
  /** Parses the peer's `half`. @throws {SignalError} When the text is none. */
  parse(text: string, half: SdpType): RemoteDescription<Theirs>;
}

/** Options of a {@linkcode FileRoute}. */
export interface FileRouteOptions<Ours, Theirs> {
  /** Path of the offer, or `-`. */
  readonly offer: string;
  /** Path of the answer, or `-`. */
  readonly answer: string;
  /** Whose files are taken. */
  readonly owner: SignalOwner;
  /** What is written and read. */
  readonly schema: TextSchema<Ours, Theirs>;
}

/** The way through files and standard streams. */
export class FileRoute<Ours, Theirs> implements Route<Ours, Theirs> {
  readonly #options: FileRouteOptions<Ours, Theirs>;

  /** Touches nothing yet. */
  constructor(options: FileRouteOptions<Ours, Theirs>) {
    this.#options = options;
  }

  /** Judges the files before any is touched; a standard stream is none. */
  async open(
    { role, phases, observer }: ExchangeParts,
  ): Promise<Exchange<Ours, Theirs>> {
    const { offer, answer, owner, schema } = this.#options;
    const [ours, theirs] = role === "offerer"
      ? ["offer", "answer"] as const
      : ["answer", "offer"] as const;
    const paths = {
      ...(offer === STANDARD_STREAM ? {} : { offer }),
      ...(answer === STANDARD_STREAM ? {} : { answer }),
    };
    const parse = (text: string) => schema.parse(text, theirs);
    const warn = (message: string) => observer.warn(message);
    using preparing = phases.begin("the disk or network share of the signal files");
    const files = await SignalFiles.open({ ours, paths, parse, owner, warn }, preparing.signal);
    const source = files.theirs === undefined
      ? new StreamSource(theirs, parse)
      : new FileSource(files, files.theirs);
    const awaited = `the ${theirs} at ${paths[theirs] ?? "stdin"}`;
    const publish = (text: string, signal: AbortSignal) =>
      paths[ours] === undefined ? writeSignalLine(text, ours, signal) : files.publish(text, signal);
    return new FileExchange({ awaited, schema, source, publish, observer });
  }
}

interface FileExchangeParts<Ours, Theirs> {
  readonly awaited: string;
  readonly schema: TextSchema<Ours, Theirs>;
  readonly source: DescriptionSource<RemoteDescription<Theirs>>;
  readonly publish: (text: string, signal: AbortSignal) => Promise<void>;
  readonly observer: ConnectObserver;
}

class FileExchange<Ours, Theirs> implements Exchange<Ours, Theirs> {
  readonly #parts: FileExchangeParts<Ours, Theirs>;
  #hasOffered = false;

  constructor(parts: FileExchangeParts<Ours, Theirs>) {
    this.#parts = parts;
  }

  get awaited(): string {
    return this.#parts.awaited;
  }

  async offer(local: LocalDescription<Ours>, signal: AbortSignal) {
    const { schema, source, publish, observer } = this.#parts;
    // What is there, or has replaced what was there, answers an offer that was given up.
    if (this.#hasOffered) await source.discard(signal);
    this.#hasOffered = true;
    await publish(schema.encode(local), signal);
    observer.published?.("offer");
    return await source.next(signal);
  }

  receiveOffer(signal: AbortSignal) {
    return this.#parts.source.next(signal);
  }

  async answer(
    local: LocalDescription<Ours>,
    offer: RemoteDescription<Theirs>,
    signal: AbortSignal,
  ): Promise<void> {
    const { schema, publish, observer } = this.#parts;
    await publish(schema.encode(local, offer), signal);
    observer.published?.("answer");
  }

  replaced(_addCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void> {
    return this.#parts.source.replaced(signal);
  }
}

/** The peer's file. */
class FileSource<T> implements DescriptionSource<T> {
  readonly #files: SignalFiles<T>;
  readonly #watcher: SignalFileWatcher<T>;
  /** The text that was given or discarded last. */
  #previous: string | undefined;
  #waiting: ReadSignal<T> | undefined;

  constructor(files: SignalFiles<T>, watcher: SignalFileWatcher<T>) {
    this.#files = files;
    this.#watcher = watcher;
  }

  async next(signal: AbortSignal): Promise<T> {
    const found = this.#waiting ?? await this.#read(signal);
    this.#waiting = undefined;
    this.#previous = found.text;
    return found.value;
  }

  async replaced(signal: AbortSignal): Promise<void> {
    this.#waiting = await this.#read(signal);
  }

  async discard(signal: AbortSignal): Promise<void> {
    this.#previous = this.#waiting?.text ?? this.#previous;
    this.#waiting = undefined;
    await this.#files.removeTheirs(signal);
  }

  #read(signal: AbortSignal): Promise<ReadSignal<T>> {
    const previous = this.#previous === undefined ? {} : { previous: this.#previous };
    return this.#watcher.next({ signal, ...previous });
  }
}
