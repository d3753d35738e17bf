/**
 * Has a pairing request decided: by flags, or by the person at the terminal.
 *
 * @module
 */
import type { Pairing, PairingDecision, SessionView } from "../ipc/api/schemas.ts";
import { ApiError } from "../ipc/client/api_http.ts";
import { sas } from "../vocabulary/session_values.ts";
import { askAboutPairing } from "./ask_about_pairing.ts";
import type { Context } from "./context.ts";
import type { EventFeed } from "./event_feed.ts";
import { CommandError } from "./exit_codes.ts";
import { peerLabel, shortId } from "./resolve.ts";

/** Whether a person can be asked. */
export const mayAsk = ({ terminal, output }: Context): boolean => terminal.canAsk && !output.json;

const CLOSED =
  "it was closed, by the other end unless by another program here: the other end says " +
  "no, or has not been told this side's key (boltctl identity)";

/** That a session has ended before it was open. */
export const notOpened = ({ failure }: SessionView): CommandError =>
  new CommandError(
    failure?.code ?? "PAIRING_REFUSED",
    `The session was not opened: ${failure?.message ?? CLOSED}`,
  );

/**
 * Has the request decided: by `--deny`, `--sas` or `--unproven`, or by the person at the terminal. A
 * peer that has not proven its identity is let in with `--unproven` only, whatever is typed.
 *
 * @param session Whose session it is: a request of this command's own is refused where nobody can be
 * asked, that of another waits on.
 * @throws {CommandError} PAIRING_REFUSED, PAIRING_EXPIRED, POLICY_REFUSED
 */
export async function decidePairing(
  context: Context,
  feed: EventFeed,
  pairing: Pairing,
  session: "of this command" | "of another",
): Promise<Pairing> {
  const { flags } = context;
  const who = peerLabel(pairing);
  const lasting = flags.has("once") ? "once" : "always";
  const given = flags.value("sas", sas);
  const allow: PairingDecision = {
    decision: `allow_${lasting}`,
    ...(pairing.proven ? {} : { unproven: true }),
    ...(flags.has("accept-files") ? { acceptFiles: true } : {}),
  };
  if (flags.has("deny") && !pairing.proven) {
    const advice = `boltctl trust ${
      shortId(pairing.identity)
    } --deny refuses that identity for ever`;
    const said = `${who} is refused this once: it has not proven its identity (${advice})`;
    return await say(context, pairing, { decision: "deny_once" }, said);
  }
  if (flags.has("deny")) {
    return await say(context, pairing, { decision: `deny_${lasting}` }, `${who} is refused`);
  }
  if (!pairing.proven && !flags.has("unproven")) {
    throw new CommandError(
      "POLICY_REFUSED",
      `${who} has not proven its identity, and whoever relays the signals can forge its six ` +
        "characters: boltctl pair --unproven lets it in all the same, while the request waits",
    );
  }
  const letIn = `${who} is let in${flags.has("accept-files") ? " with its files" : ""}`;
  if (given !== undefined) {
    const how = pairing.proven ? ": the SAS matches" : ", not proven";
    return await say(context, pairing, { ...allow, sas: given }, letIn + how);
  }
  if (mayAsk(context)) return await ask(context, feed, pairing, { allow, letIn });
  if (!pairing.proven) {
    return await say(context, pairing, allow, `${letIn}, not proven`);
  }
  if (session === "of another") {
    throw new CommandError(
      "PAIRING_REFUSED",
      `${who} has proven its identity, so it is let in with --sas SAS, the six characters that the ` +
        "other end shows: --unproven alone lets in peers that have not",
    );
  }
  const decided = await say(context, pairing, { decision: "deny_once" });
  if (decided.state === "allowed") return decided;
  throw new CommandError(
    "PAIRING_REFUSED",
    `${who} asked to be let in and was refused: there is no terminal to ask on, and --sas did not ` +
      "confirm the six characters that the other end shows",
  );
}

async function ask(
  context: Context,
  feed: EventFeed,
  pairing: Pairing,
  { allow, letIn }: { readonly allow: PairingDecision; readonly letIn: string },
): Promise<Pairing> {
  const who = peerLabel(pairing);
  const answer = await askAboutPairing(context, feed, pairing);
  switch (answer.is) {
    case "decided":
      return decidedElsewhere(context, answer.pairing);
    case "ended":
      throw notOpened(answer.session);
    case "stopping":
      throw new CommandError("STOPPING", `The daemon is stopping; ${who} was not let in`);
    case "no": {
      const decided = await say(context, pairing, { decision: "deny_once" });
      if (decided.state === "allowed") return decided;
      throw new CommandError("PAIRING_REFUSED", `${who} is refused: ${answer.why}`);
    }
    case "yes": {
      const how = pairing.proven ? "" : ", not proven";
      return await say(context, pairing, { ...allow, sas: pairing.sas }, letIn + how);
    }
  }
}

/** Tells the daemon, and the person `said`; where another program was first, what that has said. */
async function say(
  context: Context,
  { pairingId }: Pairing,
  decision: PairingDecision,
  said?: string,
): Promise<Pairing> {
  const client = context.client();
  try {
    const decided = await client.decidePairing(pairingId, decision, context.signal);
    if (said !== undefined) context.output.line(said);
    return decided;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "INVALID_STATE") throw error;
    return decidedElsewhere(context, await client.getPairing(pairingId, context.signal));
  }
}

/** @throws {CommandError} When the peer is not let in. */
function decidedElsewhere({ output }: Context, pairing: Pairing): Pairing {
  const who = peerLabel(pairing);
  if (pairing.state === "allowed") {
    output.line(`${who} was let in by another program, before an answer here`);
    return pairing;
  }
  if (pairing.state === "denied") {
    throw new CommandError(
      "PAIRING_REFUSED",
      `${who} was refused by another program, before an answer here`,
    );
  }
  throw new CommandError(
    "PAIRING_EXPIRED",
    `${who} is refused: nobody answered in time. Pair again, at both ends`,
  );
}
