/**
 * Files that an earlier run left, or that are replaced before the channel opens, cost a session an
 * attempt and not the session: both roles.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Deadline } from "../../src/base/deadline.ts";
import type { PairRequest, SessionView } from "../../src/ipc/api/schemas.ts";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { parseJsonObject } from "../../src/protocol/json.ts";
import type { SdpType } from "../../src/protocol/signal/bundle.ts";
import {
  encodeWebSignal,
  parseWebSignal,
  type WebDescription,
} from "../../src/protocol/signal/web_payload.ts";
import { publishSignalFile } from "../../src/signaling/file/signal_file.ts";
import { SignalFileWatcher } from "../../src/signaling/file/signal_file_watcher.ts";
import { MemoryNetwork } from "../../src/transport/memory_connector.ts";
import { connector } from "../../src/transport/webrtc/connector.ts";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meetingByFile,
  openedSession,
  pairingOf,
} from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** How long a file may take to come on a slow machine. */
const FILE_MS = 30_000;
const { signal } = new AbortController();

/** Both requests and the paths that they share. */
function filesIn(folder: TempFolder) {
  const { offerer, answerer } = meetingByFile(folder);
  if (offerer.signal !== "file" || answerer.signal !== "file") throw new Error("unreachable");
  return { offerer, answerer, offer: offerer.offer, answer: offerer.answer };
}

/** The descriptions that come to a path, one after the other. */
function descriptionsAt(path: string, kind: SdpType): () => Promise<WebDescription> {
  const parse = (text: string) => {
    const found = parseWebSignal(parseJsonObject(text));
    assert(found.type === kind);
    return found;
  };
  const watcher = new SignalFileWatcher({ path, kind, parse });
  let previous: string | undefined;
  return async () => {
    using deadline = new Deadline(FILE_MS, { what: `the next ${kind}` });
    const { signal } = deadline;
    const found = await watcher.next({ signal, ...previous === undefined ? {} : { previous } });
    previous = found.text;
    return found.value;
  };
}

/** Leaves the offer of a session that ended before anybody answered. */
async function leaveOffer(daemon: DaemonUnderTest, request: PairRequest, offer: string) {
  const session = await daemon.pair(request);
  await descriptionsAt(offer, "offer")();
  await daemon.client.closeSession(session.sessionId);
  await closedSession(daemon, session);
}

/** Both people say yes to one SAS. */
async function open(sessions: readonly (readonly [DaemonUnderTest, SessionView])[]): Promise<void> {
  const pairings = await Promise.all(sessions.map(([daemon, session]) =>
    Promise.race([
      pairingOf(daemon, session),
      closedSession(daemon, session).then(({ failure }): never => {
        throw new Error(`the session failed: ${failure?.code} ${failure?.message}`);
      }),
    ])
  ));
  assertEquals(pairings[0]?.sas, pairings[1]?.sas);
  for (const [i, [daemon]] of sessions.entries()) {
    const { pairingId = "" } = pairings[i] ?? {};
    await daemon.client.decidePairing(pairingId, { decision: "allow_once" });
  }
  for (const [daemon, session] of sessions) await openedSession(daemon, session);
}

for (const [by, network] of [["memory", new MemoryNetwork()], ["WebRTC", { connector }]] as const) {
  Deno.test(`by ${by}, an answerer that comes first and finds the offer of an earlier run connects to the offerer that comes`, async () => {
    await using folder = await TempFolder.make();
    await using alice = await LocalDaemon.start(network);
    await using bob = await LocalDaemon.start(network);
    const { offerer, answerer, offer, answer } = filesIn(folder);
    await leaveOffer(alice, offerer, offer);
    const answers = descriptionsAt(answer, "answer");
    const answering = await bob.pair(answerer);
    const toTheStaleOffer = await answers();
    const offering = await alice.pair(offerer);
    const toTheNewOffer = await answers();
    await open([[alice, offering], [bob, answering]]);
    // What a description was answered with is known to whoever read it: no other is.
    assertNotEquals(toTheNewOffer.publicKey.hex, toTheStaleOffer.publicKey.hex);
  });

  Deno.test(`by ${by}, an offerer that reads the answer of an earlier run offers again when the answerer comes`, async () => {
    await using folder = await TempFolder.make();
    await using alice = await LocalDaemon.start(network);
    await using bob = await LocalDaemon.start(network);
    const { offerer, answerer, offer, answer } = filesIn(folder);
    const stale = await staleAnswer(network);
    const offers = descriptionsAt(offer, "offer");
    const offering = await alice.pair(offerer);
    const first = await offers();
    await publishSignalFile(answer, "answer", stale, { signal });
    await connecting(alice, offering);
    const answering = await bob.pair(answerer);
    const second = await offers();
    await open([[alice, offering], [bob, answering]]);
    assertNotEquals(first.publicKey.hex, second.publicKey.hex);
  });
}

/** An answer to an offer that nobody waits with any more. */
async function staleAnswer({ connector }: Pick<MemoryNetwork, "connector">): Promise<string> {
  await using offering = await connector.offer({ scope: "lan", signal });
  await using answering = await connector.answer(offering.offer, { scope: "lan", signal });
  const ephemeral = KeyPair.generate("ephemeral", (n) => crypto.getRandomValues(new Uint8Array(n)));
  return JSON.stringify(encodeWebSignal({
    type: "answer",
    sdp: answering.answer.description.sdp,
    publicKey: ephemeral.publicKey,
    peerCode: "eve",
    from: "eve",
    to: "alice",
  }));
}

/** Resolves when the session has what it needs of the peer and makes the connection. */
async function connecting(daemon: DaemonUnderTest, { sessionId }: SessionView): Promise<void> {
  for (;;) {
    const { state } = await daemon.client.getSession(sessionId);
    if (state !== "signaling") return assertEquals(state, "connecting");
  }
}
