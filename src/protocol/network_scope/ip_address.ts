/**
 * IP addresses: strict parsing of literals, and the kind of network that each belongs to.
 *
 * @module
 */

/** What an address is, as far as the scope policy cares. */
export type AddressKind =
  | "loopback"
  | "private"
  | "link-local"
  | "cgnat"
  | "public"
  | "unusable";

/** A parsed literal. */
export interface IpAddress {
  /** 4, also for an IPv4-mapped IPv6 address, or 6. */
  readonly version: 4 | 6;
  /** 4 or 16 bytes, network order. An IPv4-mapped IPv6 address is its IPv4 address. */
  readonly bytes: readonly number[];
  /** What kind of network it belongs to. */
  readonly kind: AddressKind;
}

/**
 * Parses an IPv4 or IPv6 literal; a zone id (`%eth0`) is allowed after IPv6 link-local only.
 *
 * @returns The address, or undefined when the text is no literal in its usual spelling (leading
 * zeros, short IPv4 forms and hexadecimal IPv4 are refused: readers disagree about them).
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  const v4 = parseV4(text);
  if (v4 !== undefined) return { version: 4, bytes: v4, kind: kindOfV4(v4) };
  const [literal = "", ...zone] = text.split("%");
  const v6 = parseV6(literal);
  if (v6 === undefined) return undefined;
  const mapped = v6.slice(0, 10).every((b) => b === 0) && v6[10] === 0xff && v6[11] === 0xff;
  const bytes = mapped ? v6.slice(12) : v6;
  const kind = mapped ? kindOfV4(bytes) : kindOfV6(bytes);
  if (zone.length > 0) {
    const [id = ""] = zone;
    if (zone.length > 1 || kind !== "link-local" || mapped) return undefined;
    if (!/^[\w.-]{1,32}$/.test(id)) return undefined;
  }
  return { version: mapped ? 4 : 6, bytes, kind };
}

function parseV4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => /^(0|[1-9]\d{0,2})$/.test(part) ? Number(part) : 256);
  return bytes.every((b) => b <= 255) ? bytes : undefined;
}

function parseV6(text: string): number[] | undefined {
  let head = text;
  // An embedded IPv4 tail (RFC 4291, 2.2) stands for the last two groups.
  const tail = /^(.*:)([\d.]+\.[\d.]+)$/.exec(text);
  if (tail !== null) {
    const v4 = parseV4(tail[2] ?? "");
    if (v4 === undefined) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = v4;
    head = `${tail[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = head.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => half === "" ? [] : half.split(":"));
  const [left = [], right = []] = groups;
  if (![...left, ...right].every((g) => /^[\da-f]{1,4}$/i.test(g))) return undefined;
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array<string>(missing).fill("0"), ...right];
  return all.flatMap((g) => [parseInt(g, 16) >> 8, parseInt(g, 16) & 0xff]);
}

function kindOfV4([a = 0, b = 0]: readonly number[]): AddressKind {
  if (a === 127) return "loopback"; // RFC 1122
  if (a === 10 || (a === 172 && (b & 0xf0) === 16) || (a === 192 && b === 168)) return "private";
  if (a === 169 && b === 254) return "link-local"; // RFC 3927
  if (a === 100 && (b & 0xc0) === 64) return "cgnat"; // RFC 6598
  // This network (RFC 1122), multicast and reserved (RFC 5771, RFC 1112): no host has them.
  if (a === 0 || a >= 224) return "unusable";
  return "public";
}

function kindOfV6(bytes: readonly number[]): AddressKind {
  const [a = 0, b = 0] = bytes;
  if (bytes.slice(0, 15).every((x) => x === 0)) {
    return bytes[15] === 1 ? "loopback" : bytes[15] === 0 ? "unusable" : "public";
  }
  if ((a & 0xfe) === 0xfc) return "private"; // unique local, RFC 4193
  if (a === 0xfe && (b & 0xc0) === 0x80) return "link-local"; // RFC 4291
  if (a === 0xff) return "unusable"; // multicast
  return "public";
}
