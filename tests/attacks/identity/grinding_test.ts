/**
 * A man in the middle who tries keys until both people read the same code.
 *
 * Where nobody is bound before he has heard all, he succeeds: that is shown first, by the same
 * grinding, of a session without the proof. Where both sides are bound by commitments, he knows what
 * to look for only when he can't choose any more.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { KeyPair, PublicKey } from "../../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../../src/protocol/crypto/public_value.ts";
import {
  commitmentTo,
  committedCode,
  type SessionNonce,
  type ShownByOneSide,
  transcriptOf,
} from "../../../src/protocol/identity/proven_identity.ts";
import {
  type HandshakeKeys,
  shortAuthenticationString,
} from "../../../src/protocol/identity/sas.ts";
import { seededRandom } from "../../../src/protocol/testing/seeded_random.ts";
import type { Payload } from "../support/hostile_relay.ts";
import { IdentityStage } from "../support/identity_stage.ts";
import { type Attack, ManInTheMiddle, type OpenedHello } from "../support/man_in_the_middle.ts";

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));
/** He looks for codes that are equal in so many digits, where he can't have all six. */
const DIGITS = 2;
/** Tries after which he gives up: by then he has failed with a chance of e^-16 or less. */
const TRIES = 4_096;

const parsed = <P extends "identity" | "ephemeral">(purpose: P, text: string): PublicKey<P> => {
  const key = PublicKey.parse(purpose, text);
  assert(key !== undefined);
  return key;
};
/** A key that nobody has to hold the secret of. */
const anyIdentity = () => new PublicKey("identity", random(32));

/** Tries until it fits. */
function grind<T>(make: () => T, fits: (made: T) => boolean): T {
  for (let tries = 0; tries < TRIES; tries++) {
    const made = make();
    if (fits(made)) return made;
  }
  throw new Error(`nothing fits in ${TRIES} tries`);
}

/** What a person at each side reads, and whether the session is proven, under an attack. */
async function readCodes(stage: IdentityStage, attack: Attack) {
  const { connector } = stage.scene;
  await using middle = new ManInTheMiddle({ connector, attack, random });
  const { offerer, answerer } = await stage.victims.begin(middle.tamper);
  return [offerer, answerer].map(({ state, session: { sas, proven }, step }) => (
    { state, sas, proven, step }
  ));
}

/** The two claims that an old peer makes, and all that both people see of it. */
interface Claims {
  readonly toOfferer: PublicKey<"identity">;
  readonly toAnswerer: PublicKey<"identity">;
}

/** He plays an old peer to both, and chooses whom he claims to be when he has heard both HELLOs. */
function oldPeerToBoth(
  toOfferer: KeyPair<"ephemeral">,
  toAnswerer: KeyPair<"ephemeral">,
  claim: (said: {
    readonly offerer: HandshakeKeys;
    readonly answerer: HandshakeKeys;
  }) => Claims,
): Attack {
  const told = { offerer: toOfferer, answerer: toAnswerer };
  let descriptions: { readonly offerer: Payload; readonly answerer: Payload } | undefined;
  return {
    tell(victim, { offerer, answerer }) {
      descriptions = { offerer, answerer };
      return { ephemeral: told[victim], commitment: null };
    },
    async act(ends) {
      const said = async (victim: "offerer" | "answerer"): Promise<HandshakeKeys> => {
        const hello = ends[victim].open(await ends[victim].heardHello);
        assert(hello !== undefined && descriptions !== undefined);
        return {
          identity: parsed("identity", hello.identityPublicKey),
          ephemeral: parsed("ephemeral", descriptions[victim].publicKey),
        };
      };
      const claims = claim({ offerer: await said("offerer"), answerer: await said("answerer") });
      await ends.offerer.say(ends.offerer.hello({ identity: claims.toOfferer }));
      await ends.answerer.say(ends.answerer.hello({ identity: claims.toAnswerer }));
    },
  };
}

const newEphemeral = () => KeyPair.generate("ephemeral", random);

