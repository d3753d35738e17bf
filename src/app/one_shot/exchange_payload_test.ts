import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Deadline } from "../../base/deadline.ts";
import { DeadlineError, PayloadError, TransportError } from "../../base/errors.ts";
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

const GREETING = "bolt-hello-v1";
const binary = (text: string) => new TextEncoder().encode(text);

for (const greeting of [GREETING, binary(GREETING)]) {
  Deno.test(`the payload is taken in both roles (${typeof greeting})`, async () => {
    const { offerer, answerer } = memoryPair();
    const offering = exchangePayload("offerer", offerer, signal);
    assertEquals(await answerer.receive(), binary(GREETING));
    await answerer.send(greeting);
    await offering;
    await answerer.close();

    const other = memoryPair();
    const answering = exchangePayload("answerer", other.answerer, signal);
    await other.offerer.send(greeting);
    assertEquals(await other.offerer.receive(), binary(GREETING));
    await other.offerer.close();
    await answering;
    await other.answerer.close();
  });
}

const OTHERS = ["bolt-hello-v2", `${GREETING}\n`, `${GREETING} and more`, GREETING.slice(1)];
for (const payload of [...OTHERS, ...OTHERS.map(binary), new Uint8Array([0])]) {
  Deno.test(`another payload is refused in both roles, never echoed (${typeof payload} ${JSON.stringify(String(payload))})`, async () => {
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
  await pair.offerer.send(GREETING);
  pair.stall();
  const answering = exchangePayload("answerer", pair.answerer, signal);
  pair.lose();
  await assertRejects(() => answering, TransportError, "vanished");
  await Promise.all([pair.offerer.close(), pair.answerer.close()]);
});

Deno.test("an answerer whose offerer closes without acknowledging the echo fails", async () => {
  const { offerer, answerer } = memoryPair({ acknowledge: "reading" });
  await offerer.send(GREETING);
  const answering = exchangePayload("answerer", answerer, signal);
  await offerer.close({ graceful: false });
  const error = await assertRejects(() => answering, TransportError, "before it acknowledged");
  assertEquals(error.code, "CHANNEL_CLOSED");
  await answerer.close();
});

Deno.test("an answerer waits for the acknowledgement until the phase's deadline, and then fails", async () => {
  const pair = memoryPair({ acknowledge: "reading" });
  await pair.offerer.send(GREETING);
  using phase = new Deadline(20, { what: "the payload exchange" });
  const error = await assertRejects(
    () => exchangePayload("answerer", pair.answerer, phase.signal),
    DeadlineError,
    "phase timeout expired",
  );
  assertStringIncludes(error.message, "has not acknowledged the echo");
  await Promise.all([pair.offerer, pair.answerer].map((end) => end.close({ graceful: false })));
});

Deno.test("an offerer that has the echo has succeeded, whatever becomes of the close", async () => {
  const { offerer, answerer } = memoryPair({ acknowledge: "reading" });
  await answerer.send(GREETING);
  using phase = new Deadline(20, { what: "the payload exchange" });
  await exchangePayload("offerer", offerer, phase.signal); // its greeting is never read
  assertEquals((await offerer.closed).by, "local");
  await answerer.close({ graceful: false });
});
