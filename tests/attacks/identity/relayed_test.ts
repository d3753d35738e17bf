/**
 * The rendezvous server changes, relays, delays, reflects and replays what two daemons say that know
 * each other.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MemoryNetwork } from "../../../src/transport/testing/memory_connector.ts";
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
import { closedSession, LocalDaemon } from "../../support/daemon.ts";
import { RelayPeer } from "../../support/relay_peer.ts";
import { HostileRelay, type Payload } from "../support/hostile_relay.ts";
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

/** A payload in which other names stand in the places that name a peer. */
function renamed(payload: Payload, names: Readonly<Record<string, string>>): Payload {
  const places = ["from", "to", "peerCode", "from_peer", "to_peer"];
  return JSON.parse(
    JSON.stringify(payload),
    (key, value) => places.includes(key) ? names[value] ?? value : value,
  );
}

Deno.test("a daemon that is brought together with itself, in two sessions with the same peer, takes itself for nobody", async () => {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(new HostileRelay());
  const alice = stack.use(
    await LocalDaemon.start(new MemoryNetwork(), { flags: ["--pairing-policy", "allow"] }),
  );
  stack.use(await RelayPeer.register(relay.url, "bob")); // who gets nothing
  relay.between("alice", "alice2", ({ from, payload }) => {
    const to = from === "alice" ? "alice2" : "alice";
    return [{ from: "bob", to, payload: renamed(payload, { [from]: "bob", bob: to }) }];
  });
  const common = {
    signal: "rendezvous",
    rendezvousUrl: relay.url,
    room: "room",
    session: "session",
    phaseTimeoutSecs: 30,
  } as const;
  const sessions = [
    await alice.pair({ ...common, role: "offerer", peerId: "alice", to: "bob" }),
    await alice.pair({ ...common, role: "answerer", peerId: "alice2", expectPeer: "bob" }),
  ];
  for (const session of sessions) {
    const { failure, openedAt } = await closedSession(alice, session);
    assertEquals([failure?.code, openedAt], ["PROTOCOL_VIOLATION", undefined]);
  }
  assertEquals(await alice.client.listPeers(), []);
});
