/**
 * Session descriptions of a data-only WebRTC session: a strict reader of what a peer wrote, and a
 * writer of clean ones. Hostile text ends here: only parsed values go further.
 *
 * @module
 */
import { TransportError } from "../../base/errors.ts";
import type { SdpType } from "../signal/bundle.ts";

/** Hash functions that a certificate fingerprint may use; SHA-1 and MD5 are refused. */
export type FingerprintHash = "sha-256" | "sha-384" | "sha-512";

/** Digest of the certificate that the peer's DTLS handshake must show (RFC 8122). */
export interface Fingerprint {
  /** What made the digest. */
  readonly hash: FingerprintHash;
  /** Upper-case hexadecimal pairs joined by colons. */
  readonly digest: string;
}

/** Which DTLS role the writer takes: `active` is the client (RFC 8842). */
export type DtlsSetup = "actpass" | "active" | "passive";

/** What a session description says, as far as a data channel needs it. */
export interface DataDescription {
  /** 4 to 256 letters, digits, `+` and `/` (RFC 8839, section 5.4). */
  readonly iceUfrag: string;
  /** 22 to 256 of the same. */
  readonly icePwd: string;
  /** Whether the writer is a lite agent, which only answers (RFC 8445, section 2.5). */
  readonly iceLite: boolean;
  /** At least one, at most 8. */
  readonly fingerprints: readonly Fingerprint[];
  /** The DTLS role that the writer offers or takes. */
  readonly setup: DtlsSetup;
  /** Id of the media section. */
  readonly mid: string;
  /** 1 to 65535. */
  readonly sctpPort: number;
  /** Largest message that the writer takes, in bytes; Infinity when it sets no limit. */
  readonly maxMessageSize: number;
  /**
   * Most bytes that the writer takes in a DTLS record over TCP; 0 where it does not say. An attribute
   * of ours: other stacks take as much as a datagram has, and pass over what they do not know.
   */
  readonly maxRecord: number;
  /** Candidate lines as they stood there (`candidate:...`): hostile text, not judged yet. */
  readonly candidateLines: readonly string[];
}

const MAX_SDP_LENGTH = 256 * 1024;
const MAX_CANDIDATE_LINES = 256;
const MAX_FINGERPRINTS = 8;
const DEFAULT_SCTP_PORT = 5000;
/** Where the attribute is absent (RFC 8841, section 6.1). */
const DEFAULT_MAX_MESSAGE_SIZE = 65536;
/** See {@linkcode DataDescription.maxRecord}. */
const MAX_RECORD = "x-bolt-daemon-max-record";
const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ["sha-256", 32],
  ["sha-384", 48],
  ["sha-512", 64],
]);

/**
 * Reads an offer or an answer.
 *
 * @throws {TransportError} SDP_REFUSED, saying what is missing or not supported.
 */
export function parseDescription(sdp: string, type: SdpType): DataDescription {
  if (sdp.length > MAX_SDP_LENGTH) throw refusal(`it is longer than ${MAX_SDP_LENGTH} characters`);
  const lines = sdp.split(/\r?\n/);
  const mediaAt = lines.flatMap((line, i) => line.startsWith("m=") ? [i] : []);
  const [at] = mediaAt;
  if (at === undefined || mediaAt.length > 1) {
    throw refusal(`it must have one media section, a data channel, and has ${mediaAt.length}`);
  }
  if (!/^m=application \d{1,5} (UDP|TCP)\/DTLS\/SCTP webrtc-datachannel *$/.test(lines[at] ?? "")) {
    throw refusal("its media section is no WebRTC data channel");
  }
  const attributes = [attributesOf(lines.slice(at + 1)), attributesOf(lines.slice(0, at))];
  // A media-level attribute stands before its session-level default.
  const all = (name: string) => attributes.find((a) => a.has(name))?.get(name) ?? [];
  const one = (name: string) => all(name)[0];
  const candidateLines = (attributes[0]?.get("candidate") ?? []).map((c) => `candidate:${c}`);
  if (candidateLines.length > MAX_CANDIDATE_LINES) {
    throw refusal(`it has more than ${MAX_CANDIDATE_LINES} candidates`);
  }
  return {
    iceUfrag: matching(one("ice-ufrag"), /^[A-Za-z\d+/]{4,256}$/, "ice-ufrag"),
    icePwd: matching(one("ice-pwd"), /^[A-Za-z\d+/]{22,256}$/, "ice-pwd"),
    iceLite: attributes.some((a) => a.has("ice-lite")),
    fingerprints: parseFingerprints(all("fingerprint")),
    setup: parseSetup(one("setup") ?? (type === "offer" ? "actpass" : "active"), type),
    mid: matching(one("mid") ?? "0", /^[\w.+-]{1,32}$/, "mid"),
    sctpPort: numberIn(one("sctp-port"), DEFAULT_SCTP_PORT, 1, 65535, "sctp-port"),
    maxMessageSize:
      numberIn(one("max-message-size"), DEFAULT_MAX_MESSAGE_SIZE, 0, 2 ** 53, "max-message-size") ||
      Infinity,
    maxRecord: numberIn(one(MAX_RECORD), 0, 0, 2 ** 14, MAX_RECORD),
    candidateLines,
  };
}

