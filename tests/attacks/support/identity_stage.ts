/**
 * Two real daemons in the test's process, a rendezvous server that is the attacker, and what he has
 * to work with.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { MemoryNetwork } from "../../../src/transport/testing/memory_connector.ts";
import type { Connector } from "../../../src/transport/connector.ts";
import { LocalDaemon } from "../../support/daemon.ts";
import { HostileRelay } from "./hostile_relay.ts";
import { type IdentityAttack, recording, type Scene } from "./identity_attacks.ts";
import { type MeetingEnd, type MeetingOptions, Victims } from "./victims.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

/** Options of {@linkcode IdentityStage.set}. */
export interface IdentityStageOptions {
  /** How daemons and attacker connect. @default {in memory} */
  readonly connector?: Connector;
  /** Flags of both daemons. */
  readonly flags?: readonly string[];
  /** Whether the two know each other, and each takes the other's files unasked. @default {true} */
  readonly acquainted?: boolean;
}

/** Where an attack on identities takes place: the daemons, and the attacker between them. Disposing it stops the daemons. */
export class IdentityStage implements AsyncDisposable {
  readonly victims: Victims;
  /** What attacks are given. */
  readonly scene: Scene;
  readonly #stack: AsyncDisposableStack;

  private constructor(victims: Victims, scene: Scene, stack: AsyncDisposableStack) {
    this.victims = victims;
    this.scene = scene;
    this.#stack = stack;
  }

  /** Starts them; where they are acquainted, one meeting was recorded by the attacker. */
  static async set(options: IdentityStageOptions = {}): Promise<IdentityStage> {
    const { connector = new MemoryNetwork().connector, flags = [], acquainted = true } = options;
    await using stack = new AsyncDisposableStack();
    const alice = stack.use(await LocalDaemon.start({ connector }, { flags }));
    const bob = stack.use(await LocalDaemon.start({ connector }, { flags }));
    const relay = stack.use(new HostileRelay());
    const victims = stack.use(await Victims.of({ alice, bob, relay }));
    const { identities } = victims;
    const recorded: Scene["recorded"] = { hellos: {} };
    if (acquainted) {
      await victims.acquaint();
      await victims.meet({ tamper: recording(recorded, (signal) => [signal]) });
    }
    const scene = { connector, random, identities, recorded };
    return new IdentityStage(victims, scene, stack.move());
  }

  /** Each attack as a step of the test, with a file from either side. */
  async suffer(t: Deno.TestContext, attacks: readonly IdentityAttack[]): Promise<void> {
    for (const attack of attacks) {
      await t.step(attack.what, async () => {
        for (const sender of ["alice", "bob"] as const) {
          const phaseTimeoutSecs = patience(attack);
          await sufferOne(this.victims, this.scene, attack, { sender, phaseTimeoutSecs });
        }
      });
    }
    await t.step("and when he relays again, the two are as before", async () => {
      assertEquals((await this.victims.meet()).result, "arrived");
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Seconds for each phase: few only where the attack may well end with the time that there is. */
export function patience({ result, by }: IdentityAttack): number {
  return result === "refused" && by === undefined ? 2 : 30;
}

/**
 * One meeting under an attack: it must become of it what the attack says, and nothing may be said
 * to the attacker, or come from him.
 */
export async function sufferOne(
  victims: Victims,
  scene: Scene,
  attack: IdentityAttack,
  options: MeetingOptions,
): Promise<MeetingEnd> {
  const { tamper, middle } = attack.begin(scene);
  await using _middle = middle;
  const end = await victims.meet({ ...options, tamper });
  const deceived = await middle?.leave() ?? [];
  const { result, offerer, answerer } = end;
  const ends = [offerer, answerer];
  const told = JSON.stringify([attack.what, options, ...ends]);
  assertEquals([result, deceived], [attack.result, []], told);
  if (result === "refused") {
    // Nobody was let in, and no person was asked to: both know whom they expect.
    assertEquals(ends.map(({ state }) => state), ["ended", "ended"], told);
  }
  const reasons = ends.flatMap(({ step, session }) => [step, session.failure?.code]);
  if (attack.by !== undefined) assert(reasons.includes(attack.by), told);
  return end;
}
