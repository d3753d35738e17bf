import { assert, assertEquals, assertThrows } from "@std/assert";
import nacl from "tweetnacl";
import { ConnectionBox } from "../crypto/connection_box.ts";
import { KeyPair } from "../crypto/keys.ts";
import { MisuseError } from "../errors.ts";
import { forMessages, shown } from "../testing/inner_messages.ts";
import { Session } from "../session/session.ts";
import { type RawMessage, rawPlain } from "../testing/raw_binary.ts";
import { closedWith, RawPeer } from "../testing/raw_peer.ts";
import { seededRandom } from "../testing/seeded_random.ts";
import { BinaryEnvelopeCodec } from "./binary_envelope.ts";
import { BINARY_ENCODING, CAPABILITIES } from "./capabilities.ts";
import { type EnvelopeCodec, NO_RATCHET_FIELDS } from "./envelope.ts";
import { encodeHelloFrame, MAX_FRAME_BYTES, type RatchetFields } from "./frame.ts";
import { sealHello } from "./hello.ts";
import { type ChunkHeader, encodeInnerMessage } from "./inner_message.ts";
import { JsonEnvelopeCodec } from "./json_envelope.ts";
import type { TransferId } from "./transfer_id.ts";

const CODECS: Readonly<Record<string, new (box: ConnectionBox) => EnvelopeCodec>> = {
  json: JsonEnvelopeCodec,
  binary: BinaryEnvelopeCodec,
};

/** The two ends of a connection, in one encoding. */
function ends(Codec: new (box: ConnectionBox) => EnvelopeCodec): [EnvelopeCodec, EnvelopeCodec] {
  const random = seededRandom("two ends");
  const [a, b] = [KeyPair.generate("ephemeral", random), KeyPair.generate("ephemeral", random)];
  const box = (ours: typeof a, theirs: typeof b) =>
    new Codec(new ConnectionBox(ours, theirs.publicKey, random));
  return [box(a, b), box(b, a)];
}

const KEY = new Uint8Array(32).map((_, i) => 255 - i).toBase64();

/** What may be said of the ratchet. */
const RATCHETS: readonly (RatchetFields | undefined)[] = [
  undefined,
  { chainIndex: 0 },
  { chainIndex: 655_359 },
  { chainIndex: 0, generation: 1, publicKey: KEY },
  { chainIndex: 0, generation: 2 ** 32 - 1, publicKey: KEY },
];

for (const [name, Codec] of Object.entries(CODECS)) {
  Deno.test(`any message is read as it was written (${name})`, () => {
    const [writer, reader] = ends(Codec);
    forMessages(300, (message) => {
      if (message.type !== "file-chunk") {
        const expected = { type: "opened", message, ratchet: NO_RATCHET_FIELDS };
        assertEquals(shown(reader.read(writer.seal(message))), shown(expected));
        return;
      }
      const { chunk, file, ...header } = message;
      const sealedBytes = chunk.length;
      const sealInto = (target: Uint8Array) => target.set(chunk);
      const transferId = header.transferId.toLowerCase();
      // The binary encoding leaves the file to the offer.
      const expected = Codec === JsonEnvelopeCodec ? message : { ...header, transferId, chunk };
      for (const ratchet of RATCHETS) {
        const frame = writer.sealChunk(
          file === undefined ? header : { ...header, file },
          { ratchet, sealedBytes, sealInto },
        );
        const opened = { type: "opened", message: expected, ratchet: ratchet ?? {} };
        assertEquals(shown(reader.read(frame)), shown(opened));
      }
    });
  });
}

const ID = "00112233445566778899aabbccddeeff" as TransferId;
const HEADER: ChunkHeader = { type: "file-chunk", transferId: ID, chunkIndex: 0, totalChunks: 1 };

Deno.test("the largest frame is written and read; a chunk with a byte more is refused unsealed", () => {
  const [writer, reader] = ends(BinaryEnvelopeCodec);
  const most = MAX_FRAME_BYTES - 41 - 26;
  const zeroes = (sealedBytes: number) => ({ ratchet: undefined, sealedBytes, sealInto: () => {} });
  const frame = writer.sealChunk(HEADER, zeroes(most));
  assertEquals(frame.length, MAX_FRAME_BYTES);
  const read = reader.read(frame);
  assert(read.type === "opened" && read.message.type === "file-chunk");
  assertEquals(read.message.chunk.length, most);
  const unsealed = {
    ...zeroes(most + 1),
    sealInto: () => {
      throw new Error("it was sealed");
    },
  };
  assertThrows(() => writer.sealChunk(HEADER, unsealed), MisuseError);
});

