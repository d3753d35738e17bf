/**
 * The payload exchange over an open channel.
 *
 * @module
 */
import { abortable, Deadline } from "../../base/deadline.ts";
import { TransportError } from "../../base/errors.ts";
import type { Role } from "./options.ts";
import { logFor } from "../../log/log.ts";
import { checkGreeting, GREETING } from "../../protocol/payload_exchange.ts";
import type { Channel } from "../../transport/channel.ts";

const log = logFor("bolt-daemon");

/**
 * How long the answerer stays for the offerer's close after its echo has been acknowledged, in
 * milliseconds. A foreign offerer may stay open; the exchange is complete by then.
 */
const LINGER_MS = 500;

/**
 * Exchanges the payload.
 *
 * @throws {PayloadError} The peer sent another payload.
 * @throws {TransportError} The channel ended before the exchange was complete.
 */
export async function exchangePayload(
  role: Role,
  channel: Channel,
  signal: AbortSignal,
): Promise<void> {
  if (role === "offerer") {
    await channel.send(GREETING, { signal });
    checkGreeting(await receive(channel, signal));
    log.info("SUCCESS: received matching payload");
    // In order, so that the answerer learns that its echo has arrived.
    await channel.close({ signal });
    return;
  }
  checkGreeting(await receive(channel, signal));
  await channel.send(GREETING, { signal });
  await channel.drained({ signal });
  log.info("SUCCESS: echoed matching payload");
  using linger = new Deadline(LINGER_MS, { parent: signal, what: "the offerer's close" });
  await abortable(channel.closed, linger.signal).catch(() => {});
}

async function receive(channel: Channel, signal: AbortSignal): Promise<string | Uint8Array> {
  const message = await channel.receive({ signal });
  if (message !== undefined) return message;
  throw new TransportError("CHANNEL_CLOSED", "the peer closed before the payload was exchanged");
}
