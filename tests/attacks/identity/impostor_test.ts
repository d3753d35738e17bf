/**
 * Impostors against two daemons that know each other: one with a file to send, the other with
 * auto-accept, both under known codes. The impostor is the rendezvous server as well.
 *
 * @module
 */
import { IMPOSTORS, STRIPPED_FIELDS, TAKEN_FROM_ELSEWHERE } from "../support/identity_attacks.ts";
import { IdentityStage } from "../support/identity_stage.ts";

Deno.test("an impostor against a sender, against auto-accept and against a known code gets nothing and brings nothing", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, IMPOSTORS);
});

Deno.test("fields that are stripped first, later, or to one side only end the session", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, STRIPPED_FIELDS);
});

Deno.test("an identity, a nonce or a proof of another session, and a proof of the other role, prove nothing", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, TAKEN_FROM_ELSEWHERE);
});
