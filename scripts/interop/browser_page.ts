/**
 * A peer in a browser's page, told what to do over a WebSocket to where the page came from.
 *
 * @module
 */
import { type Command, converse } from "./commands.ts";
import { type W3cConnection, w3cEndpoint } from "./w3c_endpoint.ts";

declare const RTCPeerConnection: new () => W3cConnection;

const socket = new WebSocket(`ws://${location.host}/peer`);

async function* commands(): AsyncGenerator<Command> {
  const queue: Command[] = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    queue.push(JSON.parse(data));
    wake();
  };
  while (true) {
    const command = queue.shift();
    if (command !== undefined) yield command;
    else await new Promise<void>((resolve) => wake = resolve);
  }
}

socket.onopen = () =>
  converse(
    w3cEndpoint(new RTCPeerConnection()),
    { cpuMs: () => 0, residentBytes: () => 0 },
    { commands: commands(), reply: (reply) => socket.send(JSON.stringify(reply)) },
  );
