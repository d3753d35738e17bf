import { assert, assertEquals } from "@std/assert";
import { ConnectionBox } from "../crypto/connection_box.ts";
import { fromHex } from "../crypto/encoding.ts";
import { KeyPair, PublicKey } from "../crypto/keys.ts";
import { openHello } from "./hello.ts";
import { encodeInnerMessage } from "./inner_message.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { vectorTest } from "../testing/vectors.ts";
import { JsonEnvelopeCodec } from "./json_envelope.ts";

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

function boxOf(vector: Receiver): ConnectionBox {
  const bytes = (hex: string) => fromHex(hex) ?? new Uint8Array();
  const ours = new KeyPair("ephemeral", bytes(vector.receiver_secret_hex));
  const theirs = new PublicKey("ephemeral", bytes(vector.sender_public_hex));
  return new ConnectionBox(ours, theirs, seededRandom(vector.name));
}

vectorTest<EnvelopeVectors>(
  "the published envelopes are read, opened, and hold the published messages",
  "envelope-open.json",
  ({ cases }) => {
    for (const vector of cases) {
      using box = boxOf(vector);
      const read = new JsonEnvelopeCodec(box).read(JSON.stringify(vector.envelope_json));
      assert(read.type === "opened", vector.name);
      assertEquals(
        JSON.parse(encodeInnerMessage(read.message)),
        vector.expected_inner,
        vector.name,
      );
    }
  },
);

vectorTest<HelloVectors>(
  "the published HELLOs of web clients are opened and read",
  "web-hello-open.json",
  ({ cases }) => {
    for (const vector of cases) {
      using box = boxOf(vector);
      const { identity, capabilities } = openHello(box, vector.sealed_payload_base64);
      const { identityPublicKey, capabilities: expected } = vector.expected_inner;
      assertEquals([identity.base64, capabilities], [identityPublicKey, expected], vector.name);
    }
  },
);
