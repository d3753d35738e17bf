import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { peerText } from "../ipc/api/peer_text.ts";
import type { PeerView } from "../ipc/api/schemas.ts";
import { CommandError } from "./exit_codes.ts";
import { matchForTrust, matchPeer, matchReceiver, onlyReceiver } from "./resolve.ts";

const peer = (start: string, parts: Partial<PeerView> = {}): PeerView => ({
  identity: start.padEnd(64, "0"),
  trust: "none",
  autoAccept: false,
  trustedByKey: false,
  connected: false,
  proven: false,
  ...parts,
});
const BOB = peer("3f2a", { peerCode: "bob", deviceName: peerText("laptop") });
const BEA = peer("3f2b", { peerCode: "bea", deviceName: peerText("phone") });

Deno.test("a peer is found by the beginning of its identity, its code, or its device name", () => {
  for (const wanted of ["3f2a", "3F2A", BOB.identity, "bob", "b-ob", "laptop"]) {
    assertEquals(matchPeer(wanted, [BOB, BEA]), BOB, wanted);
  }
});

Deno.test("a name that fits nobody, or a part of a name, is no peer", () => {
  for (const wanted of ["lap", "Bob", "4", "bo"]) {
    assertThrows(() => matchPeer(wanted, [BOB, BEA]), CommandError, "No peer is known as");
  }
});

Deno.test("fewer than four digits stand for no identity, whoever it would be", () => {
  for (const wanted of ["3", "77", "77a"]) {
    const error = assertThrows(
      () => matchPeer(wanted, [BOB, peer("77aa")]),
      UsageError,
      "give at least 4",
    );
    assertEquals(error.message.startsWith(wanted), true);
  }
});

Deno.test("what fits more than one peer is refused, whichever way it fits", () => {
  assertThrows(
    () => matchPeer("3f2a", [BOB, peer("3f2ab")]),
    UsageError,
    '"laptop" (3f2a0000), 3f2ab000',
  );
  assertThrows(() =>
    matchPeer("phone", [BEA, { ...BOB, deviceName: BEA.deviceName ?? peerText("") }])
  );
});

Deno.test("a name or code wins over the beginning of another's identity", () => {
  const dead = peer("dead", { deviceName: peerText("mallow") });
  const named = peer("01", { deviceName: peerText("dead") });
  const coded = peer("02", { peerCode: "bee" });
  assertEquals(matchPeer("dead", [dead, named]), named);
  assertEquals(matchPeer("bee", [peer("bee1"), coded]), coded);
  assertEquals(matchPeer("mallow", [dead, named]), dead);
});

Deno.test("a peer that is called as tables show another's identity can't be meant in its place", () => {
  for (const parts of [{ deviceName: peerText("3f2a0000") }, { peerCode: "3f2a0000" }]) {
    const eve = peer("77", parts);
    assertThrows(() => matchPeer("3f2a0000", [BOB, eve]), UsageError, "give more of the identity");
    assertEquals(matchPeer(BOB.identity, [BOB, eve]), BOB);
  }
  const whole = peer("77", { deviceName: peerText(BOB.identity) });
  assertEquals(matchPeer(BOB.identity, [whole, BOB]), BOB);
  const coded = peer("77", { deviceName: peerText("bob") });
  assertThrows(() => matchPeer("bob", [BOB, coded]), UsageError, "give more of the identity");
});

Deno.test("a name that people gave is its peer's, whatever another calls itself or is called by a server", () => {
  const named = peer("77aa", { name: "Bob" });
  const posing = peer("88bb", { deviceName: peerText("Bob"), peerCode: "Bob" });
  for (const wanted of ["bob", "Bob", "BOB"]) {
    assertEquals(matchPeer(wanted, [posing, named, BOB]), named);
  }
});

Deno.test("files go to whom they can reach: a stranger that was refused takes a peer's name or code away from nobody", () => {
  const bob = { ...BOB, trust: "allow_always" } as const;
  const stranger = peer("77", { peerCode: "bob", deviceName: peerText("laptop") });
  for (const wanted of ["bob", "laptop"]) {
    assertEquals(matchReceiver(wanted, [bob, stranger]), bob, wanted);
    assertEquals(matchReceiver(wanted, [bob, { ...stranger, trust: "deny_always" }]), bob, wanted);
    assertThrows(() => matchReceiver(wanted, [bob, { ...stranger, connected: true }]), UsageError);
  }
  assertEquals(matchReceiver("bob", [stranger]), stranger);
  assertThrows(() => matchReceiver("bea", [bob, stranger]), CommandError, "No peer is known as");
});

Deno.test("a key that lacks a digit, or has one too many, is told as such", () => {
  for (const key of [BOB.identity.slice(1), `${BOB.identity}0`]) {
    assertThrows(() => matchPeer(key, [BEA]), UsageError, `${key.length} digits, and a key has 64`);
  }
  assertThrows(() => matchPeer(BOB.identity, [BEA]), CommandError, "No peer is known as");
});

Deno.test("a decision is about who is pinned, or about digits: what a stranger calls itself, or came under, names nobody", () => {
  const bob = { ...BOB, trust: "allow_always" } as const;
  const stranger = peer("77aa00001", { peerCode: "eve", deviceName: peerText("alice") });
  const posing = peer("88", { peerCode: "bob", deviceName: peerText("laptop") });
  for (const wanted of ["bob", "laptop", "3f2a", bob.identity]) {
    assertEquals(matchForTrust(wanted, [bob, stranger, posing]), bob, wanted);
  }
  for (const wanted of ["alice", "eve", "77aa", "77aa000"]) {
    const error = assertThrows(() => matchForTrust(wanted, [bob, stranger]), UsageError);
    assertEquals(error.message.includes("77aa0000"), true, error.message);
  }
  for (const wanted of ["77aa0000", "77AA00001", stranger.identity]) {
    assertEquals(matchForTrust(wanted, [bob, stranger]), stranger, wanted);
  }
  assertThrows(() => matchForTrust("carol", [bob, stranger]), CommandError, "No peer is known as");
});

Deno.test("without a name files go to the only peer that is connected or linked, there or away; of several none is chosen", () => {
  const linked = (from: PeerView): PeerView => ({
    ...from,
    trust: "allow_always",
    link: { name: "nas", state: "trying" },
  });
  const connected = (from: PeerView): PeerView => ({ ...from, connected: true });
  const [bob, bea] = [linked(BOB), connected(BEA)];
  assertEquals(onlyReceiver([bob, BEA]), bob);
  assertEquals(onlyReceiver([BOB, bea]), bea);
  assertEquals(onlyReceiver([connected(bob), BEA]), connected(bob));
  // Who is there must not decide: a nightly job would send to bea whenever bob is away.
  for (const both of [[bob, bea], [connected(bob), bea], [bob, linked(BEA)]]) {
    const error = assertThrows(() => onlyReceiver(both), UsageError, "choose one with --to PEER");
    assertEquals(error.message.includes("3f2a0000"), true, error.message);
    assertEquals(error.message.includes("3f2b0000"), true, error.message);
  }
  // A link to a peer that is not trusted any more takes no files.
  for (const none of [[], [BOB, BEA], [{ ...bob, trust: "none" as const }]]) {
    assertThrows(() => onlyReceiver(none), CommandError, "No peer is connected or linked");
  }
});
