/**
 * What a session is asked for with: the values of the one-shot program's flags, of the local API's
 * `pair` and of `boltctl pair`.
 *
 * @module
 */
import { shownUrl } from "../base/shown_url.ts";
import { PHASE_MS } from "../base/timing.ts";
import { NETWORK_SCOPES, type NetworkScope } from "../protocol/network_scope/scope.ts";
import { type Role, ROLES } from "../protocol/signal/bundle.ts";
import { normalizePeerCode, type PeerCode } from "../protocol/signal/peer_code.ts";
import {
  type Choice,
  oneOf,
  textThat,
  type ValueKind,
  type ValueOf,
  type WholeNumber,
  wholeNumber,
} from "./value_kind.ts";

/** Longest room and session, in characters (code points of Unicode). */
const MAX_NAME_LENGTH = 256;
/** Seconds whose milliseconds are still exact integers. */
const MAX_TIMEOUT_SECS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/** Which side makes the offer. */
export const role: Choice<Role> = oneOf(ROLES);

/** How offer and answer travel. */
export const signalMode: Choice<"file" | "rendezvous"> = oneOf(["file", "rendezvous"]);

/** Whose signal files are taken: `own` is ours and root's, `any` is everybody's, with a warning. */
export const signalOwner: Choice<"own" | "any"> = oneOf(["own", "any"]);
/** Whose signal files are taken. */
export type SignalOwner = ValueOf<typeof signalOwner>;

/** Which addresses may be used. */
export const networkScope: Choice<NetworkScope> = oneOf(NETWORK_SCOPES);

/** How long each phase may take, in seconds. */
export const phaseTimeoutSecs: WholeNumber = wholeNumber(1, MAX_TIMEOUT_SECS, "seconds");

/** The URL of a rendezvous server, in the normal form of the URL standard. */
export const rendezvousUrl: ValueKind<string> = {
  expects: "a ws:// or wss:// URL without user name or fragment",
  shown: shownUrl,
  parse(text) {
    const url = URL.parse(text);
    const usable = url !== null && ["ws:", "wss:"].includes(url.protocol) && url.hash === "" &&
      url.hostname !== "" && url.username === "" && url.password === "";
    return usable ? url.href : undefined;
  },
};

/** A room or session: two daemons meet only where both are the same at both ends. */
export const roomOrSession: ValueKind<string> = textThat(
  `up to ${MAX_NAME_LENGTH} characters, none of them control characters`,
  (text) => text !== "" && [...text].length <= MAX_NAME_LENGTH && !/[\p{Cc}\p{Cs}]/u.test(text),
);

/** A peer code, as the rendezvous server has it: without hyphens. */
export const peerCode: ValueKind<PeerCode> = {
  expects: "1 to 16 ASCII letters and digits (hyphens are dropped)",
  parse: normalizePeerCode,
};

/** What is said of a peer's own code that is the other peer's too. */
export const CODES_MUST_DIFFER = "is also the other peer's code: they must differ";

/** Whether a web client's people are asked before it is sent an offer: web applications want that. */
export const webConsent: Choice<"on" | "off"> = oneOf(["on", "off"]);

/** What is said of that where nobody is asked. */
export const NEEDS_WEB_OFFERER = "needs a web client that we offer to (--web and --role offerer)";

/** What is said of an identity that a web client is expected to have. */
export const NOT_WITH_WEB = "does not go with a web client: it proves no identity";

/** What is said of what may carry a session with a web client. */
export const UDP_WITH_WEB = "does not go with a web client: its sessions go by UDP";

/** What is said of a pairing with a web client that is to be kept. */
export const NOT_KEPT_WITH_WEB = "does not go with a web client: it proves no identity";

/** What is said of a pairing that is to be kept without a peer code of our own. */
export const CODE_MUST_STAY = "the other end has to find this one by the same code after a restart";

/** The short authentication string that people compare, in upper case; people write spaces in it. */
export const sas: ValueKind<string> = {
  expects: "six hexadecimal digits, as in A1B2C3",
  parse(text) {
    const bare = text.replaceAll(" ", "").toUpperCase();
    return /^[0-9A-F]{6}$/.test(bare) ? bare : undefined;
  },
};

/** The public half of an identity key, in lower case; what people copy may have capitals. */
export const identityKey: ValueKind<string> = {
  expects: "a whole identity key, 64 hexadecimal digits",
  parse: (text) => /^[0-9a-f]{64}$/i.test(text) ? text.toLowerCase() : undefined,
};

/** What is said of an identity key that proves nothing, whoever claims it. */
export const HELD_BY_NOBODY = "is no key that anybody can hold";

/** Longest name that people give a peer, in characters (code points of Unicode). */
export const MAX_GIVEN_NAME = 64;

/**
 * A name that people give a peer, in Unicode's form NFC: nothing in it is invisible, and it is no
 * identity key.
 */
export const givenName: ValueKind<string> = {
  expects:
    `1 to ${MAX_GIVEN_NAME} letters, digits, dots, hyphens, underscores and single blanks, ` +
    "with a letter or digit at either end",
  parse(text) {
    const name = text.normalize("NFC");
    const fits = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._ -]*$/u.test(name) &&
      /[\p{L}\p{M}\p{N}]$/u.test(name) &&
      !name.includes("  ") && [...name].length <= MAX_GIVEN_NAME;
    return fits && identityKey.parse(name) === undefined ? name : undefined;
  },
};

/** What holds where a session's request does not say. */
export const SESSION_DEFAULTS = {
  signal: "file",
  signalOwner: "any",
  networkScope: "lan",
  phaseTimeoutSecs: PHASE_MS / 1000,
  webConsent: "on",
} as const;
