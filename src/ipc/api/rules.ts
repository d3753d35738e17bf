/**
 * What the schemas of requests can't say: how members depend on each other.
 *
 * @module
 */
import { CODES_MUST_DIFFER } from "../../vocabulary/session_values.ts";
import type { Violation } from "./problem.ts";
import type { PairRequest, TrustRequest } from "./schemas.ts";

const wrong = (name: string, detail: string): Violation => ({ in: "body", name, detail });

/** Two peers of one code can't meet. */
export function peersDiffer(request: PairRequest): Violation | undefined {
  if (request.signal === "file") return undefined;
  const remote = "to" in request ? request.to : request.expectPeer;
  return request.peerId === remote ? wrong("/peerId", CODES_MUST_DIFFER) : undefined;
}

/** A pinned key is replaced only by people who have compared the new one. */
export function replacesWithSas(
  { decision, replaces, sas }: TrustRequest,
  identity: string,
): Violation | undefined {
  if (replaces === undefined) {
    return sas === undefined ? undefined : wrong("/sas", "is taken only with replaces");
  }
  if (sas === undefined) return wrong("/sas", "is required with replaces");
  if (replaces === identity) return wrong("/replaces", "must be another identity");
  if (decision !== "allow_always") return wrong("/decision", "must be allow_always with replaces");
  return undefined;
}