/**
 * Writes a description. `candidateLines` are written as they are: pass clean ones
 * (`formatCandidate`). There is no end-of-candidates mark: a reader may hold more in its bundle.
 */
export function formatDescription(description: DataDescription): string {
  const d = description;
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${d.mid}`,
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    `a=mid:${d.mid}`,
    `a=setup:${d.setup}`,
    `a=ice-ufrag:${d.iceUfrag}`,
    `a=ice-pwd:${d.icePwd}`,
    ...d.fingerprints.map((f) => `a=fingerprint:${f.hash} ${f.digest}`),
    `a=sctp-port:${d.sctpPort}`,
    `a=max-message-size:${Number.isFinite(d.maxMessageSize) ? d.maxMessageSize : 0}`,
    ...(d.maxRecord === 0 ? [] : [`a=${MAX_RECORD}:${d.maxRecord}`]),
    ...d.candidateLines.map((line) => `a=${line}`),
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

function refusal(why: string): TransportError {
  return new TransportError("SDP_REFUSED", `the peer's session description is refused: ${why}`);
}

function attributesOf(lines: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value = ""] = /^a=([\w-]+)(?::(.*))?$/.exec(line.trimEnd()) ?? [];
    if (name === undefined) continue;
    const values = found.get(name.toLowerCase());
    if (values === undefined) found.set(name.toLowerCase(), [value.trim()]);
    else values.push(value.trim());
  }
  return found;
}

function matching(value: string | undefined, pattern: RegExp, name: string): string {
  if (value === undefined) throw refusal(`it has no ${name}`);
  if (!pattern.test(value)) throw refusal(`its ${name} is malformed`);
  return value;
}

function numberIn(
  text: string | undefined,
  missing: number,
  min: number,
  max: number,
  name: string,
): number {
  if (text === undefined) return missing;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) throw refusal(`its ${name} is malformed`);
  return value;
}

function parseSetup(value: string, type: SdpType): DtlsSetup {
  if (value === "active" || value === "passive") return value;
  if (value === "actpass" && type === "offer") return value;
  throw refusal(`its setup role is malformed for an ${type}`);
}

function parseFingerprints(values: readonly string[]): Fingerprint[] {
  if (values.length > MAX_FINGERPRINTS) throw refusal("it has too many fingerprints");
  const usable = values.flatMap((value) => {
    const [, name = "", digest = ""] = /^(\S+) ([\dA-Fa-f:]+)$/.exec(value) ?? [];
    const hash = name.toLowerCase();
    const bytes = DIGEST_BYTES.get(hash);
    if (bytes === undefined || !isHash(hash)) return [];
    if (!new RegExp(`^[\\dA-F]{2}(:[\\dA-F]{2}){${bytes - 1}}$`, "i").test(digest)) {
      throw refusal("a certificate fingerprint is malformed");
    }
    return [{ hash, digest: digest.toUpperCase() }];
  });
  if (usable.length === 0) {
    throw refusal("it has no certificate fingerprint by SHA-256, SHA-384 or SHA-512");
  }
  return usable;
}

function isHash(name: string): name is FingerprintHash {
  return DIGEST_BYTES.has(name);
}
