import { assertEquals, assertMatch } from "@std/assert";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { TransferId } from "../../../protocol/messages/transfer_id.ts";
import type { EndedEffect } from "../../../protocol/transfer/effects.ts";
import { endOf } from "./transfer_end.ts";

const ended = (parts: Partial<EndedEffect>): EndedEffect => ({
  type: "transfer-ended",
  transferId: "0".repeat(32) as TransferId,
  direction: "outgoing",
  outcome: "cancelled",
  by: "remote",
  message: "as the core says it",
  ...parts,
});

const CASES = [
  ["the peer's bare cancel of an offer", "outgoing", {}, false, "rejected", "TRANSFER_REJECTED"],
  ["the peer's bare cancel of what flows", "outgoing", {}, true, "cancelled", "CANCELLED_BY_PEER"],
  ["the sender's bare cancel", "incoming", {}, true, "cancelled", "CANCELLED_BY_PEER"],
  [
    "an offer that nobody answered",
    "incoming",
    { by: "local", reason: "unanswered" },
    true,
    "cancelled",
    "OFFER_EXPIRED",
  ],
  [
    "an offer of ours that nobody answered",
    "outgoing",
    { by: "local", reason: "unanswered" },
    false,
    "cancelled",
    "OFFER_EXPIRED",
  ],
  [
    "an offer that crossed ours",
    "incoming",
    { by: "local", reason: "crossed" },
    true,
    "cancelled",
    "OFFERS_CROSSED",
  ],
  ["an end that we asked for", "outgoing", { by: "local" }, true, "cancelled", undefined],
] as const;

Deno.test("an offer that the broken content of the file before it took with the session is interrupted", () => {
  const error = new ProtocolError("INTEGRITY_FAILED", "the hash differs");
  const broken = ended({ outcome: "failed", error });
  const offered = endOf("outgoing", broken, false, false);
  assertEquals([offered.state, offered.failure?.code], ["interrupted", "CONNECTION_LOST"]);
  const flowing = endOf("outgoing", broken, true, false);
  assertEquals([flowing.state, flowing.failure?.code], ["failed", "INTEGRITY_FAILED"]);
});

for (const [what, direction, parts, started, state, code] of CASES) {
  Deno.test(`${what} ends ${state}, with ${code ?? "no"} reason`, () => {
    const end = endOf(direction, ended(parts), started, false);
    assertEquals([end.state, end.failure?.code], [state, code]);
  });
}

Deno.test("a bare cancel says what it can mean, as it carries no reason", () => {
  const messageOf = (...args: Parameters<typeof endOf>) => endOf(...args).failure?.message ?? "";
  assertMatch(
    messageOf("outgoing", ended({}), false, false),
    /declined.*in time.*stops.*name.*space/,
  );
  assertMatch(
    messageOf("outgoing", ended({}), true, false),
    /cancelled there.*stops.*disk, space, name/,
  );
  assertMatch(
    messageOf("incoming", ended({}), true, false),
    /cancelled there.*stops.*can't read the file/,
  );
});
