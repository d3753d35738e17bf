/**
 * Offers and answers over stdin and stdout (`-`): one bundle, one line.
 *
 * @module
 */
import { abortable } from "../../base/deadline.ts";
import { messageOf, SignalError } from "../../base/errors.ts";
import { type ByteStream, writeAll } from "../../base/write_all.ts";
import {
  encodeBundle,
  MAX_BUNDLE_BYTES,
  parseBundle,
  type SdpType,
  type SignalBundle,
  tooLarge,
} from "../../protocol/signal/bundle.ts";

/**
 * Writes a bundle and a line feed, all of it.
 *
 * @throws {SignalError} SIGNAL_STREAM; or the signal's reason, when nobody reads.
 */
export async function writeBundleLine(
  bundle: SignalBundle,
  signal: AbortSignal,
  output: ByteStream = Deno.stdout,
): Promise<void> {
  const bytes = new TextEncoder().encode(encodeBundle(bundle) + "\n");
  try {
    await writeAll(output, bytes, { signal });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const kind = bundle.description.sdpType;
    throw streamError(`cannot write the ${kind} to stdout: ${messageOf(error)}`);
  }
}

/**
 * Reads one line with a bundle. Empty lines before it are skipped.
 *
 * @throws {SignalError} BUNDLE_INVALID, BUNDLE_TOO_LARGE, SIGNAL_STREAM when the input ends before;
 * or the signal's reason.
 */
export async function readBundleLine(
  kind: SdpType,
  signal: AbortSignal,
  input: { read(buffer: Uint8Array): Promise<number | null> } = Deno.stdin,
): Promise<SignalBundle> {
  const line = new Uint8Array(MAX_BUNDLE_BYTES + 1);
  let length = 0;
  let ended = false;
  while (!ended) {
    const read = await readSome(input, line.subarray(length), signal);
    ended = read === null;
    const from = length;
    length += read ?? 0;
    const lineFeed = line.subarray(from, length).indexOf(10);
    const end = lineFeed >= 0 ? from + lineFeed : ended ? length : undefined;
    if (end !== undefined) {
      const text = new TextDecoder().decode(line.subarray(0, end));
      if (text.trim() !== "") return parseBundle(text, kind);
      line.copyWithin(0, end + 1, length);
      length = Math.max(0, length - end - 1);
    } else if (length === line.length) throw tooLarge(kind);
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
