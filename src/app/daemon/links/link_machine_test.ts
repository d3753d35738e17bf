import { assert, assertEquals } from "@std/assert";
import { LINK_HELLO_MS, LINK_RETRY } from "../../../base/timing.ts";
import type { Role } from "../../../protocol/signal/bundle.ts";
import { seededRandom } from "../../../protocol/testing/seeded_random.ts";
import { LinkMachine } from "./link_machine.ts";

const DAY_MS = 86_400_000;
const LOST = { code: "CONNECTION_LOST", message: "lost" };
const AWAY = { code: "RENDEZVOUS_UNREACHABLE", message: "away" };
const { firstMs, longestMs } = LINK_RETRY;
const leastMs = firstMs / 2;

/** A machine in which chance gives the longest waits. */
function machine(role: Role, random = () => 1, isPaused = false): LinkMachine {
  return new LinkMachine({ role, retry: LINK_RETRY, helloMs: LINK_HELLO_MS, random, isPaused });
}

/** One that is at the server with its peer. */
function atServer(role: Role, random?: () => number): LinkMachine {
  const link = machine(role, random);
  link.registered(0);
  link.peerJoined(0);
  return link;
}

/** Lets attempts fail until that moment; the moments at which they began. */
function failing(link: LinkMachine, until: number, refused = false): number[] {
  const begun: number[] = [];
  for (let n = 0;; n++) {
    const now = n === 0 ? 0 : link.nextDue(begun.at(-1) ?? 0);
    if (now === undefined || now > until) return begun;
    assert(link.isDue(now), `due at ${now}`);
    link.began(`s${n}`);
    assert(!link.isDue(now), "one attempt at a time");
    link.ended(`s${n}`, { failure: LOST, refused }, now);
    begun.push(now);
  }
}

Deno.test("a peer that is away for days costs no attempt, and its coming begins one at once", () => {
  for (const role of ["offerer", "answerer"] as const) {
    const link = machine(role);
    link.registered(0);
    for (let now = 0; now < 9 * DAY_MS; now += DAY_MS / 24) {
      assertEquals([link.isDue(now), link.nextDue(now)], [false, undefined]);
      assertEquals(link.stateAt(now).state, "trying");
      assertEquals(link.stateAt(now).nextTry, undefined);
    }
    const now = 9 * DAY_MS;
    link.peerJoined(now);
    // The offerer says hello, the answerer waits for it.
    assertEquals(link.isDue(now), role === "offerer");
    link.hello(now);
    assert(link.isDue(now));
  }
});

Deno.test("failed attempts are made after waits that double from 2 s to 60 s, without end", () => {
  const begun = failing(atServer("offerer"), DAY_MS);
  const waits = begun.slice(1).map((at, i) => at - (begun[i] ?? 0));
  assertEquals(waits.slice(0, 8), [2, 4, 8, 16, 32, 60, 60, 60].map((secs) => secs * 1000));
  assert(waits.slice(5).every((ms) => ms === longestMs));
  assert(begun.length > DAY_MS / longestMs, "it never gives up");
});

Deno.test("chance takes up to half of a wait away, and no more", () => {
  const begun = failing(atServer("offerer", () => 0), 10 * longestMs);
  const waits = begun.slice(1).map((at, i) => at - (begun[i] ?? 0));
  assertEquals(waits.slice(0, 8), [1, 2, 4, 8, 16, 30, 30, 30].map((secs) => secs * 1000));
});

const SIGNS: readonly (readonly [string, (link: LinkMachine, now: number) => void])[] = [
  ["the peer comes back to the server", (link, now) => link.peerJoined(now)],
  ["the server is there again", (link, now) => {
    link.unreachable(AWAY, now);
    link.registered(now);
    link.peerJoined(now);
  }],
  ["this machine's addresses change", (link, now) => link.addressesChanged(now)],
];

for (const [what, sign] of SIGNS) {
  Deno.test(`an attempt is made at once when ${what}, but never within 1 s of the last`, () => {
    const link = atServer("offerer");
    const last = failing(link, 5 * longestMs).at(-1) ?? 0;
    assertEquals(link.nextDue(last), last + longestMs);
    sign(link, last + 100);
    assertEquals(link.nextDue(last + 100), last + leastMs);
    sign(link, last + 20_000);
    assert(link.isDue(last + 20_000));
    // However often the sign is given, there is one attempt a second.
    let attempts = 0;
    for (let now = last + 20_000; now < last + 30_000; now += 10) {
      sign(link, now);
      if (!link.isDue(now)) continue;
      attempts++;
      link.began(`a${now}`);
      link.ended(`a${now}`, { failure: LOST, refused: false }, now);
    }
    assertEquals(attempts, 10);
  });
}

