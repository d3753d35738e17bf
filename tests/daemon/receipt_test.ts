/**
 * What a sender tells of a file that it has sent whole: the protocol has no receipt, so the peer's
 * last word is waited for.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import type { TransferEvent } from "../../src/app/daemon/sessions/peer_session.ts";
import type { Channel } from "../../src/transport/channel.ts";
import type { Connector } from "../../src/transport/connector.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon } from "../support/daemon.ts";
import { HandDrivenPeer } from "../support/hand_driven_peer.ts";
import type { EventOf } from "../support/heard_events.ts";
import { overriding } from "../support/overriding.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { someBytes } from "../support/transfers.ts";

type End = EventOf<"transfer-finished" | "transfer-failed">;
type Ended = Extract<TransferEvent, { type: "transfer-ended" }>;

/** What the peer is: a daemon that proves its identity, one that knows no such thing, a browser. */
type PeerKind = "proven" | "published" | "web";

/** What a daemon tells of a file, of which its peer said something when it had all of it. */
async function toldOf(
  lastWord: (peer: HandDrivenPeer, ended: Ended) => void,
  kind: PeerKind = "proven",
  network = new MemoryNetwork(),
) {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network));
  const peer = stack.use(
    kind === "web"
      ? await HandDrivenPeer.meetAsWebClient(
        network,
        stack.use(startRendezvousServer()).url,
        alice,
      )
      : await HandDrivenPeer.meet(network, folder, alice, { proves: kind === "proven" }),
  );
  await peer.befriend(alice);
  peer.onEvent = (event) => {
    if (event.type === "transfer-offered" && !event.file.implied) {
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
  const { state, failure, confirmed } = end.transfer;
  await alice.stop();
  const again = stack.use(await LocalDaemon.start(network, { dataDir: alice.dataDir }));
  const kept = (await again.client.getTransfer(transferId)).confirmed;
  return { state, code: failure?.code, message: failure?.message ?? "", confirmed, kept };
}

const NOTHING = () => {};

Deno.test("a file that the peer has taken to the end is completed, and confirmed when it is proven who it is", async () => {
  const proven = await toldOf(NOTHING);
  assertEquals(proven, {
    state: "completed",
    code: undefined,
    message: "",
    confirmed: true,
    kept: true,
  });
});

Deno.test("an answer in a session that is not proven completes, and confirms nothing: who ends DTLS can let only the question pass", async () => {
  const { state, confirmed, kept } = await toldOf(NOTHING, "published");
  assertEquals([state, confirmed, kept], ["completed", false, false]);
});

Deno.test("a web client answers nothing: its file is completed and not confirmed", async () => {
  const { state, confirmed, kept } = await toldOf(NOTHING, "web");
  assertEquals([state, confirmed, kept], ["completed", false, false]);
});

/** A network with somebody on the way who ends DTLS on both sides, and has no key of theirs. */
class KeepingNetwork extends MemoryNetwork {
  /** Chunks that he has kept. */
  kept = 0;

  override get connector(): Connector {
    const inner = super.connector;
    return overriding(inner, {
      answer: async (offer, options) => {
        const answering = await inner.answer(offer, options);
        const connect = async (signal: AbortSignal) =>
          this.#onTheWay(await answering.connect(signal));
        return overriding(answering, { connect });
      },
    });
  }

  /** Chunks show by their size; the frame behind the last of the two is the finish. */
  #onTheWay(channel: Channel): Channel {
    let isFinishNext = false;
    const send: Channel["send"] = async (message, options) => {
      const isChunk = message.length > 10_000;
      if (isChunk) this.kept++;
      const isKept = isChunk || isFinishNext;
      isFinishNext = isChunk && this.kept === 2;
      if (!isKept) await channel.send(message, options);
    };
    return overriding(channel, { send });
  }
}

