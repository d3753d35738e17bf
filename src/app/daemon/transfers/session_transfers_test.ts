import { assert, assertEquals } from "@std/assert";
import type { PeerSession } from "../sessions/peer_session.ts";
import { MAX_PIPELINED, SessionTransfers, SMALL_FILE_BYTES } from "./session_transfers.ts";

/** Transfers of a session that says nothing. */
const silent = (
  { transfers = { idle: true, peerGaveWay: false }, resumes = false } = {},
) =>
  new SessionTransfers({
    sessionId: "session",
    identity: "ab".repeat(32),
    peer: { transfers } as PeerSession,
    onOffer: () => {},
    proven: true,
    acceptsFiles: false,
    onClosing: () => {},
    resumes,
    onRefused: () => {},
    onEnded: () => {},
    backpressure: () => undefined,
  });

Deno.test("nothing more is read until a file that came whole is kept", async () => {
  const transfers = silent();
  const kept = Promise.withResolvers<void>();
  transfers.keep(kept.promise, 1);
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
  const transfers = silent({ transfers: core });
  const turn = transfers.beginSending();
  core.peerGaveWay = true;
  turn.passOn();
  assertEquals(transfers.isFree, false);
  turn[Symbol.dispose]();
  assertEquals(transfers.isFree, true, "unless it offers now, ours may follow");
  core.idle = false;
  assertEquals(transfers.isFree, false);
});

Deno.test("a few small files may wait for the disk where the answer to a ping waits for them anyway", async () => {
  const transfers = silent({ resumes: true });
  const files = Array.from({ length: MAX_PIPELINED }, () => Promise.withResolvers<void>());
  const last = files.pop();
  for (const { promise } of files) {
    transfers.keep(promise, SMALL_FILE_BYTES);
    assertEquals(transfers.backpressure(), undefined);
  }
  transfers.keep(last?.promise ?? Promise.resolve(), SMALL_FILE_BYTES);
  const waiting = transfers.backpressure();
  assert(waiting !== undefined, "no more than so many");
  files[3]?.resolve();
  await waiting;
  assertEquals(transfers.backpressure(), undefined, "there is room for one more");
  for (const { resolve } of files) resolve();
  last?.resolve();
});

Deno.test("a large file is waited for, whatever small ones are saved meanwhile", async () => {
  const transfers = silent({ resumes: true });
  const [small, large] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  transfers.keep(small.promise, 1);
  transfers.keep(large.promise, SMALL_FILE_BYTES + 1);
  const waiting = transfers.backpressure();
  small.resolve();
  await small.promise;
  assertEquals(transfers.backpressure(), waiting);
  large.resolve();
  await waiting;
  assertEquals(transfers.backpressure(), undefined);
});

Deno.test("more files may wait for the last word of a peer with which they can go on", () => {
  const transfers = silent({ resumes: true });
  const turns = Array.from({ length: MAX_PIPELINED }, () => {
    assertEquals(transfers.isFree, true);
    const turn = transfers.beginSending();
    turn.passOn();
    return turn;
  });
  assertEquals(transfers.isFree, false, "no more than so many");
  turns[0]?.[Symbol.dispose]();
  assertEquals(transfers.isFree, true);
});
