/**
 * Meetings of two daemons in a row, under attacks that a seed chooses.
 *
 * @module
 */
import type { RandomSource } from "../../../src/protocol/crypto/random_source.ts";
import { seededRandom } from "../../../src/protocol/testing/seeded_random.ts";
import { connector } from "../../../src/transport/webrtc/connector.ts";
import { ServedDaemon } from "../../support/daemon.ts";
import type { Program } from "../../support/program.ts";
import { HostileRelay } from "./hostile_relay.ts";
import {
  anyDeceit,
  APPENDED_FINGERPRINTS,
  CHANGED_FINGERPRINTS,
  CHANGED_SIGNALS,
  HARMLESS,
  type IdentityAttack,
  IMPOSTORS,
  recording,
  RELAYED_HELLOS,
  REPLAYED_SIGNALS,
  type Scene,
  SILENT,
  STRIPPED_FIELDS,
  TAKEN_FROM_ELSEWHERE,
} from "./identity_attacks.ts";
import { patience, sufferOne } from "./identity_stage.ts";
import { Victims } from "./victims.ts";

/** Where the daemons are, and where each finds the relay. */
export interface Place {
  readonly alice: Program;
  readonly bob: Program;
  /** Addresses at which alice and bob reach the attacker. */
  readonly attacker: { readonly alice: string; readonly bob: string };
}

/** What came of attempts. */
export interface AttemptCounts {
  readonly attempts: number;
  readonly arrived: number;
  readonly refused: number;
  /** How many different attacks were made. */
  readonly attacks: number;
}

/** Attempts of one pair of daemons, then fresh ones with new identities take their place. */
const ATTEMPTS_A_PAIR = 100;
const KINDS: readonly (readonly IdentityAttack[])[] = [
  IMPOSTORS,
  STRIPPED_FIELDS,
  TAKEN_FROM_ELSEWHERE,
  RELAYED_HELLOS,
  SILENT,
  CHANGED_SIGNALS,
  APPENDED_FINGERPRINTS,
  CHANGED_FINGERPRINTS,
  REPLAYED_SIGNALS,
];

/** Makes the attempts `from` to `to` of a seed, one after the other. */
export async function attempt(
  place: Place,
  { seed, from, to }: { readonly seed: string; readonly from: number; readonly to: number },
): Promise<AttemptCounts> {
  const made = { arrived: 0, refused: 0 };
  const attacks = new Set<string>();
  for (let first = from; first < to; first += ATTEMPTS_A_PAIR) {
    await using stack = new AsyncDisposableStack();
    // No person is there.
    const flags = ["--pairing-policy", "deny", "--unproven-peers", "refuse"];
    const alice = stack.use(await ServedDaemon.start({ program: place.alice, flags }));
    const bob = stack.use(await ServedDaemon.start({ program: place.bob, flags }));
    const relay = stack.use(new HostileRelay("0.0.0.0"));
    const urls = {
      alice: relay.urlAt(place.attacker.alice),
      bob: relay.urlAt(place.attacker.bob),
    };
    const victims = stack.use(await Victims.of({ alice, bob, relay, urls }));
    await victims.tellKeys();
    const recorded: Scene["recorded"] = { hellos: {} };
    const { identities } = victims;
    for (let number = first; number < Math.min(to, first + ATTEMPTS_A_PAIR); number++) {
      const random = seededRandom(`${seed}/${number}`);
      const dice = diceOf(random);
      const chosen = chooseAttack(dice);
      const heard: Scene["recorded"] = { hellos: {} };
      const attack = {
        ...chosen,
        // Before the first meeting no code belongs to anybody: what refuses then is another check.
        by: undefined,
        begin(scene: Scene) {
          const begun = chosen.begin(scene);
          return { ...begun, tamper: recording(heard, begun.tamper) };
        },
      };
      const sender = dice(2) === 0 ? "alice" : "bob";
      const scene = { connector, random, identities, recorded };
      attacks.add(attack.what);
      try {
        const phaseTimeoutSecs = patience(chosen);
        const { result } = await sufferOne(victims, scene, attack, { sender, phaseTimeoutSecs });
        made[result]++;
        // From now on it is an earlier meeting.
        recorded.offer ??= heard.offer;
        recorded.answer ??= heard.answer;
      } catch (error) {
        throw new Error(`attempt ${number} of seed ${seed}, ${attack.what}`, { cause: error });
      }
    }
  }
  return { attempts: to - from, ...made, attacks: attacks.size };
}

/** A fifth is let through, two fifths are named attacks, two fifths any deceit. */
function chooseAttack(dice: (below: number) => number): IdentityAttack {
  const which = dice(5);
  if (which === 4) return oneOf(HARMLESS, dice);
  return which < 2 ? oneOf(oneOf(KINDS, dice), dice) : anyDeceit(dice);
}

function oneOf<T>(all: readonly T[], dice: (below: number) => number): T {
  const one = all[dice(all.length)];
  if (one === undefined) throw new Error("unreachable: there is something to choose from");
  return one;
}

function diceOf(random: RandomSource): (below: number) => number {
  return (below) => new DataView(random(4).buffer).getUint32(0) % below;
}
