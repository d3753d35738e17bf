/**
 * Messages between a client and the rendezvous server: JSON text frames with a `type`.
 *
 * @module
 */
import { isJsonObject, parseJsonObject } from "../json.ts";
import { cutDeviceName } from "../signal/device_name.ts";
import type { PeerCode } from "../signal/peer_code.ts";

/** The largest message the server takes or sends, in bytes. */
export const MAX_SERVER_MESSAGE_BYTES = 1024 * 1024;

/** A peer as the server describes it. */
export interface RegisteredPeer {
  /** Its code. */
  readonly peerCode: string;
  /** What it calls itself: hostile text, empty when it does not say. */
  readonly deviceName: string;
}

/** What the server may send a client. Peer codes in it are as the server wrote them. */
export type ServerMessage =
  | { readonly type: "peers"; readonly peers: readonly RegisteredPeer[] }
  | { readonly type: "peer_joined"; readonly peer: RegisteredPeer }
  | { readonly type: "peer_left"; readonly peerCode: string }
  | { readonly type: "signal"; readonly from: string; readonly payload: unknown }
  | { readonly type: "error"; readonly message: string };

/**
 * Parses a frame from the server.
 *
 * @returns The message; `"unknown"` for a type that this client does not know (ignored, so that
 * servers may grow); undefined when the frame is no message of this protocol.
 */
export function parseServerMessage(text: string): ServerMessage | "unknown" | undefined {
  const value = parseJsonObject(text);
  if (value === undefined || typeof value.type !== "string") return undefined;
  switch (value.type) {
    case "peers": {
      if (!Array.isArray(value.peers)) return undefined;
      const peers = value.peers.map(registeredPeer);
      return peers.every((peer) => peer !== undefined) ? { type: "peers", peers } : undefined;
    }
    case "peer_joined": {
      const peer = registeredPeer(value.peer);
      return peer === undefined ? undefined : { type: "peer_joined", peer };
    }
    case "peer_left":
      return typeof value.peer_code === "string"
        ? { type: "peer_left", peerCode: value.peer_code }
        : undefined;
    case "signal":
      return typeof value.from === "string"
        ? { type: "signal", from: value.from, payload: value.payload }
        : undefined;
    case "error":
      return typeof value.message === "string"
        ? { type: "error", message: value.message }
        : undefined;
    default:
      return "unknown";
  }
}

function registeredPeer(value: unknown): RegisteredPeer | undefined {
  if (!isJsonObject(value) || typeof value.peer_code !== "string") return undefined;
  const { peer_code: peerCode, device_name: name } = value;
  return { peerCode, deviceName: typeof name === "string" ? cutDeviceName(name) : "" };
}

/** The first message of a client. */
export function encodeRegister(peerCode: PeerCode, deviceName: string): string {
  const device = { device_name: deviceName, device_type: "desktop" };
  return JSON.stringify({ type: "register", peer_code: peerCode, ...device });
}

/** Relays a payload to a peer. */
export function encodeSignal(to: PeerCode, payload: unknown): string {
  return JSON.stringify({ type: "signal", to, payload });
}

/** Keeps an idle connection open. */
export function encodePing(): string {
  return JSON.stringify({ type: "ping" });
}

/** Whether an error of the server says that a peer is not registered, or not any more. */
export function isPeerAbsent(message: string, peer: PeerCode): boolean {
  return message === `peer '${peer}' not found` ||
    message === `peer '${peer}' is no longer connected`;
}

/** Whether an error of the server says that we sent too much: what was sent last is lost. */
export function isRateLimited(message: string): boolean {
  return /^rate limit/i.test(message);
}
