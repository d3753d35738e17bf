/** Candidates that come after the description that they belong to (trickle ICE, RFC 8838). */
import { assertEquals } from "@std/assert";
import { abortable, Deadline } from "../../src/base/deadline.ts";
import type { SignalBundle } from "../../src/protocol/signal/bundle.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { assertAlive, catcher, remoteOf } from "./harness.ts";

/** A bundle with these candidates in place of its own. */
function withCandidates({ description }: SignalBundle, lines: readonly string[]): SignalBundle {
  const { sdpType, sdp } = description;
  const bare = sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:")).join("\r\n");
  return {
    description: { sdpType, sdp: bare },
    candidates: lines.map((candidate) => ({ candidate, mid: "0" })),
  };
}

const linesOf = ({ candidates }: SignalBundle) => candidates.map(({ candidate }) => candidate);
/** Nobody listens there. */
const DEAD_PORT = 9;
/** A check is sent again and again; after so many the others have been begun long ago. */
const CHECKS = 3;
const FAMILIES = { IPv4: ["127.0.0.1", "203.0.113.9"], IPv6: ["::1", "2001:db8::9"] } as const;

for (const [family, [address, outside]] of Object.entries(FAMILIES)) {
  const line = (host: string) => `candidate:9 1 UDP 2130706431 ${host} ${DEAD_PORT} typ host`;
  /** What is told with the description, and what comes before the true candidates. */
  const cases: Record<string, readonly [readonly string[], readonly string[]]> = {
    "all of them": [[], []],
    "when all checks have been sent": [[line(address)], []],
    "after some that are refused": [[], [
      line(outside),
      line(address).replace("UDP", "TCP"),
      "candidate:",
    ]],
  };
  for (const [name, [first, before]] of Object.entries(cases)) {
    for (const told of ["offerer", "answerer"] as const) {
      Deno.test(`${family}: the ${told} is told of the other's candidates late, ${name}: they connect`, async () => {
        using deadline = new Deadline(20_000, { what: "the meeting" });
        const { signal } = deadline;
        const [a, b] = [catcher(), catcher()];
        const allSent = Promise.withResolvers<void>();
        let sent = 0;
        const tap = {
          outbound: (_: Uint8Array, [, port]: readonly [string, number]) => {
            if (port === DEAD_PORT && ++sent === CHECKS) allSent.resolve();
            return true;
          },
        };
        if (first.length === 0) allSent.resolve();
        const options = { interfaces: () => [{ address }], tap };
        await using offering = await createConnector({ ...a.options, ...options })
          .offer({ scope: "lan", signal });
        const offer = withCandidates(offering.offer, told === "answerer" ? first : []);
        await using answering = await createConnector({ ...b.options, ...options })
          .answer(offer, { scope: "lan", signal });
        const answer = withCandidates(answering.answer, told === "offerer" ? first : []);
        // The other one is never told of any: it learns where its peer is when it is asked.
        const connecting = Promise.all([
          offering.connect(answer, signal),
          answering.connect(signal),
        ]);
        await abortable(Promise.race([allSent.promise, connecting]), signal);
        const [to, from] = told === "offerer"
          ? [offering, answering.answer]
          : [answering, offering.offer];
        for (const candidate of [...before, ...linesOf(from)]) to.addCandidate(candidate);
        const [offerer, answerer] = await connecting;
        await assertAlive(offerer, answerer, signal);
        assertEquals(remoteOf((told === "offerer" ? a : b).get())[0], address);
        for (const channel of [offerer, answerer]) await channel.close({ graceful: false });
      });
    }
  }
}
