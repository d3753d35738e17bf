/**
 * `boltctl pair`: opens a session and answers the pairing request that it may bring, or answers
 * one that another session has brought.
 *
 * @module
 */
import { DeadlineError, InterruptedError, messageOf, UsageError } from "../../base/errors.ts";
import { ABANDONED_CLOSE_MS } from "../../base/timing.ts";
import type { ApiEvent } from "../../ipc/api/events.ts";
import type { Pairing, PairingDecision, PairRequest, SessionView } from "../../ipc/api/schemas.ts";
import { sas } from "../../vocabulary/session_values.ts";
import { askAboutPairing } from "../ask_about_pairing.ts";
import type { Context } from "../context.ts";
import { describeEvent } from "../describe_event.ts";
import { awaitEvent, EventFeed } from "../event_feed.ts";
import { CommandError } from "../exit_codes.ts";
import { readPairRequest } from "../pair_request.ts";
import { FEWEST, peerLabel } from "../resolve.ts";

/** Opens a session, or answers a request. */
export async function pair(context: Context): Promise<void> {
  const request = readPairRequest(context.flags, context.absolutePath);
  if (request === undefined) await answerRequest(context);
  else if (context.flags.has("no-wait")) await beginSession(context, request);
  else await openSession(context, request);
}

async function beginSession(context: Context, request: PairRequest): Promise<void> {
  const { client, output, signal } = context;
  const session = await client().pair(request, signal);
  output.result(
    session,
    () =>
      output.line(
        `Session ${session.sessionId} is being opened: boltctl events shows its progress`,
      ),
  );
}

async function openSession(context: Context, request: PairRequest): Promise<void> {
  const { client, output, signal } = context;
  await using feed = await EventFeed.open(client(), { signal });
  // Without the signal: an interruption must find a session that it can end.
  const { sessionId } = await client().pair(request);
  output.line(`Session ${sessionId} is being opened; waiting for the peer (Ctrl-C gives up)`);
  try {
    await followSession(context, feed, sessionId);
  } catch (error) {
    if (error instanceof InterruptedError || error instanceof DeadlineError) {
      await abandon(context, sessionId);
    }
    throw error;
  }
}

async function followSession(
  context: Context,
  feed: EventFeed,
  sessionId: string,
): Promise<void> {
  const { client, output, terminal, signal } = context;
  for await (const event of feed) {
    await terminal.flushed(signal);
    if (event.type === "gap") {
      if (ended(await client().getSession(sessionId, signal))) return;
      continue;
    }
    if (sessionOf(event) !== sessionId) continue;
    if (output.json) output.object(event);
    if (event.type === "pairing-requested") await decide(context, feed, event.pairing);
    else if (event.type === "session-opened" || event.type === "session-closed") {
      if (!ended(event.session)) continue;
      return output.line(describeEvent(event));
    } else if (event.type === "key-mismatch" || event.type === "identity-refused") {
      output.line(describeEvent(event));
    }
  }
}

/** Whether the session is open. @throws {CommandError} When it never will be. */
function ended({ state, failure }: SessionView): boolean {
  if (state !== "closed" && state !== "failed") return state === "open";
  throw new CommandError(
    failure?.code ?? "SESSION_FAILED",
    `The session was not opened: ${failure?.message ?? "it was closed"}`,
  );
}

function sessionOf(event: ApiEvent): string | undefined {
  if ("session" in event) return event.session.sessionId;
  if ("pairing" in event) return event.pairing.sessionId;
  return "sessionId" in event ? event.sessionId : undefined;
}

async function abandon({ client, terminal }: Context, sessionId: string): Promise<void> {
  try {
    await client().closeSession(sessionId, AbortSignal.timeout(ABANDONED_CLOSE_MS));
    terminal.writeError(`Session ${sessionId} is given up\n`);
  } catch (error) {
    terminal.writeError(`Session ${sessionId} could not be ended: ${messageOf(error)}\n`);
  }
}

