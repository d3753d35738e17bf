import { assertEquals, assertRejects } from "@std/assert";
import { PayloadError, TransportError } from "../../base/errors.ts";
import { memoryPair } from "../../transport/memory_channel.ts";
import { exchangePayload } from "./exchange_payload.ts";

const { signal } = new AbortController();

Deno.test("both roles succeed over a channel, and the offerer closes it", async () => {
  const { offerer, answerer } = memoryPair();
  await Promise.all([
    exchangePayload("offerer", offerer, signal),
    exchangePayload("answerer", answerer, signal),
  ]);
  assertEquals((await offerer.closed).by, "local");
  await answerer.close();
});

for (const payload of ["bolt-hello-v2", new Uint8Array([0])]) {
  Deno.test(`another payload is refused in both roles, never echoed (${typeof payload})`, async () => {
    const hostileOfferer = memoryPair();
    await hostileOfferer.offerer.send(payload);
    await assertRejects(
      () => exchangePayload("answerer", hostileOfferer.answerer, signal),
      PayloadError,
    );
    await hostileOfferer.answerer.close();
    assertEquals(await hostileOfferer.offerer.receive(), undefined);
    await hostileOfferer.offerer.close();

    const hostileAnswerer = memoryPair();
    const offering = exchangePayload("offerer", hostileAnswerer.offerer, signal);
    await hostileAnswerer.answerer.send(payload);
    await assertRejects(() => offering, PayloadError);
    await hostileAnswerer.offerer.close();
    await hostileAnswerer.answerer.close();
  });
}

Deno.test("a peer that closes or vanishes before the payload fails the exchange", async () => {
  for (const role of ["offerer", "answerer"] as const) {
    const closing = memoryPair();
    const other = role === "offerer" ? "answerer" : "offerer";
    const exchange = exchangePayload(role, closing[role], signal);
    await closing[other].close();
    await assertRejects(() => exchange, TransportError, "before the payload was exchanged");
    await closing[role].close();

    const vanishing = memoryPair();
    const cut = exchangePayload(role, vanishing[role], signal);
    vanishing.lose();
    await assertRejects(() => cut, TransportError, "vanished");
    await Promise.all([vanishing.offerer.close(), vanishing.answerer.close()]);
  }
});

Deno.test("an answerer whose echo is lost with the path fails: it MUST NOT exit 0", async () => {
  const pair = memoryPair();
  await pair.offerer.send("bolt-hello-v1");
  pair.stall();
  const answering = exchangePayload("answerer", pair.answerer, signal);
  pair.lose();
  await assertRejects(() => answering, TransportError, "vanished");
  await Promise.all([pair.offerer.close(), pair.answerer.close()]);
});
