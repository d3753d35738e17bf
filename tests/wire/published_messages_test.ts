/**
 * What goes to a peer that knows nothing of our extensions: every message, byte for byte, and read by
 * a strict reader of the published schemas.
 *
 * The golden files hold what is said with `--extensions none`. With all extensions the same bytes go
 * out, but for a HELLO that lists more capabilities and an offer or answer with one more field.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import nacl from "tweetnacl";
import { webText } from "../../src/app/connect/web_v1.ts";
import { BUNDLE_TEXT, nothing } from "../../src/app/connect/daemon_v1.ts";
import { KeyPair, readSecret } from "../../src/protocol/crypto/keys.ts";
import { EXTENSIONS } from "../../src/protocol/extensions.ts";
import { DescriptionSecrets } from "../../src/protocol/identity/proven_identity.ts";
import {
  BINARY_ENCODING,
  CAPABILITIES,
  type Capability,
} from "../../src/protocol/messages/capabilities.ts";
import type { WireFrame } from "../../src/protocol/messages/envelope.ts";
import { GREETING } from "../../src/protocol/payload_exchange.ts";
import {
  encodePing,
  encodeRegister,
  encodeSignal,
} from "../../src/protocol/rendezvous/server_message.ts";
import {
  encodeAckSignal,
  encodeBundleSignal,
  encodeHelloSignal,
} from "../../src/protocol/signal/daemon_payload.ts";
import type { SdpType } from "../../src/protocol/signal/bundle.ts";
import { code, codes } from "../../src/protocol/testing/peer_codes.ts";
import {
  conversation,
  type Sent,
  type Setting,
  type World,
  worldOf,
} from "../../src/protocol/testing/conversation.ts";
import { seededRandom } from "../../src/protocol/testing/seeded_random.ts";
import { deliver, type TestPeer } from "../../src/protocol/testing/session_pair.ts";
import { compareWithFile } from "../support/golden_file.ts";
import { PublishedReader, Violation } from "./published_reader.ts";
import {
  readBundle,
  readDaemonPayload,
  readForServer,
  readSessionSignal,
} from "./published_signals.ts";

const FOLDER = new URL("golden/", import.meta.url);
/** Longest text that a golden file holds as it is. */
const LONGEST = 1_500;
const NO_RATCHET = ["bolt.file-hash"] as const;

type Kind = "daemon" | "web";

/** The kinds of published peers. */
const PEERS: readonly (Setting & { readonly kind: Kind })[] = [
  { name: "daemon", kind: "daemon" },
  { name: "daemon_without_ratchet", kind: "daemon", both: { capabilities: NO_RATCHET } },
  { name: "web", kind: "web", both: { peerKind: "web" } },
];

/** A frame, and what a published peer reads in it. */
interface Line {
  readonly kind: string;
  readonly frame: string;
  readonly says: string;
}

function readerFor({ publicKey, peerKeys, offered }: World, kind: Kind): PublishedReader {
  return new PublishedReader({
    secretKey: readSecret(peerKeys.secretKey).slice(),
    remotePublicKey: publicKey.bytes,
    kind,
    offered,
  });
}

/** A frame that must be text, as all published ones are. */
function textOf(frame: WireFrame | undefined): string {
  if (typeof frame === "string") return frame;
  throw new Error("what was sent is no text");
}

/** A line of what was sent. */
function lineOf({ frame: sent, kind }: Sent, reader: PublishedReader): Line {
  const frame = textOf(sent);
  return { kind, frame, says: reader.read(frame) };
}

/** How a session ends for a fault: the names are those of the lines in the golden files. */
const ENDS: readonly ((a: TestPeer, b: TestPeer) => void)[] = [
  (a) => a.do(a.session.fail("TRANSFER_FAILED", "the disk is full")),
  (a) => a.do(a.session.receive('{"type":"profile-envelope","version":2}', 0)),
  (a) => a.do(a.session.receive('{"type":"ping"}', 0)),
];

