/**
 * Honest daemons agree: whatever brings them together, whoever offers, with several sessions at once
 * and over a path that loses datagrams, both prove themselves, and both people read one code.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { PairRequest } from "../../../src/ipc/api/schemas.ts";
import { createConnector } from "../../../src/transport/webrtc/connector.ts";
import { closedSession, LocalDaemon, meetingByFile, pairingOf } from "../../support/daemon.ts";
import { TempFolder } from "../../support/temp_folder.ts";
import { lossyTap, seededRandom } from "../../transport/loss.ts";
import { HostileRelay } from "../support/hostile_relay.ts";

const NAMES = ["alice", "bob", "carol"] as const;
type Name = typeof NAMES[number];
/** A ring: each daemon has two sessions at once, offers in one and answers in the other. */
const RING = [["alice", "bob"], ["bob", "carol"], ["carol", "alice"]] as const;

/** Both requests of a meeting at a server. */
function atServer(rendezvousUrl: string, offerer: Name, answerer: Name, session: string) {
  const common = {
    signal: "rendezvous",
    rendezvousUrl,
    room: "ring",
    session,
    phaseTimeoutSecs: 60,
  } as const;
  // A daemon that has two sessions at once at one server needs two codes.
  const [peerId, expectPeer] = [`${offerer}1`, `${answerer}2`];
  return {
    offerer: { ...common, role: "offerer", peerId, to: expectPeer },
    answerer: { ...common, role: "answerer", peerId: expectPeer, expectPeer: peerId },
  } satisfies { readonly [role: string]: PairRequest };
}

for (const loss of [0, 0.05]) {
  Deno.test(`three daemons with sessions in a ring all agree, by files and by a server, at a loss of ${loss * 100} %`, async () => {
    await using stack = new AsyncDisposableStack();
    const connector = createConnector(
      loss === 0 ? {} : { tap: lossyTap(loss, seededRandom(20)) },
    );
    const started = await Promise.all(
      NAMES.map(async (name) => [name, stack.use(await LocalDaemon.start({ connector }))] as const),
    );
    const daemons = Object.fromEntries(started) as Record<Name, LocalDaemon>;
    const folder = stack.use(await TempFolder.make());
    const server = stack.use(new HostileRelay()); // that does its duty
    const codes = new Set<string>();
    for (const round of [0, 1, 2]) {
      await Promise.all(RING.map(async (pair, place) => {
        const [offerer, answerer] = round === 1 ? pair.toReversed() : pair;
        assert(offerer !== undefined && answerer !== undefined);
        const requests = (round + place) % 2 === 0
          ? meetingByFile(folder)
          : atServer(server.url, offerer, answerer, `${round}-${place}`);
        const sides = await Promise.all(
          ([[offerer, answerer, requests.offerer], [answerer, offerer, requests.answerer]] as const)
            .map(async ([own, other, request]) => {
              const daemon = daemons[own];
              const session = await daemon.pair(request);
              const { sas, identity } = await pairingOf(daemon, session);
              const { proven } = await daemon.client.getSession(session.sessionId);
              assertEquals(proven, true);
              assertEquals(identity, (await daemons[other].client.status()).identity);
              return { daemon, session, sas };
            }),
        );
        const [ours, theirs] = sides;
        assertEquals(ours?.sas, theirs?.sas);
        codes.add(ours?.sas ?? "");
        for (const { daemon, session } of sides) {
          await daemon.client.closeSession(session.sessionId);
          await closedSession(daemon, session);
        }
      }));
    }
    assertEquals(codes.size, 9, "each session has a code of its own");
  });
}
