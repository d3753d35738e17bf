import { assert, assertEquals, assertThrows } from "@std/assert";
import { diffieHellman } from "../crypto/dh.ts";
import { fromHex, toHex } from "../crypto/encoding.ts";
import { KeyPair, PublicKey, readSecret, SecretKey, type SecretPurpose } from "../crypto/keys.ts";
import { open } from "../crypto/sealing.ts";
import { ProtocolError } from "../errors.ts";
import { parseTransferId, type TransferId } from "../messages/transfer_id.ts";
import { zeroedBy } from "../testing/disposals.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { vectorTest } from "../testing/vectors.ts";
import { OrderGuard, TransferChain } from "./chain.ts";
import {
  advanceChain,
  deriveMessageKey,
  deriveSessionRoot,
  deriveTransferRoot,
  ratchetSessionRoot,
} from "./key_schedule.ts";
import { btrLogToken, negotiateBtr } from "./negotiate.ts";
import { SessionRatchet, statedChainIndex } from "./session_ratchet.ts";

function key<P extends SecretPurpose>(purpose: P, hex: string): SecretKey<P> {
  return new SecretKey(purpose, fromHex(hex) ?? new Uint8Array());
}

const hexOf = (secret: SecretKey<SecretPurpose>): string => toHex(readSecret(secret));

function id(hex: string): TransferId {
  const parsed = parseTransferId(hex);
  assert(parsed !== undefined);
  return parsed;
}

const ID = id("00112233445566778899aabbccddeeff");

interface Vectors<T> {
  readonly vectors: readonly T[];
}

vectorTest<Vectors<Readonly<Record<string, string>>>>(
  "the published session roots are derived",
  "btr-key-schedule.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const root = deriveSessionRoot(key("dh-output", vector.ephemeral_shared_secret_hex ?? ""));
      assertEquals(hexOf(root), vector.expected_session_root_key_hex);
    }
  },
);

vectorTest<Vectors<Readonly<Record<string, string>>>>(
  "the published DH steps are taken",
  "btr-dh-ratchet.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const root = ratchetSessionRoot(
        key("session-root", vector.current_session_root_key_hex ?? ""),
        key("dh-output", vector.dh_output_hex ?? ""),
      );
      assertEquals(hexOf(root), vector.expected_new_session_root_key_hex);
    }
  },
);

vectorTest<Vectors<Readonly<Record<string, string>>>>(
  "the published transfer roots are derived",
  "btr-transfer-ratchet.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const root = key("session-root", vector.session_root_key_hex ?? "");
      const chain = deriveTransferRoot(root, id(vector.transfer_id_hex ?? ""));
      assertEquals(hexOf(chain), vector.expected_transfer_root_key_hex);
    }
  },
);

vectorTest<Vectors<Readonly<Record<string, string>>>>(
  "the published chains advance",
  "btr-chain-advance.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const chain = key("chain", vector.chain_key_hex ?? "");
      assertEquals(hexOf(deriveMessageKey(chain)), vector.expected_message_key_hex);
      assertEquals(hexOf(advanceChain(chain)), vector.expected_next_chain_key_hex);
    }
  },
);

interface NegotiationVector {
  readonly id: string;
  readonly local_supports_btr: boolean;
  readonly remote_supports_btr: boolean;
  readonly remote_well_formed: boolean;
  readonly expected_mode: string;
  readonly expected_log_token: string | null;
}

vectorTest<Vectors<NegotiationVector>>(
  "the published negotiation matrix holds",
  "btr-downgrade-negotiate.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const mode = negotiateBtr({
        local: vector.local_supports_btr,
        remote: vector.remote_supports_btr,
        remoteWellFormed: vector.remote_well_formed,
      });
      assertEquals(mode, vector.expected_mode, vector.id);
      assertEquals(btrLogToken(mode) ?? null, vector.expected_log_token, vector.id);
    }
  },
);

interface PositionVector {
  readonly transfer_id_hex: string;
  readonly ratchet_generation: number;
  readonly chain_index: number;
}

interface ReplayVector extends PositionVector {
  readonly id: string;
  readonly prior_accepted: readonly PositionVector[];
  readonly expected_error_code: string | null;
}

