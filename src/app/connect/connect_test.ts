import { assert, assertEquals, assertRejects } from "@std/assert";
import { abortable } from "../../base/deadline.ts";
import { DeadlineError } from "../../base/errors.ts";
import type { SignalBundle } from "../../protocol/signal/bundle.ts";
import type { AnsweringPeer, Connector, OfferingPeer } from "../../transport/connector.ts";
import { memoryPair } from "../../transport/testing/memory_channel.ts";
import { connect, type Trial } from "./connect.ts";
import { Phases } from "./phases.ts";
import type { Exchange, LocalDescription, RemoteDescription, Route } from "./route.ts";
import type { Role } from "../../protocol/signal/bundle.ts";

const never = (signal: AbortSignal) => abortable(new Promise<never>(() => {}), signal);
const bundle = (sdpType: "offer" | "answer", sdp: string): SignalBundle => ({
  description: { sdpType, sdp },
  candidates: [],
});

/** What is made for an attempt: its number, and whether it was thrown away. */
class Material implements Disposable {
  isDisposed = false;
  constructor(readonly attempt: number) {}
  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

/** A peer whose halves are replaced so many times, at the other end of a scripted route. */
class Scripted {
  readonly said: string[] = [];
  readonly made: Material[] = [];
  readonly warnings: string[] = [];
  readonly candidates: string[] = [];
  peersOpen = 0;
  isLeft = false;
  #replacements: number;
  readonly #opens: boolean;

  constructor(readonly role: Role, replacements: number, opens = true) {
    this.#replacements = replacements;
    this.#opens = opens;
  }

