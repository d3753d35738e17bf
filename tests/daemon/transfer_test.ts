/**
 * Two daemons pair and move files.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { pairDaemons, ServedDaemon } from "../support/daemon.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Bytes that are not all alike, and can be made again. */
function someBytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 2654435761) >>> 13);
}

Deno.test("two daemons pair, read the same SAS, and move files of every shape", async () => {
  await using server = startRendezvousServer();
  await using folder = await TempFolder.make();
  await using alice = await ServedDaemon.start();
  await using bob = await ServedDaemon.start();
  const sessions = await pairDaemons(server.url, alice, bob);
  assertEquals(sessions.alice.sas, sessions.bob.sas);
  assertEquals(sessions.alice.identity, (await bob.client.status()).identity);
  for (const size of [0, 1, 65536, 65537, 3_000_000]) {
    const path = folder.path(`file-${size}.bin`);
    await Deno.writeFile(path, someBytes(size));
    const [sent] = await alice.client.send({
      paths: [path],
      identity: sessions.alice.identity ?? "",
      priority: 0,
    });
    const { transfer: offer } = await bob.event(
      "transfer-offered",
      ({ transfer }) => transfer.direction === "incoming" && transfer.size === size,
    );
    await bob.client.acceptTransfer(offer.transferId, {});
    const { transfer } = await bob.event(
      "transfer-finished",
      ({ transfer }) => transfer.transferId === offer.transferId,
    );
    assertEquals(transfer.path, join(bob.inbox, `file-${size}.bin`));
    assertEquals(await Deno.readFile(transfer.path ?? ""), someBytes(size));
    await alice.event(
      "transfer-finished",
      ({ transfer }) => transfer.transferId === sent?.transferId,
    );
  }
  const names = await Array.fromAsync(Deno.readDir(bob.inbox), ({ name }) => name);
  assertEquals(names.length, 5);
  await alice.stop();
  await bob.stop();
});