vectorTest<Vectors<ReplayVector>>(
  "the published replays are rejected",
  "btr-replay-reject.json",
  ({ vectors }) => {
    const positionOf = (vector: PositionVector) => ({
      transferId: id(vector.transfer_id_hex),
      generation: vector.ratchet_generation,
      chainIndex: vector.chain_index,
    });
    for (const vector of vectors) {
      const first = positionOf(vector.prior_accepted[0] ?? vector);
      const guard = new OrderGuard(first.transferId, first.generation);
      for (const prior of vector.prior_accepted) {
        assertEquals(guard.admit(positionOf(prior)), undefined);
      }
      assertEquals(guard.admit(positionOf(vector)) ?? null, vector.expected_error_code, vector.id);
    }
  },
);

interface AdversarialVectors {
  readonly vectors: readonly (
    | {
      readonly type: "wrong_key_decrypt";
      readonly correct_key_hex: string;
      readonly wrong_key_hex: string;
      readonly plaintext_hex: string;
      readonly sealed_hex: string;
    }
    | {
      readonly type: "chain_index_desync";
      readonly session_root_key_hex: string;
      readonly transfer_id_hex: string;
      readonly transfer_root_key_hex: string;
      readonly sender_chunk_count: number;
      readonly receiver_open_at_index: number;
      readonly expected_error: string;
    }
  )[];
}

vectorTest<AdversarialVectors>(
  "the published wrong key and the published gap are refused",
  "btr-adversarial.json",
  ({ vectors }) => {
    assertEquals(vectors.map(({ type }) => type), ["wrong_key_decrypt", "chain_index_desync"]);
    for (const vector of vectors) {
      if (vector.type === "wrong_key_decrypt") {
        const sealed = fromHex(vector.sealed_hex) ?? new Uint8Array();
        assertEquals(
          toHex(open(key("message", vector.correct_key_hex), sealed) ?? new Uint8Array()),
          vector.plaintext_hex,
        );
        assertEquals(open(key("message", vector.wrong_key_hex), sealed), undefined);
        continue;
      }
      const transferId = id(vector.transfer_id_hex);
      const root = () =>
        deriveTransferRoot(key("session-root", vector.session_root_key_hex), transferId);
      assertEquals(hexOf(root()), vector.transfer_root_key_hex);
      const sending = new TransferChain(transferId, 1, root());
      const random = seededRandom("desync");
      const sealed = Array.from(
        { length: vector.sender_chunk_count },
        (_, i) => sending.seal(new Uint8Array([i]), random),
      );
      const receiving = new TransferChain(transferId, 1, root());
      const at = vector.receiver_open_at_index;
      assertEquals(
        codeOf(() => receiving.open(at, sealed[at] ?? new Uint8Array())),
        vector.expected_error,
      );
    }
  },
);

interface LifecycleVectors {
  readonly ephemeral_shared_secret_hex: string;
  readonly transfers: readonly {
    readonly transfer_id_hex: string;
    readonly sender_scalar_hex: string;
    readonly receiver_scalar_hex: string;
    readonly sender_public_hex: string;
    readonly receiver_public_hex: string;
    readonly dh_output_hex: string;
    readonly session_root_key_after_hex: string;
    readonly ratchet_generation_after: number;
    readonly transfer_root_key_hex: string;
    readonly chunks: readonly {
      readonly chain_index: number;
      readonly chain_key_hex: string;
      readonly message_key_hex: string;
      readonly next_chain_key_hex: string;
      readonly nonce_hex: string;
      readonly plaintext_hex: string;
      readonly sealed_hex: string;
    }[];
  }[];
}

