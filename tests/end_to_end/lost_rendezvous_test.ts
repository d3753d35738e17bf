/**
 * The rendezvous server restarts, or a connection to it dies without a word, in the middle of a
 * handshake: the two find each other all the same. Both programs, both roles, both kinds of server,
 * each message lost once.
 *
 * @module
 */
import { assert, assertStringIncludes } from "@std/assert";
import { BEHAVIOURS } from "../../scripts/rendezvous/room.ts";
import { type RendezvousServer, startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { PairRequest } from "../../src/ipc/api/schemas.ts";
import { parse } from "../../src/ipc/api/validate.ts";
import { connectSession } from "../../src/app/daemon/sessions/connect_session.ts";
import { Phases } from "../../src/app/connect/phases.ts";
import { connectOneShot } from "../../src/app/one_shot/connect_one_shot.ts";
import { Deadline } from "../../src/base/deadline.ts";
import { KeyPair } from "../../src/protocol/crypto/keys.ts";
import { DescriptionSecrets } from "../../src/protocol/identity/proven_identity.ts";
import { logFor } from "../../src/log/log.ts";
import { Registrations } from "../../src/signaling/rendezvous/registrations.ts";
import { fastPace } from "../../src/signaling/testing/manual_pace.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { meeting } from "../support/daemon.ts";
import { assertExchanged, assertFatal, byRendezvous, having } from "../support/pairs.ts";
import { DAEMON, Run } from "../support/program.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { code, codes } from "../../src/protocol/testing/peer_codes.ts";

const SECS = 60;
/** Heartbeats each 0.5 s instead of each 10 s, and everything else as much faster. */
const pace = fastPace(20);

/** Both ends of a handshake. */
type Meet = (url: string, signal: AbortSignal) => readonly [Promise<Channel>, Promise<Channel>];

const byOneShot: Meet = (url, signal) => {
  const { connector } = new MemoryNetwork();
  const parts = { phases: new Phases(SECS, signal), connector, signal, pace };
  const common = {
    signal: "rendezvous",
    url,
    room: "room",
    session: "session",
    scope: "lan",
    phaseTimeoutSecs: SECS,
    logFormat: "text",
    logLevel: "info",
    unused: [],
  } as const;
  return [
    connectOneShot({ ...common, role: "offerer", ...codes("alice", "bob") }, parts),
    connectOneShot({ ...common, role: "answerer", ...codes("bob", "alice") }, parts),
  ];
};

const random = (length: number) => crypto.getRandomValues(new Uint8Array(length));

const bySessions: Meet = (url, signal) => {
  const { connector } = new MemoryNetwork();
  const requests = meeting(url);
  const open = async (role: "offerer" | "answerer"): Promise<Channel> => {
    const { channel } = await connectSession({
      request: parse(PairRequest, requests[role], "body"),
      freshSecrets: () =>
        new DescriptionSecrets(KeyPair.generate("identity", random).publicKey, random),
      commits: true,
      selfCode: code("self"),
      deviceName: role,
      connector,
      signal,
      onConnecting: () => {},
      registrations: new Registrations({ deviceName: role, log: logFor("rendezvous"), pace }),
    });
    return channel;
  };
  return [open("offerer"), open("answerer")];
};

const PROGRAMS = [
  ["the one-shot program", byOneShot, '"msg_type":"offer"', '"msg_type":"answer"'],
  ["pair", bySessions, '"type":"offer"', '"type":"answer"'],
] as const;

async function assertMeets(meet: Meet, url: string, what: string): Promise<void> {
  using deadline = new Deadline(SECS * 1000, { what });
  const channels = await Promise.all(meet(url, deadline.signal));
  await Promise.all(channels.map((channel) => channel.close({ graceful: false })));
}

for (const [program, meet, offer, answer] of PROGRAMS) {
  const messages = [
    ["hello", '"msg_type":"hello"'],
    ["ack", '"msg_type":"ack"'],
    ["offer", offer],
    ["answer", answer],
  ] as const;
  for (const how of ["cut", "freeze"] as const) {
    const fate = how === "cut"
      ? "all connections end as it passes on"
      : "the connection dies without a word that was to bring";
    Deno.test(`${program}: the two meet though ${fate} the hello, the ack, the offer, the answer`, async (t) => {
      const cases = BEHAVIOURS.flatMap((behaviour) =>
        messages.map(([name, text]) => ({ name, text, behaviour }))
      );
      const outcomes = cases.map(async ({ name, text, behaviour }) => {
        await using server = startRendezvousServer({ behaviour });
        // A strict server has to see that the old connection is gone before it gives the code.
        await using proxy = new TcpProxy(server.port, { tellsServer: behaviour === "strict" });
        proxy.trip = { text, how };
        await assertMeets(meet, proxy.url, `${program}, ${name}`);
        assert(proxy.trip === undefined, "the message was never passed on");
        assert(proxy.accepted > 2, "nobody registered again");
      });
      await Promise.allSettled(outcomes);
      for (const [i, { name, behaviour }] of cases.entries()) {
        await t.step(`${behaviour} server, ${name}`, () => outcomes[i]);
      }
    });
  }
}

/** A server on a port that is known beforehand, so that another can take its place. */
function restart(server: RendezvousServer): RendezvousServer {
  return startRendezvousServer({ port: server.port });
}

Deno.test("a server that is restarted while the offerer, or the answerer, waits costs no run", async () => {
  for (const first of ["offerer", "answerer"] as const) {
    const before = startRendezvousServer();
    const args = byRendezvous(before.url);
    await using waiting = new Run(DAEMON, args[first]);
    await waiting.said(
      first === "offerer" ? "[rendezvous] hello retry:" : "[rendezvous] registered",
    );
    await before.close();
    await waiting.said("[rendezvous] registering again failed");
    await using _after = restart(before);
    await waiting.said("[rendezvous] registered again");
    const other = first === "offerer" ? "answerer" : "offerer";
    await using coming = new Run(DAEMON, args[other]);
    const [offerer, answerer] = first === "offerer" ? [waiting, coming] : [coming, waiting];
    assertExchanged("Offerer", await offerer.outcome());
    assertExchanged("Answerer", await answerer.outcome());
  }
});

Deno.test("a server that goes away and stays away: phase timeout expired, and the log says why", async () => {
  const server = startRendezvousServer();
  const args = having(byRendezvous(server.url).answerer, "--phase-timeout-secs", "2");
  await using answerer = new Run(DAEMON, args);
  await answerer.said("[rendezvous] registered");
  await server.close();
  const outcome = await answerer.outcome();
  assertFatal(outcome, "phase timeout expired");
  assertStringIncludes(outcome.stderr, "lost the rendezvous server, registering again");
  assertStringIncludes(outcome.stderr, "nothing listens there");
});
