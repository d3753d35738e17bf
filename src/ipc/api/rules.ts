/**
 * What the schemas of requests can't say: how members depend on each other.
 *
 * @module
 */
import { canBeHeld } from "../../protocol/identity/low_order.ts";
import { distinctCodes, type PeerCode } from "../../protocol/signal/peer_code.ts";
import {
  CODE_MUST_STAY,
  CODES_MUST_DIFFER,
  HELD_BY_NOBODY,
  NOT_KEPT_WITH_WEB,
  NOT_WITH_WEB,
  UDP_WITH_WEB,
} from "../../vocabulary/session_values.ts";
import type { Violation } from "./problem.ts";
import type { Parsed } from "./schema.ts";
import type {
  AutoAcceptRequest,
  LinkRequest,
  PairingDecision,
  PairRequest,
  TrustRequest,
} from "./schemas.ts";

const wrong = (name: string, detail: string): Violation => ({ in: "body", name, detail });

/**
 * A code that the request gives us must not be the other end's; a web client proves no identity, and
 * only it is asked for consent.
 */
export function canMeet(request: Parsed<typeof PairRequest>): Violation | undefined {
  if (request.expectIdentity !== undefined && !canBeHeld(request.expectIdentity)) {
    return wrong("/expectIdentity", HELD_BY_NOBODY);
  }
  if (request.signal === "file") return undefined;
  if (request.web === true && request.expectIdentity !== undefined) {
    return wrong("/expectIdentity", NOT_WITH_WEB);
  }
  if (request.web === true && request.transport !== undefined) {
    return wrong("/transport", UDP_WITH_WEB);
  }
  if (request.role === "offerer" && request.webConsent !== undefined && request.web !== true) {
    return wrong("/webConsent", "is allowed only with web");
  }
  if (request.keep === true && request.web === true) return wrong("/keep", NOT_KEPT_WITH_WEB);
  if (request.keep === true && request.peerId === undefined) {
    return wrong("/peerId", `is required with keep: ${CODE_MUST_STAY}`);
  }
  return distinct(request);
}

/** As {@linkcode canMeet}, of a pairing that is kept. */
export function canBeLinked(request: Parsed<typeof LinkRequest>): Violation | undefined {
  return canBeHeld(request.identity) ? distinct(request) : wrong("/identity", HELD_BY_NOBODY);
}

function distinct(
  request:
    & { readonly peerId?: PeerCode }
    & (
      | { readonly role: "offerer"; readonly to: PeerCode }
      | { readonly role: "answerer"; readonly expectPeer: PeerCode }
    ),
): Violation | undefined {
  if (request.peerId === undefined) return undefined;
  const remote = request.role === "offerer" ? request.to : request.expectPeer;
  const codes = distinctCodes(request.peerId, remote);
  return codes === undefined ? wrong("/peerId", CODES_MUST_DIFFER) : undefined;
}

/** Files are accepted of a peer that is let in. */
export function acceptsOfAllowed(
  { decision, acceptFiles }: PairingDecision,
): Violation | undefined {
  if (acceptFiles === undefined || decision.startsWith("allow")) return undefined;
  return wrong("/acceptFiles", "is allowed only with allow_once and allow_always");
}

/** What a file must meet is asked only where files are accepted without asking. */
export function asksOfAccepted(
  { enabled, ...rule }: Parsed<typeof AutoAcceptRequest>,
): Violation | undefined {
  const [asked] = Object.keys(rule);
  return enabled || asked === undefined
    ? undefined
    : wrong(`/${asked}`, "is allowed only with enabled");
}

/**
 * A pinned key is replaced only by people who have compared the new one, or typed it and give it a
 * name.
 */
export function trustsOneWay(
  { decision, replaces, sas, name, unproven }: TrustRequest,
  identity: string,
): Violation | undefined {
  const allows = decision === "allow_always";
  if (allows && !canBeHeld(identity)) {
    return { in: "path", name: "identity", detail: HELD_BY_NOBODY };
  }
  if (!allows && name !== undefined) return wrong("/name", "is allowed only with allow_always");
  if (!allows && unproven !== undefined) {
    return wrong("/unproven", "is allowed only with allow_always");
  }
  if (replaces === undefined) {
    return sas === undefined ? undefined : wrong("/sas", "is allowed only with replaces");
  }
  if (sas === undefined && name === undefined) {
    return wrong("/sas", "is required with replaces, unless the key is trusted by a name");
  }
  if (sas !== undefined && name !== undefined) {
    return wrong("/name", "is not allowed with sas: a key is confirmed or typed");
  }
  if (unproven !== undefined) return wrong("/unproven", "is not allowed with replaces");
  if (replaces === identity) return wrong("/replaces", "must be another identity");
  if (!allows) return wrong("/decision", "must be allow_always with replaces");
  return undefined;
}
