/**
 * A peer under Deno for the transport bench, of the variant named by its argument.
 *
 * @module
 */
import process from "node:process";
import { RTCPeerConnection } from "werift";
import type { Channel } from "../../src/transport/channel.ts";
import type { AnsweringPeer, OfferingPeer } from "../../src/transport/connector.ts";
import { loadSodium } from "../../src/protocol/crypto/sodium.ts";
import { createConnector } from "../../src/transport/webrtc/connector.ts";
import { jsonLines } from "../interop/child.ts";
import { type Command, converse } from "../interop/commands.ts";
import type { Endpoint, Link } from "../interop/endpoint.ts";
import { w3cEndpoint } from "../interop/w3c_endpoint.ts";

const ADDRESS = "127.0.0.1";

function ours(): Endpoint {
  const connector = createConnector({ interfaces: () => [{ address: ADDRESS }] });
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
// As the daemon does before a session.
if (variant === "ours") await loadSodium();
await converse(variant === "ours" ? ours() : stock(), meter, {
  commands: jsonLines<Command>(Deno.stdin.readable),
  reply: (reply) => void Deno.stdout.writeSync(encoder.encode(JSON.stringify(reply) + "\n")),
});
Deno.exit();
