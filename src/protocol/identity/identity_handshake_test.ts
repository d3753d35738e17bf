/**
 * The proof of identity between two sessions, and everything that must be refused.
 */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { toBase64, toUtf8 } from "../crypto/encoding.ts";
import { KeyPair, PublicKey } from "../crypto/keys.ts";
import { PublicValue } from "../crypto/public_value.ts";
import { boxKey, open, seal } from "../crypto/sealing.ts";
import { ProtocolError } from "../errors.ts";
import type { SessionEffect } from "../session/effects.ts";
import { Session, type SessionOptions } from "../session/session.ts";
import { ALL_CAPABILITIES, closedWith } from "../testing/raw_peer.ts";
import { memoisedX25519 } from "../testing/memoised_x25519.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { newSide, provingOptions, settle, type Side, TestPeer } from "../testing/session_pair.ts";
import {
  IdentityHandshake,
  IdentityRefusedError,
  type ProofOptions,
  type RefusedStep,
} from "./identity_handshake.ts";
import {
  commitmentTo,
  committedCode,
  proofKey,
  proofOver,
  PROVEN_IDENTITY,
  revealed,
  transcriptOf,
} from "./proven_identity.ts";
import type { Role } from "../signal/bundle.ts";

let random = seededRandom("identity handshake");

/** Sides that are the same each time, so that their X25519 need not be computed again. */
function sameSides(): void {
  random = seededRandom("the same");
}
const flipped = (bytes: Uint8Array, bit: number): Uint8Array<ArrayBuffer> => {
  const copy = new Uint8Array(bytes);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
};

/** A session that waits for the HELLO of a peer whose frames the test makes. */
class Claimant {
  readonly victim: Session;
  /** What the victim said first. */
  readonly victimsHello: string;
  readonly #us: Side;
  readonly #them: Side;
  readonly #role: Role;
  readonly #shown: { readonly us: PublicValue<"certificate-digest"> };

