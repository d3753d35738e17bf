/**
 * The payload of rendezvous signals between daemons (schema daemon_v1), and the checks that an
 * inbound one has to pass (Operator Contract, "Compatibility Contract").
 *
 * @module
 */
import { SignalError } from "../../base/errors.ts";
import { isJsonObject } from "../json.ts";
import type { NetworkScope } from "../network_scope/scope.ts";
import { bundleFromJson, bundleToJson, type SdpType, type SignalBundle } from "./bundle.ts";
import { normalizePeerCode, type PeerCode, type PeerCodes } from "./peer_code.ts";

/** The only payload version there is. */
export const PAYLOAD_VERSION = 1;

/** What two daemons have to agree on before a signal between them counts. */
export interface SignalContext extends PeerCodes {
  /** The room discriminator, the same at both ends. */
  readonly room: string;
  /** The session discriminator, the same at both ends. */
  readonly session: string;
  /** The network scope, the same at both ends. */
  readonly scope: NetworkScope;
}

/** A signal's payload that passed all checks. */
export type DaemonSignal =
  | { readonly msgType: "hello" }
  | { readonly msgType: "ack" }
  | { readonly msgType: SdpType; readonly bundle: SignalBundle };

/** The types of {@linkcode DaemonSignal}. */
export type DaemonSignalType = DaemonSignal["msgType"];

/** What became of an inbound signal. */
export type SignalVerdict =
  | { readonly accepted: true; readonly signal: DaemonSignal }
  | { readonly accepted: false; readonly reason: string };

/** The hello that the offerer sends. */
export function encodeHelloSignal(context: SignalContext, phaseTimeoutSecs: number): unknown {
  return {
    ...header(context, "hello"),
    from_peer: context.self,
    to_peer: context.remote,
    network_scope: context.scope,
    phase_timeout_secs: phaseTimeoutSecs,
  };
}

/** The answerer's reply to a hello. */
export function encodeAckSignal(context: SignalContext): unknown {
  return { ...header(context, "ack"), from_peer: context.self, to_peer: context.remote };
}

/** An offer or answer. */
export function encodeBundleSignal(context: SignalContext, bundle: SignalBundle): unknown {
  return { ...header(context, bundle.description.sdpType), bundle: bundleToJson(bundle) };
}

function header(context: SignalContext, msgType: DaemonSignalType): Record<string, unknown> {
  return {
    payload_version: PAYLOAD_VERSION,
    session: context.session,
    room: context.room,
    msg_type: msgType,
  };
}

/**
 * Judges an inbound signal, in the order of the wire format: sender, shape, version, session, room,
 * type, and for hello and ack the peers and the scope that they declare.
 *
 * @param from The sender's code as the server reports it.
 * @param payload The relayed payload, untrusted.
 * @param expected The type that is waited for.
 * @throws {SignalError} VERSION_UNSUPPORTED, PEER_MISMATCH, SCOPE_MISMATCH: these end the run.
 */
export function judgeSignal(
  from: string,
  payload: unknown,
  expected: DaemonSignalType,
  context: SignalContext,
): SignalVerdict {
  if (normalizePeerCode(from) !== context.remote) return ignored("unexpected-peer");
  if (!isJsonObject(payload)) return ignored("malformed-payload");
  const { payload_version: version, session, room, msg_type: msgType } = payload;
  const { from_peer: fromPeer, to_peer: toPeer, network_scope: scope } = payload;
  if (typeof session !== "string" || typeof room !== "string") return ignored("malformed-payload");
  if (typeof msgType !== "string" || ![fromPeer, toPeer, scope].every(isStringOrAbsent)) {
    return ignored("malformed-payload");
  }
  // Whatever else stands there, or nothing, is another version too.
  if (version !== PAYLOAD_VERSION) {
    const shown = version === undefined ? "(none)" : JSON.stringify(version).slice(0, 64);
    throw new SignalError(
      "VERSION_UNSUPPORTED",
      `unsupported payload_version ${shown} from peer '${context.remote}': this daemon speaks ` +
        `${PAYLOAD_VERSION}; update the older side`,
    );
  }
  if (session !== context.session) return ignored("session-mismatch");
  if (room !== context.room) return ignored("room-mismatch");
  if (msgType !== expected) return ignored("unexpected-msg-type");
  if (expected === "offer" || expected === "answer") return judgeBundle(payload.bundle, expected);
  checkPeer("from_peer", fromPeer, context.remote);
  checkPeer("to_peer", toPeer, context.self);
  if (expected === "hello" && scope !== undefined && scope !== context.scope) {
    throw new SignalError(
      "SCOPE_MISMATCH",
      `network_scope mismatch: peer '${context.remote}' declared ${quote(scope)}, ours is ` +
        `"${context.scope}"; start both with the same --network-scope`,
    );
  }
  return { accepted: true, signal: { msgType: expected } };
}

function judgeBundle(value: unknown, expected: SdpType): SignalVerdict {
  try {
    return {
      accepted: true,
      signal: { msgType: expected, bundle: bundleFromJson(value, expected) },
    };
  } catch (error) {
    if (error instanceof SignalError) return ignored("malformed-bundle");
    throw error;
  }
}

function checkPeer(name: string, declared: unknown, ours: PeerCode): void {
  if (declared === undefined) return;
  if (typeof declared === "string" && normalizePeerCode(declared) === ours) return;
  throw new SignalError(
    "PEER_MISMATCH",
    `peer mismatch: ${name} is ${quote(declared)}, expected '${ours}'; check --to, --expect-peer ` +
      `and --peer-id on both sides`,
  );
}

const isStringOrAbsent = (value: unknown): boolean =>
  value === undefined || typeof value === "string";

const ignored = (reason: string): SignalVerdict => ({ accepted: false, reason });

const quote = (value: unknown): string => JSON.stringify(String(value).slice(0, 64));
