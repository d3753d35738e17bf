/**
 * Asks the person at the terminal whether a peer is who it should be.
 *
 * @module
 */
import type { ApiEvent } from "../ipc/api/events.ts";
import type { Pairing, SessionView } from "../ipc/api/schemas.ts";
import type { Context } from "./context.ts";
import type { EventFeed } from "./event_feed.ts";
import { largeSas } from "./output/block_font.ts";
import { Countdown } from "./output/countdown.ts";
import { FORGEABLE, pairingFacts } from "./output/pairing_facts.ts";

/** Answers that are neither yes nor no before it is taken for a no. */
const MOST_TRIES = 3;
const PROMPT = "[yes/no] ";
const QUESTIONS = {
  proven: "Does the other end show the same six characters?",
  unproven: "Do you know in another way that it is who it should be?",
} as const;

/** What came of the question. */
export type PairingAnswer =
  | { readonly is: "yes" }
  /** With why it counts as a no. */
  | { readonly is: "no"; readonly why: string }
  /** The request was decided or has expired meanwhile. */
  | { readonly is: "decided"; readonly pairing: Pairing }
  /** Its session has ended meanwhile. */
  | { readonly is: "ended"; readonly session: SessionView }
  | { readonly is: "stopping" };

/**
 * Shows who asks and the SAS in large, asks, and counts the time down. An answer that never becomes
 * clear is a no.
 */
export async function askAboutPairing(
  context: Context,
  feed: EventFeed,
  pairing: Pairing,
): Promise<PairingAnswer> {
  const { output, terminal, clock } = context;
  output.line("A peer asks to be let in:");
  output.line();
  output.pairs(pairingFacts(pairing, terminal.columns()));
  output.line();
  for (const row of largeSas(pairing.sas, terminal.columns())) output.line(row);
  output.line();
  if (!pairing.proven) output.marked("yellow", "WARNING", `: ${FORGEABLE}`);
  output.line(QUESTIONS[pairing.proven ? "proven" : "unproven"]);
  using countdown = new Countdown(terminal, Date.parse(pairing.expiresAt), clock);
  const asking = new AbortController();
  const answer = readAnswer(context, countdown, asking.signal);
  answer.catch(() => {}); // reported below, unless the request ends first
  try {
    for (;;) {
      const next = feed.peek().then((event) => ({ event }));
      const first = await Promise.race([answer, next]);
      if ("is" in first) return first;
      const end = await endOf(context, first.event, pairing);
      if (end !== undefined) return end;
      await feed.take();
    }
  } finally {
    asking.abort();
  }
}

async function readAnswer(
  { terminal, signal }: Context,
  countdown: Countdown,
  over: AbortSignal,
): Promise<PairingAnswer> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    countdown.prompt(PROMPT);
    const line = await terminal.readLine(AbortSignal.any([signal, over]));
    countdown.clear(line === undefined ? "untyped" : "typed");
    if (line === undefined) return { is: "no", why: "the input ended without an answer" };
    const word = line.trim().toLowerCase();
    if (word === "yes" || word === "y") return { is: "yes" };
    if (word === "no" || word === "n") return { is: "no", why: "the answer was no" };
    terminal.write("Please answer yes or no.\n");
  }
  return { is: "no", why: "the answer was neither yes nor no" };
}

/** What an event means for a request that is asked about; undefined when it waits on. */
async function endOf(
  { client, signal }: Context,
  event: ApiEvent,
  { pairingId, sessionId }: Pairing,
): Promise<PairingAnswer | undefined> {
  switch (event.type) {
    case "pairing-decided":
      if (event.pairing.pairingId !== pairingId || isWithdrawn(event)) return undefined;
      return { is: "decided", pairing: event.pairing };
    case "session-closed":
      if (event.session.sessionId !== sessionId) return undefined;
      return { is: "ended", session: event.session };
    case "daemon-stopping":
      return { is: "stopping" };
    case "gap": {
      const pairing = await client().getPairing(pairingId, signal);
      return pairing.state === "pending" ? undefined : { is: "decided", pairing };
    }
    default:
      return undefined;
  }
}

/** Whether it expired before its time: its session has ended, and why comes with the next event. */
const isWithdrawn = ({ pairing, time }: Extract<ApiEvent, { type: "pairing-decided" }>): boolean =>
  pairing.state === "expired" && Date.parse(time) < Date.parse(pairing.expiresAt);
