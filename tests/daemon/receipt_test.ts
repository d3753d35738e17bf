/**
 * What a sender tells of a file that it has sent whole: the protocol has no receipt, so the peer's
 * last word is waited for.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { TransferEvent } from "../../src/app/daemon/sessions/peer_session.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import type { EventOf } from "../support/heard_events.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { someBytes } from "../support/transfers.ts";

type End = EventOf<"transfer-finished" | "transfer-failed">;
type Ended = Extract<TransferEvent, { type: "transfer-ended" }>;

/** What a daemon tells of a file, of which its peer said something when it had all of it. */
async function toldOf(lastWord: (peer: HandDrivenPeer, ended: Ended) => void) {
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network));
  const peer = stack.use(await HandDrivenPeer.meet(network, folder, alice));
  await peer.befriend(alice);
  peer.onEvent = (event) => {
    if (event.type === "transfer-offered") {
      peer.act((transfers, now) => transfers.accept(event.file.transferId, now));
    }
    if (event.type === "transfer-ended") lastWord(peer, event);
  };
  const path = folder.path("file");
  await Deno.writeFile(path, someBytes(100_000));
  const [sent] = await alice.client.send({ paths: [path], identity: peer.identity, priority: 0 });
  const { transferId = "" } = sent ?? {};
  const end = await alice.heard.find(
    "the end of sending",
    (event): event is End =>
      (event.type === "transfer-finished" || event.type === "transfer-failed") &&
      event.transfer.transferId === transferId,
  );
  const { state, failure } = end.transfer;
  return [state, failure?.code, failure?.message] as const;
}

Deno.test("a file that the peer has taken to the end is completed", async () => {
  assertEquals((await toldOf(() => {})).slice(0, 2), ["completed", undefined]);
});

Deno.test("a cancel that crossed the last chunk ends the sender's transfer too", async () => {
  const cancelled = await toldOf((peer, { transferId }) => peer.refuse(transferId));
  assertEquals(cancelled.slice(0, 2), ["cancelled", "CANCELLED_BY_PEER"]);
});

Deno.test("an error that crossed the last chunk is the sender's too", async () => {
  const failed = await toldOf((peer, { transferId }) => peer.refuse(transferId, "LIMIT_EXCEEDED"));
  assertEquals(failed.slice(0, 2), ["failed", "LIMIT_EXCEEDED"]);
});

Deno.test("a file that the peer finds broken when all was sent has failed for the sender too", async () => {
  const broken = await toldOf((peer) => peer.fail("INTEGRITY_FAILED"));
  assertEquals(broken.slice(0, 2), ["failed", "INTEGRITY_FAILED"]);
});

Deno.test("a path that is lost before the peer's last word leaves the transfer interrupted, not completed", async () => {
  const [state, code, message = ""] = await toldOf((peer) => peer.path.lose());
  assertEquals([state, code], ["interrupted", "CONNECTION_LOST"]);
  assertStringIncludes(message, "all was sent");
});
