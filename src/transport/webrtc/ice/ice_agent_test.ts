import { assertEquals } from "@std/assert";
import { Candidate, Connection } from "werift";
import { IceAgent } from "./ice_agent.ts";

const HOST = "192.168.1.4 50001 typ host";
const udp = () => Candidate.fromSdp(`1 1 udp 2130706431 ${HOST}`);
const tcp = () => Candidate.fromSdp(`2 1 tcp 2128609279 ${HOST} tcptype passive`);

Deno.test("a candidate by UDP is taken beside one by TCP with the same port, and once", () => {
  const connection = new Connection(true, {});
  using agent = new IceAgent(connection, "lan");
  // As it stands there when a TCP connection to the peer has been made.
  connection.remoteCandidates.push(tcp());
  for (const candidate of [udp(), tcp(), udp()]) agent.addRemote(candidate);
  const transports = connection.remoteCandidates.map(({ transport }) => transport);
  assertEquals(transports, ["tcp", "udp"]);
});
