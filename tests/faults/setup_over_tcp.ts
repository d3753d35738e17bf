/**
 * A connection that is made by TCP across a {@linkcode FaultRelay} that loses segments.
 *
 * @module
 */
import { Deadline } from "../../src/base/deadline.ts";
import type { SignalBundle } from "../../src/protocol/signal/bundle.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { openBoth } from "../transport/loss.ts";
import { LOOPBACK_ONLY } from "../transport/harness.ts";
import { FaultRelay } from "./relay.ts";

/** Connects two peers by TCP under loss; milliseconds that it took. */
export async function setupOverTcp(
  share: number,
  seed: number,
  deadlineMs: number,
): Promise<number> {
  using deadline = new Deadline(deadlineMs, { what: "the setup" });
  const { signal } = deadline;
  await using relay = await FaultRelay.open({ conditions: { loss: share }, seed });
  const options = { scope: "lan", transport: "tcp", signal } as const;
  const through = (bundle: SignalBundle, whose: "offerer" | "answerer"): SignalBundle => {
    const { sdpType, sdp } = bundle.description;
    // The description has the candidates too.
    return {
      description: { sdpType, sdp: String(relay.disguise(sdp, whose)) },
      candidates: [],
    };
  };
  const began = performance.now();
  await using offering = await createConnector(LOOPBACK_ONLY).offer(options);
  await using answering = await createConnector(LOOPBACK_ONLY)
    .answer(through(offering.offer, "offerer"), options);
  await openBoth([
    offering.connect(through(answering.answer, "answerer"), signal),
    answering.connect(signal),
  ]);
  const { received } = relay.counts;
  if (received === 0) throw new Error("nothing went through the relay");
  return performance.now() - began;
}
