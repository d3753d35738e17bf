/**
 * The codes that the table of operations lists are those that the daemon refuses with: each is
 * provoked, through the API of daemons with everything real but the connection.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import {
  OPERATION_NAMES,
  type OperationName,
  OPERATIONS,
  type OperationSpec,
} from "../../src/ipc/api/operations.ts";
import type { LinkRequest } from "../../src/ipc/api/schemas.ts";
import { MAX_KEPT_LINKS } from "../../src/storage/link_file.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meeting,
  meetingByFile,
  pairDaemons,
  pairingOf,
} from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { Pair, someBytes } from "../support/transfers.ts";

const NOBODY = "ab".repeat(32);
const NOTHING = "cd".repeat(16);

/** Codes by operation, in the order in which they came. */
class Refusals {
  readonly #codes = new Map<OperationName, Set<string>>();

  /** The code with which a call is refused; kept for its operation. */
  async of(name: OperationName, call: () => Promise<unknown>): Promise<string> {
    const { code } = await assertRejects(call, ApiError, undefined, name);
    this.#codes.set(name, (this.#codes.get(name) ?? new Set()).add(code));
    return code;
  }

  /** What came, for each operation. */
  get byOperation(): Record<string, string[]> {
    return Object.fromEntries(
      OPERATION_NAMES.map((name) => [name, [...this.#codes.get(name) ?? []].toSorted()]),
    );
  }
}

/** What is refused because what it names is not there. */
async function provokeAbsent(refusals: Refusals, { client }: DaemonUnderTest): Promise<void> {
  await refusals.of("getSession", () => client.getSession("none"));
  await refusals.of("closeSession", () => client.closeSession("none"));
  await refusals.of("getPeer", () => client.getPeer(NOBODY));
  await refusals.of("trust", () => client.trust(NOBODY, { decision: "allow_always" }));
  await refusals.of("untrust", () => client.untrust(NOBODY));
  await refusals.of("setAutoAccept", () => client.setAutoAccept(NOBODY, { enabled: true }));
  await refusals.of("getPairing", () => client.getPairing("none"));
  await refusals.of("decidePairing", () => client.decidePairing("none", { decision: "deny_once" }));
  await refusals.of("listTransfers", () => client.listTransfers({ cursor: "none" }));
  await refusals.of("getTransfer", () => client.getTransfer(NOTHING));
  for (const name of TRANSFER_ACTIONS) await refusals.of(name, () => client[name](NOTHING));
  for (const name of LINK_ACTIONS) await refusals.of(name, () => client[name]("nobody"));
}

const LINK_ACTIONS = ["getLink", "removeLink", "pauseLink", "resumeLink"] as const;
const TRANSFER_ACTIONS = [
  "acceptTransfer",
  "rejectTransfer",
  "cancelTransfer",
  "pauseTransfer",
  "resumeTransfer",
] as const;

async function provokeInTransfers(refusals: Refusals): Promise<void> {
  await using pair = await Pair.make();
  const { client } = pair.alice;
  const fine = await pair.file("fine", someBytes(1));
  const huge = await pair.file("huge", someBytes(1));
  await Deno.truncate(huge, 10 * 1024 ** 3 + 1); // without blocks on the disk
  const sends = [
    { paths: [fine], sessionId: "none" },
    { paths: [fine], identity: NOBODY },
    { paths: [pair.folder.path("absent")], identity: pair.toBob },
    { paths: [huge], identity: pair.toBob },
  ];
  for (const request of sends) await refusals.of("send", () => client.send(request));
  await client.send({ paths: [fine], identity: pair.toBob });
  const { transfer: { transferId } } = await pair.bob.event(
    "transfer-offered",
    ({ transfer }) => transfer.direction === "incoming",
  );
  const bob = pair.bob.client;
  await refusals.of("acceptTransfer", () => bob.acceptTransfer(transferId, { name: " " }));
  await bob.rejectTransfer(transferId);
  for (const name of TRANSFER_ACTIONS) await refusals.of(name, () => bob[name](transferId));
}

async function provokeInPairing(refusals: Refusals): Promise<void> {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network);
  await using mallory = await LocalDaemon.start(network, { flags: ["--max-peers", "1"] });
  const { client } = alice;
  const replaces = await (async () => {
    await using bob = await LocalDaemon.start(network);
    const { alice: session } = await pairDaemons(server.url, alice, bob);
    await bob.stop();
    await closedSession(alice, session);
    return session.identity ?? "";
  })();
  const offering = await alice.pair(meeting(server.url).offerer);
  await mallory.pair(meeting(server.url).answerer);
  const { presented } = await alice.event("key-mismatch");
  await refusals.of("trust", () => client.trust(presented, { decision: "allow_always" }));
  const { sas } = await client.getSession(offering.sessionId);
  const wrong = { sas: sas === "000000" ? "111111" : "000000" };

  const asking = meetingByFile(folder);
  const session = await alice.pair(asking.offerer);
  await using carol = await LocalDaemon.start(network, { flags: ["--max-peers", "1"] });
  await carol.pair(asking.answerer);
  await refusals.of("pair", () => carol.pair(asking.answerer));
  const expectIdentity = (await carol.client.status()).identity;
  await refusals.of("pair", () => carol.pair({ ...asking.answerer, expectIdentity }));
  const { pairingId } = await pairingOf(alice, session);
  const say = () => client.decidePairing(pairingId, { decision: "allow_once", ...wrong });
  await refusals.of("decidePairing", say);
  const replace = () => client.trust(presented, { decision: "allow_always", replaces, ...wrong });
  while (await refusals.of("trust", replace) !== "SAS_ATTEMPTS_EXHAUSTED");
  await refusals.of("decidePairing", say);
  await client.decidePairing(pairingId, { decision: "deny_once" });
  await refusals.of("decidePairing", say);
}

/** What is refused because a peer has proven nothing, or another has its name. */
async function provokeUnproven(refusals: Refusals): Promise<void> {
  await using folder = await TempFolder.make();
  const network = new MemoryNetwork();
  await using bob = await LocalDaemon.start(network);
  await using peer = await HandDrivenPeer.meet(network, folder, bob, { proves: false });
  const { pairing: { pairingId } } = await bob.event("pairing-requested");
  const { client } = bob;
  const decision = "allow_always";
  await refusals.of("decidePairing", () => client.decidePairing(pairingId, { decision }));
  await refusals.of("trust", () => client.trust(peer.identity, { decision }));
  await client.trust(NOBODY, { decision, name: "bob" });
  await refusals.of("trust", () => client.trust(peer.identity, { decision, name: "bob" }));
}

/** The n-th link, to a server that nobody is. */
function linkNumber(n: number): LinkRequest {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => i === 0 ? n : 7);
  return {
    ...{ name: `link ${n}`, identity: bytes.toHex(), role: "offerer", to: "bob", peerId: "alice" },
    ...{ rendezvousUrl: "ws://127.0.0.1:1/", room: "r", session: "s" },
  };
}

/** What is refused of links; one stands in a file. */
async function provokeInLinks(refusals: Refusals): Promise<void> {
  await using folder = await TempFolder.make();
  const links = folder.path("links.json");
  await Deno.writeTextFile(links, JSON.stringify({ version: 1, links: [linkNumber(0)] }));
  const dataDir = folder.path("data");
  const network = new MemoryNetwork();
  await using alice = await LocalDaemon.start(network, { dataDir, flags: ["--links", links] });
  const { client } = alice;
  await refusals.of("removeLink", () => client.removeLink("link 0"));
  await refusals.of("addLink", () => client.addLink(linkNumber(1)));
  await refusals.of("addLink", () => client.addLink(linkNumber(0)));
  for (let n = 1; n <= MAX_KEPT_LINKS; n++) {
    const link = linkNumber(n);
    await client.trust(link.identity, { decision: "allow_always", name: link.name });
    const add = () => client.addLink(link);
    if (n < MAX_KEPT_LINKS) await add();
    else await refusals.of("addLink", add);
  }
  await Deno.rename(join(dataDir, "pins"), join(dataDir, "away"));
  for (const name of ["pauseLink", "resumeLink", "removeLink"] as const) {
    await refusals.of(name, () => client[name]("link 1"));
  }
  await Deno.rename(join(dataDir, "away"), join(dataDir, "pins"));
  await client.removeLink("link 1");
  await Deno.rename(join(dataDir, "pins"), join(dataDir, "away"));
  await refusals.of("addLink", () => client.addLink(linkNumber(MAX_KEPT_LINKS)));
}

/** What is refused because it can't be kept on disk. */
async function provokeUnkept(refusals: Refusals): Promise<void> {
  await using pair = await Pair.make();
  await using carol = await LocalDaemon.start(pair.network);
  const { offerer, answerer } = meetingByFile(pair.folder);
  await carol.pair(offerer);
  const { pairingId } = await pairingOf(pair.bob, await pair.bob.pair(answerer));
  await Deno.rename(join(pair.bob.dataDir, "pins"), join(pair.bob.dataDir, "away"));
  const { client } = pair.bob;
  const decision = "allow_always";
  await refusals.of("decidePairing", () => client.decidePairing(pairingId, { decision }));
  await refusals.of("trust", () => client.trust(pair.toAlice, { decision: "deny_always" }));
  await refusals.of("setAutoAccept", () => client.setAutoAccept(pair.toAlice, { enabled: true }));
  await refusals.of("untrust", () => client.untrust(pair.toAlice));
}

/** What is refused because what was kept can't be read. */
async function provokeUnreadable(refusals: Refusals): Promise<void> {
  await using folder = await TempFolder.make();
  const received = folder.path("data", "received");
  await Deno.mkdir(received, { recursive: true, mode: 0o700 });
  const write = (number: number, text: string) =>
    Deno.writeTextFile(join(received, `${number}.json`), text, { mode: 0o600 });
  const file = {
    ...{ transferId: NOTHING, peer: NOBODY, displayName: "x", path: "/x", size: 1, hash: NOBODY },
    ...{ offeredAt: 1, arrivedAt: 1 },
  };
  const files = [{ id: "aaaaaaaa-2", ...file }];
  await write(1, "damaged");
  await write(2, JSON.stringify({ version: 1, before: "aaaaaaaa-1", files }));
  const options = { dataDir: folder.path("data") };
  await using daemon = await LocalDaemon.start(new MemoryNetwork(), options);
  await refusals.of("listReceived", () => daemon.client.listReceived());
}

/** What is refused of requests with a key. */
async function provokeKeyed(refusals: Refusals): Promise<void> {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  const path = folder.path("fine");
  await Deno.writeFile(path, someBytes(1));
  const link = linkNumber(1);
  const request = { paths: [path], identity: link.identity, idempotencyKey: "1" };
  {
    await using daemon = await LocalDaemon.start(new MemoryNetwork(), { dataDir });
    const { client } = daemon;
    await client.trust(link.identity, { decision: "allow_always", name: link.name });
    await client.addLink(link);
    await client.send(request);
    await refusals.of("send", () => client.send({ ...request, priority: 1 }));
    await daemon.stop();
  }
  await Deno.remove(join(dataDir, "journal.ndjson"));
  await using daemon = await LocalDaemon.start(new MemoryNetwork(), { dataDir });
  await refusals.of("send", () => daemon.client.send(request));
  await Deno.remove(join(dataDir, "requests.json"));
  await Deno.mkdir(join(dataDir, "requests.json"));
  await refusals.of("send", () => daemon.client.send({ ...request, idempotencyKey: "2" }));
}

Deno.test("each operation is refused with the codes that its entry in the table lists, and no others", async () => {
  const refusals = new Refusals();
  await using alone = await LocalDaemon.start(new MemoryNetwork());
  await provokeAbsent(refusals, alone);
  await provokeInTransfers(refusals);
  await provokeInPairing(refusals);
  await provokeUnproven(refusals);
  await provokeInLinks(refusals);
  await provokeUnkept(refusals);
  await provokeUnreadable(refusals);
  await provokeKeyed(refusals);
  const listed = OPERATION_NAMES.map((name) => {
    const { codes = [] }: OperationSpec = OPERATIONS[name];
    return [name, [...codes].toSorted()];
  });
  assertEquals(refusals.byOperation, Object.fromEntries(listed));
});
