/**
 * `/metrics` of a daemon at work: what it counts, and that the document tells of all of it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  closedSession,
  type DaemonUnderTest,
  LocalDaemon,
  meetingByFile,
} from "../support/daemon.ts";
import { type Family, labelsOf, parseExposition } from "../support/exposition.ts";
import { MemoryNetwork } from "../../src/transport/memory_connector.ts";
import { offerOf, Pair, someBytes, transferIn } from "../support/transfers.ts";

const OPERATIONS = await Deno.readTextFile(new URL("../../docs/OPERATIONS.md", import.meta.url));

/** Labels whose values are the API's methods and routes: told by the OpenAPI document. */
const OF_THE_API = new Set(["method", "route"]);

const metricsOf = async ({ client }: Pick<DaemonUnderTest, "client">) =>
  parseExposition(await client.metrics());

/** The samples of some counters that are not 0, as `name{labels} value`. */
function counted(families: ReadonlyMap<string, Family>, names: readonly string[]): string[] {
  return names.flatMap((name) =>
    [...families.get(name)?.samples ?? []].flatMap(([labels, value]) =>
      value === 0 ? [] : [`${name}${labels} ${value}`]
    )
  );
}

const COUNTERS = [
  "bolt_transfers_total",
  "bolt_bytes_total",
  "bolt_sessions_ended_total",
  "bolt_refusals_total",
];

Deno.test("docs/OPERATIONS.md lists every metric with its type, its labels and their values, and no other", async () => {
  await using bob = await LocalDaemon.start(new MemoryNetwork());
  const families = await metricsOf(bob);
  const rows = OPERATIONS.matchAll(/^\| `(bolt_\w+)` *\| (\w+) *\| (.+?) *\|$/gm);
  const told = [...rows].map(([, name = "", type = "", text = ""]) => {
    const words = [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
    return [name, type, ...[...new Set(words)].toSorted()].join(" ");
  });
  const shown = [...families].map(([name, { type, samples }]) => {
    const labels = [...samples.keys()].flatMap(labelsOf);
    const words = labels.flatMap(([label, value]) =>
      OF_THE_API.has(label) ? [label] : [label, value]
    );
    return [name, type, ...[...new Set(words)].toSorted()].join(" ");
  });
  assertEquals(told.toSorted(), shown.toSorted());
  // All series are there before anything has happened, so that a rate over them has a start.
  assertEquals(counted(families, COUNTERS), []);
  assert(COUNTERS.every((name) => families.has(name)));
});

Deno.test("/metrics counts transfers by direction and end, and the bytes that moved", async () => {
  await using pair = await Pair.make();
  const { alice, bob } = pair;
  const sent = await pair.send("taken", someBytes(200_000));
  await bob.client.acceptTransfer((await offerOf(bob, "taken")).transferId, {});
  await transferIn(alice, sent, "completed");
  const refused = await pair.send("refused", someBytes(10));
  const refusal = await offerOf(bob, "refused");
  await bob.client.rejectTransfer(refusal.transferId);
  await transferIn(alice, refused, "rejected");
  await transferIn(bob, refusal, "rejected");
  const withdrawn = await pair.send("withdrawn", someBytes(10));
  const offer = await offerOf(bob, "withdrawn");
  await alice.client.cancelTransfer(withdrawn.transferId);
  await transferIn(alice, withdrawn, "cancelled");
  await transferIn(bob, offer, "cancelled");

  assertEquals(counted(await metricsOf(alice), COUNTERS), [
    'bolt_transfers_total{direction="outgoing",state="completed"} 1',
    'bolt_transfers_total{direction="outgoing",state="rejected"} 1',
    'bolt_transfers_total{direction="outgoing",state="cancelled"} 1',
    'bolt_bytes_total{direction="outgoing"} 200000',
  ]);
  assertEquals(counted(await metricsOf(bob), COUNTERS), [
    'bolt_transfers_total{direction="incoming",state="completed"} 1',
    'bolt_transfers_total{direction="incoming",state="rejected"} 1',
    'bolt_transfers_total{direction="incoming",state="cancelled"} 1',
    'bolt_bytes_total{direction="incoming"} 200000',
    'bolt_refusals_total{code="TRANSFER_REJECTED"} 1',
  ]);
});

Deno.test("/metrics counts how sessions ended, and who was not let in", async () => {
  await using pair = await Pair.make();
  const { alice, bob } = pair;
  const [session] = await alice.client.listSessions();
  const [theirs] = await bob.client.listSessions();
  assert(session !== undefined && theirs !== undefined);
  await alice.client.closeSession(session.sessionId);
  await closedSession(alice, session);
  await closedSession(bob, theirs);
  assertEquals(counted(await metricsOf(alice), COUNTERS), [
    'bolt_sessions_ended_total{end="local"} 1',
  ]);
  assertEquals(counted(await metricsOf(bob), COUNTERS), [
    'bolt_sessions_ended_total{end="remote"} 1',
  ]);
  await bob.client.trust(pair.toAlice, { decision: "deny_always" });
  const requests = meetingByFile(pair.folder);
  const offering = await alice.pair(requests.offerer);
  const answering = await bob.pair(requests.answerer);
  await closedSession(alice, offering);
  await closedSession(bob, answering);
  assertEquals(counted(await metricsOf(bob), COUNTERS), [
    'bolt_sessions_ended_total{end="remote"} 1',
    'bolt_sessions_ended_total{end="refused"} 1',
    'bolt_refusals_total{code="PEER_DENIED"} 1',
  ]);
});

Deno.test("/metrics tells a connection that was lost from one that was closed", async () => {
  await using pair = await Pair.make();
  const [session] = await pair.alice.client.listSessions();
  assert(session !== undefined);
  pair.network.paths[0]?.lose();
  await closedSession(pair.alice, session);
  assertEquals(counted(await metricsOf(pair.alice), COUNTERS), [
    'bolt_sessions_ended_total{end="lost"} 1',
  ]);
});

Deno.test("both ends tell the same id of a transfer, also after a restart", async () => {
  await using pair = await Pair.make();
  const { alice, bob } = pair;
  const queued = await pair.send("taken", someBytes(10));
  const offer = await offerOf(bob, "taken");
  const offered = await transferIn(alice, queued, "offered");
  assertEquals(offered.protocolTransferId, offer.transferId);
  assertEquals(offer.protocolTransferId, offer.transferId);
  assert(offered.transferId !== offered.protocolTransferId);
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(alice, queued, "completed");
  await alice.stop();
  await using again = await LocalDaemon.start(new MemoryNetwork(), { dataDir: alice.dataDir });
  const { protocolTransferId } = await again.client.getTransfer(queued.transferId);
  assertEquals(protocolTransferId, offer.transferId);
});
