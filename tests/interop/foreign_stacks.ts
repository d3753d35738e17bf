/**
 * Our transport with foreign WebRTC stacks, in both roles. Needs Node with npm, and the npm
 * registry once; Chromium where it is installed. Run with `deno task test:interop`.
 *
 * @module
 */
import { assertEquals, assertLess } from "@std/assert";
import { type RemotePeer, spawnPeer } from "../../scripts/interop/child.ts";
import { findChromium, openChromiumPeer } from "../../scripts/interop/chromium.ts";
import {
  FOREIGN_STACKS,
  type ForeignStack,
  hasNode,
  installForeignStacks,
} from "../../scripts/interop/node_packages.ts";
import { Deadline } from "../../src/base/deadline.ts";
import { TCP_NOMINATION_MS } from "../../src/base/timing.ts";
import type { Channel, ChannelMessage } from "../../src/transport/channel.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import type { PeerParts } from "../../src/transport/webrtc/peer.ts";
import { assertExchanged, byFile } from "../support/pairs.ts";
import { DAEMON, Run } from "../support/program.ts";

/** Around one packet's payload, one packet, the old limits of 16 and 64 KiB, and the largest. */
const SIZES = [1, 2, 1159, 1160, 1161, 16_384, 65_535, 65_536, 65_537, 262_143, 262_144];

function messages(): ChannelMessage[] {
  const binary = SIZES.map((size) => Uint8Array.from({ length: size }, (_, i) => (i * 7) & 255));
  const text = SIZES.map((size) => "abcdefghij".repeat(Math.ceil(size / 10)).slice(0, size));
  return [...text, "grüße, 世界, 🔩", ...binary];
}

function tell(what: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`test:interop: ${what}\n`));
}

function skipped(what: string): void {
  tell(`SKIPPED ${what}`);
}

const ROLES = ["offers", "answers"] as const;

/** What is cheapest for us; every stack has it. */
const SUITE = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256";

/** A channel, the cipher suite below it, and what making it took once both descriptions were there. */
interface Connected {
  readonly channel: Channel;
  readonly suite: string | undefined;
  readonly ms: number;
}

/** Connects with a peer that echoes, in the role that it has. */
async function connect(
  peer: RemotePeer,
  role: typeof ROLES[number],
  signal: AbortSignal,
  transport: "udp" | "auto" = "udp",
): Promise<Connected> {
  let parts: PeerParts | undefined;
  const connector = createConnector({ inspect: (ours) => parts = ours });
  const connected = async (opening: (signal: AbortSignal) => Promise<Channel>) => {
    const began = performance.now();
    const channel = await opening(signal);
    return { channel, suite: parts?.dtls()?.suite, ms: performance.now() - began };
  };
  const options = { scope: "global", signal, transport } as const;
  if (role === "answers") {
    await using offering = await connector.offer(options);
    const answer = await peer.answer(offering.offer);
    return await connected((signal) => offering.connect(answer, signal));
  }
  await using answering = await connector.answer(await peer.offer(), options);
  return await connected(async (signal) => {
    await peer.accept(answering.answer);
    return await answering.connect(signal);
  });
}

/** Setups of each kind, in turns. */
const SETUPS = 7;

/** What setups took, in milliseconds; half took less. */
function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? NaN;
}

/** Candidate lines of TCP in a description: an offer or answer as daemons exchange it. */
async function withTcpLines(
  name: string,
  role: typeof ROLES[number],
  open: () => Promise<RemotePeer> | RemotePeer,
): Promise<void> {
  using deadline = new Deadline(120_000, { what: "the setups with the foreign stack" });
  const { signal } = deadline;
  const took = { udp: [] as number[], auto: [] as number[] };
  const carried = new Set<string>();
  for (let i = 0; i < SETUPS; i++) {
    for (const transport of ["udp", "auto"] as const) {
      await using peer = await open();
      await peer.ready;
      const { channel: opened, ms } = await connect(peer, role, signal, transport);
      await using channel = opened;
      took[transport].push(ms);
      if (transport === "auto") carried.add(channel.path?.transport ?? "none");
      await peer.opened;
      const echoed = peer.measure({ do: "echo" });
      await channel.send("with TCP lines", { signal });
      assertEquals(await channel.receive({ signal }), "with TCP lines");
      await channel.close({ signal });
      await echoed;
    }
  }
  const [udp, auto] = [median(took.udp), median(took.auto)];
  const by = [...carried].join(" and ");
  tell(`${name} ${role}: ${udp.toFixed()} ms, with TCP lines ${auto.toFixed()} ms, by ${by}`);
  assertLess(auto - udp, TCP_NOMINATION_MS, "nobody waits for TCP that does not come");
}

