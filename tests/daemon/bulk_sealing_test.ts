/**
 * A daemon seals files by the fast library, which it loads for its first session and not before.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import nacl from "tweetnacl";
import { sodium } from "../../src/protocol/crypto/sodium.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon, meetingByFile, openedSession, pairingOf } from "../support/daemon.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { offerOf, someBytes, transferIn } from "../support/transfers.ts";

/** Counts calls of tweetnacl's secretbox until it is disposed of. */
function countSlowSeals(): Disposable & { count: number } {
  const { secretbox } = nacl;
  const counted = { count: 0, [Symbol.dispose]: () => Reflect.set(nacl, "secretbox", secretbox) };
  const count = <A extends unknown[], R>(f: (...args: A) => R) => (...args: A) => {
    counted.count++;
    return f(...args);
  };
  const replaced = Object.assign(count(secretbox), { open: count(secretbox.open) });
  Reflect.set(nacl, "secretbox", replaced);
  return counted;
}

Deno.test("a daemon loads what seals in bulk for its first session, and seals whole files with it", async () => {
  using slow = countSlowSeals();
  await using stack = new AsyncDisposableStack();
  const network = new MemoryNetwork();
  const folder = stack.use(await TempFolder.make());
  const alice = stack.use(await LocalDaemon.start(network));
  const bob = stack.use(await LocalDaemon.start(network));
  await alice.client.status();
  assertEquals(sodium(), undefined, "before a session");

  const { offerer, answerer } = meetingByFile(folder);
  const forAlice = await alice.pair(offerer);
  const forBob = await bob.pair(answerer);
  for (const [daemon, session] of [[alice, forAlice], [bob, forBob]] as const) {
    const { pairingId, sas } = await pairingOf(daemon, session);
    assert(sodium() !== undefined, "before its handshake is done");
    await daemon.client.decidePairing(pairingId, { decision: "allow_always", sas });
  }
  const { identity = "" } = await openedSession(alice, forAlice);
  const path = folder.path("file");
  await Deno.writeFile(path, someBytes(1_000_000));
  await alice.client.send({ paths: [path], identity, priority: 0 });
  const offer = await offerOf(bob, "file");
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(bob, offer, "completed");
  assertEquals(slow.count, 0);
});
