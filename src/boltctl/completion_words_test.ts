import { assertEquals } from "@std/assert";
import { peerText } from "../ipc/api/peer_text.ts";
import type { PeerView } from "../ipc/api/schemas.ts";
import { peerWords } from "./commands/completion.ts";

const peer = (digits: string, parts: Partial<PeerView> = {}): PeerView => ({
  identity: digits.padEnd(64, "0"),
  ...{ trust: "allow_always", autoAccept: false, proven: true, trustedByKey: false },
  ...{ connected: false },
  ...parts,
});
const words = (list: "peers" | "identities", ...peers: PeerView[]): string[] =>
  peerWords(peers, list).map(({ word }) => word);

Deno.test("a peer is offered by the name that people gave it, else by code or digits", () => {
  const named = peer("aaaa", { name: "bob", peerCode: "code", deviceName: peerText("phone") });
  assertEquals(words("peers", named), ["bob"]);
  assertEquals(words("identities", named), ["bob"]);
  const coded = peer("bbbb", { peerCode: "code" });
  assertEquals(words("peers", coded), ["code"]);
  assertEquals(words("identities", coded), ["bbbb0000"]);
});

Deno.test("what a peer calls itself is offered of one that is let in or here, and for no decision", () => {
  const deviceName = peerText("Bob's laptop");
  assertEquals(words("peers", peer("aaaa", { deviceName })), ["aaaa0000", "Bob's laptop"]);
  assertEquals(words("identities", peer("aaaa", { deviceName })), ["aaaa0000"]);
  const stranger = { deviceName, trust: "none" } as const;
  assertEquals(words("peers", peer("aaaa", stranger)), ["aaaa0000"]);
  assertEquals(words("peers", peer("aaaa", { ...stranger, connected: true })).length, 2);
});

Deno.test("a name that would be a flag, or of which something is spelled out, is not offered", () => {
  for (const name of ["--unproven", "-", "a\u202eb", "a\nb", "a\tb", "a\\b", ""]) {
    assertEquals(words("peers", peer("aaaa", { deviceName: peerText(name) })), ["aaaa0000"]);
  }
});
