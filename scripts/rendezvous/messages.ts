/**
 * The messages of the rendezvous protocol as the server sees them: JSON text frames tagged `type`
 * (the wire format, section 3). Client frames are hostile until {@linkcode parseClientMessage}
 * has read them.
 *
 * @module
 */

/** Longest frame a client may send: 1 MiB of UTF-8. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Longest `device_name`, in UTF-8 bytes. */
export const MAX_DEVICE_NAME_BYTES = 256;

/** Kinds of device a peer can say it is. */
export const DEVICE_TYPES = ["phone", "tablet", "laptop", "desktop"] as const;
/** A kind of device. */
export type DeviceType = typeof DEVICE_TYPES[number];

/** A registered peer as the others see it. */
export interface Peer {
  /** Normalised: see {@linkcode normalisePeerCode}. */
  readonly peer_code: string;
  /** For people, at most {@linkcode MAX_DEVICE_NAME_BYTES}. */
  readonly device_name: string;
  /** What it runs on. */
  readonly device_type: DeviceType;
}

/** What a client may say. */
export type ClientMessage =
  | { readonly type: "register"; readonly peer: Peer }
  | { readonly type: "signal"; readonly to: string; readonly payload: unknown }
  | { readonly type: "ping" };

/** What the server may say. */
export type ServerMessage =
  | { readonly type: "peers"; readonly peers: readonly Peer[] }
  | { readonly type: "peer_joined"; readonly peer: Peer }
  | { readonly type: "peer_left"; readonly peer_code: string }
  | { readonly type: "signal"; readonly from: string; readonly payload: unknown }
  | { readonly type: "error"; readonly message: string };

/** A client's frame that can't be obeyed. The message is sent to that client. */
export class ClientMessageError extends Error {
  /** The class's name. */
  override readonly name = "ClientMessageError";
}

const utf8 = new TextEncoder();

/**
 * A peer code without its hyphens.
 *
 * @throws {ClientMessageError} When 1 to 16 ASCII letters and digits are not what is left.
 */
export function normalisePeerCode(code: string): string {
  const bare = code.replaceAll("-", "");
  if (/^[A-Za-z0-9]{1,16}$/.test(bare)) return bare;
  throw new ClientMessageError("invalid peer code: takes 1 to 16 ASCII letters and digits");
}

/**
 * Reads one text frame of a client. Unknown fields are ignored.
 *
 * @throws {ClientMessageError} When it is not a message of the protocol.
 */
export function parseClientMessage(text: string): ClientMessage {
  const message = parseObject(text);
  switch (message["type"]) {
    case "register":
      return { type: "register", peer: parsePeer(message) };
    case "signal":
      if (!("payload" in message)) throw new ClientMessageError("signal: payload is missing");
      return {
        type: "signal",
        to: normalisePeerCode(stringField(message, "to")),
        payload: message["payload"],
      };
    case "ping":
      return { type: "ping" };
    default:
      throw new ClientMessageError("unknown message type: takes register, signal or ping");
  }
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ClientMessageError("message is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ClientMessageError("message is not a JSON object");
  }
  return value as Record<string, unknown>;
}

function stringField(message: Record<string, unknown>, name: string): string {
  const value = message[name];
  if (typeof value !== "string") throw new ClientMessageError(`${name} is not a string`);
  return value;
}

function parsePeer(message: Record<string, unknown>): Peer {
  const name = stringField(message, "device_name");
  if (utf8.encode(name).length > MAX_DEVICE_NAME_BYTES) {
    throw new ClientMessageError(`device_name is over ${MAX_DEVICE_NAME_BYTES} bytes`);
  }
  const type = DEVICE_TYPES.find((known) => known === message["device_type"]);
  if (type === undefined) {
    throw new ClientMessageError(`device_type takes ${DEVICE_TYPES.join(", ")}`);
  }
  return {
    peer_code: normalisePeerCode(stringField(message, "peer_code")),
    device_name: name,
    device_type: type,
  };
}