async function answerRequest(context: Context): Promise<void> {
  const { client, output, flags, signal } = context;
  if (!flags.has("deny") && !flags.has("sas") && !mayAsk(context)) {
    throw new UsageError(
      "There is no terminal to ask on: confirm with --sas SAS, or refuse with --deny. boltctl " +
        "pair --role opens a session",
    );
  }
  await using feed = await EventFeed.open(client(), { signal });
  const pending = await client().listPairings(signal);
  const pairing = choosePairing(pending, flags.text("pairing")) ?? await nextRequest(context, feed);
  const decided = await decide(context, feed, pairing);
  if (output.json) output.object(decided);
}

function choosePairing(pending: readonly Pairing[], wanted: string | undefined) {
  if (wanted !== undefined) {
    const begun = pending.filter(({ pairingId }) =>
      pairingId === wanted || (wanted.length >= FEWEST && pairingId.startsWith(wanted))
    );
    if (begun.length > 1) throw new UsageError(`${wanted} begins several requests: give all of it`);
    if (begun[0] !== undefined) return begun[0];
    throw new CommandError("PAIRING_NOT_FOUND", `No request ${wanted} waits for a decision`);
  }
  if (pending.length > 1) {
    const which = pending.map((pairing) => `${pairing.pairingId} of ${peerLabel(pairing)}`);
    throw new UsageError(
      `${pending.length} requests wait: choose one with --pairing ID, of ${which.join(", ")}`,
    );
  }
  return pending[0];
}

async function nextRequest(context: Context, feed: EventFeed): Promise<Pairing> {
  const { client, output, signal } = context;
  output.line("No request waits; waiting for one (Ctrl-C gives up)");
  return await awaitEvent(context, feed, "a pairing request", async (event) => {
    // What was lost may have been the request.
    if (event.type === "gap") return choosePairing(await client().listPairings(signal), undefined);
    return event.type === "pairing-requested" ? event.pairing : undefined;
  });
}

/**
 * Has the request decided: by `--deny`, by `--sas`, or by the person at the terminal. Where none of
 * them is there, the peer is refused. About one that has not proven its identity nobody is asked
 * without `--unproven`: the request waits on.
 *
 * @throws {CommandError} PAIRING_REFUSED, PAIRING_EXPIRED, POLICY_REFUSED
 */
async function decide(context: Context, feed: EventFeed, pairing: Pairing): Promise<Pairing> {
  const { client, output, flags, signal } = context;
  const [who, lasting] = [peerLabel(pairing), flags.has("once") ? "once" : "always"] as const;
  const say = (decision: PairingDecision) =>
    client().decidePairing(pairing.pairingId, decision, signal);
  const given = flags.value("sas", sas);
  const knowing = flags.has("unproven") ? { unproven: true } : {};
  if (flags.has("deny")) {
    const decided = await say({ decision: `deny_${lasting}` });
    output.line(`${who} is refused`);
    return decided;
  }
  if (given !== undefined) {
    const decided = await say({ decision: `allow_${lasting}`, sas: given, ...knowing });
    output.line(
      pairing.proven
        ? `${who} is let in: the SAS matches`
        : `${who} is let in: the SAS matches, but its identity is not proven`,
    );
    return decided;
  }
  if (!mayAsk(context)) {
    await say({ decision: "deny_once" });
    throw new CommandError(
      "PAIRING_REFUSED",
      `${who} asked to be let in and was refused: there is no terminal to ask on, and --sas ` +
        "did not confirm the six digits that the other end shows",
    );
  }
  if (!pairing.proven && !flags.has("unproven")) {
    throw new CommandError(
      "POLICY_REFUSED",
      `${who} has not proven its identity, so its SAS can be forged by whoever relays the signals: ` +
        `boltctl pair --pairing ${pairing.pairingId} --unproven lets it in all the same`,
    );
  }
  const yes = await askAboutPairing(context, feed, pairing);
  if (yes === undefined) {
    throw new CommandError("PAIRING_EXPIRED", `The request of ${who} ended before the answer`);
  }
  const { sas: shown } = pairing;
  const decided = await say(
    yes
      ? { decision: `allow_${lasting}`, sas: shown, ...knowing }
      : { decision: "deny_once", sas: shown },
  );
  if (yes) output.line(`${who} is let in`);
  else throw new CommandError("PAIRING_REFUSED", `${who} is refused: the answer was not yes`);
  return decided;
}

const mayAsk = ({ terminal, output }: Context): boolean => terminal.canAsk && !output.json;
