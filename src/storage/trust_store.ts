/**
 * Trust on first use, kept: decisions by identity key, and the key that each peer code was last
 * approved with. Decisions for one session (`allow_once`, `deny_once`) never come here.
 *
 * Trust follows the identity key alone. A peer code is bound to a key when that key is allowed for
 * ever, and only then: codes route, anyone can register one, and a code bound by a stranger would
 * lock its real owner out.
 *
 * @module
 */
import { StorageError, type StorageErrorCode } from "../base/errors.ts";
import { writeAtomically } from "./atomic_write.ts";
import { DATA_NAMES, type DataFolder } from "./data_folder.ts";
import { type DayCount, dayCountAt } from "./day_count.ts";
import { type FileSystem, joinPath } from "./file_system.ts";
import type { KnownFolder } from "./known_folder.ts";
import { readPrivateFile } from "./private_path.ts";
import { Serial } from "./serial.ts";
import { cutDeviceName } from "../protocol/signal/device_name.ts";
import type { AcceptRule } from "../vocabulary/accept_rule.ts";
import type { PinnedDecision } from "../vocabulary/policies.ts";
import {
  foldName,
  formatPeers,
  formatTrust,
  isIdentity,
  isPeerCode,
  type KnownPeer,
  type KnownPeers,
  NO_PEERS,
  parsePeers,
  parseTrust,
} from "./trust_file.ts";

/** Codes kept for one identity; a peer may take a new one at each start. */
export const CODES_PER_IDENTITY = 8;
/** Identities that are pinned at most, unless said otherwise. */
export const MAX_PINNED = 4096;
/** Changes that may wait for the disk. */
const MAX_PENDING = 64;
/** Longest entry of either file, generously: escapes make a character six bytes. */
const MAX_ENTRY_BYTES = 2048;

/** A pinned peer. */
export interface PinnedPeer {
  /** Identity key, 64 lower-case hex digits. */
  readonly identity: string;
  /** The pinned decision. */
  readonly decision: PinnedDecision;
  /** Codes it was approved with, oldest first; empty for a denied peer. */
  readonly codes: readonly string[];
  /** What it called itself last: hostile text; empty when unknown. */
  readonly deviceName: string;
  /**
   * When it was last approved, let in, or went, in milliseconds since 1970; 0 when unknown.
   */
  readonly seenAt: number;
  /** Its offers need no `accept` where they meet this and it has proven who it is; absent: they do. */
  readonly autoAccept?: AcceptRule;
  /** Whether it has ever proven who it is. */
  readonly proven: boolean;
  /** Whether people typed its key, so that it must prove who it is from the start. */
  readonly byKey: boolean;
  /** What people call it, if they gave it a name. */
  readonly name?: string;
}

/** What a peer code and the key behind it mean. */
export type CodeVerdict =
  /** The code was never approved. */
  | { readonly verdict: "unknown" }
  /** The key is the one that the code was approved with. */
  | { readonly verdict: "same" }
  /** KEY_MISMATCH: the code was approved with this other identity. */
  | { readonly verdict: "mismatch"; readonly owner: string };

/** Options of {@linkcode TrustStore.open}. */
export interface TrustStoreOptions {
  /** Most identities that are kept. @default {4096} */
  readonly maxPeers?: number;
}

/** Who a peer is, as a session found it. */
export interface SeenPeer {
  /** Identity key, 64 lower-case hex digits. */
  readonly identity: string;
  /** Peer code without hyphens. */
  readonly code: string;
  /** What it called itself; cut to what is kept. */
  readonly deviceName: string;
  /** Milliseconds since 1970. */
  readonly seenAt: number;
  /** Whether it has proven, in that session, that it holds the identity's key. */
  readonly proven: boolean;
}

/** An identity, by the codes that it was approved with. */
interface SeenIdentity {
  /** Oldest first. */
  readonly codes: readonly string[];
  /** What was seen last. */
  readonly last: KnownPeer;
}