Deno.test("after the wrong peer came, a peer that joins is tried at once, and nothing else ends the wait early", () => {
  for (const [what, sign] of SIGNS) {
    const link = atServer("offerer");
    const last = failing(link, 5 * longestMs, true).at(-1) ?? 0;
    sign(link, last + 100);
    const isJoin = !what.startsWith("this machine");
    assertEquals(link.nextDue(last + 100), last + (isJoin ? leastMs : longestMs), what);
    assertEquals(link.stateAt(last + 100).state, "refused");
  }
  // The answerer waits for the hello all the same: the wrong peer's own begins nothing early.
  const link = atServer("answerer");
  link.hello(0);
  link.began("s");
  link.ended("s", { failure: LOST, refused: true }, 0);
  link.hello(500);
  assertEquals(link.isDue(firstMs - 1), false);
  assert(link.isDue(firstMs));
  link.began("again");
  link.ended("again", { failure: LOST, refused: true }, firstMs);
  link.peerLeft();
  link.peerJoined(firstMs + leastMs);
  assertEquals(link.isDue(firstMs + leastMs), false);
  link.hello(firstMs + leastMs);
  assert(link.isDue(firstMs + leastMs));
});

for (const role of ["offerer", "answerer"] as const) {
  Deno.test(`a wrong peer that joins and leaves without end is tried about once a minute, and the right one soon after: ${role}`, () => {
    const HOUR_MS = 3_600_000;
    const link = machine(role, () => 0); // the shortest waits
    link.registered(0);
    const begun: number[] = [];
    let now = 0;
    for (; now < HOUR_MS; now += 100) {
      link.peerLeft();
      link.peerJoined(now);
      link.hello(now);
      if (!link.isDue(now)) continue;
      begun.push(now);
      link.began(`s${now}`);
      link.ended(`s${now}`, { failure: LOST, refused: true }, now);
    }
    const waits = begun.slice(1).map((at, i) => at - (begun[i] ?? 0));
    assert(waits.every((ms) => ms >= leastMs), "never within 1 s of the last");
    // The first few at once; then those of the waits, which chance may halve, and one a minute.
    assert(begun.length <= 10 + 3 * HOUR_MS / longestMs, `${begun.length} attempts in an hour`);
    // The wrong one is away for some minutes, comes once more, and leaves: the right one, which
    // comes then, is not made to wait.
    now += 4 * longestMs;
    for (const who of ["wrong", "right"]) {
      link.peerLeft();
      link.peerJoined(now);
      link.hello(now);
      assert(link.isDue(now), who);
      link.began(who);
      link.ended(who, { failure: LOST, refused: true }, now);
      now += leastMs;
    }
    // While the wrong one goes on, the right one waits no longer than for the longest wait.
    for (let n = 0; n < 10; n++) link.peerJoined(now + n);
    link.hello(now + longestMs);
    assert(link.isDue(now + longestMs));
  });
}

/** How each role sees that its peer has come anew while an attempt is under way. */
const ANEW: readonly (readonly [Role, string, (link: LinkMachine, now: number) => void])[] = [
  ["offerer", "leaves and comes back", (link, now) => {
    link.peerLeft();
    link.peerJoined(now);
  }],
  ["offerer", "registers anew", (link, now) => link.peerJoined(now)],
  ["answerer", "says hello after its offer", (link, now) => link.helloAnew(now)],
];

