/**
 * The operator's limits: the largest file, and how fast bytes may go.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ApiError } from "../../src/ipc/client/client.ts";
import { RATE_BURST_MS } from "../../src/base/timing.ts";

import { someBytes } from "../support/some_bytes.ts";
import { Pair, transferIn } from "../support/transfers.ts";

const RATE = 128 * 1024;
const SIZE = 384 * 1024;
/** A slow machine takes longer, none takes less. */
const LEAST_MS = SIZE * 1000 / RATE - RATE_BURST_MS - 1000;

Deno.test("a file over --max-file-bytes is refused by the sender, and by the receiver, each by its limit", async () => {
  await using pair = await Pair.make({
    alice: ["--max-file-bytes", "200K"],
    bob: ["--max-file-bytes", "100K"],
  });
  await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
  const large = await pair.file("large", someBytes(200 * 1024 + 1));
  const folder = { paths: [large], as: "all.tar", identity: pair.toBob, priority: 0 };
  for (const request of [{ ...folder, as: undefined }, folder]) {
    const { as, ...rest } = request;
    const error = await assertRejects(
      () => pair.alice.client.send(as === undefined ? rest : { ...rest, as }),
      ApiError,
    );
    assertEquals(error.code, "LIMIT_EXCEEDED");
    assertStringIncludes(error.message, "(serve --max-file-bytes)");
  }
  const refused = await pair.send("between", someBytes(100 * 1024 + 1));
  const { failure } = await transferIn(pair.alice, refused, "failed");
  assertEquals(failure?.code, "LIMIT_EXCEEDED");
  assertStringIncludes(String(failure?.message), "102401 bytes in the file, 102400 allowed");
  const taken = await pair.send("as large as may be", someBytes(100 * 1024));
  await transferIn(pair.alice, taken, "completed");
});

Deno.test("--rate-limit holds what is sent and what is received, and a transfer can have its own", async () => {
  const ways: [alice: string[], bob: string[], own: { readonly rateLimit?: number }][] = [
    [["--rate-limit", "128K"], [], {}],
    [[], ["--rate-limit", "128K"], {}],
    [["--rate-limit", "10M"], [], { rateLimit: RATE }],
  ];
  await Promise.all(ways.map(async ([alice, bob, own]) => {
    await using pair = await Pair.make({ alice, bob });
    await pair.bob.client.setAutoAccept(pair.toAlice, { enabled: true });
    const path = await pair.file("slow", someBytes(SIZE));
    const begun = performance.now();
    const [sent] = await pair.alice.client.send({
      paths: [path],
      identity: pair.toBob,
      priority: 0,
      ...own,
    });
    assert(sent !== undefined);
    assertEquals(sent.rateLimit, own.rateLimit);
    await transferIn(pair.bob, {
      transferId: (await transferIn(pair.alice, sent, "completed")).protocolTransferId ?? "",
    }, "completed");
    const took = performance.now() - begun;
    assert(took >= LEAST_MS, `${took} ms`);
  }));
});