function byIdentity(codes: KnownPeers["codes"]): Map<string, SeenIdentity> {
  const seen = new Map<string, { codes: string[]; last: KnownPeer }>();
  for (const [code, peer] of codes) {
    const entry = seen.get(peer.identity);
    if (entry === undefined) seen.set(peer.identity, { codes: [code], last: peer });
    else {
      entry.codes.push(code);
      if (peer.seenAt >= entry.last.seenAt) entry.last = peer;
    }
  }
  return seen;
}

async function load<T extends object>(
  fs: FileSystem,
  path: string,
  rules: { uid: number | null; limit: number; invalid: StorageErrorCode },
  parse: (bytes: Uint8Array) => T | string,
): Promise<T | undefined> {
  const advice = "put back a copy of it, or move it away and approve the peers anew";
  const bytes = await readPrivateFile(fs, path, { ...rules, advice });
  if (bytes === undefined) return undefined;
  const parsed = parse(bytes);
  if (typeof parsed !== "string") return parsed;
  throw new StorageError(rules.invalid, `${path} ${parsed}: ${advice}`);
}

/**
 * The pins of a data folder, and what is known of the peers behind them. What a method promised is on
 * disk when its promise resolves.
 */
export class TrustStore {
  readonly #fs: FileSystem;
  readonly #folder: KnownFolder;
  readonly #maxPeers: number;
  readonly #serial = new Serial(MAX_PENDING);
  #pins: ReadonlyMap<string, PinnedDecision>;
  #peers: KnownPeers;
  /** Derived from the codes: one peer is found without looking at the others. */
  #seenBy: ReadonlyMap<string, SeenIdentity>;

  private constructor(
    fs: FileSystem,
    folder: KnownFolder,
    maxPeers: number,
    pins: ReadonlyMap<string, PinnedDecision>,
    peers: KnownPeers,
  ) {
    this.#fs = fs;
    this.#folder = folder;
    this.#maxPeers = maxPeers;
    this.#pins = pins;
    this.#peers = peers;
    this.#seenBy = byIdentity(peers.codes);
  }

  /**
   * Reads the pins of a locked data folder.
   *
   * @throws {StorageError} `TRUST_INVALID`, `PEERS_INVALID`, `MODE_TOO_OPEN`, `OWNER_FOREIGN`, or
   * a failure to read. The files are left as they are.
   */
  static async open(
    fs: FileSystem,
    folder: DataFolder,
    options: TrustStoreOptions = {},
  ): Promise<TrustStore> {
    const { maxPeers = MAX_PINNED } = options;
    const limit = maxPeers * CODES_PER_IDENTITY * MAX_ENTRY_BYTES;
    const { pinsPath, uid } = folder;
    const trustPath = joinPath(pinsPath, DATA_NAMES.trust);
    const peersPath = joinPath(pinsPath, DATA_NAMES.peers);
    const pins = await load(fs, trustPath, { uid, limit, invalid: "TRUST_INVALID" }, parseTrust);
    const peers = await load(fs, peersPath, { uid, limit, invalid: "PEERS_INVALID" }, parsePeers);
    return new TrustStore(
      fs,
      folder.pins,
      maxPeers,
      pins ?? new Map(),
      peers ?? NO_PEERS,
    );
  }

  /** What was decided for ever about this identity, if anything. */
  decisionFor(identity: string): PinnedDecision | undefined {
    return this.#pins.get(identity);
  }

  /** Whether this key may be the one behind this code. To be asked before anything else. */
  checkCode(code: string, identity: string): CodeVerdict {
    const owner = this.ownerOf(code);
    if (owner === undefined) return { verdict: "unknown" };
    return owner === identity ? { verdict: "same" } : { verdict: "mismatch", owner };
  }

