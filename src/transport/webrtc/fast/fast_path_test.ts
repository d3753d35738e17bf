import { assert, assertEquals, assertMatch } from "@std/assert";
import { Deadline } from "../../../base/deadline.ts";
import type { Channel, ChannelMessage } from "../../channel.ts";
import { createConnector } from "../connector.ts";
import type { DatagramTap } from "../datagram_gate.ts";
import type { FastPath, FastPathTarget } from "../fast_path.ts";
import { createFastPath } from "./fast_path.ts";
import { seededRandom } from "../../testing/virtual_link.ts";

const NONE: FastPath = () => {};
const LOOPBACK = () => [{ address: "127.0.0.1" }];

async function connected(
  [a, b]: readonly [FastPath, FastPath],
  signal: AbortSignal,
  tap?: DatagramTap,
): Promise<[Channel, Channel]> {
  const connectorOf = (fastPath: FastPath) =>
    createConnector({
      interfaces: LOOPBACK,
      fastPath,
      ...(tap === undefined ? {} : { tap }),
    });
  const options = { scope: "lan", signal } as const;
  await using offering = await connectorOf(a).offer(options);
  await using answering = await connectorOf(b).answer(offering.offer, options);
  return await Promise.all([
    offering.connect(answering.answer, signal),
    answering.connect(signal),
  ]);
}

/** Sends text and binary of many sizes both ways at once, and closes in order. */
async function exchange([a, b]: readonly [Channel, Channel], signal: AbortSignal): Promise<void> {
  const random = seededRandom(1);
  const messages: ChannelMessage[] = ["bolt-hello-v1", "é".repeat(5000)];
  for (const size of [1, 1159, 1160, 1161, 16_384, 65_536, 262_144]) {
    messages.push(Uint8Array.from({ length: size }, () => random() * 256));
  }
  const send = async (channel: Channel) => {
    for (const message of messages) await channel.send(message, { signal });
    await channel.drained({ signal });
  };
  const receive = async (channel: Channel) => {
    for (const message of messages) assertEquals(await channel.receive({ signal }), message);
  };
  await Promise.all([send(a), send(b), receive(a), receive(b)]);
  await a.close({ signal });
  assertEquals(await b.receive({ signal }), undefined);
  await b.close({ signal });
}

const off = { sockets: false, records: false };
const VARIANTS = {
  "all layers": {},
  "sockets alone": { ...off, sockets: true },
  "records alone": { ...off, records: true },
};

for (const [name, options] of Object.entries(VARIANTS)) {
  Deno.test(`with ${name}, peers understand each other and one without, in both roles`, async () => {
    using deadline = new Deadline(60_000, { what: "the exchanges" });
    const { signal } = deadline;
    const warnings: string[] = [];
    const fast = createFastPath({ ...options, warn: (message) => warnings.push(message) });
    for (const pair of [[fast, fast], [fast, NONE], [NONE, fast]] as const) {
      await exchange(await connected(pair, signal), signal);
    }
    assertEquals(warnings, []);
  });
}

Deno.test("1 % and 10 % of all datagrams lost: everything arrives, in order, once", async () => {
  using deadline = new Deadline(120_000, { what: "the exchanges" });
  const { signal } = deadline;
  const fast = createFastPath();
  for (const loss of [0.01, 0.1]) {
    const random = seededRandom(42);
    const tap = { inbound: () => random() >= loss };
    await exchange(await connected([fast, fast], signal, tap), signal);
  }
});

/** What each layer is shown in place of the library, and what it must say. */
const BROKEN: Record<string, (target: FastPathTarget) => FastPathTarget> = {
  sockets: (target) => ({
    ...target,
    iceTransports: [Object.create(null, { connection: { value: {} } })],
  }),
  records: (target) => ({
    ...target,
    dtlsTransports: [
      Object.create(target.dtlsTransports[0], { iceTransport: { value: { connection: {} } } }),
    ],
  }),
};

for (const [layer, show] of Object.entries(BROKEN)) {
  Deno.test(`a library whose ${layer} are not as expected is used as it is, with a warning`, async () => {
    using deadline = new Deadline(60_000, { what: "the exchange" });
    const { signal } = deadline;
    const warnings: string[] = [];
    const fast = createFastPath({ warn: (message) => warnings.push(message) });
    const broken: FastPath = (target) => fast(show(target));
    await exchange(await connected([broken, broken], signal), signal);
    assertEquals(warnings.length, 2, "one for each connection");
    assert(warnings.every((warning) => warning === warnings[0]));
    assertMatch(warnings[0] ?? "", new RegExp(`the fast path's ${layer} is off`));
  });
}
