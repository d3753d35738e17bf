/**
 * An event as a sentence.
 *
 * @module
 */
import type { ApiEvent } from "../ipc/api/events.ts";
import type { SessionView, Transfer } from "../ipc/api/schemas.ts";
import { isUnconfirmed } from "./output/confirmation.ts";
import { formatRate, percent } from "./output/units.ts";
import { waitsFor } from "./output/waits_for.ts";
import { fileLabel, peerLabel, shortId } from "./resolve.ts";

/** What happened, for people; without its time. */
export function describeEvent(event: ApiEvent): string {
  switch (event.type) {
    case "session-started":
      return `Session ${event.session.sessionId} is being opened`;
    case "session-opened":
      return `Session ${event.session.sessionId} is open with ${peerOf(event.session)}`;
    case "session-closed":
      return `Session ${event.session.sessionId} has ended${because(event.session)}`;
    case "pairing-requested":
      return `${peerLabel(event.pairing)} asks to be let in: boltctl pair answers`;
    case "pairing-decided":
      return `${peerLabel(event.pairing)} was ${DECIDED[event.pairing.state]}`;
    case "key-mismatch":
      return `WARNING: ${event.deviceName ?? event.peerCode ?? "a known peer"} came with another ` +
        `key and was refused: pinned ${event.pinned}, presented ${event.presented}`;
    case "identity-refused":
      return `WARNING: ${
        event.peerCode ?? "a peer"
      } claimed the identity ${event.claimed} and did ` +
        `not prove it (${event.step}): refused`;
    case "peer-changed":
      return `${peerLabel(event.peer)}: trust ${event.peer.trust}, files ` +
        (event.peer.autoAccept ? "accepted unasked" : "asked about");
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

const DECIDED = {
  pending: "asked about",
  allowed: "let in",
  denied: "refused",
  expired: "refused: nobody decided in time",
} as const;

/** A received file is verified here; of one that was sent, the peer has to say that it has it. */
function finished(transfer: Transfer): string {
  if (transfer.direction === "incoming") return `Finished: ${fileLabel(transfer)}, hash verified`;
  if (isUnconfirmed(transfer)) return `Sent, not confirmed: ${fileLabel(transfer)}`;
  return `Finished: ${fileLabel(transfer)}${transfer.confirmed ? ", confirmed by the peer" : ""}`;
}

const peerOf = ({ identity, deviceName }: SessionView): string =>
  identity === undefined
    ? "a peer"
    : peerLabel({ identity, ...(deviceName === undefined ? {} : { deviceName }) });
const waiting = (transfer: Transfer): string => {
  const what = waitsFor(transfer);
  return what === undefined ? "" : `, waits for ${what}`;
};
const because = ({ failure }: SessionView | Transfer): string =>
  failure === undefined ? "" : `: ${failure.message}`;
