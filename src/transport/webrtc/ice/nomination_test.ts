import { assertEquals } from "@std/assert";
import { TCP_NOMINATION_MS } from "../../../base/timing.ts";
import { chooseNomination, type NominationPair } from "./nomination.ts";

type State = NominationPair["state"];

const udp = (state: State, roundTrip = 1): NominationPair => ({
  transport: "udp",
  state,
  roundTrip,
});
const tcp = (state: State): NominationPair => ({ transport: "tcp", state });

/** Asks at a time after the first answer by UDP. */
const ask = (after: number | undefined, mayConnect: boolean, ...pairs: NominationPair[]) =>
  chooseNomination({
    pairs,
    mayConnect,
    udpSince: after === undefined ? undefined : 1000,
    now: 1000 + (after ?? 0),
  });

Deno.test("nothing is nominated before a check was answered", () => {
  assertEquals(ask(undefined, true, udp("open"), tcp("open")), {});
  assertEquals(ask(undefined, false, udp("failed"), tcp("failed")), {});
});

Deno.test("a TCP pair that was answered is nominated at once, whatever UDP's priority", () => {
  const pair = tcp("succeeded");
  assertEquals(ask(1, true, udp("succeeded"), pair), { pair });
  assertEquals(ask(undefined, true, udp("open"), pair), { pair });
  assertEquals(ask(undefined, false, udp("failed"), pair), { pair });
});

Deno.test("the best of the TCP pairs that were answered is nominated", () => {
  const [first, second] = [tcp("succeeded"), tcp("succeeded")];
  assertEquals(ask(1, true, tcp("open"), first, second).pair, first);
});

Deno.test("UDP waits for TCP while a check or a connection may still succeed, 150 ms at most", () => {
  const pair = udp("succeeded");
  const askAt = 1000 + TCP_NOMINATION_MS;
  assertEquals(ask(0, false, pair, tcp("open")), { askAt });
  assertEquals(ask(TCP_NOMINATION_MS - 1, true, pair), { askAt });
  assertEquals(ask(TCP_NOMINATION_MS, true, pair, tcp("open")), { pair });
});

Deno.test("on a long path UDP waits for two of its round trips", () => {
  const pair = udp("succeeded", 400);
  assertEquals(ask(799, true, pair), { askAt: 1800 });
  assertEquals(ask(800, true, pair), { pair });
});

Deno.test("nothing is waited for when no connection can come", () => {
  const pair = udp("succeeded");
  assertEquals(ask(0, false, pair), { pair });
  assertEquals(ask(0, false, pair, tcp("failed")), { pair });
});
