/**
 * What may be removed or replaced at the path of a signal file. A path can be wrong, and what lies
 * there then is a person's: only an empty file, and what parses as a signal bundle, whoever wrote it,
 * gives way. Half a bundle does not: our own writes leave none, and it may be anything.
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import { parseJsonObject } from "../../protocol/json.ts";
import { parseBundle } from "../../protocol/signal/bundle.ts";
import { parseWebSignal } from "../../protocol/signal/web_payload.ts";
import { mayBeIncomplete } from "./incomplete_json.ts";
import type { Found } from "./look.ts";

/**
 * Refuses what may not be replaced.
 *
 * @throws {SignalError} SIGNAL_FILE, with what lies there.
 */
export function assertReplaceable(path: string, found: Found): void {
  if (isReplaceable(found)) return;
  throw new SignalError(
    "SIGNAL_FILE",
    `${path} is ${describe(found)}, and is left as it is: only a signal bundle or an empty file ` +
      "is replaced; give another path, or move it away",
  );
}

/** Whether what was found may be removed or replaced, or is not there. */
export function isReplaceable(found: Found): boolean {
  if (found.kind === "nothing") return true;
  return found.kind === "file" && (found.bytes === 0 || isBundle(found.text));
}

/** Whether a text is an offer or answer of either program, or of another that writes the same. */
function isBundle(text: string): boolean {
  const readers: readonly (() => boolean)[] = [
    () => parseBundle(text, "offer") !== undefined,
    () => parseBundle(text, "answer") !== undefined,
    () => parseWebSignal(parseJsonObject(text)).type !== "ice-candidate",
  ];
  return readers.some((reads) => {
    try {
      return reads();
    } catch (error) {
      if (error instanceof SignalError) return false;
      throw error;
    }
  });
}

/** What lies there, with its article. */
function describe(found: Found): string {
  if (found.kind === "nothing") return "nothing";
  if (found.kind === "other") return found.what;
  const size = `${found.bytes} ${found.bytes === 1 ? "byte" : "bytes"}`;
  if (found.kind === "large") return `a file of ${size}, more than any signal bundle has`;
  const { text } = found;
  if (text.startsWith("%PDF-")) return `a PDF of ${size}`;
  if (text.trim() !== "" && mayBeIncomplete(text)) {
    return `a file of ${size} with at most the beginning of a signal bundle`;
  }
  return `a ${isPlain(text) ? "text" : "binary"} file of ${size} that is no signal bundle`;
}

/** Whether it reads as text: no control characters but white space, no bytes that are no UTF-8. */
function isPlain(text: string): boolean {
  return !/[\ufffd\p{Cc}]/u.test(text.replaceAll(/[\t\n\f\r]/g, ""));
}
