/**
 * Offers and answers over stdin and stdout (`-`): one line each.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { messageOf, SignalError } from "../../base/errors.ts";
import { type ByteStream, writeAll } from "../../base/write_all.ts";
import { MAX_BUNDLE_BYTES, type SdpType, tooLarge } from "../../protocol/signal/bundle.ts";

/**
 * Writes an offer or answer and a line feed, all of it.
 *
 * @param text One line, without a line feed.
 * @param kind Which half it is, for messages.
 * @throws {SignalError} SIGNAL_STREAM; or the signal's reason, when nobody reads.
 */
export async function writeSignalLine(
  text: string,
  kind: SdpType,
  signal: AbortSignal,
  output: ByteStream = Deno.stdout,
): Promise<void> {
  const bytes = new TextEncoder().encode(text + "\n");
  try {
    await writeAll(output, bytes, { signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw streamError(`cannot write the ${kind} to stdout: ${messageOf(error)}`);
  }
}

/**
 * Reads the line of an offer or answer. Empty lines before it are skipped.
 *
 * @throws {SignalError} BUNDLE_TOO_LARGE, SIGNAL_STREAM when the input ends before; or the signal's
 * reason.
 */
export async function readSignalLine(
  kind: SdpType,
  signal: AbortSignal,
  input: { read(buffer: Uint8Array): Promise<number | null> } = Deno.stdin,
): Promise<string> {
  const buffer = new Uint8Array(MAX_BUNDLE_BYTES + 1);
  let length = 0;
  let searched = 0;
  for (let ended = false; !ended;) {
    const read = await readSome(input, buffer.subarray(length), signal);
    ended = read === null;
    length += read ?? 0;
    let start = 0;
    // One reading may bring several lines.
    for (;;) {
      const lineFeed = buffer.subarray(searched, length).indexOf(10);
      if (lineFeed < 0 && !ended) break;
      const end = lineFeed < 0 ? length : searched + lineFeed;
      const text = new TextDecoder().decode(buffer.subarray(start, end));
      if (text.trim() !== "") return text;
      if (lineFeed < 0) break;
      start = searched = end + 1;
    }
    buffer.copyWithin(0, start, length);
    length -= start;
    searched = length;
    if (length === buffer.length) throw tooLarge(kind);
  }
  throw streamError(`stdin ended before the ${kind}: paste or pipe the peer's line`);
}

async function readSome(
  input: { read(buffer: Uint8Array): Promise<number | null> },
  buffer: Uint8Array,
  signal: AbortSignal,
): Promise<number | null> {
  signal.throwIfAborted();
  try {
    return await abortable(input.read(buffer), signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw streamError(`cannot read stdin: ${messageOf(error)}`);
  }
}

const streamError = (message: string): SignalError => new SignalError("SIGNAL_STREAM", message);
