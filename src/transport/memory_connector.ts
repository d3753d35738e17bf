/**
 * A connector without a network, for tests: peers in one process meet by a number in their bundles.
 *
 * @module
 */
import { abortable } from "../base/deadline.ts";
import type { SignalBundle } from "../protocol/signal/bundle.ts";
import type { Channel } from "./channel.ts";
import type { AnsweringPeer, Connector, OfferingPeer } from "./connector.ts";
import { type MemoryPair, memoryPair } from "./memory_channel.ts";

interface Meeting {
  readonly pair: MemoryPair;
  readonly met: PromiseWithResolvers<void>;
  isMet: boolean;
  /** Its answerer gave up before: the answer leads nowhere, as over a real network. */
  isGone: boolean;
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
    const meeting: Meeting = {
      pair: memoryPair(),
      met: Promise.withResolvers<void>(),
      isMet: false,
      isGone: false,
    };
    const number = this.#meetings.push(meeting) - 1;
    return {
      offer: bundle("offer", number),
      connect: (answer, signal) => abortable(this.#reach(meeting, answer), signal),
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
      connect: (signal) => abortable(meeting.met.promise.then(() => meeting.pair.answerer), signal),
      addCandidate: () => {},
      [Symbol.asyncDispose]: () => {
        meeting.isGone = !meeting.isMet;
        return Promise.resolve();
      },
    };
  }

  /** The offerer has the answer when it connects: both may go on. */
  #reach(meeting: Meeting, answer: SignalBundle): Promise<Channel> {
    const answered = this.#meetings[Number(answer.description.sdp)];
    if (answered?.isGone) return new Promise(() => {});
    meeting.isMet = true;
    meeting.met.resolve();
    return Promise.resolve(meeting.pair.offerer);
  }
}

function bundle(sdpType: "offer" | "answer", number: number): SignalBundle {
  return { description: { sdpType, sdp: String(number) }, candidates: [] };
}
