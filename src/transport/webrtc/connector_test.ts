import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Deadline } from "../../base/deadline.ts";
import { TransportError } from "../../base/errors.ts";
import type { SignalBundle } from "../../protocol/signal/bundle.ts";
import type { CandidateVerdict } from "../connector.ts";
import { createConnector, MAX_REMOTE_CANDIDATES } from "./connector.ts";

const INTERFACES = ["127.0.0.1", "203.0.113.5", "100.64.1.1"].map((address) => ({ address }));

/** An offer, an answer to it, and what was said of candidates meanwhile. */
async function exchange(edit: (offer: SignalBundle) => SignalBundle = (offer) => offer) {
  using deadline = new Deadline(10_000, { what: "the bundles" });
  const verdicts: CandidateVerdict[] = [];
  const options = { scope: "lan", signal: deadline.signal } as const;
  const { offer, answer } = createConnector({ interfaces: () => INTERFACES });
  await using offering = await offer(options);
  const onCandidate = (verdict: CandidateVerdict) => verdicts.push(verdict);
  await using answering = await answer(edit(offering.offer), { ...options, onCandidate });
  return { offer: offering.offer, answer: answering.answer, verdicts };
}

Deno.test("only addresses inside the scope are offered, in the list and in the description", async () => {
  const { offer, answer } = await exchange();
  for (const { description, candidates } of [offer, answer]) {
    assertEquals(candidates.length, 1);
    assertMatch(
      candidates[0]?.candidate ?? "",
      /^candidate:\S+ 1 UDP \d+ 127\.0\.0\.1 \d+ typ host$/,
    );
    const inSdp = description.sdp.split("\r\n").filter((line) => line.startsWith("a=candidate"));
    assertEquals(inSdp, [`a=${candidates[0]?.candidate}`]);
    assert(!/203\.0\.113|100\.64|end-of-candidates/.test(description.sdp));
  }
});

Deno.test("an answer is passive, and of the offer's media section", async () => {
  const { offer, answer } = await exchange((offer) => ({
    candidates: offer.candidates,
    description: {
      ...offer.description,
      sdp: offer.description.sdp.replaceAll(/(?<=mid:|BUNDLE )0/g, "data"),
    },
  }));
  assertMatch(offer.description.sdp, /\r\na=setup:actpass\r\n/);
  assertMatch(answer.description.sdp, /\r\na=setup:passive\r\n/);
  assertMatch(answer.description.sdp, /\r\na=mid:data\r\n/);
  assertEquals(answer.candidates[0]?.mid, "data");
  assertEquals([offer.description.sdpType, answer.description.sdpType], ["offer", "answer"]);
});

Deno.test("each candidate is judged once, the peer's and ours, with a reason where it is refused", async () => {
  const foreign = (address: string) => `candidate:9 1 UDP 5 ${address} 4000 typ host`;
  const { verdicts } = await exchange((offer) => ({
    description: {
      ...offer.description,
      sdp: `${offer.description.sdp}a=${foreign("8.8.8.8")}\r\na=${foreign("x.local")}\r\n`,
    },
    candidates: [
      ...offer.candidates,
      ...["10.0.0.9", "8.8.8.8", "100.64.0.2"].map((address) => ({
        candidate: foreign(address),
        mid: "0",
      })),
    ],
  }));
  const told = verdicts.map(({ side, accepted, address, reason }) =>
    `${side} ${address} ${accepted ? "accepted" : reason}`
  );
  assertEquals(told, [
    "remote 127.0.0.1 accepted",
    "remote 8.8.8.8 public-outside-lan",
    "remote x.local mdns",
    "remote 10.0.0.9 accepted",
    "remote 100.64.0.2 cgnat-outside-lan",
    "local 203.0.113.5 public-outside-lan",
    "local 100.64.1.1 cgnat-outside-lan",
    "local 127.0.0.1 accepted",
  ]);
});

Deno.test("of many remote candidates only so many are used", async () => {
  const { verdicts } = await exchange((offer) => ({
    ...offer,
    candidates: Array.from({ length: 100 }, (_, i) => ({
      candidate: `candidate:9 1 UDP 5 10.0.0.${i} 4000 typ host`,
      mid: "0",
    })),
  }));
  const remote = verdicts.filter(({ side }) => side === "remote");
  assertEquals(remote.filter(({ accepted }) => accepted).length, MAX_REMOTE_CANDIDATES);
  assertEquals(remote.at(-1)?.reason, "too-many-candidates");
});

Deno.test("a machine without an address inside the scope is told so", async () => {
  const { signal } = new AbortController();
  const { offer } = createConnector({ interfaces: () => [{ address: "203.0.113.5" }] });
  await assertRejects(() => offer({ scope: "lan", signal }), TransportError, "network scope lan");
});

Deno.test("a description that is refused leaves nothing open", async () => {
  const { signal } = new AbortController();
  const { offer, answer } = createConnector();
  const broken = { description: { sdpType: "answer", sdp: "v=0" }, candidates: [] } as const;
  const offering = await offer({ scope: "lan", signal });
  await assertRejects(() => offering.connect(broken, signal), TransportError, "refused");
  await assertRejects(
    () => answer(broken, { scope: "lan", signal }),
    TransportError,
    "in place of",
  );
});
