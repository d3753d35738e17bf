import { assert, assertEquals } from "@std/assert";
import type { PeerSession } from "../sessions/peer_session.ts";
import { SessionTransfers } from "./session_transfers.ts";

/** Transfers of a session that says nothing. */
const silent = (transfers = { idle: true, peerGaveWay: false }) =>
  new SessionTransfers({
    sessionId: "session",
    identity: "ab".repeat(32),
    peer: { transfers } as PeerSession,
    onOffer: () => {},
    proven: true,
    acceptsFiles: false,
    onClosing: () => {},
    resumes: false,
    onRefused: () => {},
    onEnded: () => {},
    backpressure: () => undefined,
  });

Deno.test("nothing more is read until a file that came whole is kept", async () => {
  const transfers = silent();
  const kept = Promise.withResolvers<void>();
  transfers.keep(kept.promise);
  const waiting = transfers.backpressure();
  assert(waiting !== undefined);
  kept.resolve();
  await waiting;
  assertEquals(transfers.backpressure(), undefined);
});

Deno.test("a file that was sent whole lets one more begin, and no third before a last word has come", () => {
  const transfers = silent();
  assertEquals(transfers.isFree, true);
  const first = transfers.beginSending();
  assertEquals(transfers.isFree, false, "it is under way");
  first.passOn();
  assertEquals(transfers.isFree, true);
  const second = transfers.beginSending();
  assertEquals(transfers.isFree, false);
  second.passOn();
  assertEquals(transfers.isFree, false, "two are not confirmed");
  first[Symbol.dispose]();
  assertEquals(transfers.isFree, true);
  first[Symbol.dispose]();
  second[Symbol.dispose]();
  assertEquals(transfers.isFree, true);
});

Deno.test("a peer that gave way to our offer has its turn when that file is confirmed", () => {
  const core = { idle: true, peerGaveWay: false };
  const transfers = silent(core);
  const turn = transfers.beginSending();
  core.peerGaveWay = true;
  turn.passOn();
  assertEquals(transfers.isFree, false);
  turn[Symbol.dispose]();
  assertEquals(transfers.isFree, true, "unless it offers now, ours may follow");
  core.idle = false;
  assertEquals(transfers.isFree, false);
});
