/**
 * Rules by which files are accepted unasked, between daemons: what they take, and what they leave to
 * people.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { AutoAcceptRequest } from "../../src/ipc/api/schemas.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import {
  LONG,
  namesIn,
  offerOf,
  Pair,
  someBytes,
  stallAtFirstChunk,
  transferIn,
} from "../support/transfers.ts";

const rule = (pair: Pair, request: Omit<AutoAcceptRequest, "enabled">) =>
  pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true, ...request });

/** Sends a file; resolves when it has arrived. */
async function arrives(pair: Pair, name: string, size = 10): Promise<void> {
  await transferIn(pair.alice, await pair.send(name, someBytes(size)), "completed");
}

/** Sends a file; resolves when it waits for people. What is asked about after it is not decided yet. */
async function waits(pair: Pair, name: string, size = 10): Promise<void> {
  await pair.send(name, someBytes(size));
  const offer = await offerOf(pair.bob, name);
  // Whatever a rule decides is decided before the daemon answers this.
  await pair.bob.client.metrics();
  const { state } = await pair.bob.client.getTransfer(offer.transferId);
  assertEquals(state, "offered");
  await pair.bob.client.rejectTransfer(offer.transferId);
}

Deno.test("files within a rule arrive unasked, people are asked about all others", async () => {
  await using pair = await Pair.make();
  const peer = await rule(pair, { maxSize: 1000, names: "db-*.tar", minFree: 1 });
  assertEquals(peer.acceptRule, { maxSize: 1000, names: "db-*.tar", minFree: 1 });
  await arrives(pair, "db-1.tar", 1000);
  await waits(pair, "db-2.tar", 1001);
  await waits(pair, "db-2.zip");
  await rule(pair, { minFree: Number.MAX_SAFE_INTEGER });
  await waits(pair, "db-3.tar");
  await rule(pair, {});
  await arrives(pair, "any.thing");
  assertEquals(await namesIn(pair.bob.inbox), ["any.thing", "db-1.tar"]);
});

Deno.test("at most so many files a day, a rule that takes its place included; what did not arrive does not count", async () => {
  await using pair = await Pair.make();
  await rule(pair, { perDay: 2 });
  // It is accepted, begins to flow, and is cancelled.
  const long = await pair.send("long", someBytes(LONG));
  await stallAtFirstChunk(pair.network.paths.at(-1));
  await pair.alice.client.cancelTransfer(long.transferId);
  pair.goOn();
  await transferIn(pair.alice, long, "cancelled");
  await arrives(pair, "first");
  await rule(pair, { perDay: 2, names: "*" });
  await arrives(pair, "second");
  await waits(pair, "third");
  assertEquals(await namesIn(pair.bob.inbox), ["first", "second"]);
});

Deno.test("what waits already is taken when auto-accept is turned on, as far as the rule goes", async () => {
  await using pair = await Pair.make();
  const sent = await pair.send("waiting.pdf", someBytes(10));
  const { transferId } = await offerOf(pair.bob, "waiting.pdf");
  await rule(pair, { names: "*.txt" });
  assertEquals((await pair.bob.client.getTransfer(transferId)).state, "offered");
  await rule(pair, { names: "*.pdf" });
  await transferIn(pair.alice, sent, "completed");
  assertEquals(await namesIn(pair.bob.inbox), ["waiting.pdf"]);
});

Deno.test("a rule without auto-accept is refused, and so is one for a peer that is not pinned", async () => {
  await using pair = await Pair.make();
  const { client } = pair.bob;
  const off = await assertRejects(
    () => client.setAutoAccept(pair.toAlice, { enabled: false, perDay: 1 }),
    ApiError,
  );
  assertEquals([off.code, off.violations[0]?.name], ["INVALID_PARAMETERS", "/perDay"]);
  const bad = await assertRejects(
    () => client.setAutoAccept(pair.toAlice, { enabled: true, names: "a/b" }),
    ApiError,
  );
  assertEquals([bad.code, bad.violations[0]?.name], ["INVALID_PARAMETERS", "/names"]);
  await client.untrust(pair.toAlice);
  const unpinned = await assertRejects(() => rule(pair, { perDay: 1 }), ApiError);
  assertEquals(unpinned.code, "PEER_NOT_FOUND");
});

Deno.test("a session that proves nothing is asked about, whatever the rule of the identity that it claims", async () => {
  await using pair = await Pair.make({ alice: ["--extensions", "none"] });
  await rule(pair, { maxSize: 1000 });
  await waits(pair, "claimed");
});
