/**
 * An event as a sentence.
 *
 * @module
 */
import type { ApiEvent } from "../ipc/api/events.ts";
import type { LinkView, Pairing, SessionView, Transfer } from "../ipc/api/schemas.ts";
import { isUnconfirmed } from "./output/confirmation.ts";
import { ruleText } from "./output/rule_text.ts";
import { formatRate, percent } from "./output/units.ts";
import { waitsFor } from "./output/waits_for.ts";
import { FORGEABLE } from "./output/pairing_facts.ts";
import { NAME_COLUMNS, quotedName } from "./output/peer_name.ts";
import { fileLabel, peerLabel, shortId } from "./resolve.ts";

/** What happened, for people; without its time. */
export function describeEvent(event: ApiEvent): string {
  switch (event.type) {
    case "session-started":
      return `Session ${event.session.sessionId} is being opened`;
    case "session-opened":
      return `Session ${event.session.sessionId} is open with ${peerOf(event.session)}` +
        provenOf(event.session);
    case "session-closed":
      return `Session ${event.session.sessionId} has ended${because(event.session)}`;
    case "pairing-requested":
      return asksToBeLetIn(event.pairing);
    case "pairing-decided":
      return `${peerLabel(event.pairing)} was ${DECIDED[event.pairing.state]}`;
    case "key-mismatch":
      return `WARNING: ${namedOr("a known peer", event)} came with another ` +
        `key and was refused: pinned ${event.pinned}, presented ${event.presented}` +
        (event.proven ? ", proven" : ", only claimed");
    case "identity-refused":
      return `WARNING: ${event.peerCode ?? "a peer"} was refused; it claimed the identity ` +
        `${event.claimed} (${event.step}): ${event.message}`;
    case "peer-changed":
      return `${peerLabel(event.peer)}: trust ${event.peer.trust}, files ` +
        (event.peer.autoAccept ? "accepted unasked" : "asked about") +
        (event.peer.acceptRule ? ` (${ruleText(event.peer.acceptRule)})` : "");
    case "link-added":
      return `${event.link.name} is kept from now on`;
    case "link-changed":
      return linkChanged(event.link);
    case "link-removed":
      return `${event.link.name} is kept no longer`;
    case "link-not-kept":
      return `WARNING: ${event.message}`;
    case "transfer-queued":
      return `Queued: ${fileLabel(event.transfer)}`;
    case "transfer-offered":
      return event.transfer.direction === "incoming"
        ? `Offered to us: ${fileLabel(event.transfer)}: boltctl accept ${
          shortId(event.transfer.transferId)
        }`
        : `Offered: ${fileLabel(event.transfer)}`;
    case "transfer-started":
      return `Started: ${fileLabel(event.transfer)}`;
    case "transfer-progress":
      return `${shortId(event.transferId)}: ${percent(event.transferred, event.size)} %, ` +
        formatRate(event.bytesPerSecond);
    case "transfer-hashing":
      return `${shortId(event.transferId)}: hashing, ${percent(event.hashed, event.size)} %`;
    case "transfer-paused":
      return `Paused: ${fileLabel(event.transfer)}${waiting(event.transfer)}`;
    case "transfer-resumed":
      return `Resumed: ${fileLabel(event.transfer)}`;
    case "transfer-finished":
      return finished(event.transfer);
    case "transfer-failed":
      return `Ended ${event.transfer.state}: ${fileLabel(event.transfer)}${
        because(event.transfer)
      }`;
    case "daemon-stopping":
      return `The daemon is stopping (${event.reason})`;
    case "daemon-stopped":
      return event.graceful
        ? "The daemon has stopped"
        : `The daemon has stopped by force${
          event.transfersLeft.length === 0
            ? ""
            : `; transfers left: ${event.transfersLeft.map(shortId).join(", ")}`
        }`;
    case "gap":
      return "Events before this one are lost";
  }
}

function linkChanged({ name, state, server, failure, nextTryAt }: LinkView): string {
  const why = failure === undefined ? "" : `: ${failure.message}`;
  if (state !== "trying") return `Link ${name}: ${state}${why}`;
  const waits = server !== "registered"
    ? ", the server is not reached"
    : nextTryAt === undefined
    ? ", waits for the peer"
    : "";
  return `Link ${name}: ${state}${why === "" ? waits : why}`;
}

const DECIDED = {
  pending: "asked about",
  allowed: "let in",
  denied: "refused",
  expired: "refused: nobody decided in time",
} as const;

/** The seconds are those that the daemon gives, not those that are left. */
function asksToBeLetIn(pairing: Pairing): string {
  const seconds = (Date.parse(pairing.expiresAt) - Date.parse(pairing.requestedAt)) / 1000;
  const asks = `${peerLabel(pairing)} asks to be let in`;
  return pairing.proven
    ? `${asks}: boltctl pair answers, within ${seconds} s`
    : `${asks}, not proven: boltctl pair --unproven answers, within ${seconds} s; WARNING: ` +
      FORGEABLE;
}

const provenOf = ({ proven }: SessionView): string =>
  proven === undefined ? "" : proven ? ", proven" : ", not proven: it only claims this identity";
const namedOr = (
  none: string,
  { deviceName, peerCode }: Pick<SessionView, "deviceName" | "peerCode">,
): string =>
  deviceName === undefined || deviceName === ""
    ? peerCode ?? none
    : quotedName(deviceName, NAME_COLUMNS);
/** A received file is verified here; of one that was sent, the peer has to say that it has it. */
function finished(transfer: Transfer): string {
  if (transfer.direction === "incoming") return `Finished: ${fileLabel(transfer)}, hash verified`;
  if (isUnconfirmed(transfer)) return `Sent, not confirmed: ${fileLabel(transfer)}`;
  return `Finished: ${fileLabel(transfer)}${transfer.confirmed ? ", confirmed by the peer" : ""}`;
}

const peerOf = ({ identity, ...session }: SessionView): string =>
  identity === undefined ? "a peer" : peerLabel({ ...session, identity });
const waiting = (transfer: Transfer): string => {
  const what = waitsFor(transfer);
  return what === undefined ? "" : `, waits for ${what}`;
};
const because = ({ failure }: SessionView | Transfer): string =>
  failure === undefined ? "" : `: ${failure.message}`;