  readonly route: Route<Material, string> = {
    open: ({ resources }) => {
      resources.defer(() => {
        this.isLeft = true;
      });
      return Promise.resolve(this.#exchange);
    },
  };

  readonly #exchange: Exchange<Material, string> = {
    awaited: "the peer's half",
    offer: ({ ours }: LocalDescription<Material>) => {
      this.said.push(`offer ${ours.attempt}`);
      return Promise.resolve(this.#remote("answer"));
    },
    receiveOffer: () => Promise.resolve(this.#remote("offer")),
    answer: ({ ours }: LocalDescription<Material>, offer) => {
      this.said.push(`answer ${ours.attempt} to ${offer.theirs}`);
      return Promise.resolve();
    },
    replaced: async (addCandidate, signal) => {
      addCandidate(`late ${this.said.length}`);
      if (this.#replacements-- <= 0) await never(signal);
    },
  };

  #remote(half: "offer" | "answer"): RemoteDescription<string> {
    const sdp = `${half} ${this.said.length}`;
    return { bundle: bundle(half, sdp), theirs: sdp, deviceName: "peer" };
  }

  /** Connects once the peer's half is not replaced any more. */
  readonly #peer = {
    offer: bundle("offer", "ours"),
    answer: bundle("answer", "ours"),
    connect: (...args: [AbortSignal] | [SignalBundle, AbortSignal]) => {
      const signal = args.length === 1 ? args[0] : args[1];
      if (!this.#opens || this.#replacements >= 0) return never(signal);
      return Promise.resolve(memoryPair().offerer);
    },
    addCandidate: (candidate: string) => this.candidates.push(candidate),
    [Symbol.asyncDispose]: () => {
      this.peersOpen--;
      return Promise.resolve();
    },
  };

  readonly connector: Connector = {
    offer: (): Promise<OfferingPeer> => {
      this.peersOpen++;
      return Promise.resolve(this.#peer);
    },
    answer: (): Promise<AnsweringPeer> => {
      this.peersOpen++;
      return Promise.resolve(this.#peer);
    },
  };

  connect(phaseSecs = 60, trial?: Trial<Material, string>) {
    const { signal } = new AbortController();
    const { role, route, connector } = this;
    return connect<Material, string>({
      role,
      route,
      connector,
      phases: new Phases(phaseSecs, signal),
      observer: { warn: (message) => this.warnings.push(message) },
      fresh: () => {
        const material = new Material(this.made.length);
        this.made.push(material);
        return material;
      },
      connection: { scope: "lan", signal, label: "test" },
      ...(trial === undefined ? {} : { trial }),
    });
  }
}

/** What each role says in its attempts, what it gets in the last, and how it warns of the others. */
const ROLES = {
  offerer: {
    said: ["offer 0", "offer 1", "offer 2"],
    theirs: "answer 3",
    warning: "offering again",
  },
  answerer: {
    said: ["answer 0 to offer 0", "answer 1 to offer 1", "answer 2 to offer 2"],
    theirs: "offer 2",
    warning: "answering the new one",
  },
};

for (const role of ["offerer", "answerer"] as const) {
  const { said, theirs, warning } = ROLES[role];
  Deno.test(`each attempt of the ${role} has material of its own, and the last one's comes with the channel`, async () => {
    const peer = new Scripted(role, 2);
    const connected = await peer.connect();
    assertEquals(peer.said, said);
    assertEquals(connected.ours.attempt, 2);
    assertEquals(connected.theirs, theirs);
    assertEquals(connected.deviceName, "peer");
    assertEquals(peer.made.map(({ isDisposed }) => isDisposed), [true, true, false]);
    assert(peer.warnings.every((text) => text.endsWith(warning)), `${peer.warnings}`);
    assertEquals(peer.warnings.length, 2);
    assertEquals([peer.peersOpen, peer.isLeft], [0, true]);
    await connected.channel.close({ graceful: false });
  });

  Deno.test(`an ${role} whose channel does not open gives up when its one wait for all attempts ends`, async () => {
    const peer = new Scripted(role, 2, false);
    await assertRejects(() => peer.connect(0.05), DeadlineError, "the DataChannel to open");
    assertEquals(peer.made.map(({ isDisposed }) => isDisposed), [true, true, true]);
    assertEquals([peer.peersOpen, peer.isLeft], [0, true]);
  });
}

Deno.test("candidates that come while the channel is being made are passed on", async () => {
  const peer = new Scripted("offerer", 0);
  const { channel } = await peer.connect();
  assertEquals(peer.candidates, ["late 1"]);
  await channel.close({ graceful: false });
});

/** Tries each channel, and finds so many of no use; notes what becomes of them and when. */
function scriptedTrial(peer: Scripted, useless: number) {
  const tried: number[] = [];
  const dropped: string[] = [];
  const trial: Trial<Material, string> = {
    attempts: 3,
    problem: "nothing came",
    run: ({ ours, channel }) => {
      let isOpen = true;
      channel.closed.then(() => isOpen = false);
      tried.push(ours.attempt);
      if (tried.length > useless) return Promise.resolve();
      return Promise.resolve({
        [Symbol.asyncDispose]: () => {
          const isWhole = isOpen && !ours.isDisposed;
          dropped.push(`${ours.attempt} whole ${isWhole} after ${peer.said.length} offers`);
          return Promise.resolve();
        },
      });
    },
  };
  return { trial, tried, dropped };
}

Deno.test("a channel that is of no use stays until the peer has answered the next offer", async () => {
  const peer = new Scripted("offerer", 0);
  const { trial, tried, dropped } = scriptedTrial(peer, 1);
  const { ours, channel } = await peer.connect(60, trial);
  assertEquals([peer.said, ours.attempt, tried], [["offer 0", "offer 1"], 1, [0, 1]]);
  assertEquals(dropped, ["0 whole true after 2 offers"]);
  assertEquals(peer.made.map(({ isDisposed }) => isDisposed), [true, false]);
  assertEquals(peer.warnings, ["nothing came: offering again"]);
  await channel.close({ graceful: false });
});

Deno.test("the last attempt's channel is handed out as it is", async () => {
  const peer = new Scripted("offerer", 0);
  const { trial, tried, dropped } = scriptedTrial(peer, 9);
  const { ours, channel } = await peer.connect(60, trial);
  assertEquals([ours.attempt, tried, dropped.length], [2, [0, 1], 2]);
  assertEquals(peer.made.map(({ isDisposed }) => isDisposed), [true, true, false]);
  await channel.close({ graceful: false });
});

Deno.test("a trial that fails ends all, and its channel with it", async () => {
  const peer = new Scripted("offerer", 0);
  const trial: Trial<Material, string> = {
    attempts: 3,
    problem: "nothing came",
    run: () => Promise.reject(new Error("closed by its people")),
  };
  await assertRejects(() => peer.connect(60, trial), Error, "closed by its people");
  assertEquals(peer.made.map(({ isDisposed }) => isDisposed), [true]);
  assertEquals([peer.peersOpen, peer.isLeft], [0, true]);
});
