/**
 * A connector without a network, for tests: peers in one process meet by a number in their bundles.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import type { SignalBundle } from "../protocol/signal/bundle.ts";
import type { AnsweringPeer, Connector, OfferingPeer } from "./connector.ts";
import { type MemoryPair, memoryPair } from "./memory_channel.ts";

interface Meeting {
  readonly pair: MemoryPair;
  readonly met: PromiseWithResolvers<void>;
}

/** All peers that can reach each other, and the paths between them. */
export class MemoryNetwork {
  readonly #meetings: Meeting[] = [];

  /** The paths in the order of their offers, for a test to stall or to cut. */
  get paths(): readonly MemoryPair[] {
    return this.#meetings.map(({ pair }) => pair);
  }

  /** Makes connections inside this network. */
  get connector(): Connector {
    return {
      offer: () => Promise.resolve(this.#offer()),
      answer: (offer) => Promise.resolve(this.#answer(offer)),
    };
  }

  #offer(): OfferingPeer {
    const meeting: Meeting = { pair: memoryPair(), met: Promise.withResolvers<void>() };
    const number = this.#meetings.push(meeting) - 1;
    return {
      offer: bundle("offer", number),
      connect: (_answer, signal) => abortable(meet(meeting, "offerer"), signal),
      addCandidate: () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }

  #answer(offer: SignalBundle): AnsweringPeer {
    const number = Number(offer.description.sdp);
    const meeting = this.#meetings[number];
    if (meeting === undefined) throw new Error(`no offer ${offer.description.sdp} was made`);
    return {
      answer: bundle("answer", number),
      connect: (signal) => abortable(meet(meeting, "answerer"), signal),
      addCandidate: () => {},
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
}

/** The offerer has the answer when it connects: both may go on. */
async function meet({ pair, met }: Meeting, role: "offerer" | "answerer") {
  if (role === "offerer") met.resolve();
  await met.promise;
  return pair[role];
}

function bundle(sdpType: "offer" | "answer", number: number): SignalBundle {
  return { description: { sdpType, sdp: String(number) }, candidates: [] };
}