  /**
   * The rule by which offers of this identity need no `accept`: set for it, and it is still allowed.
   * The same object until another rule is set.
   */
  acceptRule(identity: string): AcceptRule | undefined {
    const isAllowed = this.#pins.get(identity) === "allow_always";
    return isAllowed ? this.#peers.autoAccept.get(identity) : undefined;
  }

  /**
   * Files that were taken of this identity in the day of `now`, as {@linkcode TrustStore.countTaken}
   * has counted.
   *
   * @throws {StorageError} When a clock that was wrong has to be kept note of, and can't.
   */
  takenAt(identity: string, now: number): Promise<number> {
    return this.#serial.run(async () => {
      const known = this.#peers.taken.get(identity);
      const count = dayCountAt(known, now);
      // A day that begins is begun by its first file; one that a wrong clock counted in ends here.
      if (known !== undefined && count.day < known.day) await this.#writeTaken(identity, count);
      return count.files;
    });
  }

  /**
   * Counts a file of this identity in the day of `now`, if offers of it need no `accept`.
   *
   * @throws {StorageError} When it can't be kept: it is not counted then.
   */
  countTaken(identity: string, now: number): Promise<void> {
    return this.#serial.run(async () => {
      if (!this.#peers.autoAccept.has(identity)) return;
      const { day, files } = dayCountAt(this.#peers.taken.get(identity), now);
      await this.#writeTaken(identity, { day, files: files + 1 });
    });
  }

  /** Whether this identity has ever proven that it holds its key, and has not been forgotten since. */
  wasProven(identity: string): boolean {
    return this.#peers.proven.has(identity);
  }

  /** Whether people typed this identity's key, and it has not been forgotten since. */
  isTrustedByKey(identity: string): boolean {
    return this.#peers.byKey.has(identity);
  }

  /** Whether this identity is believed with a proof only: it was proven, or people typed its key. */
  mustProve(identity: string): boolean {
    return this.wasProven(identity) || this.isTrustedByKey(identity);
  }

  /** What people call this identity. */
  nameOf(identity: string): string | undefined {
    return this.#peers.names.get(identity);
  }

  /** The identity that a peer code is bound to. */
  ownerOf(code: string): string | undefined {
    return this.#peers.codes.get(code)?.identity;
  }

  /** All pinned peers. */
  list(): PinnedPeer[] {
    return [...this.#pins].map(([identity, decision]) => this.#pinned(identity, decision));
  }

  /** A pinned peer; undefined when nothing was decided about this identity for ever. */
  find(identity: string): PinnedPeer | undefined {
    const decision = this.#pins.get(identity);
    return decision === undefined ? undefined : this.#pinned(identity, decision);
  }

  #pinned(identity: string, decision: PinnedDecision): PinnedPeer {
    const seen = this.#seenBy.get(identity);
    return {
      identity,
      decision,
      codes: seen?.codes ?? [],
      deviceName: seen?.last.deviceName ?? "",
      seenAt: seen?.last.seenAt ?? 0,
      ...this.#accepted(identity),
      proven: this.wasProven(identity),
      byKey: this.isTrustedByKey(identity),
      ...this.#named(identity),
    };
  }

  #accepted(identity: string): { readonly autoAccept?: AcceptRule } {
    const rule = this.acceptRule(identity);
    return rule === undefined ? {} : { autoAccept: rule };
  }

  #named(identity: string): { readonly name?: string } {
    const name = this.nameOf(identity);
    return name === undefined ? {} : { name };
  }

  /**
   * Allows an identity for ever and binds its code to it.
   *
   * @param name What people call it; absent: as before.
   * @throws {StorageError} `IDENTITY_UNPROVEN` when the peer only claims an identity that must prove
   * itself; `NAME_TAKEN` when the code is bound to another key, which only
   * {@linkcode TrustStore.replace} may change; `PEER_NAME_TAKEN` when another identity has the name;
   * `STORE_FULL`; or a failure to write, after which the identity is not allowed, and its code may be
   * bound (calling again, or forget, repairs that).
   */
  allow(peer: SeenPeer, name?: string): Promise<void> {
    return this.#serial.run(() => this.#allowSeen(peer, name));
  }

  /**
   * Allows an identity for ever on the word of people about it, whoever came: no code is bound, no
   * mark changes.
   *
   * @param name What people call it; absent: as before.
   * @throws {StorageError} `PEER_NAME_TAKEN`, `STORE_FULL`, or a failure to write, after which the
   * identity is not allowed.
   */
  allowIdentity(identity: string, name?: string): Promise<void> {
    return this.#serial.run(async () => {
      this.#checkIdentity(identity);
      if (name !== undefined) this.#checkName(identity, name);
      const pins = this.#withPin(identity, "allow_always");
      if (name !== undefined) {
        const names = new Map(this.#peers.names).set(identity, name);
        await this.#writePeers({ ...this.#peers, names });
      }
      if (this.#pins.get(identity) !== "allow_always") await this.#writePins(pins);
    });
  }

  /**
   * Allows an identity for ever whose key people typed: it must prove that it holds it, from the
   * start. No code is bound to it.
   *
   * @param name What people call it.
   * @param replaced Another identity, which is forgotten first.
   * @throws {StorageError} `PEER_NAME_TAKEN` when another identity has the name; `STORE_FULL`; or a
   * failure to write, after which the identity is not allowed.
   */
  allowByKey(identity: string, name: string, replaced?: string): Promise<void> {
    return this.#serial.run(async () => {
      this.#checkIdentity(identity);
      this.#checkName(identity, name, replaced);
      if (replaced !== undefined) await this.#forget(replaced);
      const pins = this.#withPin(identity, "allow_always");
      const byKey = new Set(this.#peers.byKey).add(identity);
      const names = new Map(this.#peers.names).set(identity, name);
      // The marks first: a pin without them would be let in without proof.
      await this.#writePeers({ ...this.#peers, byKey, names });
      if (this.#pins.get(identity) !== "allow_always") await this.#writePins(pins);
    });
  }

  /**
   * Allows an identity for ever in place of the one that its code was bound to, which loses that
   * code, its own pin, and the name that people gave it. Only after the operator compared the SAS of
   * a session that is proven.
   *
   * @throws {StorageError} As for {@linkcode TrustStore.allow}.
   */
  replace(peer: SeenPeer): Promise<void> {
    return this.#serial.run(async () => {
      this.#checkSeen(peer);
      const old = this.#peers.codes.get(peer.code);
      if (old === undefined || old.identity === peer.identity) return await this.#allow(peer);
      const name = this.nameOf(peer.identity) ?? this.nameOf(old.identity);
      await this.#forget(old.identity);
      await this.#allow(peer, name);
    });
  }

  /**
   * Refuses an identity for ever. Its code is not bound: it may be someone else's. Codes that it
   * was approved with before are freed, auto-accept ends. That it must prove who it is stays: it may
   * be allowed again.
   *
   * @param session How the session showed the identity in which that was decided; absent: people
   * decided about the identity itself.
   * @throws {StorageError} `IDENTITY_UNPROVEN` when the session only claims an identity that must
   * prove itself; `STORE_FULL`; or a failure to write, after which the old state stands.
   */
  deny(identity: string, session?: "proven" | "unproven"): Promise<void> {
    return this.#serial.run(async () => {
      this.#checkIdentity(identity);
      if (session === "unproven") this.#checkClaim(identity);
      await this.#writePins(this.#withPin(identity, "deny_always"));
      const { codes, autoAccept, taken } = this.#without(identity);
      const marked = session === "proven"
        ? new Set(this.#peers.proven).add(identity)
        : this.#peers.proven;
      await this.#changePeers({ ...this.#peers, codes, autoAccept, taken, proven: marked });
    });
  }

  /**
   * Forgets an identity: decision, codes, auto-accept.
   *
   * @returns Whether there was a decision.
   * @throws {StorageError} On a failure to write. The decision goes first: what may be left is
   * a code, which keeps its key until this is called again.
   */
  forget(identity: string): Promise<boolean> {
    return this.#serial.run(() => this.#forget(identity));
  }

  /**
   * Remembers that an allowed peer came again, under this code. What only claims an identity that
   * must prove itself is not remembered.
   *
   * @throws {StorageError} As for {@linkcode TrustStore.allow}.
   */
  seen(peer: SeenPeer): Promise<void> {
    return this.#serial.run(async () => {
      const { identity, proven } = peer;
      if (this.#pins.get(identity) !== "allow_always") return;
      if (!proven && this.mustProve(identity)) return;
      await this.#allowSeen(peer);
    });
  }

  /**
   * Remembers until when an allowed peer was here: one write for each session. Of one without a code
   * nothing is kept.
   *
   * @param seenAt Milliseconds since 1970; an earlier time than the known one changes nothing.
   * @throws {StorageError} On a failure to write, after which the old time stands.
   */
  left(identity: string, seenAt: number): Promise<void> {
    return this.#serial.run(async () => {
      const seen = this.#seenBy.get(identity);
      const code = seen?.codes.at(-1);
      if (this.#pins.get(identity) !== "allow_always" || seen === undefined) return;
      const known = code === undefined ? undefined : this.#peers.codes.get(code);
      if (code === undefined || known === undefined || seen.last.seenAt >= seenAt) return;
      const codes = new Map(this.#peers.codes).set(code, { ...known, seenAt });
      await this.#writePeers({ ...this.#peers, codes });
    });
  }

  /**
   * Sets by which rule offers of an allowed peer need no `accept`; undefined: they do. What was
   * counted of a day stays with a new rule.
   *
   * @returns Whether it was set; false when the peer is not allowed for ever.
   * @throws {StorageError} On a failure to write, after which the old state stands.
   */
  setAutoAccept(identity: string, rule: AcceptRule | undefined): Promise<boolean> {
    return this.#serial.run(async () => {
      if (this.#pins.get(identity) !== "allow_always") return false;
      const autoAccept = new Map(this.#peers.autoAccept);
      const taken = new Map(this.#peers.taken);
      if (rule !== undefined) autoAccept.set(identity, rule);
      else {
        autoAccept.delete(identity);
        taken.delete(identity);
      }
      await this.#writePeers({ ...this.#peers, autoAccept, taken });
      return true;
    });
  }

  #checkIdentity(identity: string): void {
    if (isIdentity(identity)) return;
    throw new StorageError("TRUST_INVALID", "an identity key is 64 lower-case hex digits");
  }

  #checkSeen(peer: SeenPeer): void {
    this.#checkIdentity(peer.identity);
    if (!isPeerCode(peer.code)) {
      throw new StorageError("PEERS_INVALID", "a peer code is 1 to 16 ASCII letters and digits");
    }
    if (!peer.proven) this.#checkClaim(peer.identity);
  }

  /** To be asked where changes are made one after the other: the mark may have come meanwhile. */
  #checkClaim(identity: string): void {
    if (!this.mustProve(identity)) return;
    throw new StorageError(
      "IDENTITY_UNPROVEN",
      "the session only claims the identity of a peer that must prove itself, and changes nothing " +
        "of it: decide with deny_once, or untrust the peer first if it went back to an older program",
    );
  }

  #checkName(identity: string, name: string, replaced?: string): void {
    for (const [other, taken] of this.#peers.names) {
      if (other === identity || other === replaced || foldName(taken) !== foldName(name)) continue;
      throw new StorageError(
        "PEER_NAME_TAKEN",
        `${taken} is the name of another peer (${other}): give this one another name, or untrust ` +
          "that one first",
      );
    }
  }

  #withPin(identity: string, decision: PinnedDecision): ReadonlyMap<string, PinnedDecision> {
    if (!this.#pins.has(identity) && this.#pins.size >= this.#maxPeers) {
      throw new StorageError(
        "STORE_FULL",
        `${this.#maxPeers} peers are pinned already: untrust some of them first`,
      );
    }
    return new Map(this.#pins).set(identity, decision);
  }

  async #allowSeen(peer: SeenPeer, name?: string): Promise<void> {
    this.#checkSeen(peer);
    if (name !== undefined) this.#checkName(peer.identity, name);
    if (this.checkCode(peer.code, peer.identity).verdict === "mismatch") {
      throw new StorageError(
        "NAME_TAKEN",
        `peer code ${peer.code} is known with another identity key: untrust that peer first, ` +
          "or replace it after comparing the SAS",
      );
    }
    await this.#allow(peer, name);
  }

  async #allow(peer: SeenPeer, name?: string): Promise<void> {
    const pins = this.#withPin(peer.identity, "allow_always");
    const codes = new Map(this.#peers.codes);
    // Taken out and put back, so that the order is that of the last use.
    codes.delete(peer.code);
    codes.set(peer.code, {
      identity: peer.identity,
      deviceName: cutDeviceName(peer.deviceName).toWellFormed(),
      seenAt: peer.seenAt,
    });
    const own = [...codes].filter(([, { identity }]) => identity === peer.identity);
    for (const [code] of own.slice(0, -CODES_PER_IDENTITY)) codes.delete(code);
    // The binding first: a pin whose code is not bound yet would let another key take the code.
    const proven = new Set(this.#peers.proven);
    if (peer.proven) proven.add(peer.identity);
    const names = new Map(this.#peers.names);
    if (name !== undefined) names.set(peer.identity, name);
    await this.#writePeers({ ...this.#peers, codes, proven, names });
    if (this.#pins.get(peer.identity) !== "allow_always") await this.#writePins(pins);
  }

  async #forget(identity: string): Promise<boolean> {
    const pins = new Map(this.#pins);
    const had = pins.delete(identity);
    if (had) await this.#writePins(pins);
    await this.#changePeers(this.#without(identity));
    return had;
  }

  /** What is known of all peers but this one. */
  #without(identity: string): KnownPeers {
    const { codes, autoAccept, taken, proven, byKey, names } = this.#peers;
    const others = (identities: ReadonlySet<string>) =>
      new Set([...identities].filter((other) => other !== identity));
    const ofOthers = <T>(known: ReadonlyMap<string, T>) =>
      new Map([...known].filter(([other]) => other !== identity));
    return {
      codes: new Map([...codes].filter(([, peer]) => peer.identity !== identity)),
      autoAccept: ofOthers(autoAccept),
      taken: ofOthers(taken),
      proven: others(proven),
      byKey: others(byKey),
      names: ofOthers(names),
    };
  }

  /** Writes only what has changed: it only ever takes away, or adds. */
  async #changePeers(peers: KnownPeers): Promise<void> {
    const sizes = ({ codes, autoAccept, taken, proven, byKey, names }: KnownPeers) =>
      [codes, autoAccept, taken, proven, byKey, names].map(({ size }) => size).join();
    if (sizes(peers) !== sizes(this.#peers)) await this.#writePeers(peers);
  }

  async #writeTaken(identity: string, count: DayCount): Promise<void> {
    const taken = new Map(this.#peers.taken).set(identity, count);
    await this.#writePeers({ ...this.#peers, taken });
  }

  async #writePins(pins: ReadonlyMap<string, PinnedDecision>): Promise<void> {
    await writeAtomically(this.#fs, this.#folder, DATA_NAMES.trust, formatTrust(pins));
    this.#pins = pins;
  }

  async #writePeers(peers: KnownPeers): Promise<void> {
    await writeAtomically(this.#fs, this.#folder, DATA_NAMES.peers, formatPeers(peers));
    this.#peers = peers;
    this.#seenBy = byIdentity(peers.codes);
  }
}
