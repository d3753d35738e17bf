/**
 * What the proof of identity costs when a session is set up: CPU time of both sides' handshake in
 * the core, with the proof and without, in turns.
 *
 * @module
 */
import process from "node:process";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { PublicValue } from "../../src/protocol/crypto/public_value.ts";
import { DescriptionSecrets } from "../../src/protocol/identity/proven_identity.ts";
import type { SessionEffect } from "../../src/protocol/session/effects.ts";
import { Session } from "../../src/protocol/session/session.ts";
import type { Role } from "../../src/protocol/signal/bundle.ts";
import type { BenchOptions } from "./options.ts";
import { median } from "./statistics.ts";

/** Handshakes of each kind in a round. */
const HANDSHAKES = 40;

const random = (length: number): Uint8Array<ArrayBuffer> =>
  crypto.getRandomValues(new Uint8Array(length));

const identities = {
  offerer: KeyPair.generate("identity", random),
  answerer: KeyPair.generate("identity", random),
};
const certificates = {
  offerer: new PublicValue("certificate-digest", random(32)),
  answerer: new PublicValue("certificate-digest", random(32)),
};

/** CPU milliseconds of this process so far: what else the machine does is not counted. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU milliseconds of a handshake, from the secrets of both sides to both being established. */
function handshakeMs(proves: boolean): number {
  const began = cpuMs();
  const made = {
    offerer: new DescriptionSecrets(identities.offerer.publicKey, random),
    answerer: new DescriptionSecrets(identities.answerer.publicKey, random),
  };
  const sessionOf = (role: Role, other: Role) => {
    const { ephemeral, nonce, commitment } = made[role];
    const proof = {
      role,
      identitySecret: identities[role].secretKey,
      nonce,
      commitment,
      remoteCommitment: made[other].commitment,
      certificates: { local: certificates[role], remote: certificates[other] },
    };
    return new Session({
      identity: identities[role].publicKey,
      ephemeral,
      remoteEphemeral: made[other].ephemeral.publicKey,
      random,
      ...(proves ? { proof } : {}),
    });
  };
  const [offerer, answerer] = [
    sessionOf("offerer", "answerer"),
    sessionOf("answerer", "offerer"),
  ];
  const frames = (effects: readonly SessionEffect[]) =>
    effects.flatMap((effect) => effect.type === "send" ? [effect.frame] : []);
  const [fromOfferer, fromAnswerer] = [frames(offerer.start(0)), frames(answerer.start(0))];
  for (const frame of fromOfferer) answerer.receive(frame, 0);
  for (const frame of fromAnswerer) offerer.receive(frame, 0);
  const ms = cpuMs() - began;
  if (offerer.peer?.proven !== proves || answerer.peer?.proven !== proves) {
    throw new Error("the handshake did not come out as it must");
  }
  offerer.close();
  answerer.close();
  return ms;
}

/** Prints the figures. */
export function benchHandshake({ rounds = 5 }: BenchOptions): void {
  const count = rounds * HANDSHAKES;
  for (let round = 0; round < 20; round++) handshakeMs(round % 2 === 0); // for the compiler
  const [proven, claimed]: [number[], number[]] = [[], []];
  for (let round = 0; round < count; round++) {
    claimed.push(handshakeMs(false));
    proven.push(handshakeMs(true));
  }
  const [withProof, without] = [median(proven) ?? NaN, median(claimed) ?? NaN];
  // Both sides compute at the same time, each on a machine of its own.
  const longer = (withProof - without) / 2;
  const text = `handshake in the core, both sides, medians of ${count} in turns: ` +
    `${without.toFixed(2)} ms claimed, ${withProof.toFixed(2)} ms proven; ` +
    `a side computes ${longer.toFixed(2)} ms longer\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
