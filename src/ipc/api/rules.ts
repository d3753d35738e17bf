/**
 * What the schemas of requests can't say: how members depend on each other.
 *
 * @module
 */
import { distinctCodes } from "../../protocol/signal/peer_code.ts";
import { CODES_MUST_DIFFER } from "../../vocabulary/session_values.ts";
import type { Violation } from "./problem.ts";
import type { Parsed } from "./schema.ts";
import type { PairRequest, TrustRequest } from "./schemas.ts";

const wrong = (name: string, detail: string): Violation => ({ in: "body", name, detail });

/** A code that the request gives us must not be the other end's. */
export function peersDiffer(request: Parsed<typeof PairRequest>): Violation | undefined {
  if (request.signal === "file" || request.peerId === undefined) return undefined;
  const remote = request.role === "offerer" ? request.to : request.expectPeer;
  const codes = distinctCodes(request.peerId, remote);
  return codes === undefined ? wrong("/peerId", CODES_MUST_DIFFER) : undefined;
}

/** A pinned key is replaced only by people who have compared the new one. */
export function replacesWithSas(
  { decision, replaces, sas }: TrustRequest,
  identity: string,
): Violation | undefined {
  if (replaces === undefined) {
    return sas === undefined ? undefined : wrong("/sas", "is allowed only with replaces");
  }
  if (sas === undefined) return wrong("/sas", "is required with replaces");
  if (replaces === identity) return wrong("/replaces", "must be another identity");
  if (decision !== "allow_always") return wrong("/decision", "must be allow_always with replaces");
  return undefined;
}
