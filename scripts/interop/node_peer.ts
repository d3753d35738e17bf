/**
 * A peer under Node, of the package named by its argument. Bundled to JavaScript before it is run.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { type Command, converse } from "./commands.ts";
import { type W3cConnection, w3cEndpoint } from "./w3c_endpoint.ts";

interface WebRtcPackage {
  readonly RTCPeerConnection: new (configuration: { iceServers: [] }) => W3cConnection;
}

const [, , name = ""] = process.argv;
const imported: { default?: WebRtcPackage } & WebRtcPackage = await import(name);
// A CommonJS package has its exports in `default`.
const { RTCPeerConnection } = imported.RTCPeerConnection ? imported : imported.default ?? imported;

async function* commands(): AsyncGenerator<Command> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line);
}

const meter = {
  cpuMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  residentBytes: () => process.memoryUsage.rss(),
};

await converse(w3cEndpoint(new RTCPeerConnection({ iceServers: [] })), meter, {
  commands: commands(),
  reply: (reply) => process.stdout.write(JSON.stringify(reply) + "\n"),
});
// The stacks' own threads would keep the process alive.
process.exit(0);
