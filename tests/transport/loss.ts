/**
 * Seeded loss between two connectors in one process.
 *
 * @module
 */
import { Deadline } from "../../src/base/deadline.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import type { DatagramTap } from "../../src/transport/webrtc/ice/udp_socket.ts";

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Loses this share of inbound datagrams. */
export function lossyTap(share: number, random: () => number): DatagramTap {
  return { inbound: () => random() >= share };
}

/** Connects two peers, each of whom loses datagrams; milliseconds that it took. */
export async function setupUnderLoss(
  share: number,
  seed: number,
  deadlineMs: number,
): Promise<number> {
  using deadline = new Deadline(deadlineMs, { what: "the setup" });
  const { signal } = deadline;
  const random = seededRandom(seed);
  const [offerer, answerer] = [0, 1].map(() => createConnector({ tap: lossyTap(share, random) }));
  if (offerer === undefined || answerer === undefined) throw new Error("unreachable");
  const options = { scope: "lan", signal } as const;
  const began = performance.now();
  await using offering = await offerer.offer(options);
  await using answering = await answerer.answer(offering.offer, options);
  await openBoth([offering.connect(answering.answer, signal), answering.connect(signal)]);
  return performance.now() - began;
}

/** Waits for both ends of a channel, and closes them; what failed is thrown. */
export async function openBoth(opening: readonly Promise<Channel>[]): Promise<void> {
  const results = await Promise.allSettled(opening);
  const channels = results.flatMap((r): Channel[] => r.status === "fulfilled" ? [r.value] : []);
  await Promise.all(channels.map((channel) => channel.close({ graceful: false })));
  const failed = results.find((r) => r.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
