import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { type Peer, peerText } from "../ipc/schemas.ts";
import { CommandError } from "./exit_codes.ts";
import { matchPeer } from "./resolve.ts";

const peer = (start: string, parts: Partial<Peer> = {}): Peer => ({
  identity: start.padEnd(64, "0"),
  trust: "none",
  autoAccept: false,
  connected: false,
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

Deno.test("what fits more than one peer is refused, whichever way it fits", () => {
  assertThrows(
    () => matchPeer("3f", [BOB, BEA]),
    UsageError,
    "laptop (3f2a0000), phone (3f2b0000)",
  );
  assertThrows(() =>
    matchPeer("phone", [BEA, { ...BOB, deviceName: BEA.deviceName ?? peerText("") }])
  );
});

Deno.test("a peer that takes another's code or identity as its name can't be meant in its place", () => {
  for (const stolen of ["bob", "3f2a"]) {
    const eve = peer("77", { deviceName: peerText(stolen) });
    assertThrows(() => matchPeer(stolen, [BOB, eve]), UsageError, "give more of the identity");
    assertEquals(matchPeer(BOB.identity, [BOB, eve]), BOB);
  }
});
