/**
 * What the daemon does by itself, as its operator has chosen.
 *
 * @module
 */
import { type Choice, oneOf, type ValueOf } from "./value_kind.ts";

/**
 * What happens to an identity that nobody has decided about: somebody is asked, it is refused, or it
 * is let in and pinned.
 */
export const pairingPolicy: Choice<"ask" | "deny" | "allow"> = oneOf(["ask", "deny", "allow"]);
/** What happens to an identity that nobody has decided about. */
export type PairingPolicy = ValueOf<typeof pairingPolicy>;

/**
 * What happens to a session whose peer proves nothing of its identity: somebody is asked, each time
 * anew; it is refused; or it is treated as if it were proven, as the published protocol has it.
 */
export const unprovenPolicy: Choice<"ask" | "refuse" | "allow"> = oneOf([
  "ask",
  "refuse",
  "allow",
]);
/** What happens to a session whose peer proves nothing of its identity. */
export type UnprovenPolicy = ValueOf<typeof unprovenPolicy>;

/** What may carry sessions: UDP, TCP, or whichever works and costs less. */
export const transportChoice: Choice<"auto" | "udp" | "tcp"> = oneOf(["auto", "udp", "tcp"]);

/** How the local API is served: at a Unix socket, or over TCP at the loopback address. */
export const localApi: Choice<"unix" | "tcp"> = oneOf(["unix", "tcp"]);

/** What happens when a received file's name is taken: it gets a number, or the file is refused. */
export const collisionPolicy: Choice<"number" | "refuse"> = oneOf(["number", "refuse"]);
/** What happens when a received file's name is taken. */
export type CollisionPolicy = ValueOf<typeof collisionPolicy>;

/** A decision about an identity that is kept. */
export const pinnedDecision: Choice<"allow_always" | "deny_always"> = oneOf([
  "allow_always",
  "deny_always",
]);
/** A decision about an identity that is kept. */
export type PinnedDecision = ValueOf<typeof pinnedDecision>;

/** What becomes of the partial file of a transfer that ended early. */
export const interruptPolicy: Choice<"remove" | "keep"> = oneOf(["remove", "keep"]);
/** What becomes of the partial file of a transfer that ended early. */
export type InterruptPolicy = ValueOf<typeof interruptPolicy>;
