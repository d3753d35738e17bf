import { assertEquals } from "@std/assert";
import type { Peer, ServerMessage } from "./messages.ts";
import { type Action, Room } from "./room.ts";

const peer = (code: string): Peer => ({
  peer_code: code,
  device_name: `${code}'s`,
  device_type: "desktop",
});

function roomWith(...codes: string[]): Room<string> {
  const room = new Room<string>();
  for (const code of codes) room.receive(`to ${code}`, { type: "register", peer: peer(code) });
  return room;
}

Deno.test("a peer that registers is told who is there, and they are told of it", () => {
  const room = roomWith("alice", "bob");
  assertEquals(room.receive("to carol", { type: "register", peer: peer("carol") }), [
    {
      kind: "send",
      to: "to carol",
      message: { type: "peers", peers: [peer("alice"), peer("bob")] },
    },
    { kind: "send", to: "to alice", message: { type: "peer_joined", peer: peer("carol") } },
    { kind: "send", to: "to bob", message: { type: "peer_joined", peer: peer("carol") } },
    { kind: "tell", event: "registered", peerCode: "carol" },
  ]);
});

Deno.test("a taken code is refused at registration and its owner keeps it", () => {
  const room = roomWith("alice");
  assertEquals(room.receive("intruder", { type: "register", peer: peer("alice") }), [
    {
      kind: "send",
      to: "intruder",
      message: { type: "error", message: "peer code 'alice' is taken" },
    },
    { kind: "close", to: "intruder", reason: "peer code 'alice' is taken" },
  ]);
  assertEquals(room.leave("intruder"), []);
  const signal = { type: "signal", to: "alice", payload: 1 } as const;
  assertEquals(room.receive("to alice", signal), [
    { kind: "send", to: "to alice", message: { type: "signal", from: "alice", payload: 1 } },
  ]);
});

Deno.test("a connection registers once", () => {
  const room = roomWith("alice");
  assertEquals(room.receive("to alice", { type: "register", peer: peer("mallory") }), [
    {
      kind: "send",
      to: "to alice",
      message: { type: "error", message: "already registered as 'alice'" },
    },
  ]);
});

Deno.test("a signal goes to its target alone, marked with the sender's registered code", () => {
  const room = roomWith("alice", "bob", "carol");
  const payload = { room: "r" };
  assertEquals(room.receive("to alice", { type: "signal", to: "bob", payload }), [
    { kind: "send", to: "to bob", message: { type: "signal", from: "alice", payload } },
  ]);
});

Deno.test("an absent target is answered with exactly: peer 'bob' not found", () => {
  const room = roomWith("alice");
  assertEquals(room.receive("to alice", { type: "signal", to: "bob", payload: {} }), [
    { kind: "send", to: "to alice", message: { type: "error", message: "peer 'bob' not found" } },
  ]);
});

Deno.test("a peer that leaves is announced and can't be signalled any more", () => {
  const room = roomWith("alice", "bob");
  assertEquals(room.leave("to bob"), [
    { kind: "tell", event: "left", peerCode: "bob" },
    { kind: "send", to: "to alice", message: { type: "peer_left", peer_code: "bob" } },
  ]);
  assertEquals(room.leave("to bob"), []);
  assertEquals(room.receive("to alice", { type: "signal", to: "bob", payload: {} }), [
    { kind: "send", to: "to alice", message: { type: "error", message: "peer 'bob' not found" } },
  ]);
});

Deno.test("a code that was left can be registered again", () => {
  const room = roomWith("alice");
  room.leave("to alice");
  const [first] = room.receive("other", { type: "register", peer: peer("alice") });
  assertEquals(first, { kind: "send", to: "other", message: { type: "peers", peers: [] } });
});

Deno.test("anything before register is refused and closes the connection", () => {
  const reason = "the first message must be register";
  const refused: Action<string>[] = [
    { kind: "send", to: "stranger", message: { type: "error", message: reason } },
    { kind: "close", to: "stranger", reason },
  ];
  const room = roomWith("alice");
  assertEquals(room.receive("stranger", { type: "ping" }), refused);
  assertEquals(room.receive("stranger", { type: "signal", to: "alice", payload: 1 }), refused);
});

Deno.test("ping is answered with nothing", () => {
  assertEquals(roomWith("alice").receive("to alice", { type: "ping" }), []);
});

Deno.test("an unreadable message is an error to a peer, and the end of a stranger", () => {
  const room = roomWith("alice");
  const error: ServerMessage = { type: "error", message: "bad" };
  assertEquals(room.reject("to alice", "bad"), [{ kind: "send", to: "to alice", message: error }]);
  assertEquals(room.reject("stranger", "bad"), [
    { kind: "send", to: "stranger", message: error },
    { kind: "close", to: "stranger", reason: "bad" },
  ]);
});

Deno.test("replace: a code that is registered again goes to the newcomer, without a word", () => {
  const room = new Room<string>("replace");
  room.receive("to bob", { type: "register", peer: peer("bob") });
  room.receive("old", { type: "register", peer: peer("alice") });
  assertEquals(room.receive("new", { type: "register", peer: peer("alice") }), [
    { kind: "send", to: "new", message: { type: "peers", peers: [peer("bob")] } },
    { kind: "send", to: "to bob", message: { type: "peer_joined", peer: peer("alice") } },
    { kind: "tell", event: "registered", peerCode: "alice" },
  ]);
  const signal = (to: string) => ({ type: "signal", to, payload: 1 }) as const;
  const toNew: Action<string> = {
    kind: "send",
    to: "new",
    message: { type: "signal", from: "alice", payload: 1 },
  };
  assertEquals(room.receive("new", signal("alice")), [toNew]);
  // The older connection may still talk, but what is meant for its code does not reach it.
  assertEquals(room.receive("old", signal("alice")), [toNew]);
  assertEquals(room.leave("old"), []);
  assertEquals(room.receive("new", signal("alice")), [toNew]);
});

Deno.test("replace: an early message is an error that closes nothing", () => {
  const room = new Room<string>("replace");
  const error = (message: string) =>
    [{
      kind: "send",
      to: "stranger",
      message: { type: "error", message },
    }] as Action<string>[];
  assertEquals(
    room.receive("stranger", { type: "ping" }),
    error("the first message must be register"),
  );
  assertEquals(room.reject("stranger", "bad"), error("bad"));
});