Deno.test("what a header can't say is our own misuse", () => {
  const [writer] = ends(BinaryEnvelopeCodec);
  const chunk = { ratchet: undefined, sealedBytes: 0, sealInto: () => {} };
  assertThrows(() => writer.sealChunk({ ...HEADER, totalChunks: 2 ** 32 }, chunk), MisuseError);
  const keyless = { ...chunk, ratchet: { chainIndex: 0, publicKey: "AAAA", generation: 1 } };
  assertThrows(() => writer.sealChunk(HEADER, keyless), MisuseError);
});

const BINARY = [...CAPABILITIES, BINARY_ENCODING] as const;

/** What ends a session that gets those bytes, sealed, in hex. */
function endedBy(hex: string): string | undefined {
  const { peer } = RawPeer.open({ capabilities: BINARY }, BINARY);
  assert(peer.isBinary);
  return closedWith(peer.session.receive(peer.binaryEnvelope(Uint8Array.fromHex(hex)), 0));
}

Deno.test("what is sealed and no message is INVALID_MESSAGE: of no kind, cut short, with other flags, at odds with itself", () => {
  const place = `${ID}0000000000000002`;
  const invalid = {
    "nothing": "",
    "another kind": "02",
    "empty JSON": "00",
    "no JSON object": "005b5d",
    "a chunk in JSON": `00${
      new TextEncoder().encode(JSON.stringify({
        type: "file-chunk",
        transferId: ID,
        filename: "f",
        chunkIndex: 0,
        totalChunks: 1,
        chunk: "AA==",
        fileSize: 1,
      })).toHex()
    }`,
    "the kind of a chunk alone": "01",
    "a header without flags": `01${place}`,
    "an unknown flag": `01${place}04${"00".repeat(40)}`,
    "the first of no ratchet": `01${place}02${"00".repeat(40)}`,
    "a chain index cut short": `01${place}01000000`,
    "a ratchet key cut short": `01${place}030000000000000001${"00".repeat(31)}`,
    "a place beyond the end": `01${ID}000000020000000200`,
    "no chunks at all": `01${ID}000000000000000000`,
  };
  for (const [what, hex] of Object.entries(invalid)) {
    assertEquals(endedBy(hex), "INVALID_MESSAGE", what);
  }
  assertEquals(endedBy(`01${place}00`), "INVALID_STATE", "a chunk of no transfer");
  assertEquals(endedBy(`01${place}01${"00".repeat(4)}`), "INVALID_STATE", "a ratcheted one");
});

Deno.test("both HELLOs must list the encoding, and a web client's session never has it", () => {
  assert(RawPeer.open({ capabilities: BINARY }, BINARY).peer.isBinary);
  assert(!RawPeer.open({ capabilities: BINARY }, CAPABILITIES).peer.isBinary);
  assert(!RawPeer.open({}, BINARY).peer.isBinary);
  assert(!RawPeer.open({ capabilities: BINARY, peerKind: "web" }, BINARY).peer.isBinary);
});

Deno.test("with a peer that does not list it every frame is as published", () => {
  const { peer, transfers } = RawPeer.open({ capabilities: BINARY });
  const file = { filename: "f", size: 3, fileHash: "0".repeat(64) };
  const { transferId, effects } = transfers.offer(file, 0);
  const frames = [...effects, ...peer.send({ type: "ping", ts_ms: 1 })];
  peer.send({ type: "file-accept", transferId });
  frames.push(...transfers.sendChunk(transferId, new Uint8Array(3), 0));
  const sent = frames.filter((effect) => effect.type === "send");
  assertEquals(sent.length, 4);
  for (const { frame } of sent) {
    assert(typeof frame === "string");
    assertEquals(Object.keys(JSON.parse(frame)).slice(0, 4), [
      "type",
      "version",
      "encoding",
      "payload",
    ]);
  }
});

interface Vectors {
  readonly ephemeralSecret: { readonly sender: string; readonly receiver: string };
  readonly boxKey: string;
  readonly noncePrefix: string;
  readonly cases: readonly {
    readonly name: string;
    readonly message: RawMessage;
    readonly ratchet?: {
      readonly chain_index: number;
      readonly ratchet_generation?: number;
      readonly ratchet_public_key?: string;
    };
    readonly nonce: string;
    readonly plain: string;
    readonly envelope: string;
  }[];
  readonly refused: readonly {
    readonly name: string;
    readonly envelope: string;
    readonly code: string;
  }[];
}