Deno.test("without the proof, grinding of identities makes both people read the same six digits", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const [left, right] = [newEphemeral(), newEphemeral()];
  const attack = oldPeerToBoth(left, right, ({ offerer, answerer }) => {
    // 2^14 tries a side: 16 pairs of them are to be expected among 2^24 codes.
    const known = new Map<string, PublicKey<"identity">>();
    for (let tries = 0; tries < 2 ** 14; tries++) {
      const toOfferer = anyIdentity();
      const his = { identity: toOfferer, ephemeral: left.publicKey };
      known.set(shortAuthenticationString(offerer, his), toOfferer);
    }
    const codeOf = (identity: PublicKey<"identity">) =>
      shortAuthenticationString(answerer, { identity, ephemeral: right.publicKey });
    let toAnswerer = anyIdentity();
    for (let tries = 0; tries < 2 ** 14 && !known.has(codeOf(toAnswerer)); tries++) {
      toAnswerer = anyIdentity();
    }
    const toOfferer = known.get(codeOf(toAnswerer));
    assert(toOfferer !== undefined);
    return { toOfferer, toAnswerer };
  });
  const [alice, bob] = await readCodes(stage, attack);
  assertEquals([alice?.state, alice?.proven], ["asked", false]);
  assertEquals(alice, bob);
});

Deno.test("without the proof, grinding of an ephemeral makes both people read the same first digits, each of the other's true identity", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const { offerer: alice, answerer: bob } = stage.scene.identities;
  const right = newEphemeral();
  let left = newEphemeral();
  const attack: Attack = {
    ...oldPeerToBoth(left, right, () => ({ toOfferer: bob, toAnswerer: alice })),
    tell(victim, { offerer, answerer }) {
      if (victim === "answerer") return { ephemeral: right, commitment: null };
      // He has both offers and answers, and everybody knows who the two are.
      const code = (ours: HandshakeKeys, identity: PublicKey<"identity">, his: typeof left) =>
        shortAuthenticationString(ours, { identity, ephemeral: his.publicKey }).slice(0, DIGITS);
      const toAlice = { identity: alice, ephemeral: parsed("ephemeral", offerer.publicKey) };
      const toBob = { identity: bob, ephemeral: parsed("ephemeral", answerer.publicKey) };
      const wanted = code(toBob, alice, right);
      left = grind(newEphemeral, (one) => code(toAlice, bob, one) === wanted);
      return { ephemeral: left, commitment: null };
    },
    async act(ends) {
      await ends.offerer.say(ends.offerer.hello({ identity: bob }));
      await ends.answerer.say(ends.answerer.hello({ identity: alice }));
    },
  };
  const [a, b] = await readCodes(stage, attack);
  assertEquals([a?.state, a?.proven], ["asked", false]);
  assertEquals(a?.sas?.slice(0, DIGITS), b?.sas?.slice(0, DIGITS));
});

/** What he makes for one victim before he knows more. */
function ownSide() {
  const identity = KeyPair.generate("identity", random);
  const ephemeral = newEphemeral();
  const nonce = new PublicValue("session-nonce", random(32));
  const commitment = commitmentTo(identity.publicKey, ephemeral.publicKey, nonce);
  return { identity, ephemeral, nonce, commitment };
}

/** He commits himself to both, as he must, and says HELLO when he has heard both. */
function committedToBoth(
  toOfferer: ReturnType<typeof ownSide>,
  toAnswerer: ReturnType<typeof ownSide>,
  chooseNonce: (codes: {
    readonly atOfferer: (his: SessionNonce) => string;
    readonly atAnswerer: string;
  }) => SessionNonce,
): Attack {
  const sides = { offerer: toOfferer, answerer: toAnswerer };
  return {
    tell: (victim) => ({
      ephemeral: sides[victim].ephemeral,
      commitment: sides[victim].commitment,
    }),
    async act(ends) {
      const nonceOf = (hello: OpenedHello | undefined) => {
        const nonce = PublicValue.parse("session-nonce", hello?.sessionNonce);
        assert(nonce !== undefined);
        return nonce;
      };
      const [theirs, others] = [
        nonceOf(ends.offerer.open(await ends.offerer.heardHello)),
        nonceOf(ends.answerer.open(await ends.answerer.heardHello)),
      ];
      const [first, second] = [ends.offerer.transcript, ends.answerer.transcript];
      assert(first !== undefined && second !== undefined);
      // To the offerer he is the answerer, and the other way round.
      const nonce = chooseNonce({
        atOfferer: (his) => committedCode(first, { offerer: theirs, answerer: his }),
        atAnswerer: committedCode(second, { offerer: toAnswerer.nonce, answerer: others }),
      });
      const proof = (side: typeof toOfferer) => (
        { identity: side.identity.publicKey, proof: side.identity.secretKey }
      );
      await ends.offerer.say(ends.offerer.hello({ ...proof(toOfferer), nonce }));
      await ends.answerer.say(
        ends.answerer.hello({ ...proof(toAnswerer), nonce: toAnswerer.nonce }),
      );
    },
  };
}