vectorTest<LifecycleVectors>(
  "the published lifecycle of two transfers is gone through, key by key",
  "btr-lifecycle.json",
  (file) => {
    let root = deriveSessionRoot(key("dh-output", file.ephemeral_shared_secret_hex));
    for (const [step, vector] of file.transfers.entries()) {
      const pair = (hex: string) => new KeyPair("ratchet", fromHex(hex) ?? new Uint8Array());
      const [sender, receiver] = [pair(vector.sender_scalar_hex), pair(vector.receiver_scalar_hex)];
      assertEquals(sender.publicKey.hex, vector.sender_public_hex);
      assertEquals(receiver.publicKey.hex, vector.receiver_public_hex);
      const output = diffieHellman(receiver.secretKey, sender.publicKey);
      assert(output !== undefined);
      assertEquals(hexOf(output), vector.dh_output_hex);
      root = ratchetSessionRoot(root, output);
      assertEquals(hexOf(root), vector.session_root_key_after_hex);
      assertEquals(vector.ratchet_generation_after, step + 1);
      const transferId = id(vector.transfer_id_hex);
      const first = () => deriveTransferRoot(root, transferId);
      assertEquals(hexOf(first()), vector.transfer_root_key_hex);
      const generation = vector.ratchet_generation_after;
      const sending = new TransferChain(transferId, generation, first());
      const receiving = new TransferChain(transferId, generation, first());
      for (const chunk of vector.chunks) {
        const chain = key("chain", chunk.chain_key_hex);
        assertEquals(hexOf(deriveMessageKey(chain)), chunk.message_key_hex);
        assertEquals(hexOf(advanceChain(chain)), chunk.next_chain_key_hex);
        const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array();
        const plaintext = bytes(chunk.plaintext_hex);
        const sealed = sending.seal(plaintext, () => bytes(chunk.nonce_hex));
        assertEquals(toHex(sealed), chunk.sealed_hex);
        assertEquals(receiving.open(chunk.chain_index, sealed), plaintext);
      }
    }
  },
);

interface AgreementVectors {
  readonly vectors: readonly {
    readonly id: string;
    readonly secret_scalar_hex: string;
    readonly remote_public_hex: string;
    readonly expected_shared_secret_hex: string;
  }[];
}

vectorTest<AgreementVectors>(
  "the published key agreements give the published secrets",
  "btr-dh-sanity.json",
  ({ vectors }) => {
    for (const vector of vectors) {
      const remote = new PublicKey(
        "ratchet",
        fromHex(vector.remote_public_hex) ?? new Uint8Array(),
      );
      const shared = diffieHellman(key("ratchet", vector.secret_scalar_hex), remote);
      assert(shared !== undefined, vector.id);
      assertEquals(hexOf(shared), vector.expected_shared_secret_hex, vector.id);
    }
  },
);

function ratchets(): { sending: SessionRatchet; receiving: SessionRatchet } {
  const random = seededRandom("ratchets");
  const a = KeyPair.generate("ephemeral", random);
  const b = KeyPair.generate("ephemeral", random);
  return {
    sending: new SessionRatchet(a, b.publicKey),
    receiving: new SessionRatchet(b, a.publicKey),
  };
}

/** What a sender's step puts on the wire, as the receiver reads it. */
function wire(fields: { chainIndex: number; publicKey?: string; generation?: number }) {
  return {
    chainIndex: fields.chainIndex,
    publicKey: fields.publicKey,
    generation: fields.generation,
  };
}

function codeOf(act: () => unknown): string {
  return assertThrows(act, ProtocolError).code;
}

Deno.test("chunks of transfers in both directions open in order, each under a key of its own", () => {
  const { sending, receiving } = ratchets();
  const random = seededRandom("directions");
  for (let round = 1; round <= 4; round++) {
    const [from, to] = round % 2 === 1 ? [sending, receiving] : [receiving, sending];
    const step = from.beginSend(ID, random);
    assertEquals(step.fields.generation, round);
    const chain = to.beginReceive(ID, wire(step.fields));
    const seals = [0, 1, 2].map((i) => step.chain.seal(new Uint8Array([round, i]), random));
    for (const [i, sealed] of seals.entries()) {
      assertEquals(chain.open(i, sealed), new Uint8Array([round, i]));
    }
  }
});

