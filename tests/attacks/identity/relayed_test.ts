/**
 * The rendezvous server changes, relays, delays, reflects and replays what two daemons say that know
 * each other.
 *
 * @module
 */
import { connector as webrtc } from "../../../src/transport/webrtc/connector.ts";
import {
  APPENDED_FINGERPRINTS,
  CHANGED_FINGERPRINTS,
  CHANGED_SIGNALS,
  HARMLESS,
  RELAYED_HELLOS,
  REPLAYED_SIGNALS,
  SILENT,
} from "../support/identity_attacks.ts";
import { IdentityStage } from "../support/identity_stage.ts";

Deno.test("HELLOs that are relayed, delayed, dropped, reflected or replayed between two connections end the session", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, [...RELAYED_HELLOS, ...SILENT]);
});

Deno.test("commitments and keys that are stripped or exchanged on their way end the session", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, CHANGED_SIGNALS);
});

Deno.test("over WebRTC: swapped fingerprints, a second fingerprint appended to the SDP, and replayed offers and answers make no session", async (t) => {
  await using stage = await IdentityStage.set({ connector: webrtc });
  await stage.suffer(t, [...APPENDED_FINGERPRINTS, ...CHANGED_FINGERPRINTS, ...REPLAYED_SIGNALS]);
});

Deno.test("what a relay does in vain: the file arrives", async (t) => {
  await using stage = await IdentityStage.set();
  await stage.suffer(t, HARMLESS);
});
