/**
 * A peer that does what it is told, one JSON object a line: makes its half of a connection, then
 * echoes, sends, receives or measures.
 *
 * @module
 */
import type { Bundle, Endpoint, Link, Meter } from "./endpoint.ts";

/** What a peer is told. */
export type Command =
  | { readonly do: "offer" }
  | { readonly do: "accept"; readonly bundle: Bundle }
  | { readonly do: "answer"; readonly bundle: Bundle }
  /** Sends back whatever comes, until the other side closes. */
  | { readonly do: "echo" }
  /** Sends `count` messages of `size` bytes; done when the other side says that they came. */
  | { readonly do: "send"; readonly size: number; readonly count: number }
  | { readonly do: "receive"; readonly size: number; readonly count: number }
  /** Sends `count` messages, each after the answer to the one before. */
  | { readonly do: "ping"; readonly count: number }
  | { readonly do: "pong"; readonly count: number }
  | { readonly do: "idle"; readonly ms: number }
  | { readonly do: "close" };

/** What a peer tells. */
export type Reply =
  | { readonly ready: true }
  | { readonly bundle: Bundle }
  | { readonly open: true }
  | { readonly result: Measurement }
  | { readonly error: string };

/** What a command took. */
export interface Measurement {
  /** Wall clock. For "ping": of one round trip, the median. */
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakResidentBytes: number;
}

/** How a peer is spoken to. */
export interface Conversation {
  readonly commands: AsyncIterable<Command>;
  reply(reply: Reply): void;
}

const RECEIVED = "received";
const PING_BYTES = 64;
/** Memory is looked at once for this many bytes of messages. */
const SAMPLE_BYTES = 1024 * 1024;

/** Obeys until told to close, or until there is nobody to tell. */
export async function converse(
  endpoint: Endpoint,
  meter: Meter,
  { commands, reply }: Conversation,
): Promise<void> {
  endpoint.opened.then(() => reply({ open: true }), (error) => reply({ error: String(error) }));
  reply({ ready: true });
  for await (const command of commands) {
    try {
      if (command.do === "offer") reply({ bundle: await endpoint.offer() });
      else if (command.do === "answer") reply({ bundle: await endpoint.answer(command.bundle) });
      else if (command.do === "accept") await endpoint.accept(command.bundle);
      else if (command.do === "close") return await (await endpoint.opened).close();
      else reply({ result: await measure(command, await endpoint.opened, meter) });
    } catch (error) {
      reply({ error: error instanceof Error ? error.stack ?? error.message : String(error) });
    }
  }
}

type Task = Extract<Command, { do: "echo" | "send" | "receive" | "ping" | "pong" | "idle" }>;

async function measure(task: Task, link: Link, meter: Meter): Promise<Measurement> {
  let peakResidentBytes = meter.residentBytes();
  const sample = () => {
    peakResidentBytes = Math.max(peakResidentBytes, meter.residentBytes());
  };
  const cpuBefore = meter.cpuMs();
  const before = performance.now();
  const ms = await perform(task, link, sample);
  sample();
  return {
    ms: ms ?? performance.now() - before,
    cpuMs: meter.cpuMs() - cpuBefore,
    peakResidentBytes,
  };
}

/** Returns what counts as its time, where that is not all of it. */
async function perform(task: Task, link: Link, sample: () => void): Promise<number | undefined> {
  switch (task.do) {
    case "echo":
      for (let message = await link.receive(); message !== undefined;) {
        await link.send(message);
        message = await link.receive();
      }
      return undefined;
    case "send":
      await sendAll(task, link, sample);
      return undefined;
    case "receive":
      return await receiveAll(task, link, sample);
    case "ping":
      return await ping(task.count, link);
    case "pong":
      for (let i = 0; i < task.count; i++) await link.send(await received(link));
      return undefined;
    case "idle":
      await new Promise((resolve) => setTimeout(resolve, task.ms));
      return undefined;
  }
}

type Bulk = { readonly size: number; readonly count: number };

async function sendAll({ size, count }: Bulk, link: Link, sample: () => void): Promise<void> {
  const message = new Uint8Array(size);
  const every = Math.max(1, Math.floor(SAMPLE_BYTES / size));
  for (let i = 0; i < count; i++) {
    message.fill(i);
    await link.send(message);
    if (i % every === 0) sample();
  }
  if (await link.receive() !== RECEIVED) throw new Error("the other side did not get everything");
}

/** The time from the first message to the last. */
async function receiveAll({ size, count }: Bulk, link: Link, sample: () => void): Promise<number> {
  await received(link);
  const first = performance.now();
  const every = Math.max(1, Math.floor(SAMPLE_BYTES / size));
  for (let i = 1; i < count; i++) {
    const message = await received(link);
    const isWhole = message.length === size && message[0] === (i & 255);
    if (!isWhole) throw new Error(`message ${i} is not the one that was sent`);
    if (i % every === 0) sample();
  }
  const ms = performance.now() - first;
  await link.send(RECEIVED);
  return ms;
}

async function ping(count: number, link: Link): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const before = performance.now();
    await link.send(new Uint8Array(PING_BYTES));
    await received(link);
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[count >> 1] ?? NaN;
}

async function received(link: Link): Promise<Uint8Array<ArrayBuffer>> {
  const message = await link.receive();
  if (message instanceof Uint8Array) return message;
  throw new Error(message === undefined ? "the channel has closed" : "text in place of binary");
}
