/**
 * Two peers whose first connection is cut after some bytes of its handshake, by a reset or a close.
 *
 * @module
 */
import { connect, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { assert, assertEquals } from "@std/assert";
import type { RTCCertificate } from "werift";
import { abortable, Deadline } from "../../src/base/deadline.ts";
import { DeadlineError, TransportError } from "../../src/base/errors.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { assertAlive, catcher, ended, LOOPBACK_ONLY } from "./harness.ts";
import { areUnused, listenerOf, through } from "./tcp_sockets.ts";

/** Where a connection is cut. */
export interface Cut {
  /** Who takes connections; the other connects. */
  readonly listening: "offerer" | "answerer";
  /** Whether UDP is there too. */
  readonly transport: "tcp" | "auto";
  /** How it ends. */
  readonly by: "reset" | "close";
  /** Which bytes count: those of who connects, or of who listens. */
  readonly from: "connecting" | "listening";
  /** So many of them pass. */
  readonly after: number;
}

/** What came of it. */
export interface CutOutcome {
  /** `alive`: the channel is open, by another connection or path. `ended`: with a plain failure. */
  readonly result: "alive" | "ended";
  /** Bytes of the first connection, of who connects and of who listens. */
  readonly bytes: { readonly connecting: number; readonly listening: number };
}

/** Where nothing is cut. */
export const NOWHERE: number = Infinity;

/** A relay of connections, the first of which is cut. */
class CuttingRelay implements AsyncDisposable {
  readonly bytes = { connecting: 0, listening: 0 };
  readonly #cut: Cut;
  readonly #target: () => number;
  readonly #server = createServer({ allowHalfOpen: true }, (socket) => this.#take(socket));
  readonly #sockets = new Set<Socket>();
  #count = 0;
  #isCut = false;

  constructor(cut: Cut, target: () => number) {
    this.#cut = cut;
    this.#target = target;
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("unreachable");
    return address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#sockets].map((socket) => once(socket, "close"));
    for (const socket of this.#sockets) socket.destroy();
    const over = once(this.#server, "close");
    this.#server.close();
    await Promise.all([...closed, over]);
  }

  #take(incoming: Socket): void {
    const isFirst = this.#count++ === 0;
    const outgoing = connect({ port: this.#target(), host: "127.0.0.1", allowHalfOpen: true });
    const both = [incoming, outgoing];
    for (
      const [from, to, side] of [
        [incoming, outgoing, "connecting"],
        [outgoing, incoming, "listening"],
      ] as const
    ) {
      from.setNoDelay(true);
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on("end", () => to.end());
      from.on("data", (data: Uint8Array) => this.#pass(data, to, both, isFirst ? side : undefined));
    }
    if (isFirst && this.#cut.after === 0) outgoing.on("connect", () => this.#end(both));
  }

  #pass(
    data: Uint8Array,
    to: Socket,
    both: readonly Socket[],
    side: "connecting" | "listening" | undefined,
  ): void {
    if (side === undefined) return void to.write(data);
    if (this.#isCut) return;
    const { from, after } = this.#cut;
    const left = from === side ? after - this.bytes[side] : Infinity;
    this.bytes[side] += Math.min(left, data.length);
    if (data.length < left) return void to.write(data);
    this.#isCut = true;
    to.write(data.subarray(0, left), () => this.#end(both));
  }

  #end(both: readonly Socket[]): void {
    this.#isCut = true;
    for (const socket of both) {
      if (this.#cut.by === "reset") socket.resetAndDestroy();
      else socket.end();
    }
  }
}

/**
 * Has two peers connect over a connection that is cut.
 *
 * @throws {AssertionError} When it neither leads to a channel nor to a plain failure, or leaves a
 * socket.
 */
export async function connectCut(cut: Cut, certificate?: RTCCertificate): Promise<CutOutcome> {
  using deadline = new Deadline(15_000, { what: `the end of ${JSON.stringify(cut)}` });
  const { signal } = deadline;
  const options = { scope: "lan", transport: cut.transport, signal } as const;
  const ports: number[] = [];
  const listens = (whose: "offerer" | "answerer") => cut.listening === whose;
  const [a, b] = [catcher(), catcher()];
  const same = certificate === undefined ? {} : { certificate };
  const outcome = await (async (): Promise<CutOutcome> => {
    let target = 0;
    await using relay = new CuttingRelay(cut, () => target);
    const port = await relay.listen();
    ports.push(port);
    await using offering = await createConnector({ ...LOOPBACK_ONLY, ...same, ...a.options })
      .offer(options);
    ports.push(listenerOf(offering.offer).port);
    const offer = through(offering.offer, listens("offerer") ? port : undefined);
    await using answering = await createConnector({ ...LOOPBACK_ONLY, ...same, ...b.options })
      .answer(offer, options);
    ports.push(listenerOf(answering.answer).port);
    target = ports[listens("offerer") ? 1 : 2] ?? 0;
    const answer = through(answering.answer, listens("answerer") ? port : undefined);
    // As a phase's deadline would: one side may wait for a peer that has given up.
    const giveUp = new AbortController();
    const patience = AbortSignal.any([signal, giveUp.signal]);
    const opening = [offering.connect(answer, patience), answering.connect(patience)];
    for (const one of opening) one.catch(() => {});
    try {
      const channels = await Promise.race([
        Promise.all(opening),
        lostOpen(opening, signal),
      ]);
      const [offerer, answerer] = channels;
      if (offerer === undefined || answerer === undefined) throw new Error("unreachable");
      return { result: await fate(offerer, answerer, signal), bytes: relay.bytes };
    } catch (error) {
      assertPlain(error, cut);
      // Whoever has chosen this connection sees its end by itself.
      const left = [a, b].map(({ get }) => get().connection.nominated !== undefined);
      for (const [i, one] of opening.entries()) {
        if (left[i] === true) {
          await abortable(one.then((channel) => channel.closed), signal).catch((reason) =>
            assertPlain(reason, cut)
          );
        }
      }
      giveUp.abort(new DeadlineError("given up"));
      for (const one of await Promise.allSettled(opening)) {
        if (one.status === "rejected") assertPlain(one.reason, cut);
        else await one.value.close({ graceful: false });
      }
      return { result: "ended", bytes: relay.bytes };
    }
  })();
  await areUnused(ports, signal);
  return outcome;
}

/** Rejects when a channel that is open has ended: the other side's may never be. */
async function lostOpen(opening: readonly Promise<Channel>[], signal: AbortSignal): Promise<never> {
  const ends = opening.map(async (one) => (await ended(await one, signal)).error);
  for (const one of ends) one.catch(() => {});
  throw await Promise.race(ends) ?? new Error("closed without a reason");
}

async function fate(a: Channel, b: Channel, signal: AbortSignal): Promise<CutOutcome["result"]> {
  await assertAlive(a, b, signal);
  for (const channel of [a, b]) await channel.close({ graceful: false });
  return "alive";
}

/** One of our errors, with a code and a sentence; its absence is a fault of the test's. */
function assertPlain(error: unknown, cut: Cut): void {
  if (error instanceof DeadlineError && error.message === "given up") return;
  assert(error instanceof TransportError, `${JSON.stringify(cut)}: ${error}`);
  assertEquals(error.code, "CHANNEL_LOST", JSON.stringify(cut));
}
