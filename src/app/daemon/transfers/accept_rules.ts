/**
 * Which offers are accepted without asking: those of peers for whom that was set, where the file
 * meets the peer's rule.
 *
 * @module
 */
import { globFits } from "../../../base/glob.ts";
import type { FreeSpace } from "../../../storage/file_system.ts";
import type { Inbox } from "../../../storage/inbox/inbox.ts";
import type { TrustStore } from "../../../storage/trust_store.ts";
import type { AcceptRule } from "../../../vocabulary/accept_rule.ts";

/** What a rule is asked about. */
export interface RuledFile {
  /** The name that it would get in the inbox, or was offered under where that can't be used. */
  readonly name: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes of it that are here already, as an earlier try has left them. @default {0} */
  readonly kept?: number;
}

/** How things stand when a rule is asked. */
export interface RuleState {
  /** What will be free when the file is there; not looked at without a bound for it. */
  readonly freeAfter?: FreeSpace | undefined;
  /** Files taken by the rule today, those under way too; not looked at without a bound for them. */
  readonly taken?: number | undefined;
}

/** What of a rule a file does not meet, for the log; undefined when it meets all. Pure. */
export function brokenBy(
  { maxSize, names, minFree, perDay }: AcceptRule,
  { name, size }: RuledFile,
  { freeAfter, taken = 0 }: RuleState,
): string | undefined {
  if (maxSize !== undefined && size > maxSize) return `it has more than ${maxSize} bytes`;
  if (names !== undefined && !globFits(names, name)) return `its name does not fit ${names}`;
  if (minFree !== undefined && !freeAfter?.known) return "free space can't be asked for";
  if (minFree !== undefined && freeAfter?.known && freeAfter.bytes < minFree) {
    return `less than ${minFree} bytes would stay free`;
  }
  if (perDay !== undefined && taken >= perDay) return `${perDay} files were taken today`;
  return undefined;
}

/** A file that a rule lets pass. Disposing it takes it off what is under way. */
export interface AcceptedByRule extends Disposable {
  /** Whether the rule has archives unpacked. */
  readonly unpack: boolean;
  /**
   * The file is there, but for its name: it counts for today from here on, for good.
   *
   * @throws {StorageError} When that can't be kept: then the file must not get its name.
   */
  count(): Promise<void>;
}

/** What became of an offer that nobody was asked about. */
export type RuleVerdict =
  /** Its peer has no rule: people are asked. */
  | { readonly kind: "no-rule" }
  /** It does not meet the rule: people are asked. */
  | { readonly kind: "broken"; readonly why: string }
  /** It is accepted. */
  | { readonly kind: "met"; readonly accepted: AcceptedByRule };

/** Options of {@linkcode AcceptRules}. */
export interface AcceptRulesOptions {
  /** Keeps the rules, and what was taken by them. */
  readonly trust: Pick<TrustStore, "acceptRule" | "takenAt" | "countTaken">;
  /** Knows what is free. */
  readonly inbox: Pick<Inbox, "freeAfter">;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Asks the rules of peers. */
export class AcceptRules {
  readonly #options: AcceptRulesOptions;
  /** Files that were accepted under a bound for the day and not counted yet, by identity. */
  readonly #underWay = new Map<string, number>();

  /** Nothing is under way. */
  constructor(options: AcceptRulesOptions) {
    this.#options = options;
  }

  /**
   * Asks the rule of a peer that has proven this identity.
   *
   * @throws {StorageError} When what was taken today can't be kept.
   */
  async judge(identity: string, file: RuledFile): Promise<RuleVerdict> {
    const { trust, inbox, now } = this.#options;
    const rule = trust.acceptRule(identity);
    if (rule === undefined) return { kind: "no-rule" };
    const missing = file.size - (file.kept ?? 0);
    const freeAfter = rule.minFree === undefined ? undefined : await inbox.freeAfter(missing);
    // Last, and then without a wait: what is counted meanwhile must not be missed.
    const counted = rule.perDay === undefined ? 0 : await trust.takenAt(identity, now());
    if (trust.acceptRule(identity) !== rule) return await this.judge(identity, file);
    const taken = counted + (this.#underWay.get(identity) ?? 0);
    const why = brokenBy(rule, file, { freeAfter, taken });
    if (why !== undefined) return { kind: "broken", why };
    return { kind: "met", accepted: this.#accept(identity, rule) };
  }

  #accept(identity: string, { perDay, unpack = false }: AcceptRule): AcceptedByRule {
    const { trust, now } = this.#options;
    const isCounted = perDay !== undefined;
    let isUnderWay = isCounted;
    if (isCounted) this.#change(identity, 1);
    const end = () => {
      if (isUnderWay) this.#change(identity, -1);
      isUnderWay = false;
    };
    return {
      unpack,
      async count() {
        if (!isUnderWay) return;
        await trust.countTaken(identity, now());
        end();
      },
      [Symbol.dispose]: end,
    };
  }

  #change(identity: string, by: 1 | -1): void {
    const now = (this.#underWay.get(identity) ?? 0) + by;
    if (now === 0) this.#underWay.delete(identity);
    else this.#underWay.set(identity, now);
  }
}