for (const [role, what, comes] of ANEW) {
  Deno.test(`an attempt whose peer ${what} is ended for another one, 1 s later: ${role}`, () => {
    const link = atServer(role);
    if (role === "answerer") link.hello(0);
    link.began("old");
    assertEquals(link.takeSuperseded(), undefined);
    comes(link, 5_000);
    assertEquals(link.takeSuperseded(), "old");
    assertEquals(link.takeSuperseded(), undefined, "it is told once");
    assert(!link.isDue(5_000), "one attempt at a time");
    link.ended("old", { refused: false }, 5_010);
    assertEquals(link.nextDue(5_010), 5_010 + leastMs);
    link.began("new");
    assertEquals(link.takeSuperseded(), undefined);
    // It counts as no failure: the waits are as before.
    link.ended("new", { failure: LOST, refused: false }, 10_000);
    assertEquals(link.stateAt(10_000).failure, LOST);
    link.hello(10_000 + firstMs);
    assert(link.isDue(10_000 + firstMs));
  });

  Deno.test(`a peer that ${what} without end ends three attempts at once, then one a minute: ${role}`, () => {
    const HOUR_MS = 3_600_000;
    const PHASE_MS = 30_000;
    for (const refused of [false, true]) {
      const link = atServer(role);
      let [attempt, began, begun, superseded] = ["", 0, 0, 0];
      let lastEnd = -Infinity;
      for (let now = 0; now < HOUR_MS; now += 100) {
        if (link.attempt === undefined) link.hello(now);
        if (link.isDue(now)) {
          assert(now - lastEnd >= leastMs, "never within 1 s of the last");
          [attempt, began] = [`s${++begun}`, now];
          link.began(attempt);
        }
        comes(link, now);
        if (link.takeSuperseded() !== undefined) superseded++;
        else if (link.attempt === undefined || now - began < PHASE_MS) continue;
        link.ended(attempt, { failure: LOST, refused: refused && now - began >= PHASE_MS }, now);
        lastEnd = now;
      }
      assert(superseded >= 3);
      assert(superseded <= 3 + HOUR_MS / longestMs, `${superseded} in an hour`);
      assert(begun <= superseded + 1 + HOUR_MS / PHASE_MS, `${begun} in an hour`);
    }
  });
}

Deno.test("an attempt goes on when its peer leaves, when we come back to the server, and when its session is open", () => {
  const link = atServer("offerer");
  link.began("s");
  link.peerLeft();
  assertEquals(link.takeSuperseded(), undefined);
  link.peerJoined(1);
  assertEquals(link.takeSuperseded(), "s");
  link.ended("s", { refused: false }, 1);
  link.began("t");
  link.registered(2);
  link.peerJoined(2); // it may have been there all the time
  assertEquals(link.takeSuperseded(), undefined);
  link.opened("t", 3);
  link.peerLeft();
  link.peerJoined(4);
  assertEquals(link.takeSuperseded(), undefined);
  // The answerer's attempt answers the hello of a peer that has come back.
  const answerer = atServer("answerer");
  answerer.hello(0);
  answerer.began("s");
  answerer.peerLeft();
  answerer.peerJoined(1);
  assertEquals(answerer.takeSuperseded(), undefined);
});

Deno.test("who was refused before stays refused while an attempt is ended for another one; one that is refused meanwhile waits", () => {
  const link = atServer("offerer");
  link.began("s1");
  link.ended("s1", { failure: LOST, refused: true }, 0);
  link.began("s2");
  link.peerJoined(firstMs);
  link.ended("s2", { refused: false }, firstMs);
  assertEquals(link.stateAt(firstMs).state, "refused");
  link.began("s3");
  link.peerJoined(2 * firstMs);
  link.ended("s3", { failure: LOST, refused: true }, 2 * firstMs);
  assertEquals(link.nextDue(2 * firstMs), 2 * firstMs + 2 * firstMs);
});

Deno.test("a hello that is old begins nothing; the next one does", () => {
  const link = atServer("answerer");
  link.hello(0);
  assert(link.isDue(LINK_HELLO_MS - 1));
  assert(!link.isDue(LINK_HELLO_MS));
  link.hello(longestMs);
  assert(link.isDue(longestMs));
});

Deno.test("a hello of a peer whose session is believed to be open begins another; the old one is let go when that is open", () => {
  const link = atServer("answerer");
  link.opened("old", 0);
  assert(!link.isDue(1));
  link.hello(1);
  assert(link.isDue(1));
  link.began("new");
  assertEquals(link.stateAt(1).sessionId, "old");
  link.opened("new", 2);
  link.ended("old", { refused: false }, 3);
  assertEquals(link.stateAt(3).state, "connected");
  assertEquals(link.stateAt(3).sessionId, "new");
});

Deno.test("the offerer leaves an open session alone when its peer comes to the server again", () => {
  const link = atServer("offerer");
  link.opened("s", 0);
  link.unreachable(AWAY, 1);
  link.registered(2);
  link.peerJoined(2);
  assertEquals([link.isDue(2), link.nextDue(2)], [false, undefined]);
  assertEquals(link.stateAt(2).state, "connected");
});

