/**
 * `boltctl pair`: opens a session and answers the pairing request that it may bring, or answers
 * one that another session has brought.
 *
 * @module
 */
import { DeadlineError, InterruptedError, messageOf, UsageError } from "../../base/errors.ts";
import { ABANDONED_CLOSE_MS } from "../../base/timing.ts";
import type { ApiEvent } from "../../ipc/api/events.ts";
import type { Pairing, PairRequest, SessionView } from "../../ipc/api/schemas.ts";
import type { Context } from "../context.ts";
import { decidePairing, mayAsk, notOpened } from "../decide_pairing.ts";
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
  const { client, output, terminal, flags, signal } = context;
  /** Whose session is open, and waits to be kept. */
  let opened: string | undefined;
  for await (const event of feed) {
    await terminal.flushed(signal);
    if (event.type === "gap") {
      if (!ended(await client().getSession(sessionId, signal))) continue;
      if (flags.has("keep")) {
        output.line("The session is open; boltctl link shows whether it is kept");
      }
      return;
    }
    const isKept = event.type === "link-added" && event.link.identity === opened;
    if (sessionOf(event) !== sessionId && !isKept) continue;
    if (output.json) output.object(event);
    if (event.type === "pairing-requested") {
      await decidePairing(context, feed, event.pairing, "of this command");
    }
    if (event.type === "session-opened" || event.type === "session-closed") {
      if (!ended(event.session)) continue;
      output.line(describeEvent(event));
      if (!flags.has("keep")) return;
      opened = event.session.identity;
    } else if (event.type === "link-added") return output.line(describeEvent(event));
    else if (event.type === "link-not-kept") {
      throw new CommandError("LINK_NOT_KEPT", event.message);
    } else if (event.type === "key-mismatch" || event.type === "identity-refused") {
      output.line(describeEvent(event));
    }
  }
}

/** Whether the session is open. @throws {CommandError} When it never will be. */
function ended(session: SessionView): boolean {
  if (session.state !== "closed" && session.state !== "failed") return session.state === "open";
  throw notOpened(session);
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
  const isAnswered = ["deny", "sas", "unproven"].some((name) => flags.has(name));
  if (!isAnswered && !mayAsk(context)) {
    throw new UsageError(
      "There is no terminal to ask on: confirm with --sas SAS, or refuse with --deny. boltctl " +
        "pair --role opens a session",
    );
  }
  await using feed = await EventFeed.open(client(), { signal });
  const pending = await client().listPairings(signal);
  const pairing = choosePairing(pending, flags.text("pairing")) ?? await nextRequest(context, feed);
  const decided = await decidePairing(context, feed, pairing, "of another");
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
