/**
 * Connecting to the peer in rendezvous mode.
 *
 * @module
 */
import type { RendezvousOptions } from "./options.ts";
import { shownUrl } from "../../base/shown_url.ts";
import { logFor } from "../../log/log.ts";
import { CHANNEL_LABEL } from "../../protocol/payload_exchange.ts";
import { DaemonHandshake } from "../../signaling/rendezvous/daemon_handshake.ts";
import { RendezvousClient } from "../../signaling/rendezvous/rendezvous_client.ts";
import { whileConnecting } from "../../signaling/rendezvous/while_connecting.ts";
import type { Channel } from "../../transport/channel.ts";
import { loggedConnectOptions, type RunParts } from "./run_parts.ts";

const log = logFor("rendezvous");

/** Registers, shakes hands, exchanges offer and answer, and connects. */
export async function connectByRendezvous(
  options: RendezvousOptions,
  parts: RunParts,
): Promise<Channel> {
  await using client = await register(options, parts);
  const context = {
    room: options.room,
    session: options.session,
    self: options.self,
    remote: options.remote,
    scope: options.scope,
  };
  const { phaseTimeoutSecs } = options;
  const handshake = new DaemonHandshake(client, { context, phaseTimeoutSecs, log });
  return options.role === "offerer"
    ? await connectAsOfferer(options, parts, handshake)
    : await connectAsAnswerer(options, parts, handshake);
}

async function register(options: RendezvousOptions, parts: RunParts): Promise<RendezvousClient> {
  using phase = parts.phases.begin("the rendezvous server's answer");
  const { url, self, remote } = options;
  const client = await RendezvousClient.register({
    url,
    self,
    remote,
    deviceName: "bolt-daemon",
    signal: phase.signal,
    log,
    ...(parts.pace === undefined ? {} : { pace: parts.pace }),
  });
  log.info("registered", { peer_id: self, url: shownUrl(url) });
  return client;
}

async function connectAsOfferer(
  options: RendezvousOptions,
  parts: RunParts,
  handshake: DaemonHandshake,
): Promise<Channel> {
  {
    using phase = parts.phases.begin(`the ack of peer '${options.remote}'`);
    await handshake.hello(phase.signal);
  }
  const connectOptions = loggedConnectOptions(options.scope, parts.signal);
  await using peer = await parts.connector.offer({ ...connectOptions, label: CHANNEL_LABEL });
  let answer;
  {
    using phase = parts.phases.begin(`the answer of peer '${options.remote}'`);
    answer = await handshake.offer(peer.offer, phase.signal);
    log.info("answer received", { peer: options.remote });
  }
  using phase = parts.phases.begin("the DataChannel to open");
  return await peer.connect(answer, phase.signal);
}

async function connectAsAnswerer(
  options: RendezvousOptions,
  parts: RunParts,
  handshake: DaemonHandshake,
): Promise<Channel> {
  {
    using phase = parts.phases.begin(`the hello of peer '${options.remote}'`);
    await handshake.acknowledge(phase.signal);
  }
  let offer;
  {
    using phase = parts.phases.begin(`the offer of peer '${options.remote}'`);
    offer = await handshake.receiveOffer(phase.signal);
    log.info("offer received", { peer: options.remote });
  }
  const connectOptions = loggedConnectOptions(options.scope, parts.signal);
  await using peer = await parts.connector.answer(offer, connectOptions);
  using phase = parts.phases.begin("the DataChannel to open");
  return await whileConnecting(
    (signal) => handshake.keepAnswering(offer, peer.answer, signal),
    () => peer.connect(phase.signal),
  );
}
