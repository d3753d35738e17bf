/**
 * ICE candidate lines: strict parsing, judging by the network scope, and writing clean ones.
 *
 * What a peer wrote is never passed on: a line is parsed into a {@linkcode Candidate}, and a new
 * line is written from that.
 *
 * @module
 */
import { parseIpAddress } from "./ip_address.ts";
import { judgeAddress, type NetworkScope } from "./scope.ts";

/** Where a candidate's address was learnt (RFC 8445, section 5.1.1). */
export type CandidateType = "host" | "srflx" | "relay";

/** Which end of a TCP connection a candidate is (RFC 6544, section 4.5). */
export type TcpType = "passive" | "active";

/** A usable candidate: first component, a literal address and a real port. */
export interface Candidate {
  /** What carries the datagrams. */
  readonly transport: "udp" | "tcp";
  /** Of a TCP candidate, and only of one: whoever is `passive` listens at the port. */
  readonly tcpType?: TcpType;
  /** Up to 32 letters, digits, `+` and `/` (RFC 8839, section 5.1). */
  readonly foundation: string;
  /** 1 to 2^31 - 1. */
  readonly priority: number;
  /** Canonical literal without a zone id; an IPv4-mapped IPv6 address is its IPv4 address. */
  readonly address: string;
  /** 1 to 65535; of an active TCP candidate it says nothing, and is 9. */
  readonly port: number;
  /** Where its address was learnt. */
  readonly type: CandidateType;
}

/** What was said of a candidate line. */
export interface JudgedCandidate {
  /** The candidate, only when it may be used. */
  readonly candidate?: Candidate;
  /** Whether it may be used. */
  readonly accepted: boolean;
  /** Address or host name as it stood in the line; hostile text. */
  readonly address: string;
  /** Absent where the line holds no number between 0 and 65535 for it. */
  readonly port?: number;
  /** Why it may not be used; empty when it may. */
  readonly reason: string;
}

/** Longer lines are refused unread; a real one has about 100 characters. */
const MAX_LINE_LENGTH = 512;
const MAX_PRIORITY = 2 ** 31 - 1;
/** How much of a line that can't be read is shown in its verdict. */
const SHOWN_OF_MALFORMED = 80;

/**
 * Judges a candidate line by syntax, transport and scope.
 *
 * @param line `candidate:...` or `a=candidate:...`, as a signal bundle or an SDP holds it
 * (RFC 8839, section 5.1; of TCP: RFC 6544, section 4.5). Other extension attributes are ignored.
 */
export function judgeCandidate(line: string, scope: NetworkScope): JudgedCandidate {
  const malformed = { accepted: false, address: line.slice(0, SHOWN_OF_MALFORMED) };
  if (line.length > MAX_LINE_LENGTH) return { ...malformed, reason: "malformed" };
  const value = /^(?:a=)?candidate:(.*)$/i.exec(line.trim())?.[1];
  const [foundation = "", component = "", transport = "", priority = "", address = "", ...rest] =
    value?.split(" ") ?? [];
  const [portText = "", typ = "", type = "", ...extensions] = rest;
  const syntaxOk = /^[A-Za-z\d+/]{1,32}$/.test(foundation) && /^\d{1,3}$/.test(component) &&
    /^[\w-]{1,16}$/.test(transport) && /^\d{1,10}$/.test(priority) && address !== "" &&
    /^\d{1,5}$/.test(portText) && typ === "typ" && /^[a-z]{1,16}$/.test(type);
  if (!syntaxOk) return { ...malformed, reason: "malformed" };
  const port = Number(portText);
  if (port > 65535) return { accepted: false, address, reason: "port-out-of-range" };
  const refused = (reason: string): JudgedCandidate => ({ accepted: false, address, port, reason });
  const scopeVerdict = judgeAddress(address, scope);
  if (!scopeVerdict.accepted) return refused(scopeVerdict.reason);
  if (port === 0) return refused("port-zero");
  const isTcp = transport.toLowerCase() === "tcp";
  if (!isTcp && transport.toLowerCase() !== "udp") return refused("transport-unknown");
  const tcpType = isTcp ? tcpTypeOf(extensions) : undefined;
  if (isTcp && tcpType === undefined) return refused("tcptype-unknown");
  // Chromium writes 0 of a socket from its pool, which belongs to no component yet.
  if (Number(component) > 1) return refused("not-first-component");
  if (Number(priority) < 1 || Number(priority) > MAX_PRIORITY) return refused("malformed");
  if (type !== "host" && type !== "srflx" && type !== "relay") return refused("type-unknown");
  const candidate: Candidate = {
    transport: isTcp ? "tcp" : "udp",
    ...(tcpType === undefined ? {} : { tcpType }),
    foundation,
    priority: Number(priority),
    address: canonicalAddress(address),
    port,
    type,
  };
  return { candidate, accepted: true, address, port, reason: "" };
}

/** Simultaneous open (`so`) is not made use of: who offers only that can't be reached. */
function tcpTypeOf(extensions: readonly string[]): TcpType | undefined {
  // Attributes are pairs of name and value.
  const at = extensions.findIndex((word, i) => i % 2 === 0 && word.toLowerCase() === "tcptype");
  const value = at < 0 ? undefined : extensions[at + 1]?.toLowerCase();
  return value === "passive" || value === "active" ? value : undefined;
}

/**
 * Writes a candidate as `candidate:...`, without `a=`. The related address that other than host
 * candidates must carry is written as unknown: nobody needs it, and it would reveal our network.
 */
export function formatCandidate(candidate: Candidate): string {
  const { transport, tcpType, foundation, priority, address, port, type } = candidate;
  const related = type === "host" ? "" : " raddr 0.0.0.0 rport 0";
  const name = transport.toUpperCase();
  const line =
    `candidate:${foundation} 1 ${name} ${priority} ${address} ${port} typ ${type}${related}`;
  return tcpType === undefined ? line : `${line} tcptype ${tcpType}`;
}

/**
 * The one spelling of an address literal that sockets report too (RFC 5952), without a zone id,
 * IPv4-mapped IPv6 as IPv4. Text that is no literal comes back as it is.
 */
export function canonicalAddress(literal: string): string {
  const ip = parseIpAddress(literal);
  if (ip === undefined) return literal;
  if (ip.version === 4) return ip.bytes.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((ip.bytes[2 * i] ?? 0) << 8) | (ip.bytes[2 * i + 1] ?? 0),
  );
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  const run = longestZeroRun(groups);
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