Deno.test("with the proof, a nonce that was ground when both HELLOs were heard is refused: it is not the one he was bound to", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const attack = committedToBoth(ownSide(), ownSide(), ({ atOfferer, atAnswerer }) => {
    const wanted = atAnswerer.slice(0, DIGITS);
    return grind(
      () => new PublicValue("session-nonce", random(32)),
      (nonce) => atOfferer(nonce).slice(0, DIGITS) === wanted,
    );
  });
  const [alice, bob] = await readCodes(stage, attack);
  assertEquals(alice, { state: "ended", sas: undefined, proven: undefined, step: "commitment" });
  assertEquals([bob?.state, bob?.proven], ["asked", true]);
});

Deno.test("with the proof, a man in the middle who keeps to his commitments is proven to be himself, and the two people read two codes", async () => {
  await using stage = await IdentityStage.set({ acquainted: false });
  const [toOfferer, toAnswerer] = [ownSide(), ownSide()];
  const expected: string[] = [];
  const attack = committedToBoth(toOfferer, toAnswerer, ({ atOfferer, atAnswerer }) => {
    expected.push(atOfferer(toOfferer.nonce), atAnswerer);
    return toOfferer.nonce;
  });
  const [alice, bob] = await readCodes(stage, attack);
  assertEquals([alice?.state, alice?.proven, bob?.proven], ["asked", true, true]);
  assertEquals([alice?.sas, bob?.sas], expected);
  assertNotEquals(alice?.sas, bob?.sas);
});

/** All that decides the codes of his two sessions, at the moment when he must answer the offerer. */
function halfway(seed: string) {
  const fresh = seededRandom(seed);
  const side = () => {
    const identity = new PublicKey("identity", fresh(32));
    const nonce = new PublicValue("session-nonce", fresh(32));
    const ephemeral = new PublicKey("ephemeral", fresh(32));
    const certificate = new PublicValue("certificate-digest", fresh(32));
    const commitment = commitmentTo(identity, ephemeral, nonce);
    return { nonce, shown: { ephemeral, certificate, commitment } satisfies ShownByOneSide };
  };
  const [alice, bob, toBob] = [side(), side(), side()];
  const codeAtBob = (nonceOfBob: SessionNonce) =>
    committedCode(transcriptOf({ offerer: toBob.shown, answerer: bob.shown }), {
      offerer: toBob.nonce,
      answerer: nonceOfBob,
    });
  const codeAtAlice = (nonceOfAlice: SessionNonce, his: typeof alice) =>
    committedCode(transcriptOf({ offerer: alice.shown, answerer: his.shown }), {
      offerer: nonceOfAlice,
      answerer: his.nonce,
    });
  return { alice, bob, side, codeAtAlice, codeAtBob };
}

/** Of so many meetings, those in which the first digits are equal, by the nonces that he believes in. */
function successes(meetings: number, believes: "the true nonces" | "a guess"): number {
  let equal = 0;
  for (let meeting = 0; meeting < meetings; meeting++) {
    const { alice, bob, side, codeAtAlice, codeAtBob } = halfway(`meeting ${meeting}`);
    const guess = new PublicValue("session-nonce", new Uint8Array(32));
    const believed = believes === "a guess"
      ? { alice: guess, bob: guess }
      : { alice: alice.nonce, bob: bob.nonce };
    const wanted = codeAtBob(believed.bob).slice(0, DIGITS);
    const his = grind(
      side,
      (one) => codeAtAlice(believed.alice, one).slice(0, DIGITS) === wanted,
    );
    const codes = [codeAtAlice(alice.nonce, his), codeAtBob(bob.nonce)];
    if (new Set(codes.map((code) => code.slice(0, DIGITS))).size === 1) equal++;
  }
  return equal;
}

Deno.test("grinding before the nonces are out helps no more than chance, and succeeds each time where nonces are used twice", () => {
  // By chance a quarter of one in 64 is equal.
  assert(successes(64, "a guess") < 8);
  assertEquals(successes(16, "the true nonces"), 16);
});