const VECTORS: Vectors = JSON.parse(
  Deno.readTextFileSync(
    new URL("../../../docs/vectors/binary_encoding.json", import.meta.url),
  ),
);

/** The ephemeral keys of a vector's side. */
const ephemeralOf = (side: "sender" | "receiver") =>
  new KeyPair("ephemeral", Uint8Array.fromHex(VECTORS.ephemeralSecret[side]));

/** A codec of one side, whose nonces have that prefix. */
function codecOf(side: "sender" | "receiver", prefix: string): BinaryEnvelopeCodec {
  const { publicKey } = ephemeralOf(side === "sender" ? "receiver" : "sender");
  const box = new ConnectionBox(ephemeralOf(side), publicKey, () => Uint8Array.fromHex(prefix));
  return new BinaryEnvelopeCodec(box);
}

/** A vector's ratchet fields in our words. */
function fieldsOf({ ratchet }: Vectors["cases"][number]): RatchetFields | undefined {
  if (ratchet === undefined) return undefined;
  const { chain_index: chainIndex, ratchet_generation: generation, ratchet_public_key: key } =
    ratchet;
  if (key === undefined || generation === undefined) return { chainIndex };
  return { chainIndex, generation, publicKey: Uint8Array.fromHex(key).toBase64() };
}

Deno.test("the vectors are what the description says, derived a second time", () => {
  const { sender, receiver } = VECTORS.ephemeralSecret;
  const theirs = nacl.scalarMult.base(Uint8Array.fromHex(receiver));
  const key = nacl.box.before(theirs, Uint8Array.fromHex(sender));
  assertEquals(key.toHex(), VECTORS.boxKey);
  for (const vector of VECTORS.cases) {
    const { message } = vector;
    const isChunk = message.type === "file-chunk";
    const inner = isChunk
      ? { ...message, chunk: Uint8Array.fromHex(String(message.chunk)).toBase64() }
      : message;
    const plain = rawPlain(inner, fieldsOf(vector));
    assertEquals(plain.toHex(), vector.plain, vector.name);
    const box = nacl.secretbox(plain, Uint8Array.fromHex(vector.nonce), key);
    assertEquals(`01${vector.nonce}${box.toHex()}`, vector.envelope, vector.name);
  }
});

Deno.test("the vectors are written and read", () => {
  const writer = codecOf("sender", VECTORS.noncePrefix);
  for (const vector of VECTORS.cases) {
    const reader = codecOf("receiver", "00".repeat(16));
    const read = reader.read(Uint8Array.fromHex(vector.envelope));
    assert(read.type === "opened", vector.name);
    const { message } = read;
    if (message.type !== "file-chunk") {
      assertEquals(JSON.parse(encodeInnerMessage(message)), vector.message, vector.name);
      assertEquals(writer.seal(message).toHex(), vector.envelope, vector.name);
      continue;
    }
    const { chunk, ...header } = message;
    assertEquals({ ...header, chunk: chunk.toHex() }, vector.message, vector.name);
    const ratchet = fieldsOf(vector);
    assertEquals(shown(read.ratchet), shown(ratchet ?? {}), vector.name);
    const sealInto = (target: Uint8Array) => target.set(chunk);
    const written = writer.sealChunk(header, { ratchet, sealedBytes: chunk.length, sealInto });
    assertEquals(written.toHex(), vector.envelope, vector.name);
  }
});

Deno.test("what the vectors say is refused ends the session with that code", () => {
  for (const { name, envelope, code } of VECTORS.refused) {
    const hello = new RawPeer({}, "vectors").identity.publicKey;
    const session = new Session({
      identity: KeyPair.generate("identity", seededRandom(1)).publicKey,
      ephemeral: ephemeralOf("receiver"),
      remoteEphemeral: ephemeralOf("sender").publicKey,
      random: seededRandom(2),
      capabilities: BINARY,
    });
    session.start(0);
    const { publicKey } = ephemeralOf("receiver");
    using box = new ConnectionBox(ephemeralOf("sender"), publicKey, seededRandom(3));
    const payload = sealHello(box, { identity: hello, capabilities: BINARY });
    session.receive(encodeHelloFrame(payload), 0);
    session.approve(0);
    assertEquals(closedWith(session.receive(Uint8Array.fromHex(envelope), 0)), code, name);
  }
});
