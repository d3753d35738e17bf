/**
 * Daemons and peers that know nothing of our extensions: what the daemon says to them is what is
 * published, and files go both ways as before.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { EXTENSIONS } from "../../src/protocol/extensions.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import {
  closedSession,
  LocalDaemon,
  meetingByFile,
  pairBy,
  ServedDaemon,
} from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf, sha256, someBytes, transferIn } from "../support/transfers.ts";
import { PublishedReader } from "../wire/published_reader.ts";
import { readSessionSignal } from "../wire/published_signals.ts";

const BYTES = someBytes(100_000);

/** What of ours was in the signal, and in HELLO. */
interface Added {
  readonly fields: readonly string[];
  readonly capabilities: readonly string[];
}

/** A published peer gets a file from a daemon and sends it one; gives what it was told beyond. */
async function exchange(kind: "daemon" | "web", flags: readonly string[]): Promise<Added> {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network, { flags }));
  const peer = stack.use(
    kind === "daemon"
      ? await HandDrivenPeer.meet(network, folder, alice, { proves: false })
      : await HandDrivenPeer.meetAsWebClient(
        network,
        stack.use(startRendezvousServer()).url,
        alice,
      ),
  );
  await peer.befriend(alice);
  const [session] = await alice.client.listSessions();
  assertEquals(session?.proven, false);

  const path = folder.path("ours.bin");
  await Deno.writeFile(path, BYTES);
  const [sent] = await alice.client.send({ paths: [path], identity: peer.identity, priority: 0 });
  const { file } = await peer.event("transfer-offered");
  if (!file.implied) peer.act((transfers, now) => transfers.accept(file.transferId, now));
  await peer.event("transfer-started"); // that of the daemon's file
  const { transferId = "" } = sent ?? {};
  assertEquals((await transferIn(alice, { transferId }, "completed")).confirmed, false);

  const theirs = { filename: "theirs.bin", size: BYTES.length, fileHash: sha256(BYTES) };
  const id = peer.offer(theirs);
  let at = 0;
  const next = (length: number) => BYTES.subarray(at, at += length);
  if (kind === "web") peer.sendChunk(id, next);
  const offer = await offerOf(alice, "theirs.bin");
  await alice.client.acceptTransfer(offer.transferId, {});
  if (kind === "daemon") await peer.event("transfer-started");
  else await peer.event("transfer-resumed");
  for (let chunks = 0; chunks < BYTES.length / 16_384; chunks++) peer.sendChunk(id, next);
  const { path: saved = "" } = await transferIn(alice, offer, "completed");
  assertEquals(await Deno.readFile(saved), BYTES);
  const { sessionId = "" } = session ?? {};
  await alice.client.closeSession(sessionId);
  await peer.ended;

  readSessionSignal(peer.signal, kind === "daemon" ? "answer" : "offer");
  const reader = new PublishedReader({ ...peer.keys, kind, offered: [id] });
  const said = peer.heard.map((message) => JSON.parse(reader.read(message)));
  assertEquals([...reader.received.values()], [BYTES]);
  const { data } = JSON.parse(JSON.stringify(peer.signal));
  const published = ["offer", "answer", "publicKey", "peerCode", "deviceName"];
  const [hello] = said;
  assertEquals(
    Object.keys(hello),
    ["type", "version", "identityPublicKey", "capabilities"],
    "nothing is revealed or proven to who did not commit",
  );
  assertEquals(Object.keys(JSON.parse(String(peer.heard[0]))), ["type", "payload"]);
  return {
    fields: Object.keys(data).filter((name) => !published.includes(name)),
    capabilities: hello.capabilities.filter((name: string) => !name.startsWith("bolt.")),
  };
}

for (const kind of ["daemon", "web"] as const) {
  Deno.test(`a published ${kind} peer gets one field and our capabilities more, and files go both ways`, async () => {
    // A web client's files come without offers, which the binary encoding needs.
    const capabilities = kind === "daemon"
      ? Object.values(EXTENSIONS)
      : [EXTENSIONS["proven-identity"]];
    assertEquals(await exchange(kind, []), { fields: ["commitment"], capabilities });
  });

  Deno.test(`with --extensions none a published ${kind} peer gets nothing of ours`, async () => {
    const flags = ["--extensions", "none"];
    assertEquals(await exchange(kind, flags), { fields: [], capabilities: [] });
  });
}

Deno.test("a daemon without extensions and one with them get along as published, not proven", async () => {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network, { flags: ["--extensions", "none"] }));
  const bob = stack.use(await LocalDaemon.start(network));
  const sessions = await pairBy(meetingByFile(folder), alice, bob);
  assertEquals([sessions.alice.proven, sessions.bob.proven], [false, false]);
  assertEquals(sessions.alice.sas, sessions.bob.sas);
});

Deno.test("--extensions none: peers that were proven are refused, and the start says so", async () => {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const data = stack.use(await TempFolder.make());
  const dataDir = data.path("alice");
  const flags = ["--extensions", "none"];
  const bob = stack.use(await LocalDaemon.start(network));
  {
    await using alice = await LocalDaemon.start(network, { dataDir });
    const sessions = await pairBy(meetingByFile(folder), alice, bob);
    assertEquals(sessions.alice.proven, true);
  }
  {
    await using alice = await LocalDaemon.start(network, { dataDir, flags });
    const { offerer, answerer } = meetingByFile(folder);
    const [forAlice, forBob] = [await alice.pair(offerer), await bob.pair(answerer)];
    // HELLO is the first message of both, so each refuses the other before it hears of that.
    for (const [daemon, session] of [[alice, forAlice], [bob, forBob]] as const) {
      const { state, failure } = await closedSession(daemon, session);
      assertEquals([state, failure?.code], ["failed", "IDENTITY_REFUSED"]);
    }
  }
  await using alice = await ServedDaemon.start({ dataDir, flags });
  await alice.stop();
  const { stderr } = await alice.run.outcome();
  const warning = stderr.split("\n").find((line) => line.includes("no identity is proven"));
  assert(warning !== undefined, stderr);
  const { identity } = await bob.client.status();
  assertStringIncludes(warning, `refused=${identity.slice(0, 8)}`);
  assertStringIncludes(warning, "count=1");
});
