/**
 * Offer and answer in two files, or on standard streams: any of the two can be `-`.
 *
 * A file is read anew until the channel is open: who writes it again replaces what was read before.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import type { SdpType } from "../../protocol/signal/bundle.ts";
import type { ReadSignal } from "../../signaling/file/signal_file_watcher.ts";
import { SignalFiles } from "../../signaling/file/signal_files.ts";
import type { SignalOwner } from "../../vocabulary/session_values.ts";
import { readSignalLine, writeSignalLine } from "../../signaling/file/standard_streams.ts";
import type { Exchange, LocalDescription, RemoteDescription, Route } from "./route.ts";

/** The path that stands for stdin or stdout. */
const STANDARD_STREAM = "-";

/** How a description is spelled as one line of text. */
export interface TextSchema<Ours, Theirs> {
  /** The line, without a line feed; `offer` is the peer's when ours is the answer. */
  encode(local: LocalDescription<Ours>, offer?: RemoteDescription<Theirs>): string;
  /** Parses the peer's `half`. @throws {SignalError} When the text is none. */
  parse(text: string, half: SdpType): RemoteDescription<Theirs>;
}

/** Options of {@linkcode fileRoute}. */
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

/** The way through files and standard streams. Files are judged before any is touched. */
export function fileRoute<Ours, Theirs>(
  { offer, answer, owner, schema }: FileRouteOptions<Ours, Theirs>,
): Route<Ours, Theirs> {
  const paths = {
    ...(offer === STANDARD_STREAM ? {} : { offer }),
    ...(answer === STANDARD_STREAM ? {} : { answer }),
  };
  return {
    async open({ role, phases, observer }) {
      const [ours, theirs] = role === "offerer"
        ? ["offer", "answer"] as const
        : ["answer", "offer"] as const;
      const parse = (text: string) => schema.parse(text, theirs);
      const warn = (message: string) => observer.warn(message);
      using preparing = phases.begin("the disk or network share of the signal files");
      const files = await SignalFiles.open({ ours, paths, parse, owner, warn }, preparing.signal);
      return new FileExchange({
        awaited: `the ${theirs} at ${paths[theirs] ?? "stdin"}`,
        read: (signal, previous) =>
          files.theirs?.next({ signal, ...(previous === undefined ? {} : { previous }) }) ??
            readLine(theirs, parse, signal, previous),
        discard: (signal) => files.removeTheirs(signal),
        publish: async (local, signal, remote) => {
          const text = schema.encode(local, remote);
          if (paths[ours] === undefined) await writeSignalLine(text, ours, signal);
          else await files.publish(text, signal);
          observer.published?.(ours);
        },
      });
    },
  };
}

/** The peer's line on stdin; there is one, which nothing replaces. */
async function readLine<T>(
  half: SdpType,
  parse: (text: string) => T,
  signal: AbortSignal,
  previous: string | undefined,
): Promise<ReadSignal<T>> {
  if (previous !== undefined) return await abortable(new Promise<never>(() => {}), signal);
  const text = await readSignalLine(half, signal);
  return { text, value: parse(text) };
}

interface FileExchangeParts<Ours, Theirs> {
  readonly awaited: string;
  /** The peer's half, as soon as its text is not `previous`. */
  readonly read: (
    signal: AbortSignal,
    previous: string | undefined,
  ) => Promise<ReadSignal<RemoteDescription<Theirs>>>;
  /** Removes the peer's half. */
  readonly discard: (signal: AbortSignal) => Promise<void>;
  readonly publish: (
    local: LocalDescription<Ours>,
    signal: AbortSignal,
    remote?: RemoteDescription<Theirs>,
  ) => Promise<void>;
}

class FileExchange<Ours, Theirs> implements Exchange<Ours, Theirs> {
  readonly #parts: FileExchangeParts<Ours, Theirs>;
  /** The text of the peer's half that was read last. */
  #previous: string | undefined;
  /** What has replaced it. */
  #replacement: ReadSignal<RemoteDescription<Theirs>> | undefined;

  constructor(parts: FileExchangeParts<Ours, Theirs>) {
    this.#parts = parts;
  }

  get awaited(): string {
    return this.#parts.awaited;
  }

  async offer(local: LocalDescription<Ours>, signal: AbortSignal) {
    if (this.#replacement !== undefined) {
      // It answers the offer that was given up.
      this.#previous = this.#replacement.text;
      this.#replacement = undefined;
      await this.#parts.discard(signal);
    }
    await this.#parts.publish(local, signal);
    return await this.#receive(signal);
  }

  receiveOffer(signal: AbortSignal) {
    return this.#receive(signal);
  }

  answer(
    local: LocalDescription<Ours>,
    offer: RemoteDescription<Theirs>,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#parts.publish(local, signal, offer);
  }

  async replaced(_addCandidate: (candidate: string) => void, signal: AbortSignal): Promise<void> {
    this.#replacement = await this.#read(signal);
  }

  /** The peer's half, or the one that has replaced it. */
  async #receive(signal: AbortSignal) {
    const { text, value } = this.#replacement ?? await this.#read(signal);
    this.#replacement = undefined;
    this.#previous = text;
    return value;
  }

  #read(signal: AbortSignal) {
    return this.#parts.read(signal, this.#previous);
  }
}