Deno.test("a replayed, skipped or altered chunk cancels its transfer", () => {
  const { sending, receiving } = ratchets();
  const random = seededRandom("order");
  const step = sending.beginSend(ID, random);
  const chain = receiving.beginReceive(ID, wire(step.fields));
  const [first, second] = [
    step.chain.seal(new Uint8Array(1), random),
    step.chain.seal(new Uint8Array(1), random),
  ];
  chain.open(0, first);
  assertEquals(codeOf(() => chain.open(0, first)), "RATCHET_CHAIN_ERROR");
  assertEquals(codeOf(() => chain.open(2, second)), "RATCHET_CHAIN_ERROR");
  second[30] = (second[30] ?? 0) ^ 1;
  assertEquals(codeOf(() => chain.open(1, second)), "RATCHET_DECRYPT_FAIL");
  const error = new ProtocolError("RATCHET_DECRYPT_FAIL", "", { transferId: ID });
  assertEquals(error.action, "cancel-transfer");
});

Deno.test("a wrong generation, or a first chunk without its fields, is a state error", () => {
  const { sending, receiving } = ratchets();
  const { fields } = sending.beginSend(ID, seededRandom("state"));
  const good = wire(fields);
  const bad = [
    { ...good, generation: 0 },
    { ...good, generation: 2 },
    { ...good, generation: "1" },
    { ...good, generation: 1.5 },
    { ...good, generation: undefined },
    { ...good, publicKey: undefined },
    { ...good, publicKey: "AAAA" },
    { ...good, publicKey: new Uint8Array(32).toBase64() },
  ];
  for (const fields of bad) {
    assertEquals(codeOf(() => receiving.beginReceive(ID, fields)), "RATCHET_STATE_ERROR");
    assertEquals(receiving.generation, 0);
  }
  receiving.beginReceive(ID, good);
  assertEquals(codeOf(() => receiving.beginReceive(ID, good)), "RATCHET_STATE_ERROR");
});

Deno.test("a chunk without ratchet fields is a rejected downgrade", () => {
  const none = { chainIndex: undefined, publicKey: undefined, generation: undefined };
  const rejected = "RATCHET_DOWNGRADE_REJECTED";
  assertEquals(codeOf(() => statedChainIndex(none, ID)), rejected);
  assertEquals(codeOf(() => statedChainIndex({ ...none, chainIndex: "0" }, ID)), rejected);
  for (const chainIndex of [-1, 0.5, NaN, 2 ** 53]) {
    assertEquals(
      codeOf(() => statedChainIndex({ ...none, chainIndex }, ID)),
      "RATCHET_CHAIN_ERROR",
    );
  }
  const rekey = { chainIndex: 3, publicKey: "x", generation: undefined };
  assertEquals(codeOf(() => statedChainIndex(rekey, ID)), "RATCHET_STATE_ERROR");
});

Deno.test("Key material is zeroed when spent: chains and roots can't be used after disposal", () => {
  const { sending } = ratchets();
  const random = seededRandom("zero");
  const { chain } = sending.beginSend(ID, random);
  chain.seal(new Uint8Array(1), random);
  chain[Symbol.dispose]();
  assertThrows(() => chain.seal(new Uint8Array(1), random), Error, "was zeroed");
  sending[Symbol.dispose]();
  assertThrows(() => sending.beginSend(ID, random), Error, "has ended");
});

Deno.test("Key material is zeroed when spent: each step zeroes what it has used up", () => {
  const { sending, receiving } = ratchets();
  const random = seededRandom("spent");
  const steps: { sent?: ReturnType<SessionRatchet["beginSend"]> } = {};
  assertEquals(
    zeroedBy(() => steps.sent = sending.beginSend(ID, random)).sort(),
    ["dh-output", "ratchet", "session-root"],
  );
  const { sent } = steps;
  assert(sent !== undefined);
  const chain = receiving.beginReceive(ID, wire(sent.fields));
  for (const [index, acts] of [0, 1].entries()) {
    const sealed = { bytes: new Uint8Array() };
    const seal = () => sealed.bytes = sent.chain.seal(new Uint8Array(acts), random);
    assertEquals(zeroedBy(seal).sort(), ["chain", "message"]);
    assertEquals(zeroedBy(() => chain.open(index, sealed.bytes)).sort(), ["chain", "message"]);
  }
  assertEquals(zeroedBy(() => assertThrows(() => chain.open(2, new Uint8Array(60)))), [
    "chain",
    "message",
  ]);
});
