/**
 * A process that offers, gives the payload and never acknowledges the echo, until it is killed.
 *
 * @module
 */
import { GREETING } from "../../src/protocol/payload_exchange.ts";
import { readSignalLine, writeSignalLine } from "../../src/signaling/file/standard_streams.ts";
import { connectScripted } from "../support/scripted_peer.ts";

const { signal } = new AbortController();
const peer = await connectScripted("offerer", {
  put: (line) => writeSignalLine(line, "offer", signal),
  take: () => readSignalLine("answer", signal),
}, signal);
const echoed = peer.packets.dropUserData();
await peer.channel.send(GREETING);
await echoed;
await Deno.stderr.write(new TextEncoder().encode("the echo has come\n"));
await peer.channel.closed;
