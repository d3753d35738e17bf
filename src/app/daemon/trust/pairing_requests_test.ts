import { assertEquals, assertRejects } from "@std/assert";
import { PAIRING_DECISION_MS } from "../../../base/timing.ts";
import { OperationError } from "../../../ipc/api/problem.ts";
import { HandClock, MemoryEvents } from "../../testing/fixtures.ts";
import { PairingRequests } from "./pairing_requests.ts";
import { MAX_WRONG_IN_WINDOW, MAX_WRONG_PER_REQUEST } from "./sas_attempts.ts";

const never = new Promise<never>(() => {});

function pairings() {
  const clock = new HandClock();
  const events = new MemoryEvents();
  const made = new PairingRequests({ events, now: clock.now, after: clock.after });
  const keep = () => Promise.resolve();
  const ask = (n = 1, ended: Promise<unknown> = never, proven = true) =>
    made.ask(
      {
        sessionId: `session-${n}`,
        identity: "ab".repeat(32),
        deviceName: "phone\u202e",
        proven,
        sas: "A1B2C3",
      },
      ended,
      { keep },
    ).then(({ outcome }) => outcome);
  /** Id of the newest request. */
  const latest = () => made.pending().at(-1)?.pairingId ?? "";
  return { clock, events, pairings: made, ask, latest };
}

async function refusal(call: () => unknown): Promise<string> {
  return (await assertRejects(async () => await call(), OperationError)).code;
}

for (const decision of ["allow_once", "allow_always", "deny_once", "deny_always"] as const) {
  Deno.test(`a pairing request waits for the application: ${decision}`, async () => {
    const { clock, events, pairings: made, ask, latest } = pairings();
    const outcome = ask();
    const id = latest();
    assertEquals(made.get(id).deviceName, "phone\\u{202e}");
    await made.decide(id, { decision });
    assertEquals(await outcome, decision);
    const state = decision.startsWith("allow") ? "allowed" : "denied";
    assertEquals(made.get(id).state, state);
    assertEquals(made.pending(), []);
    assertEquals(events.types, ["pairing-requested", "pairing-decided"]);
    assertEquals(clock.waiting, 0);
    assertEquals(await refusal(() => made.decide(id, { decision })), "INVALID_STATE");
  });
}

Deno.test("no decision in 30 s: the request expires, not before", async () => {
  const { clock, pairings: made, ask, latest } = pairings();
  assertEquals(PAIRING_DECISION_MS, 30_000);
  const outcome = ask();
  const id = latest();
  assertEquals(Date.parse(made.get(id).expiresAt), 30_000);
  clock.pass(29_999);
  assertEquals(made.pending().length, 1);
  clock.pass(1);
  assertEquals(await outcome, "expired");
  assertEquals(made.get(id).state, "expired");
  assertEquals(await refusal(() => made.decide(id, { decision: "allow_once" })), "INVALID_STATE");
});

Deno.test("a request is taken back when its session ends", async () => {
  const { clock, ask, pairings: made } = pairings();
  const ended = Promise.withResolvers<void>();
  const outcome = ask(1, ended.promise);
  ended.resolve();
  assertEquals(await outcome, "withdrawn");
  assertEquals([made.pending(), clock.waiting], [[], 0]);
});

Deno.test("with a SAS a decision counts only when it is the request's, in either case", async () => {
  const { pairings: made, ask, latest } = pairings();
  const outcome = ask();
  const id = latest();
  const wrong = { decision: "allow_always", sas: "A1B2C4" } as const;
  assertEquals(await refusal(() => made.decide(id, wrong)), "SAS_MISMATCH");
  assertEquals(made.get(id).state, "pending");
  await made.decide(id, { decision: "allow_always", sas: "A1B2C3" });
  assertEquals(await outcome, "allow_always");
});

Deno.test("the third wrong SAS denies the request", async () => {
  const { pairings: made, ask, latest } = pairings();
  const outcome = ask();
  const id = latest();
  for (let i = 0; i < MAX_WRONG_PER_REQUEST; i++) {
    const decision = { decision: "allow_once", sas: "000000" } as const;
    assertEquals(await refusal(() => made.decide(id, decision)), "SAS_MISMATCH");
  }
  assertEquals(await outcome, "deny_once");
  assertEquals(made.get(id).state, "denied");
});

Deno.test("SAS attempts are limited over all requests, and what is typed then is not compared", async () => {
  const { clock, pairings: made, ask, latest } = pairings();
  for (let i = 0; i < MAX_WRONG_IN_WINDOW; i++) {
    const outcome = ask(i);
    await assertRejects(() => made.decide(latest(), { decision: "allow_once", sas: "000000" }));
    await made.decide(latest(), { decision: "deny_once" });
    await outcome;
  }
  const outcome = ask();
  const right = { decision: "allow_once", sas: "A1B2C3" } as const;
  assertEquals(await refusal(() => made.decide(latest(), right)), "SAS_ATTEMPTS_EXHAUSTED");
  clock.time += 60 * 60 * 1000;
  await made.decide(latest(), right);
  assertEquals(await outcome, "allow_once");
});

Deno.test("ended requests are remembered up to a bound, pending ones always", async () => {
  const { pairings: made, ask, latest } = pairings();
  const first = ask(0);
  const pending = latest();
  let oldest = "";
  for (let i = 1; i <= 70; i++) {
    const outcome = ask(i);
    const id = latest();
    oldest ||= id;
    await made.decide(id, { decision: "deny_once" });
    await outcome;
  }
  assertEquals(await refusal(() => made.get(oldest)), "PAIRING_NOT_FOUND");
  assertEquals(made.get(pending).state, "pending");
  await made.decide(pending, { decision: "deny_once" });
  await first;
});

Deno.test("a peer that has proven nothing is let in only by a decision that says unproven; its SAS is checked, counted, and never suffices", async () => {
  const { pairings: made, ask, latest } = pairings();
  for (const decision of ["allow_once", "allow_always"] as const) {
    const outcome = ask(1, never, false);
    const decide = (more: object) => () => made.decide(latest(), { decision, ...more });
    assertEquals(await refusal(decide({})), "POLICY_REFUSED");
    assertEquals(await refusal(decide({ unproven: false })), "POLICY_REFUSED");
    assertEquals(await refusal(decide({ sas: "A1B2C3" })), "POLICY_REFUSED");
    assertEquals(await refusal(decide({ sas: "000000", unproven: true })), "SAS_MISMATCH");
    assertEquals(await refusal(decide({ sas: "000000" })), "SAS_MISMATCH");
    assertEquals(made.get(latest()).state, "pending");
    await decide({ sas: "A1B2C3", unproven: true })();
    assertEquals(await outcome, decision);
  }
  const denied = ask(1, never, false);
  await made.decide(latest(), { decision: "deny_once" });
  assertEquals(await denied, "deny_once");
});

Deno.test("an identity that is only claimed is denied for ever by a decision that says unproven, and not by mistake", async () => {
  const { pairings: made, ask, latest } = pairings();
  const outcome = ask(1, never, false);
  const decision = "deny_always";
  for (const more of [{}, { unproven: false }, { sas: "A1B2C3" }]) {
    const decide = () => made.decide(latest(), { decision, ...more });
    const { code, message } = await assertRejects(decide, OperationError, "deny_once");
    assertEquals([code, message.includes("unproven")], ["POLICY_REFUSED", true]);
  }
  assertEquals(made.get(latest()).state, "pending");
  await made.decide(latest(), { decision, unproven: true });
  assertEquals(await outcome, decision);
});