Deno.test("somebody on the way who keeps the file of a peer that proves nothing, and lets the question pass, makes it no confirmed one", async () => {
  const network = new KeepingNetwork();
  const taken: Ended[] = [];
  const told = await toldOf((_, ended) => taken.push(ended), "published", network);
  assertEquals([told.state, told.confirmed, network.kept], ["completed", false, 2]);
  assertEquals(taken.map(({ outcome }) => outcome), ["cancelled"], "by the end of the session");
});

Deno.test("a cancel that crossed the last chunk ends the sender's transfer too", async () => {
  const { state, code } = await toldOf((peer, { transferId }) => peer.refuse(transferId));
  assertEquals([state, code], ["cancelled", "CANCELLED_BY_PEER"]);
});

Deno.test("an error that crossed the last chunk is the sender's too", async () => {
  const { state, code } = await toldOf((peer, { transferId }) =>
    peer.refuse(transferId, "LIMIT_EXCEEDED")
  );
  assertEquals([state, code], ["failed", "LIMIT_EXCEEDED"]);
});

Deno.test("a file that the peer finds broken when all was sent has failed for the sender too", async () => {
  const { state, code } = await toldOf((peer) => peer.fail("INTEGRITY_FAILED"));
  assertEquals([state, code], ["failed", "INTEGRITY_FAILED"]);
});

Deno.test("a path that is lost before the peer's last word leaves the transfer interrupted, not completed", async () => {
  const { state, code, message, confirmed } = await toldOf((peer) => peer.path.lose());
  assertEquals([state, code, confirmed], ["interrupted", "CONNECTION_LOST", undefined]);
  assertStringIncludes(message, "all was sent");
});

for (const kind of ["proven", "published"] as const) {
  Deno.test(`a session that is closed in order before the last word of a ${kind} peer leaves the transfer interrupted`, async () => {
    const { state, code, message } = await toldOf((peer) => peer.close(), kind);
    assertEquals([state, code], ["interrupted", "CONNECTION_LOST"]);
    assertStringIncludes(message, "the peer closed the session");
    assertStringIncludes(message, "ask there whether the file has arrived, or send it again");
  });
}

/** A network in which the daemon reads nothing as long as it is held. */
class HeldNetwork extends MemoryNetwork {
  held: Promise<void> | undefined;

  override get connector(): Connector {
    const inner = super.connector;
    return overriding(inner, {
      answer: async (offer, options) => {
        const answering = await inner.answer(offer, options);
        const connect = async (signal: AbortSignal) => {
          const channel = await answering.connect(signal);
          const receive: Channel["receive"] = async (options) => {
            const message = await channel.receive(options);
            await this.held;
            return message;
          };
          return overriding(channel, { receive });
        };
        return overriding(answering, { connect });
      },
    });
  }
}

Deno.test("the next file is offered while the peer's last word about the one before is awaited", async () => {
  await using stack = new AsyncDisposableStack();
  const network = new HeldNetwork();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network));
  const peer = stack.use(await HandDrivenPeer.meet(network, folder, alice));
  await peer.befriend(alice);
  const letGo = Promise.withResolvers<void>();
  const both = Promise.withResolvers<void>();
  const offered: string[] = [];
  peer.onEvent = (event) => {
    if (event.type === "transfer-ended") network.held ??= letGo.promise;
    if (event.type !== "transfer-offered") return;
    offered.push(event.file.filename);
    peer.act((transfers, now) => transfers.accept(event.file.transferId, now));
    if (offered.length === 2) both.resolve();
  };
  const paths = ["first", "second"].map((name) => folder.path(name));
  for (const path of paths) await Deno.writeFile(path, someBytes(1_000));
  const sent = await alice.client.send({ paths, identity: peer.identity, priority: 0 });
  await both.promise;
  const { transferId = "" } = sent[0] ?? {};
  const first = await alice.client.getTransfer(transferId);
  assertEquals([first.state, first.waitingFor], ["active", "confirmation"]);
  letGo.resolve();
  for (const { transferId } of sent) {
    await alice.heard.find(
      "the end of both",
      (event): event is End =>
        event.type === "transfer-finished" && event.transfer.transferId === transferId,
    );
  }
  assertEquals(offered, ["first", "second"]);
});
