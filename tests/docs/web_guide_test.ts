/**
 * What docs/guides/web.md shows is what the daemon takes and sends, and its program gets files to a
 * session and from it: a web application is built from that page alone.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
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

interface Heard {
  readonly type: string;
  readonly chunk?: Uint8Array;
}

interface BoltSession {
  receive(text: string): Heard;
  sendFile(name: string, bytes: Uint8Array): Promise<string>;
}

/** Of a browser's channel what the program uses. */
class PageChannel extends EventTarget {
  bufferedAmount = 0;
  readyState = "open";
  readonly #take: (text: string) => void;

  constructor(take: (text: string) => void) {
    super();
    this.#take = take;
  }

  send(text: string): void {
    if (this.readyState !== "open") throw new Error("the channel is closed");
    this.#take(text);
  }

  /** All of it has gone. */
  drain(): void {
    this.bufferedAmount = 0;
    this.dispatchEvent(new Event("bufferedamountlow"));
  }

  close(): void {
    this.readyState = "closed";
    this.dispatchEvent(new Event("close"));
  }
}

type BoltSessionClass = new (
  channel: PageChannel,
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

/** The page's program in a session that lets it in. */
async function programInSession(folder: TempFolder) {
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
  const toProgram: string[] = [];
  const made = {
    told: [] as SessionEffect[],
    heard: [] as Heard[],
    onOffer: (_: TransferId): void => {},
    perform(effects: readonly SessionEffect[]): void {
      for (const effect of effects) {
        if (effect.type !== "send") made.told.push(effect);
        if (effect.type === "transfer-offered") made.onOffer(effect.file.transferId);
        if (effect.type === "send" && typeof effect.frame === "string") {
          toProgram.push(effect.frame);
        }
      }
    },
    /** The program hears what the session has said. */
    deliver(): void {
      for (const text of toProgram.splice(0)) made.heard.push(program.receive(text));
    },
    chunks: (): number => made.told.filter(({ type }) => type === "transfer-chunk").length,
  };
  made.perform(session.start(0));
  const channel = new PageChannel((text) => made.perform(session.receive(text, 0)));
  const program = new Program(channel, {
    ephemeral: theirs,
    remotePublicKey: ours.publicKey.bytes,
    identityPublicKey: remote.publicKey.bytes,
  });
  made.deliver();
  const { transfers, effects } = session.approve(0);
  made.perform(effects);
  return Object.assign(made, { channel, program, transfers });
}

type ProgramInSession = Awaited<ReturnType<typeof programInSession>>;

/** The program begins a file, and is told to pause at its first chunk, as by the daemon. */
async function pausedAtFirstChunk(
  made: ProgramInSession,
): Promise<{ readonly id: TransferId; readonly sending: Promise<string> }> {
  const paused = Promise.withResolvers<TransferId>();
  made.onOffer = (id) => {
    made.perform(made.transfers.pause(id, 0));
    made.deliver();
    paused.resolve(id);
  };
  const sending = made.program.sendFile("long", seededRandom("long")(200_000));
  const id = await paused.promise;
  assertEquals(made.chunks(), 1);
  return { id, sending };
}

Deno.test("the page's program sends files to a session, gets some from it, and pauses when it is told to", async () => {
  await using folder = await TempFolder.make();
  const made = await programInSession(folder);
  const { program, transfers } = made;
  const files = [1, 65_536, 65_537].map((size) => seededRandom(`file ${size}`)(size));
  for (const file of files) await program.sendFile("a file", file);
  const received = made.told.filter((effect) => effect.type === "transfer-ended");
  assertEquals(received.map(({ outcome }) => outcome), files.map(() => "completed"));

  const { transferId, effects: began } = transfers.offer(
    { filename: "ours", size: 5, fileHash: sha256(toUtf8("hello")).toHex() },
    0,
  );
  made.perform(began);
  made.perform(transfers.sendChunk(transferId, toUtf8("hello"), 0));
  made.deliver();
  assertEquals(made.heard.at(-1)?.chunk, toUtf8("hello"));

  made.told.length = 0;
  const { id, sending } = await pausedAtFirstChunk(made);
  made.perform(transfers.resume(id, 0));
  made.deliver();
  await sending;
  assertEquals(made.chunks(), 4);
});

Deno.test("the page's program sends two files that are asked for at once one after the other, also when the first is declined", async () => {
  await using folder = await TempFolder.make();
  const made = await programInSession(folder);
  const { program, transfers } = made;
  const { id, sending } = await pausedAtFirstChunk(made);
  made.onOffer = () => {};
  const others = [1, 200_000].map((size) =>
    program.sendFile(`of ${size}`, seededRandom(`file ${size}`)(size))
  );
  made.perform(transfers.cancel(id, "declined"));
  made.deliver();
  await assertRejects(() => sending, Error, "long was cancelled");
  await Promise.all(others);
  const received = made.told.filter((effect) => effect.type === "transfer-ended");
  assertEquals(received.map(({ outcome }) => outcome), ["cancelled", "completed", "completed"]);
});

Deno.test("the page's program gives up a file that is declined while it is paused", async () => {
  await using folder = await TempFolder.make();
  const made = await programInSession(folder);
  const { id, sending } = await pausedAtFirstChunk(made);
  made.perform(made.transfers.cancel(id, "declined"));
  made.deliver();
  await assertRejects(() => sending, Error, "long was cancelled");
  assertEquals(made.chunks(), 1);
});

Deno.test("the page's program gives up a file when its channel closes", async () => {
  await using folder = await TempFolder.make();
  const made = await programInSession(folder);
  const { sending } = await pausedAtFirstChunk(made);
  made.channel.close();
  await assertRejects(() => sending, Error, "closed");
});

Deno.test("the page's program waits while its channel has much to send, and hears a pause meanwhile", async () => {
  await using folder = await TempFolder.make();
  const made = await programInSession(folder);
  const begun = Promise.withResolvers<TransferId>();
  made.onOffer = (id) => {
    // The browser takes so much, and refuses what is beyond its bound.
    made.channel.bufferedAmount = 2 ** 24;
    begun.resolve(id);
  };
  const sending = made.program.sendFile("long", seededRandom("long")(200_000));
  const id = await begun.promise;
  assertEquals(made.chunks(), 1);
  made.perform(made.transfers.pause(id, 0));
  made.deliver();
  made.channel.drain();
  await Promise.resolve();
  assertEquals(made.chunks(), 1);
  made.perform(made.transfers.resume(id, 0));
  made.deliver();
  await sending;
  assertEquals(made.chunks(), 4);
});
