/**
 * The consent of web applications (the wire format, section 5): who has picked a peer asks it for a
 * connection, and offers one when it was accepted.
 *
 * All of it is hostile until parsed: anybody at the rendezvous server can send it.
 *
 * @module
 */
import type { Tagged } from "../../base/tagged.ts";
import { SignalError } from "../../base/errors.ts";
import { field, isJsonObject, type JsonObject, stringField } from "../json.ts";
import { peerCodeField, type SignalRoute } from "./web_payload.ts";

/** Longest reason of a refusal that is kept, in UTF-16 units. */
const MAX_REASON = 200;

/** What a web application shows of a peer that asks. */
export interface ShownDevice {
  /** What it calls itself. */
  readonly deviceName: string;
  /** What it is. */
  readonly deviceType: "phone" | "tablet" | "laptop" | "desktop";
}

/** Asks for a connection. What the sender calls itself in it is not read: the server says that. */
export interface ConsentRequest extends Tagged<"connection_request">, SignalRoute {}

/** An offer is welcome. */
export interface ConsentAccepted extends Tagged<"connection_accepted">, SignalRoute {}

/** None is. */
export interface ConsentDeclined extends Tagged<"connection_declined">, SignalRoute {
  /** Why, as the peer puts it: hostile text, empty when it does not say. */
  readonly reason: string;
}

/** A signal about consent. */
export type WebConsent = ConsentRequest | ConsentAccepted | ConsentDeclined;

/**
 * Parses the payload of a rendezvous signal. Unknown fields are ignored.
 *
 * @returns Undefined for a payload of another type.
 * @throws {SignalError} BUNDLE_INVALID when it is about consent and not what it must be.
 */
export function parseConsent(payload: unknown): WebConsent | undefined {
  if (!isJsonObject(payload)) return undefined;
  const type = stringField(payload, "type");
  switch (type) {
    case "connection_request":
    case "connection_accepted":
    case "connection_declined":
      break;
    default:
      return undefined;
  }
  const data = field(payload, "data");
  if (!isJsonObject(data)) {
    throw new SignalError("BUNDLE_INVALID", "the peer's signal about consent has no valid data");
  }
  const route = { from: peerCodeField(payload, "from"), to: peerCodeField(payload, "to") };
  if (type !== "connection_declined") return { type, ...route };
  return { type, ...route, reason: (stringField(data, "reason") ?? "").slice(0, MAX_REASON) };
}

/** The payload that asks for a connection. */
export function encodeConsentRequest(
  { from, to }: SignalRoute,
  { deviceName, deviceType }: ShownDevice,
): JsonObject {
  return { type: "connection_request", data: { deviceName, deviceType }, from, to };
}

/** The payload that says that an offer is welcome. */
export function encodeConsentAccepted({ from, to }: SignalRoute): JsonObject {
  return { type: "connection_accepted", data: {}, from, to };
}

/** The payload that says that none is: always alike, so that it tells nothing of what we wait for. */
export function encodeConsentDeclined({ from, to }: SignalRoute): JsonObject {
  return { type: "connection_declined", data: { reason: "declined" }, from, to };
}