Deno.test("sessions that end at once are made ever more slowly; after one that lasted it begins anew", () => {
  const link = atServer("offerer");
  let now = 0;
  const waits = [0, 0, 0, 0, longestMs, 0].map((lasts, n) => {
    link.began(`s${n}`);
    link.opened(`s${n}`, now);
    now += lasts;
    link.ended(`s${n}`, { failure: LOST, refused: false }, now);
    const wait = (link.nextDue(now) ?? NaN) - now;
    now += wait;
    return wait / 1000;
  });
  assertEquals(waits, [2, 4, 8, 16, 2, 4]);
});

Deno.test("without the server nothing is attempted; what is shown is when it is tried", () => {
  const link = atServer("offerer");
  link.unreachable(AWAY, 30_000);
  assertEquals([link.isDue(10), link.nextDue(10)], [false, undefined]);
  const { server, nextTry, failure, isPeerThere } = link.stateAt(10);
  assertEquals([server, nextTry, failure, isPeerThere], ["unreachable", 30_000, AWAY, false]);
  link.takenOver({ code: "CODE_TAKEN_OVER", message: "taken" });
  assertEquals([link.isDue(10), link.stateAt(10).server], [false, "taken-over"]);
});

Deno.test("a link that rests attempts nothing whatever comes, and goes on at once", () => {
  const link = atServer("offerer");
  failing(link, 5 * longestMs);
  const now = 6 * longestMs;
  link.setPaused(true, now);
  for (const [, sign] of SIGNS) sign(link, now);
  assertEquals([link.isDue(now + DAY_MS), link.nextDue(now)], [false, undefined]);
  assertEquals(link.stateAt(now).state, "paused");
  link.setPaused(false, now + DAY_MS);
  assert(link.isDue(now + DAY_MS));
  assertEquals(link.stateAt(now + DAY_MS).failure, undefined);
});

Deno.test("who is not trusted is not attempted, and shown as refused, until that is taken back", () => {
  const link = atServer("offerer");
  const refusal = { code: "POLICY_REFUSED", message: "not trusted" };
  link.setBlocked(refusal, 0);
  for (const [, sign] of SIGNS) sign(link, 1);
  assertEquals([link.isDue(DAY_MS), link.nextDue(1)], [false, undefined]);
  assertEquals([link.stateAt(1).state, link.stateAt(1).failure], ["refused", refusal]);
  link.setBlocked(undefined, DAY_MS);
  assert(link.isDue(DAY_MS));
});

Deno.test("sessions of others are of no account", () => {
  const link = atServer("offerer");
  link.began("mine");
  link.ended("other", { failure: LOST, refused: true }, 1);
  assertEquals(link.stateAt(1).state, "trying");
  assertEquals(link.attempt, "mine");
});

Deno.test("whatever happens, the moment that is waited for is one at which an attempt is due, or none", () => {
  // The machine slept: the timer for 500 ms fires when the hello is long forgotten.
  const link = atServer("answerer");
  link.hello(0);
  link.began("s");
  link.ended("s", { failure: LOST, refused: true }, 0);
  link.hello(500);
  assertEquals(link.nextDue(500), firstMs);
  assertEquals([link.isDue(DAY_MS), link.nextDue(DAY_MS)], [false, undefined]);
  const random = seededRandom("link machine");
  const next = (below: number) => (random(1)[0] ?? 0) % below;
  for (const role of ["offerer", "answerer"] as const) {
    const any = machine(role, () => next(256) / 256);
    let now = 0;
    for (let step = 0; step < 20_000; step++) {
      now += next(256) * (next(8) === 0 ? 1000 : 10);
      const { sessionId = "none" } = any.stateAt(now);
      [
        () => any.registered(now),
        () => any.unreachable(AWAY, now + next(256) * 100),
        () => any.takenOver(AWAY),
        () => any.peerJoined(now),
        () => any.peerLeft(),
        () => any.hello(now),
        () => any.helloAnew(now),
        () => void any.takeSuperseded(),
        () => any.addressesChanged(now),
        () => any.setPaused(next(2) === 0, now),
        () => any.setBlocked(next(2) === 0 ? LOST : undefined, now),
        () => any.opened(next(2) === 0 ? sessionId : `other ${step}`, now),
        () => any.ended(sessionId, { failure: LOST, refused: next(2) === 0 }, now),
      ][next(13)]?.();
      if (any.isDue(now)) any.began(`s${step}`);
      const due = any.nextDue(now);
      assert(due === undefined || (due > now && any.isDue(due)), `${role}, step ${step}`);
    }
  }
});
