import { assert, assertEquals } from "@std/assert";
import { fromHex } from "../crypto/encoding.ts";
import { KeyPair, PublicKey } from "../crypto/keys.ts";
import { parseFrame } from "../messages/frame.ts";
import { encodeInnerMessage } from "../messages/inner_message.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { vectorTest } from "../testing/vectors.ts";
import { EnvelopeCodec } from "./envelope_codec.ts";

interface Receiver {
  readonly name: string;
  readonly sender_public_hex: string;
  readonly receiver_secret_hex: string;
}

interface EnvelopeVectors {
  readonly cases: readonly (Receiver & {
    readonly envelope_json: unknown;
    readonly expected_inner: unknown;
  })[];
}

interface HelloVectors {
  readonly cases: readonly (Receiver & {
    readonly sealed_payload_base64: string;
    readonly expected_inner: {
      readonly capabilities: readonly string[];
      readonly identityPublicKey: string;
    };
  })[];
}

function codecOf(vector: Receiver): EnvelopeCodec {
  const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array();
  const ours = new KeyPair("ephemeral", bytes(vector.receiver_secret_hex));
  const theirs = new PublicKey("ephemeral", bytes(vector.sender_public_hex));
  return new EnvelopeCodec(ours, theirs, seededRandom(vector.name));
}

vectorTest<EnvelopeVectors>(
  "the published envelopes are read, opened, and hold the published messages",
  "envelope-open.json",
  ({ cases }) => {
    for (const vector of cases) {
      using codec = codecOf(vector);
      const frame = parseFrame(JSON.stringify(vector.envelope_json));
      assert(frame.type === "envelope", vector.name);
      const message = codec.open(frame.payload);
      assertEquals(JSON.parse(encodeInnerMessage(message)), vector.expected_inner, vector.name);
    }
  },
);

vectorTest<HelloVectors>(
  "the published HELLOs of web clients are opened and read",
  "web-hello-open.json",
  ({ cases }) => {
    for (const vector of cases) {
      using codec = codecOf(vector);
      const { identity, capabilities } = codec.openHello(vector.sealed_payload_base64);
      const { identityPublicKey, capabilities: expected } = vector.expected_inner;
      assertEquals([identity.base64, capabilities], [identityPublicKey, expected], vector.name);
    }
  },
);