  constructor(
    role: Role = "offerer",
    options: { readonly proof?: Partial<ProofOptions> } & Partial<Omit<SessionOptions, "proof">> =
      {},
  ) {
    this.#role = role;
    this.#us = newSide(random);
    this.#them = newSide(random);
    this.#shown = { us: this.#us.certificate };
    const { proof, ...rest } = options;
    const their = role === "offerer" ? "answerer" : "offerer";
    this.victim = new Session({
      ...provingOptions(their, this.#them, this.#us, random, proof),
      ...rest,
    });
    const sent = this.victim.start(0).flatMap((e) => e.type === "send" ? [e.frame] : []);
    this.victimsHello = sent.join();
  }

  get us(): Side {
    return this.#us;
  }

  get them(): Side {
    return this.#them;
  }

  /** Our HELLO, with whatever is given in the place of what is right. */
  hello(
    change: {
      readonly inner?: Readonly<Record<string, unknown>>;
      readonly innerText?: (text: string) => string;
      readonly frame?: Readonly<Record<string, unknown>>;
      readonly frameText?: (text: string) => string;
      readonly provenBy?: Side;
      readonly provenAs?: Role;
      readonly provenPayload?: (payload: string) => string;
    } = {},
  ): string {
    const us = change.provenBy ?? this.#us;
    const inner = {
      type: "hello",
      version: 1,
      identityPublicKey: this.#us.identity.publicKey.base64,
      capabilities: [...ALL_CAPABILITIES, PROVEN_IDENTITY],
      sessionNonce: revealed(this.#us.secrets.nonce).base64,
      ...change.inner,
    };
    const text = change.innerText?.(JSON.stringify(inner)) ?? JSON.stringify(inner);
    const box = boxKey(this.#us.secrets.ephemeral, this.#them.secrets.ephemeral.publicKey);
    assert(box !== undefined);
    const payload = toBase64(seal(box, toUtf8(text), random));
    const ours = {
      ephemeral: this.#us.secrets.ephemeral.publicKey,
      certificate: this.#shown.us,
      commitment: this.#us.secrets.commitment,
    };
    const theirs = {
      ephemeral: this.#them.secrets.ephemeral.publicKey,
      certificate: this.#them.certificate,
      commitment: this.#them.secrets.commitment,
    };
    const transcript = transcriptOf(
      this.#role === "offerer"
        ? { offerer: ours, answerer: theirs }
        : { offerer: theirs, answerer: ours },
    );
    const key = proofKey(
      us.identity.secretKey,
      this.#them.secrets.ephemeral.publicKey,
      transcript,
      change.provenAs ?? this.#role,
    );
    assert(key !== undefined);
    const proof = proofOver(key, change.provenPayload?.(payload) ?? payload).base64;
    const frame = JSON.stringify({
      type: "hello",
      payload,
      identityProof: proof,
      ...change.frame,
    });
    return change.frameText?.(frame) ?? frame;
  }

  receive(frame: string): readonly SessionEffect[] {
    return this.victim.receive(frame, 0);
  }
}

function established(effects: readonly SessionEffect[]) {
  const found = effects.find((effect) => effect.type === "established");
  return found?.type === "established" ? found.peer : undefined;
}

/** The step at which a HELLO was refused, having checked what the peer was told. */
function refusedAt(effects: readonly SessionEffect[]): RefusedStep | undefined {
  assertEquals(established(effects), undefined);
  const closed = effects.find((effect) => effect.type === "closed");
  const error = closed?.type === "closed" ? closed.end.error : undefined;
  if (!(error instanceof IdentityRefusedError)) return undefined;
  const sent = effects.flatMap((effect) => effect.type === "send" ? [effect.frame] : []);
  assertEquals(sent, [
    '{"type":"error","code":"KEY_MISMATCH","message":"the identity could not be verified"}',
  ]);
  return error.step;
}

/** The committed code of two sides. */
function codeOf(offerer: Side, answerer: Side): string {
  const shown = ({ secrets, certificate }: Side) => ({
    ephemeral: secrets.ephemeral.publicKey,
    certificate,
    commitment: secrets.commitment,
  });
  const transcript = transcriptOf({ offerer: shown(offerer), answerer: shown(answerer) });
  const [o, a] = [revealed(offerer.secrets.nonce), revealed(answerer.secrets.nonce)];
  return committedCode(transcript, { offerer: o, answerer: a });
}

const ROLES = ["offerer", "answerer"] as const;

Deno.test("two daemons prove their identities to each other and show people one code", () => {
  const codes = new Set<string>();
  for (let round = 0; round < 20; round++) {
    const [a, b] = [newSide(random), newSide(random)];
    const alice = new TestPeer(provingOptions("offerer", a, b, random));
    const bob = new TestPeer(provingOptions("answerer", b, a, random));
    for (const side of [alice, bob]) side.do(side.session.start(0));
    settle(alice, bob);
    const [seenByA, seenByB] = [alice.last("established").peer, bob.last("established").peer];
    assert(seenByA.proven && seenByB.proven);
    assert(seenByA.identity.equals(b.identity.publicKey));
    assert(seenByB.identity.equals(a.identity.publicKey));
    assertEquals(seenByA.sas, seenByB.sas);
    assertEquals(seenByA.sas, codeOf(a, b));
    codes.add(seenByA.sas);
  }
  assertEquals(codes.size, 20);
});

Deno.test("HELLO reveals nonce and proof only to a peer that committed, and grows by at most 300 bytes", () => {
  const [a, b] = [newSide(random), newSide(random)];
  const options = provingOptions("offerer", a, b, random);
  const frames = (session: Session) =>
    session.start(0).flatMap((effect) => effect.type === "send" ? [String(effect.frame)] : []);
  const { proof: _, ...claiming } = options;
  const fresh = { ...claiming, ephemeral: KeyPair.generate("ephemeral", random) };
  const published = frames(new Session(fresh));
  const c = newSide(random);
  const alone = frames(
    new Session(provingOptions("offerer", c, b, random, { remoteCommitment: undefined })),
  );
  const proving = frames(new Session(options));
  assertEquals(Object.keys(JSON.parse(published[0] ?? "")), ["type", "payload"]);
  assertEquals(Object.keys(JSON.parse(alone[0] ?? "")), ["type", "payload"]);
  assertEquals(Object.keys(JSON.parse(proving[0] ?? "")), ["type", "payload", "identityProof"]);
  const box = boxKey(b.secrets.ephemeral, c.secrets.ephemeral.publicKey);
  assert(box !== undefined);
  const inner = open(box, Uint8Array.fromBase64(JSON.parse(alone[0] ?? "").payload));
  assertEquals(JSON.parse(new TextDecoder().decode(inner)), {
    type: "hello",
    version: 1,
    identityPublicKey: c.identity.publicKey.base64,
    capabilities: [...ALL_CAPABILITIES_SENT, PROVEN_IDENTITY],
  });
  const growth = (proving[0]?.length ?? 0) - (published[0]?.length ?? 0);
  assert(growth > 0 && growth <= 300, `${growth} bytes`);
});

const ALL_CAPABILITIES_SENT = [
  "bolt.profile-envelope-v1",
  "bolt.file-hash",
  "bolt.transfer-ratchet-v1",
];

Deno.test("the identity of a peer that knows nothing of proofs is claimed, not proven", () => {
  const claimant = new Claimant("offerer", { proof: { remoteCommitment: undefined } });
  const peer = established(claimant.receive(claimant.hello({
    inner: { capabilities: ALL_CAPABILITIES, sessionNonce: undefined },
    frame: { identityProof: undefined },
  })));
  assertEquals(peer?.proven, false);
});

Deno.test("the fields of a proof are ignored where neither commitment nor capability came", () => {
  const claimant = new Claimant("offerer", { proof: { remoteCommitment: undefined } });
  const peer = established(
    claimant.receive(claimant.hello({ inner: { capabilities: ALL_CAPABILITIES } })),
  );
  assertEquals(peer?.proven, false);
});

Deno.test("a good HELLO is proven, in each role", () => {
  for (const role of ROLES) {
    const claimant = new Claimant(role);
    const peer = established(claimant.receive(claimant.hello()));
    assert(peer?.proven === true, role);
    assert(peer.identity.equals(claimant.us.identity.publicKey));
  }
});

Deno.test("one of commitment and capability without the other is refused", () => {
  const stripped = new Claimant("offerer", { proof: { remoteCommitment: undefined } });
  assertEquals(refusedAt(stripped.receive(stripped.hello())), "extension");
  const silent = new Claimant("answerer");
  const hello = silent.hello({ inner: { capabilities: ALL_CAPABILITIES } });
  assertEquals(refusedAt(silent.receive(hello)), "extension");
});

Deno.test("a field of the proof that is absent, doubled or of another type is refused", () => {
  const other = new PublicValue("session-nonce", new Uint8Array(32)).base64;
  const twice = (key: string) => (text: string) => text.replace("{", `{"${key}":"${other}",`);
  const values = [undefined, null, 1, true, [other], { other }, "", other.slice(4), `${other} `];
  for (const role of ROLES) {
    for (const value of values) {
      for (
        const change of [{ inner: { sessionNonce: value } }, { frame: { identityProof: value } }]
      ) {
        const claimant = new Claimant(role);
        const step = refusedAt(claimant.receive(claimant.hello(change)));
        assertEquals(step, "encoding", JSON.stringify(change));
      }
    }
    for (
      const change of [
        { innerText: twice("sessionNonce") },
        { innerText: twice("identityPublicKey") },
        { innerText: twice("session\\u004eonce") },
        { frameText: twice("identityProof") },
        { frameText: twice("payload") },
      ]
    ) {
      const claimant = new Claimant(role);
      assertEquals(refusedAt(claimant.receive(claimant.hello(change))), "encoding");
    }
  }
});

Deno.test("every bit of nonce, identity, proof and payload that is flipped is refused", () => {
  using _ = memoisedX25519();
  for (let bit = 0; bit < 256; bit++) {
    sameSides();
    const claimant = new Claimant(bit % 2 === 0 ? "offerer" : "answerer");
    const ours = revealed(claimant.us.secrets.nonce).bytes;
    const changed = new PublicValue("session-nonce", flipped(ours, bit)).base64;
    const hello = claimant.hello({ inner: { sessionNonce: changed } });
    assertEquals(refusedAt(claimant.receive(hello)), "commitment", `nonce, bit ${bit}`);

    sameSides();
    const other = new Claimant("offerer");
    const key = flipped(other.us.identity.publicKey.bytes, bit);
    const claimed = new PublicKey("identity", key).base64;
    const forged = other.hello({ inner: { identityPublicKey: claimed } });
    assertEquals(refusedAt(other.receive(forged)), "commitment", `identity, bit ${bit}`);

    sameSides();
    const third = new Claimant("answerer");
    const frame: { identityProof: string } = JSON.parse(third.hello());
    const proof = new PublicValue(
      "identity-proof",
      flipped(Uint8Array.fromBase64(frame.identityProof), bit),
    );
    const spoiled = JSON.stringify({ ...frame, identityProof: proof.base64 });
    assertEquals(refusedAt(third.receive(spoiled)), "proof", `proof, bit ${bit}`);
  }
  const { payload }: { payload: string } = JSON.parse(new Claimant().hello());
  const bits = Uint8Array.fromBase64(payload).length * 8;
  for (let bit = 0; bit < bits; bit++) {
    sameSides();
    const claimant = new Claimant();
    const frame = JSON.parse(claimant.hello());
    const sealed = flipped(Uint8Array.fromBase64(frame.payload), bit);
    const effects = claimant.receive(JSON.stringify({ ...frame, payload: sealed.toBase64() }));
    assertEquals(closedWith(effects), "HELLO_DECRYPT_FAIL", `payload, bit ${bit}`);
  }
});

Deno.test("every bit of what signaling and DTLS brought that is flipped is refused", () => {
  const flips: readonly ((victim: ProofOptions, bit: number) => Partial<ProofOptions>)[] = [
    ({ commitment }, bit) => ({
      commitment: new PublicValue("commitment", flipped(commitment.bytes, bit)),
    }),
    ({ certificates: { local, remote } }, bit) => ({
      certificates: {
        local: new PublicValue("certificate-digest", flipped(local.bytes, bit)),
        remote,
      },
    }),
    ({ certificates: { local, remote } }, bit) => ({
      certificates: {
        local,
        remote: new PublicValue("certificate-digest", flipped(remote.bytes, bit)),
      },
    }),
  ];
  using _ = memoisedX25519();
  for (const flip of flips) {
    for (let bit = 0; bit < 256; bit++) {
      sameSides();
      const [a, b] = [newSide(random), newSide(random)];
      const right = provingOptions("offerer", a, b, random).proof;
      const alice = new TestPeer(provingOptions("offerer", a, b, random, flip(right, bit)));
      const bob = new TestPeer(provingOptions("answerer", b, a, random));
      for (const side of [alice, bob]) side.do(side.session.start(0));
      const [fromAlice = "", fromBob = ""] = [alice.outbox.shift(), bob.outbox.shift()];
      assertEquals(refusedAt(bob.session.receive(fromAlice, 0)), "proof");
      assertEquals(refusedAt(alice.session.receive(fromBob, 0)), "proof");
    }
  }
});

Deno.test("every bit of a commitment that is flipped on its way is refused by both sides", () => {
  using _ = memoisedX25519();
  for (let bit = 0; bit < 256; bit++) {
    sameSides();
    const [a, b] = [newSide(random), newSide(random)];
    const remoteCommitment = new PublicValue(
      "commitment",
      flipped(b.secrets.commitment.bytes, bit),
    );
    const alice = new TestPeer(provingOptions("offerer", a, b, random, { remoteCommitment }));
    const bob = new TestPeer(provingOptions("answerer", b, a, random));
    for (const side of [alice, bob]) side.do(side.session.start(0));
    const [fromAlice = "", fromBob = ""] = [alice.outbox.shift(), bob.outbox.shift()];
    assertEquals(refusedAt(alice.session.receive(fromBob, 0)), "commitment");
    assertEquals(refusedAt(bob.session.receive(fromAlice, 0)), "proof");
  }
});

Deno.test("every bit of an ephemeral key that is flipped on its way leaves nothing that can be opened", () => {
  using _ = memoisedX25519();
  for (let bit = 0; bit < 256; bit++) {
    sameSides();
    const [a, b] = [newSide(random), newSide(random)];
    const key = flipped(b.secrets.ephemeral.publicKey.bytes, bit);
    const alice = new TestPeer({
      ...provingOptions("offerer", a, b, random),
      remoteEphemeral: new PublicKey("ephemeral", key),
    });
    const bob = new TestPeer(provingOptions("answerer", b, a, random));
    for (const side of [alice, bob]) side.do(side.session.start(0));
    const [fromAlice = "", fromBob = ""] = [alice.outbox.shift(), bob.outbox.shift()];
    // X25519 leaves the highest bit out; the commitment does not.
    if (bit === 255) {
      assertEquals(refusedAt(alice.session.receive(fromBob, 0)), "commitment");
      assertEquals(refusedAt(bob.session.receive(fromAlice, 0)), "proof");
    } else {
      assertEquals(closedWith(alice.session.receive(fromBob, 0)), "HELLO_DECRYPT_FAIL");
      assertEquals(closedWith(bob.session.receive(fromAlice, 0)), "HELLO_DECRYPT_FAIL");
    }
  }
});

Deno.test("every other field of HELLO that is absent, doubled or of another type is refused", () => {
  const inner: readonly (readonly [string, string])[] = [
    ["type", "HELLO_SCHEMA_ERROR"],
    ["version", "HELLO_SCHEMA_ERROR"],
    ["identityPublicKey", "HELLO_SCHEMA_ERROR"],
    ["capabilities", "HELLO_SCHEMA_ERROR"],
  ];
  for (const role of ROLES) {
    for (const [field, code] of inner) {
      for (const value of [null, true, {}, -1, ""]) {
        const claimant = new Claimant(role);
        const effects = claimant.receive(claimant.hello({ inner: { [field]: value } }));
        // Without capabilities a peer can't do envelopes.
        const expected = field === "capabilities" && value === null ? "PROTOCOL_VIOLATION" : code;
        assertEquals(closedWith(effects), expected, `${field}: ${JSON.stringify(value)}`);
      }
      const doubled = new Claimant(role);
      const twice = (text: string) => text.replace("{", `{"${field}":[],`);
      assertEquals(refusedAt(doubled.receive(doubled.hello({ innerText: twice }))), "encoding");
    }
    for (const value of [undefined, null, 7, {}]) {
      const claimant = new Claimant(role);
      const effects = claimant.receive(claimant.hello({ frame: { payload: value } }));
      assertEquals(closedWith(effects), "HELLO_PARSE_ERROR");
    }
    const outer = new Claimant(role);
    const frameText = (text: string) => text.replace("{", '{"type":"hello",');
    assertEquals(refusedAt(outer.receive(outer.hello({ frameText }))), "encoding");
  }
});

Deno.test("nonce and proof of the victim's own side, sent back to it, prove nothing", () => {
  for (const role of ROLES) {
    const nonce = new Claimant(role);
    const sessionNonce = revealed(nonce.them.secrets.nonce).base64;
    const effects = nonce.receive(nonce.hello({ inner: { sessionNonce } }));
    assertEquals(refusedAt(effects), "commitment");
    const proof = new Claimant(role);
    const { identityProof }: { identityProof: string } = JSON.parse(proof.victimsHello);
    assertEquals(refusedAt(proof.receive(proof.hello({ frame: { identityProof } }))), "proof");
  }
});

Deno.test("a payload that is not canonical base64 is refused also where it could be opened", () => {
  const [a, b] = [newSide(random), newSide(random)];
  const { proof } = provingOptions("offerer", a, b, random);
  const handshake = new IdentityHandshake(proof, {
    identity: a.identity.publicKey,
    ephemeral: a.secrets.ephemeral,
    remoteEphemeral: b.secrets.ephemeral.publicKey,
  });
  const claim = {
    identity: b.identity.publicKey,
    capabilities: [PROVEN_IDENTITY],
    sessionNonce: revealed(b.secrets.nonce).base64,
    identityProof: new PublicValue("identity-proof", random(32)).base64,
    repeatsKeys: false,
  };
  for (const [payload, step] of [["AAAA", "proof"], ["AA", "encoding"], ["AAA ", "encoding"]]) {
    const error = assertThrows(
      () => handshake.verify({ ...claim, payload: payload ?? "" }),
      IdentityRefusedError,
    );
    assertEquals(error.step, step);
  }
});

Deno.test("a proof of another session, another side or another role is refused", () => {
  for (const role of ROLES) {
    const mine = new Claimant(role);
    const other = role === "offerer" ? "answerer" : "offerer";
    assertEquals(refusedAt(mine.receive(mine.hello({ provenAs: other }))), "proof");

    // The thief knows the identity and holds a key of his own.
    const thief = new Claimant(role);
    const stranger = newSide(random);
    assertEquals(refusedAt(thief.receive(thief.hello({ provenBy: stranger }))), "proof");

    const [first, second] = [new Claimant(role), new Claimant(role)];
    const { identityProof } = JSON.parse(first.hello());
    const reused = second.hello({ frame: { identityProof } });
    assertEquals(refusedAt(second.receive(reused)), "proof");
    const { sessionNonce } = { sessionNonce: revealed(first.us.secrets.nonce).base64 };
    const third = new Claimant(role);
    assertEquals(refusedAt(third.receive(third.hello({ inner: { sessionNonce } }))), "commitment");
  }
});

Deno.test("fields added to a HELLO are covered by the proof", () => {
  const claimant = new Claimant();
  const frame = claimant.hello({ inner: { later: 1 }, provenPayload: (text) => `${text} ` });
  assertEquals(refusedAt(claimant.receive(frame)), "proof");
  const good = new Claimant();
  assertEquals(established(good.receive(good.hello({ inner: { later: 1 } })))?.proven, true);
});

Deno.test("an identity key of low order proves nothing", () => {
  const weak = new PublicKey("identity", new Uint8Array(32));
  const us = newSide(random);
  const nonce = revealed(us.secrets.nonce);
  const commitment = commitmentTo(weak, us.secrets.ephemeral.publicKey, nonce);
  const side: Side = { ...us, secrets: Object.assign(Object.create(us.secrets), { commitment }) };
  const them = newSide(random);
  const victim = new Session(
    provingOptions("answerer", them, us, random, { remoteCommitment: commitment }),
  );
  victim.start(0);
  const box = boxKey(us.secrets.ephemeral, them.secrets.ephemeral.publicKey);
  assert(box !== undefined && side.secrets.commitment === commitment);
  const payload = toBase64(seal(
    box,
    toUtf8(JSON.stringify({
      type: "hello",
      version: 1,
      identityPublicKey: weak.base64,
      capabilities: [...ALL_CAPABILITIES, PROVEN_IDENTITY],
      sessionNonce: nonce.base64,
    })),
    random,
  ));
  const identityProof = new PublicValue("identity-proof", random(32)).base64;
  const frame = JSON.stringify({ type: "hello", payload, identityProof });
  assertEquals(refusedAt(victim.receive(frame, 0)), "weak-key");
});

Deno.test("our own commitment, sent back, is a violation", () => {
  const [a, b] = [newSide(random), newSide(random)];
  const options = provingOptions("offerer", a, b, random, {
    remoteCommitment: a.secrets.commitment,
  });
  const error = assertThrows(() => new Session(options), ProtocolError);
  assertEquals(error.code, "PROTOCOL_VIOLATION");
  assert(a.secrets.nonce.spent && a.secrets.ephemeral.secretKey.spent);
});

Deno.test("our own identity, claimed by a peer, is a violation, proven or not", () => {
  for (const isOffered of [true, false]) {
    const proof = isOffered ? {} : { remoteCommitment: undefined };
    const claimant = new Claimant("offerer", { proof });
    const identityPublicKey = claimant.them.identity.publicKey.base64;
    const capabilities = isOffered ? [...ALL_CAPABILITIES, PROVEN_IDENTITY] : ALL_CAPABILITIES;
    const hello = claimant.hello({ inner: { identityPublicKey, capabilities } });
    assertEquals(closedWith(claimant.receive(hello)), "PROTOCOL_VIOLATION");
  }
});

Deno.test("an identity that the program refuses is told of to nobody, proven or not", () => {
  const asked: unknown[] = [];
  const refuse: NonNullable<SessionOptions["refuse"]> = ({ identity, proven }) => {
    asked.push([identity.hex, proven]);
    return { step: "expected-identity", reason: "another identity is expected" };
  };
  const proven = new Claimant("offerer", { refuse });
  assertEquals(refusedAt(proven.receive(proven.hello())), "expected-identity");
  const claimed = new Claimant("offerer", { refuse, proof: { remoteCommitment: undefined } });
  const hello = claimed.hello({
    inner: { capabilities: ALL_CAPABILITIES, sessionNonce: undefined },
    frame: { identityProof: undefined },
  });
  assertEquals(refusedAt(claimed.receive(hello)), "expected-identity");
  assertEquals(asked, [
    [proven.us.identity.publicKey.hex, true],
    [claimed.us.identity.publicKey.hex, false],
  ]);
});

Deno.test("the nonce is zeroed with the session, and used for one HELLO", () => {
  const [a, b] = [newSide(random), newSide(random)];
  const session = new Session(provingOptions("offerer", a, b, random));
  session.start(0);
  session.close();
  assert(a.secrets.nonce.spent);
  assert(!a.identity.secretKey.spent, "the identity stays the caller's");
});

Deno.test("the two sessions of a middleman with keys of his own show two codes", () => {
  // He is bound before either nonce leaves: one try a session, with a chance of 2^-24 each.
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const fresh = seededRandom(`grind ${seed}`);
      const [a, b, toA, toB] = [newSide(fresh), newSide(fresh), newSide(fresh), newSide(fresh)];
      const codeOf = (offerer: Side, answerer: Side) => {
        const left = new TestPeer(provingOptions("offerer", offerer, answerer, fresh));
        const right = new TestPeer(provingOptions("answerer", answerer, offerer, fresh));
        for (const side of [left, right]) side.do(side.session.start(0));
        settle(left, right);
        return left.last("established").peer.sas;
      };
      assertNotEquals(codeOf(a, toA), codeOf(toB, b));
    }),
    { numRuns: 30 },
  );
});

