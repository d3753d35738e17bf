/**
 * What docs/guides/web.md shows is what the daemon takes and sends, and its program gets files to a
 * session and from it: a web application is built from that page alone.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import nacl from "tweetnacl";
import { parseClientMessage } from "../../scripts/rendezvous/messages.ts";
import { toUtf8 } from "../../src/protocol/crypto/encoding.ts";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { sha256 } from "../../src/protocol/crypto/sha256.ts";
import type { TransferId } from "../../src/protocol/messages/transfer_id.ts";
import { parseInnerMessage } from "../../src/protocol/messages/inner_message.ts";
import { seededRandom } from "../../src/protocol/testing/seeded_random.ts";
import { RawPeer } from "../../src/protocol/testing/raw_peer.ts";
import { Session } from "../../src/protocol/session/session.ts";
import type { SessionEffect } from "../../src/protocol/session/effects.ts";
import {
  encodeConsentAccepted,
  encodeConsentDeclined,
  encodeConsentRequest,
  parseConsent,
} from "../../src/protocol/signal/web_consent.ts";
import { encodeWebSignal, parseWebSignal } from "../../src/protocol/signal/web_payload.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { blocksOf } from "./page.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/guides/web.md", import.meta.url));
const BLOCKS = blocksOf(PAGE);

function example(name: string): Record<string, unknown> {
  const found = BLOCKS.find(({ words }) => words.join(" ") === `web ${name}`);
  if (found === undefined) throw new Error(`the page has no example called ${name}`);
  return JSON.parse(found.text);
}

Deno.test("the page's signals are such as the server relays, and the daemon takes and sends", () => {
  for (const name of ["register", "request"]) {
    assertEquals(parseClientMessage(JSON.stringify(example(name))).type, example(name).type);
  }
  const asked = parseConsent(example("request").payload);
  assert(asked?.type === "connection_request");
  const shown = { deviceName: "A page", deviceType: "laptop" } as const;
  assertEquals(encodeConsentRequest(asked, shown), example("request").payload);
  const back = { from: asked.to, to: asked.from };
  assertEquals(encodeConsentAccepted(back), example("accepted"));
  assertEquals(encodeConsentDeclined(back), example("declined"));
  for (const name of ["offer", "answer", "candidate"]) {
    assertEquals(encodeWebSignal(parseWebSignal(example(name))), example(name));
  }
});

Deno.test("the page's messages of the channel are such as a session takes", () => {
  const peer = new RawPeer({ peerKind: "web" });
  const seal = (inner: unknown) => peer.seal(toUtf8(JSON.stringify(inner)));
  const frame = (name: string, inner: unknown) =>
    JSON.stringify({ ...example(name), payload: seal(inner) });
  peer.session.start(0);
  peer.session.receive(frame("hello", example("hello-content")), 0);
  assertEquals(peer.session.peer?.capabilities.has("bolt.file-hash"), true);
  peer.session.approve(0);
  const bytes = toUtf8("hello");
  const effects = peer.session.receive(
    frame("envelope", { ...example("chunk"), chunk: peer.seal(bytes) }),
    0,
  );
  const offered = effects.find((effect) => effect.type === "transfer-offered");
  assertEquals(offered?.file.fileHash?.hex, sha256(bytes).toHex());
  assertEquals(effects.at(-1)?.type, "transfer-ended");
  for (const name of ["pause", "resume", "cancel"]) {
    assertEquals(JSON.stringify(parseInnerMessage(example(name))), JSON.stringify(example(name)));
  }
});

interface BoltSession {
  receive(text: string): { readonly type: string; readonly chunk?: Uint8Array };
  sendFile(name: string, bytes: Uint8Array): Promise<string>;
}

type BoltSessionClass = new (
  channel: { send(text: string): void },
  keys: {
    readonly ephemeral: nacl.BoxKeyPair;
    readonly remotePublicKey: Uint8Array;
    readonly identityPublicKey: Uint8Array;
  },
) => BoltSession;

/** The program of the page. */
async function programOf(folder: TempFolder): Promise<BoltSessionClass> {
  const text = BLOCKS.find(({ words }) => words.includes("web-session"))?.text ?? "";
  const file = folder.path("web_session.js");
  const library = import.meta.resolve("tweetnacl");
  await Deno.writeTextFile(file, text.replace('"tweetnacl"', JSON.stringify(library)));
  return (await import(`file://${file}`)).BoltSession;
}

Deno.test("the page's program sends files to a session, gets some from it, and pauses when it is told to", async () => {
  await using folder = await TempFolder.make();
  const Program = await programOf(folder);
  const random = seededRandom("web guide");
  const ours = KeyPair.generate("ephemeral", random);
  const theirs = nacl.box.keyPair();
  const remote = KeyPair.generate("identity", random);
  const session = new Session({
    identity: KeyPair.generate("identity", random).publicKey,
    ephemeral: ours,
    remoteEphemeral: new KeyPair("ephemeral", theirs.secretKey.slice()).publicKey,
    random,
    peerKind: "web",
  });
  const told: SessionEffect[] = [];
  const heard: ReturnType<BoltSession["receive"]>[] = [];
  const toProgram: string[] = [];
  let onOffer: (id: TransferId) => void = () => {};
  const perform = (effects: readonly SessionEffect[]) => {
    for (const effect of effects) {
      if (effect.type !== "send") told.push(effect);
      if (effect.type === "transfer-offered") onOffer(effect.file.transferId);
      if (effect.type === "send" && typeof effect.frame === "string") toProgram.push(effect.frame);
    }
  };
  perform(session.start(0));
  const program = new Program({ send: (text) => perform(session.receive(text, 0)) }, {
    ephemeral: theirs,
    remotePublicKey: ours.publicKey.bytes,
    identityPublicKey: remote.publicKey.bytes,
  });
  const deliver = () => {
    for (const text of toProgram.splice(0)) heard.push(program.receive(text));
  };
  deliver();
  const { transfers, effects } = session.approve(0);
  perform(effects);

  const files = [1, 65_536, 65_537].map((size) => seededRandom(`file ${size}`)(size));
  for (const file of files) await program.sendFile("a file", file);
  const received = told.filter((effect) => effect.type === "transfer-ended");
  assertEquals(received.map(({ outcome }) => outcome), files.map(() => "completed"));

  const { transferId, effects: began } = transfers.offer(
    { filename: "ours", size: 5, fileHash: sha256(toUtf8("hello")).toHex() },
    0,
  );
  perform(began);
  perform(transfers.sendChunk(transferId, toUtf8("hello"), 0));
  deliver();
  assertEquals(heard.at(-1)?.chunk, toUtf8("hello"));

  // Paused at its first chunk, as the daemon does until somebody has decided.
  told.length = 0;
  const paused = Promise.withResolvers<TransferId>();
  onOffer = (id) => {
    perform(transfers.pause(id, 0));
    deliver();
    paused.resolve(id);
  };
  const sending = program.sendFile("long", seededRandom("long")(200_000));
  const long = await paused.promise;
  const chunks = () => told.filter(({ type }) => type === "transfer-chunk").length;
  assertEquals(chunks(), 1);
  perform(transfers.resume(long, 0));
  deliver();
  await sending;
  assertEquals(chunks(), 4);
});