async function exchange(
  name: string,
  peer: RemotePeer,
  role: typeof ROLES[number],
): Promise<void> {
  using deadline = new Deadline(90_000, { what: "the exchange with the foreign stack" });
  const { signal } = deadline;
  await peer.ready;
  const { channel: opened, suite } = await connect(peer, role, signal);
  await using channel = opened;
  tell(`${name} ${role}: ${suite}`);
  // Who answers is the server, which chooses.
  if (role === "offers") assertEquals(suite, SUITE);
  await peer.opened;
  const echoed = peer.measure({ do: "echo" });
  const sent = messages();
  const sending = (async () => {
    for (const message of sent) await channel.send(message, { signal });
  })();
  for (const message of sent) assertEquals(await channel.receive({ signal }), message);
  await sending;
  await channel.drained({ signal });
  await channel.close({ signal });
  await echoed;
}

const nodeIsThere = await hasNode();
if (!nodeIsThere) {
  skipped("libdatachannel and libwebrtc: there is no node or npm on the PATH");
}
const program = nodeIsThere ? await installForeignStacks() : "";
const offererProgram = nodeIsThere ? await installForeignStacks("node_offerer.ts") : "";
addEventListener("unload", () => {
  for (const path of [program, offererProgram]) if (path !== "") Deno.removeSync(path);
});

for (const [stack, { package: version, module }] of Object.entries(FOREIGN_STACKS)) {
  for (const role of ROLES) {
    Deno.test({
      name:
        `${stack as ForeignStack} (${version}) ${role}: text and binary of 1 byte to 256 KiB come back`,
      ignore: !nodeIsThere,
      fn: async () => {
        await using peer = spawnPeer("node", [program, module]);
        await exchange(stack, peer, role);
      },
    });
  }
}

/** The one-shot program with an offerer that is gone the moment it has the echo. */
async function exchangeOnce(module: string): Promise<void> {
  await using answerer = new Run(DAEMON, byFile("-", "-").answerer);
  await using offerer = new Run({ command: "node", args: [offererProgram, module] }, []);
  await answerer.input(await offerer.line());
  await offerer.input(await answerer.line());
  const { code, stderr } = await offerer.outcome();
  assertEquals(code, 0, stderr);
  assertExchanged("Answerer", await answerer.outcome());
}

/** Runs, and how many of them at once. */
const LEAVING = { libdatachannel: 50, libwebrtc: 10 } as const;
const AT_ONCE = 5;
for (const [stack, { package: version, module }] of Object.entries(FOREIGN_STACKS)) {
  for (const role of ROLES) {
    Deno.test({
      name: `${stack} (${version}) ${role}: candidates by TCP neither fail it nor make it wait`,
      ignore: !nodeIsThere,
      fn: () => withTcpLines(stack, role, () => spawnPeer("node", [program, module])),
    });
  }
}

for (const [stack, { package: version, module }] of Object.entries(FOREIGN_STACKS)) {
  const runs = LEAVING[stack as ForeignStack];
  Deno.test({
    name: `${stack} (${version}) offers and leaves with the echo: ${runs} of ${runs} runs exit 0`,
    ignore: !nodeIsThere,
    fn: async () => {
      for (let i = 0; i < runs; i += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, () => exchangeOnce(module)));
      }
    },
  });
}

const chromium = await findChromium();
if (chromium === undefined) {
  skipped("Chromium: it is not installed");
}
for (const role of ROLES) {
  Deno.test({
    name: `Chromium ${role}: text and binary of 1 byte to 256 KiB come back`,
    ignore: chromium === undefined,
    fn: async () => {
      await using peer = await openChromiumPeer(chromium ?? "");
      await exchange("Chromium", peer, role);
    },
  });
}

for (const role of ROLES) {
  Deno.test({
    name: `Chromium ${role}: candidates by TCP neither fail it nor make it wait`,
    ignore: chromium === undefined,
    fn: () => withTcpLines("Chromium", role, () => openChromiumPeer(chromium ?? "")),
  });
}

// Daemons of before stand on the library's SCTP, which breaks off at chunks that it does not know.
Deno.test("the WebRTC library alone answers: text and binary of 1 byte to 256 KiB come back", async () => {
  const program = new URL("../../scripts/bench/transport_peer.ts", import.meta.url).href;
  await using peer = spawnPeer(Deno.execPath(), ["run", "-A", "--quiet", program, "stock"]);
  await exchange("stock werift", peer, "answers");
});