/** All that a session says to a published peer, each with what is read in it. */
function linesOf(setting: Setting & { readonly kind: Kind }): Line[] {
  const lines: Line[] = [];
  let reader: PublishedReader | undefined;
  for (const { world, sent } of conversation(setting)) {
    reader ??= readerFor(world, setting.kind);
    lines.push(lineOf(sent, reader));
  }
  assertEquals([...reader?.received.values() ?? []].map(({ length }) => length > 0), [true]);
  for (const end of ENDS) {
    const world = worldOf(setting);
    const { a, b, read } = world;
    const reader = readerFor(world, setting.kind);
    for (const side of [a, b]) side.do(side.session.start(0));
    reader.read(textOf(a.outbox[0]));
    deliver(b, a);
    a.outbox.length = 0;
    end(a, b);
    lines.push(...a.outbox.map((frame) => lineOf(read(frame), reader)));
  }
  const early = worldOf(setting);
  early.a.do(early.a.session.start(0));
  early.a.outbox.length = 0;
  early.a.do(early.a.session.receive("{", 0));
  const reader2 = readerFor(early, setting.kind);
  const [frame = ""] = early.a.outbox;
  lines.push(lineOf(early.read(frame), reader2));
  return lines;
}

async function shown(text: string): Promise<string> {
  if (text.length <= LONGEST) return text;
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `${text.length} characters, SHA-256 ${new Uint8Array(hash).toHex()}`;
}

function withExtensions<T extends Setting>(setting: T) {
  const capabilities: Capability[] = [
    ...setting.both?.capabilities ?? CAPABILITIES,
    BINARY_ENCODING,
  ];
  const both = { ...setting.both, capabilities };
  return { ...setting, both, proves: "offerer", isPeerPublished: true } as const;
}

for (const peer of PEERS) {
  Deno.test(`each message without extensions is as published, byte for byte: ${peer.name}`, async () => {
    const texts: string[] = [];
    for (const { kind, frame, says } of linesOf(peer)) {
      texts.push(`# ${kind}\n${await shown(says)}\n${await shown(frame)}\n`);
    }
    await compareWithFile(new URL(`${peer.name}.txt`, FOLDER), texts.join("\n"));
  });

  Deno.test(`with all extensions a published peer gets the same bytes and more capabilities: ${peer.name}`, () => {
    const [published, extended] = [linesOf(peer), linesOf(withExtensions(peer))];
    const isHello = ({ kind }: Line) => kind === "hello";
    assertEquals(
      extended.filter((line) => !isHello(line)),
      published.filter((line) => !isHello(line)),
    );
    const [theirs, ours] = [published, extended].map((lines) => lines.filter(isHello));
    assertEquals([theirs?.length, ours?.length], [1, 1]);
    const [hello, listing] = [
      JSON.parse(theirs?.[0]?.says ?? ""),
      JSON.parse(ours?.[0]?.says ?? ""),
    ];
    // A web client's files come without offers, which the binary encoding needs.
    const extensions = Object.values(EXTENSIONS)
      .filter((one) => peer.kind === "daemon" || one !== BINARY_ENCODING);
    const capabilities = [...hello.capabilities, ...extensions];
    // As text: the order of the fields counts too.
    assertEquals(JSON.stringify(listing), JSON.stringify({ ...hello, capabilities }));
    const frame = JSON.parse(ours?.[0]?.frame ?? "");
    assertEquals(Object.keys(frame), ["type", "payload"]);
    assertNotEquals(frame.payload, JSON.parse(theirs?.[0]?.frame ?? "").payload);
  });
}

const ALICE = code("alice");

const bundleOf = (sdpType: SdpType) => ({
  description: { sdpType, sdp: "v=0\r\ns=-\r\n" },
  candidates: [{ candidate: "candidate:1 1 UDP 2130706431 192.168.1.4 50001 typ host", mid: "0" }],
});

Deno.test("what the one-shot program says is as published, byte for byte: nothing of it is an extension", async () => {
  const common = { room: "room", session: "session", scope: "lan" } as const;
  const context = { ...common, ...codes("alice", "bob") };
  const payloads = [
    encodeHelloSignal(context, 30),
    encodeAckSignal(context),
    encodeBundleSignal(context, bundleOf("offer")),
    encodeBundleSignal(context, bundleOf("answer")),
  ];
  const forServer = [
    encodeRegister(ALICE, "bolt-daemon"),
    encodePing(),
    ...payloads.map((payload) => encodeSignal(code("bob"), payload)),
  ];
  const read = forServer.map(readForServer).filter((payload) => payload !== undefined);
  assertEquals(read.map(readDaemonPayload), ["hello", "ack", "offer", "answer"]);
  const bundles = (["offer", "answer"] as const).map((type) => {
    const text = BUNDLE_TEXT.encode({ bundle: bundleOf(type), ours: nothing() });
    readBundle(JSON.parse(text), type);
    return text;
  });
  const lines = [...forServer, ...bundles, new TextDecoder().decode(GREETING)];
  await compareWithFile(new URL("one_shot.txt", FOLDER), lines.join("\n"));
});

