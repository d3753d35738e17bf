/**
 * A one-shot offerer under Node, of the package named by its argument: as the original daemon, it
 * exchanges the payload, and closes and is gone the moment it has the echo. It prints its offer and
 * reads the answer. Bundled to JavaScript before it is run.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { bundleFromJson, bundleToJson } from "../../src/protocol/signal/bundle.ts";
import { checkGreeting, GREETING } from "../../src/protocol/payload_exchange.ts";
import { type W3cConnection, w3cEndpoint } from "./w3c_endpoint.ts";

interface WebRtcPackage {
  readonly RTCPeerConnection: new (configuration: { iceServers: [] }) => W3cConnection;
}

const [, , name = ""] = process.argv;
const imported: { default?: WebRtcPackage } & WebRtcPackage = await import(name);
// A CommonJS package has its exports in `default`.
const { RTCPeerConnection } = imported.RTCPeerConnection ? imported : imported.default ?? imported;

const endpoint = w3cEndpoint(new RTCPeerConnection({ iceServers: [] }));
process.stdout.write(`${JSON.stringify(bundleToJson(await endpoint.offer()))}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  await endpoint.accept(bundleFromJson(JSON.parse(line), "answer"));
  break;
}
const link = await endpoint.opened;
await link.send(GREETING);
const echo = await link.receive();
if (echo === undefined) throw new Error("the answerer closed before it sent the echo");
checkGreeting(echo);
await link.close();
process.exit(0);
