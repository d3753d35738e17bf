/**
 * What is said before the channel, read as a published peer reads it: unknown fields are ignored,
 * every published field and its type are held.
 *
 * @module
 */
import { base64, count, type Fields, objectOf, text, Violation } from "./published_reader.ts";

const CODE = /^[A-Za-z0-9-]{1,32}$/;
const CANDIDATE = /^(a=)?candidate:/;

const fail = (what: string): never => {
  throw new Violation(what);
};

/** Reads an offer or answer between full sessions (schema web_v1). */
export function readSessionSignal(value: unknown, type: "offer" | "answer"): void {
  const signal = objectOf(value, "the signal");
  if (signal.type !== type) fail(`no ${type}`);
  for (const name of ["from", "to"]) text(signal, name, CODE);
  const data = objectOf(signal.data, "data");
  const description = objectOf(data[type], type);
  if (description.type !== type) fail("the description's type");
  text(description, "sdp", /^[^]+$/);
  base64(data, "publicKey", 32);
  if (text(data, "peerCode", CODE) !== signal.from) fail("peerCode");
}

/** Reads a bundle of the one-shot program. */
export function readBundle(value: unknown, type: "offer" | "answer"): void {
  const bundle = objectOf(value, "the bundle");
  const description = objectOf(bundle.description, "description");
  if (text(description, "sdp_type").toLowerCase() !== type) fail("sdp_type");
  text(description, "sdp", /^[^]+$/);
  if (!Array.isArray(bundle.candidates)) return fail("candidates");
  for (const one of bundle.candidates) {
    const candidate = objectOf(one, "a candidate");
    text(candidate, "candidate", CANDIDATE);
    text(candidate, "mid");
  }
}

/** Reads the payload of a signal between daemons (schema daemon_v1). */
export function readDaemonPayload(value: unknown): string {
  const payload = objectOf(value, "the payload");
  if (payload.payload_version !== 1) fail("payload_version");
  for (const name of ["session", "room"]) text(payload, name);
  const type = text(payload, "msg_type", /^(hello|ack|offer|answer)$/);
  if (type === "offer" || type === "answer") {
    readBundle(payload.bundle, type);
    return type;
  }
  for (const name of ["from_peer", "to_peer"]) text(payload, name, CODE);
  if (type === "hello") {
    text(payload, "network_scope", /^(lan|overlay|global)$/);
    count(payload, "phase_timeout_secs");
  }
  return type;
}

/** Reads what a client says to the rendezvous server; gives the payload of a signal. */
export function readForServer(frame: string): Fields | undefined {
  const message = objectOf(JSON.parse(frame), "the frame");
  switch (text(message, "type")) {
    case "register":
      text(message, "peer_code", /^[A-Za-z0-9]{1,16}$/);
      text(message, "device_name", /^[^]{0,256}$/);
      text(message, "device_type", /^(phone|tablet|laptop|desktop)$/);
      return undefined;
    case "ping":
      return undefined;
    case "signal":
      text(message, "to", CODE);
      return objectOf(message.payload, "the payload");
    default:
      return fail(`${message.type} is not for the server`);
  }
}
