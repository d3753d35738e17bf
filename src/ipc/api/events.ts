/**
 * What the daemon reports to applications without being asked.
 *
 * @module
 */
import * as Type from "typebox";
import type { TProperties } from "typebox";
import { REFUSED_STEPS, type RefusedStep } from "../../protocol/identity/identity_handshake.ts";
import type { Static } from "./schema.ts";
import * as schemas from "./schemas.ts";

const { sessionId, transferId } = schemas.PATH_PARAMETERS;
const identity = schemas.IdentityText;

const event = <const Name extends string, T extends TProperties>(
  type: Name,
  description: string,
  properties: T,
) =>
  Type.Object({
    id: Type.String({
      description: "What to send as Last-Event-ID to go on after this event.",
      pattern: "^[0-9a-z]{1,32}-[0-9]{1,16}$",
    }),
    time: Type.String({ description: "RFC 3339, UTC." }),
    type: Type.Literal(type),
    ...properties,
  }, { title: `Event-${type}`, description });

const session = { session: schemas.SessionView };
const pairing = { pairing: schemas.Pairing };
const link = { link: schemas.LinkView };
const transfer = { transfer: schemas.Transfer };

/** @internal */
export const ApiEvent = Type.Union([
  event("session-started", "A session is being opened.", session),
  event("session-opened", "A session is open: both sides have agreed.", session),
  event("session-closed", "A session, or the attempt at one, has ended.", session),
  event("pairing-requested", "An unknown identity waits for a decision.", pairing),
  event("pairing-decided", "The request was decided, or has expired.", pairing),
  event("key-mismatch", "A known peer came with another key, and was refused.", {
    sessionId,
    peerCode: Type.Optional(schemas.PeerCodeText),
    deviceName: Type.Optional(schemas.PeerChosenName),
    pinned: identity,
    presented: identity,
    proven: Type.Boolean({ description: "It has proven the key that it presented." }),
  }),
  event("identity-refused", "A peer claimed an identity that it did not prove; refused.", {
    sessionId,
    peerCode: Type.Optional(schemas.PeerCodeText),
    claimed: identity,
    step: Type.Unsafe<RefusedStep | "peer-code">(Type.Enum([...REFUSED_STEPS, "peer-code"], {
      type: "string",
      description:
        "The check that failed. `expectation`: it proved itself before, or its key was " +
        "typed, and now it proves nothing. `expected-identity`: the session was asked for with an " +
        "identity, and this is another or not proven. `peer-code`: it proves nothing, and the code " +
        "is that of a peer that does. All others: its proof is wrong.",
    })),
    message: schemas.PeerChosenText,
  }),
  event("peer-changed", "A pinned decision or auto-accept was set or forgotten.", {
    peer: schemas.PeerView,
  }),
  event("link-added", "A pairing is kept from now on.", link),
  event("link-changed", "A link is in another state, or at the server in another way.", link),
  event("link-removed", "A link is kept no longer.", link),
  event("link-not-kept", "A session that was to be kept is not; it stays open.", {
    sessionId,
    message: schemas.PeerChosenText,
  }),
  event("transfer-queued", "A file was queued for sending.", transfer),
  event("transfer-hashing", "How far a file is read for its hash, before it is offered.", {
    transferId,
    hashed: Type.Integer({ description: "Bytes so far.", minimum: 0 }),
    size: Type.Integer({ description: "Bytes in all.", minimum: 0 }),
  }),
  event("transfer-offered", "A file was offered, by us or to us.", transfer),
  event("transfer-started", "The receiver has accepted; bytes flow.", transfer),
  event("transfer-progress", "How far a transfer is; a newer one supersedes it.", {
    transferId,
    transferred: Type.Integer({ description: "Bytes so far.", minimum: 0 }),
    size: Type.Integer({ description: "Bytes in all.", minimum: 0 }),
    bytesPerSecond: Type.Number({ description: "Present rate.", minimum: 0 }),
  }),
  event("transfer-paused", "A transfer is held.", transfer),
  event("transfer-resumed", "A held transfer goes on.", transfer),
  event("transfer-finished", "The file arrived, and its hash was verified.", transfer),
  event(
    "transfer-failed",
    "The transfer was rejected, cancelled, interrupted, or failed.",
    transfer,
  ),
  event("daemon-stopping", "The daemon begins its shutdown; the stream ends soon.", {
    reason: Type.Enum(["signal", "api", "failure"], { type: "string" }),
  }),
  event("daemon-stopped", "The shutdown is done: the last event of the stream.", {
    graceful: Type.Boolean({
      description:
        "Every transfer had ended, or was cancelled and its peer has confirmed that, and " +
        "nobody forced the end. The daemon's exit code is then 0, else 1.",
    }),
    transfersLeft: Type.Array(transferId, {
      description: "Transfers that have not ended: the next start reports them as interrupted.",
    }),
  }),
  event("gap", "Events before this one are lost to this reader: list the state anew.", {}),
], { title: "Event", description: "What happened; `type` says which form it is." });
/** An event as applications read it. */
export type ApiEvent = Static<typeof ApiEvent>;
/** The name of an event. */
export type EventType = ApiEvent["type"];

/**
 * Each form without what the hub stamps.
 * @internal
 */
export type WithoutStamp<T> = T extends unknown ? Omit<T, "id" | "time"> : never;
/** An event as the daemon publishes it; the hub stamps `id` and `time`. */
export type DaemonEvent = WithoutStamp<Exclude<ApiEvent, { type: "gap" }>>;
