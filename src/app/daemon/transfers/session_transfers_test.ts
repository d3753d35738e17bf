import { assert, assertEquals } from "@std/assert";
import { DAEMON_DIALECT } from "../../../protocol/transfer/daemon_dialect.ts";
import type { Dialect } from "../../../protocol/transfer/dialect.ts";
import { WEB_DIALECT } from "../../../protocol/transfer/web_dialect.ts";
import type { PeerSession } from "../sessions/peer_session.ts";
import { SessionTransfers } from "./session_transfers.ts";

/** Transfers of a session that says nothing. */
const transfersOf = (dialect: Dialect) =>
  new SessionTransfers({
    sessionId: "session",
    identity: "ab".repeat(32),
    peer: { dialect } as PeerSession,
    onOffer: () => {},
    proven: true,
    resumes: false,
    onRefused: () => {},
    onEnded: () => {},
    backpressure: () => undefined,
  });

Deno.test("nothing more is read until a file that came whole is kept", async () => {
  const transfers = transfersOf(DAEMON_DIALECT);
  const kept = Promise.withResolvers<void>();
  transfers.keep(kept.promise);
  const waiting = transfers.backpressure();
  assert(waiting !== undefined);
  kept.resolve();
  await waiting;
  assertEquals(transfers.backpressure(), undefined);
});

Deno.test("a web client, which may send its next file at once, is read on", () => {
  const transfers = transfersOf(WEB_DIALECT);
  transfers.keep(new Promise(() => {}));
  assertEquals(transfers.backpressure(), undefined);
});