/** How a session's end says that our nonce had left; undefined when it does not say so. */
const nonceLeftIn = (effects: readonly SessionEffect[]) =>
  effects.flatMap((effect) => effect.type === "closed" ? [effect.end.nonceLeft] : [])[0];

Deno.test("an end before the peer has proven itself says that our nonce had left, whatever ended it", () => {
  const ways: { readonly [way: string]: (claimant: Claimant) => readonly SessionEffect[] } = {
    "the peer closes": ({ victim }) => victim.disconnected(),
    "the path is lost": ({ victim }) => victim.disconnected("lost"),
    "nothing comes": ({ victim }) => victim.tick(60_000),
    "we close": ({ victim }) => victim.close(),
    "an error comes": (claimant) =>
      claimant.receive(JSON.stringify({ type: "error", code: "KEY_MISMATCH", message: "" })),
    "garbage comes": (claimant) => claimant.receive("garbage"),
    "the proof is wrong": (claimant) =>
      claimant.receive(claimant.hello({ provenPayload: (payload) => `${payload}x` })),
  };
  for (const [way, end] of Object.entries(ways)) {
    assertEquals(nonceLeftIn(end(new Claimant())), true, way);
    // To a peer without the extension no nonce goes.
    const published = new Claimant("offerer", { proof: { remoteCommitment: undefined } });
    assertEquals(nonceLeftIn(end(published)), undefined, `${way}, as published`);
  }
  const proven = new Claimant();
  proven.receive(proven.hello());
  assertEquals(nonceLeftIn(proven.victim.close()), undefined);
  const refused = new Claimant("offerer", {
    refuse: () => ({ step: "expected-identity", reason: "another is expected" }),
  });
  assertEquals(nonceLeftIn(refused.receive(refused.hello())), true);
  const [a, b] = [newSide(random), newSide(random)];
  assertEquals(
    nonceLeftIn(new Session(provingOptions("offerer", a, b, random)).close()),
    undefined,
  );
});