Deno.test("offers and answers in files: the published fields and, with extensions, one more", async () => {
  const random = seededRandom("descriptions");
  const identity = KeyPair.generate("identity", random).publicKey;
  using ours = new DescriptionSecrets(identity, random);
  const textOf = (type: SdpType, commits: boolean) => {
    const schema = webText({ self: ALICE, deviceName: "bolt-daemon", commits });
    const text = schema.encode({ bundle: bundleOf(type), ours });
    readSessionSignal(JSON.parse(text), type);
    return text;
  };
  const published: string[] = [];
  for (const type of ["offer", "answer"] as const) {
    const [without, extended] = [textOf(type, false), textOf(type, true)];
    const { data, ...rest } = JSON.parse(extended);
    const { commitment, ...known } = data;
    assertEquals(commitment, ours.commitment.base64);
    assertEquals({ ...rest, data: known }, JSON.parse(without));
    published.push(without);
  }
  await compareWithFile(new URL("descriptions.txt", FOLDER), published.join("\n"));
});

/** Fields without which a message is as published all the same. */
const OPTIONAL = ["file-finish fileHash", "error transferId"];

for (const peer of PEERS) {
  Deno.test(`the reader holds every published field, and ignores unknown ones: ${peer.name}`, () => {
    const all = [...conversation(peer)];
    const { world } = all[0] ?? { world: undefined };
    assert(world !== undefined);
    const key = readSecret(world.peerKeys.secretKey).slice();
    const seal = (inner: object) => {
      const nonce = new Uint8Array(24).fill(1);
      const bytes = new TextEncoder().encode(JSON.stringify(inner));
      const sealed = nacl.box(bytes, nonce, world.publicKey.bytes, key);
      return new Uint8Array([...nonce, ...sealed]).toBase64();
    };
    const reader = readerFor(world, peer.kind);
    const said = all.map(({ sent }) => JSON.parse(reader.read(textOf(sent.frame))));
    /** Reads a frame in the place of one. */
    const read = (index: number, frame: string) => {
      const reader = readerFor(world, peer.kind);
      for (const { sent } of all.slice(0, index)) reader.read(textOf(sent.frame));
      return reader.read(frame);
    };
    for (const [i, { sent: { frame, kind } }] of all.entries()) {
      const outer = JSON.parse(textOf(frame));
      const says = said[i];
      read(i, JSON.stringify({ ...outer, payload: seal({ ...says, more: 1 }), x: {} }));
      for (const name of Object.keys(says)) {
        const { [name]: _, ...less } = says;
        const wrong = [
          { ...says, [name]: {} },
          ...OPTIONAL.includes(`${kind} ${name}`) ? [] : [less],
        ];
        for (const inner of wrong) {
          const bad = JSON.stringify({ ...outer, payload: seal(inner) });
          assertThrows(() => read(i, bad), Violation, undefined, `${kind} ${name}`);
        }
      }
      for (const name of Object.keys(outer)) {
        const { [name]: _, ...less } = outer;
        for (const bad of [{ ...outer, [name]: {} }, less]) {
          const text = JSON.stringify(bad);
          assertThrows(
            () => read(i, text),
            Violation,
            undefined,
            `${kind}, ${name}`,
          );
        }
      }
    }
  });
}

Deno.test("the reader holds the order of messages", () => {
  const [peer] = PEERS;
  assert(peer !== undefined);
  const all = [...conversation(peer)];
  const frames = all.map(({ sent }) => sent);
  const { world } = all[0] ?? { world: undefined };
  assert(world !== undefined);
  const before = (kind: string, skipped: string) => {
    const reader = readerFor(world, "daemon");
    for (const sent of frames) {
      if (sent.kind === kind) return reader.read(textOf(sent.frame));
      if (sent.kind !== skipped) reader.read(textOf(sent.frame));
    }
  };
  for (const kind of ["ping", "file-offer"]) assertThrows(() => before(kind, "hello"), Violation);
  for (const kind of ["file-chunk", "file-finish"]) {
    assertThrows(() => before(kind, "file-offer"), Violation, "without an offer");
  }
  const reader = readerFor(world, "daemon");
  const [hello] = frames;
  reader.read(textOf(hello?.frame));
  assertThrows(() => reader.read(textOf(hello?.frame)), Violation, "a second HELLO");
});
