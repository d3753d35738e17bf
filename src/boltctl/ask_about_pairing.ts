/**
 * Asks the person at the terminal whether an unknown peer is who it should be.
 *
 * @module
 */
import type { ApiEvent } from "../ipc/api/events.ts";
import type { Pairing } from "../ipc/api/schemas.ts";
import type { Context } from "./context.ts";
import type { EventFeed } from "./event_feed.ts";
import { largeSas } from "./output/block_font.ts";
import { peerLabel } from "./resolve.ts";

/** Answers that are neither yes nor no before it is taken for a no. */
const MOST_TRIES = 3;
const QUESTION = "Does the other end show the same six characters? [yes/no] ";

/**
 * Shows the SAS in large and asks. An answer that never becomes clear is a no.
 *
 * @returns The answer; undefined when the request ended before it came.
 */
export async function askAboutPairing(
  context: Context,
  feed: EventFeed,
  pairing: Pairing,
): Promise<boolean | undefined> {
  const { output, terminal } = context;
  output.line(`${peerLabel(pairing)} asks to be let in.`);
  output.line();
  for (const row of largeSas(pairing.sas, terminal.columns())) output.line(row);
  output.line();
  const asking = new AbortController();
  const answer = readAnswer(context, asking.signal).then((yes) => ({ yes }));
  answer.catch(() => {}); // told below, unless the request ends first
  try {
    for (;;) {
      const next = feed.peek().then((event) => ({ event }));
      const first = await Promise.race([answer, next]);
      if ("yes" in first) return first.yes;
      if (endsRequest(first.event, pairing)) {
        output.line();
        return undefined;
      }
      await feed.take();
    }
  } finally {
    asking.abort();
  }
}

async function readAnswer({ terminal, signal }: Context, over: AbortSignal): Promise<boolean> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    terminal.write(QUESTION);
    const line = await terminal.readLine(AbortSignal.any([signal, over]));
    if (line === undefined) return false;
    const word = line.trim().toLowerCase();
    if (word === "yes" || word === "y") return true;
    if (word === "no" || word === "n") return false;
    terminal.write("Please answer yes or no.\n");
  }
  return false;
}

/** Whether the request no longer waits for an answer. */
function endsRequest(event: ApiEvent, pairing: Pairing): boolean {
  if (event.type === "pairing-decided") return event.pairing.pairingId === pairing.pairingId;
  if (event.type === "session-closed") return event.session.sessionId === pairing.sessionId;
  return event.type === "daemon-stopping";
}
