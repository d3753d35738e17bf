import { assert, assertEquals } from "@std/assert";
import type { PeerSession } from "../sessions/peer_session.ts";
import { SessionTransfers } from "./session_transfers.ts";

/** Transfers of a session that says nothing. */
const silent = () =>
  new SessionTransfers({
    sessionId: "session",
    identity: "ab".repeat(32),
    peer: {} as PeerSession,
    onOffer: () => {},
    proven: true,
    acceptsFiles: false,
    onClosing: () => {},
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
