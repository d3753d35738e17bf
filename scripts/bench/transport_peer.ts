/**
 * A peer under Deno for the transport bench, of the variant named by its argument.
 *
 * @module
 */
import process from "node:process";
import { RTCPeerConnection } from "werift";
import type { Channel } from "../../src/transport/channel.ts";
import type { AnsweringPeer, OfferingPeer } from "../../src/transport/connector.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { createFastPath, type FastPathOptions } from "../../src/transport/webrtc/fast/fast_path.ts";
import { jsonLines } from "../interop/child.ts";
import { type Command, converse } from "../interop/commands.ts";
import type { Endpoint, Link } from "../interop/endpoint.ts";
import { w3cEndpoint } from "../interop/w3c_endpoint.ts";

const ADDRESS = "127.0.0.1";

const NO_LAYER = { sockets: false, records: false };

/** Which layers of the fast path each variant of ours has. */
const OURS: Readonly<Record<string, FastPathOptions>> = {
  "ours": {},
  "ours-without-fast-path": NO_LAYER,
  "ours-sockets-only": { ...NO_LAYER, sockets: true },
  "ours-records-only": { ...NO_LAYER, records: true },
};

function ours(layers: FastPathOptions): Endpoint {
  const connector = createConnector({
    interfaces: () => [{ address: ADDRESS }],
    fastPath: createFastPath(layers),
  });
  const { signal } = new AbortController();
  const options = { scope: "lan", signal } as const;
  const opened = Promise.withResolvers<Link>();
  let offering: OfferingPeer | undefined;
  const open = (connecting: Promise<Channel>) =>
    connecting.then((channel) => opened.resolve(linkOf(channel)), opened.reject);
  return {
    opened: opened.promise,
    offer: async () => {
      offering = await connector.offer(options);
      return offering.offer;
    },
    accept: (answer) => {
      if (offering !== undefined) open(offering.connect(answer, signal));
      return Promise.resolve();
    },
    answer: async (offer) => {
      const answering: AnsweringPeer = await connector.answer(offer, options);
      open(answering.connect(signal));
      return answering.answer;
    },
  };
}

function linkOf(channel: Channel): Link {
  return {
    send: (message) => channel.send(message),
    receive: () => channel.receive(),
    close: () => channel.close(),
  };
}

/** The library as it is, but for what it needs to run here: one address, and no server. */
function stock(): Endpoint {
  const connection = new RTCPeerConnection({
    iceServers: [],
    maxMessageSize: 262_144,
    iceUseIpv4: false,
    iceUseIpv6: false,
    iceAdditionalHostAddresses: [ADDRESS],
  });
  return w3cEndpoint(connection as unknown as Parameters<typeof w3cEndpoint>[0], {
    beforeGathering: () => {
      for (const { connection: ice } of connection.iceTransports) delete ice.stunServer;
    },
  });
}

const meter = {
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  residentBytes: () => Deno.memoryUsage().rss,
};

const encoder = new TextEncoder();
const [variant = ""] = Deno.args;
const layers = OURS[variant];
await converse(layers === undefined ? stock() : ours(layers), meter, {
  commands: jsonLines<Command>(Deno.stdin.readable),
  reply: (reply) => void Deno.stdout.writeSync(encoder.encode(JSON.stringify(reply) + "\n")),
});
Deno.exit();
