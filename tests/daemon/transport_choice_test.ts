/**
 * What carries a session between two daemons, and which way it was: the whole program, on loopback
 * and between two hosts.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { meetingByFile, pairBy, ServedDaemon } from "../support/daemon.ts";
import { DAEMON, type Program } from "../support/program.ts";
import { join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { sha256, someBytes } from "../support/transfers.ts";

/** Two daemons that are paired, and send each other whatever a test likes. */
async function met(
  stack: AsyncDisposableStack,
  transports: readonly [string, string],
  programs: readonly [Program, Program] = [DAEMON, DAEMON],
) {
  const folder = stack.use(await TempFolder.make());
  const start = (i: 0 | 1) =>
    ServedDaemon.start({
      program: programs[i],
      flags: ["--transport", transports[i]],
    });
  const alice = stack.use(await start(0));
  const bob = stack.use(await start(1));
  const sessions = await pairBy(meetingByFile(folder), alice, bob);
  return { folder, alice, bob, sessions: [sessions.alice, sessions.bob] as const };
}

for (
  const [alices, bobs, expected] of [
    ["auto", "auto", "tcp"],
    ["tcp", "tcp", "tcp"],
    ["auto", "udp", "udp"],
    ["udp", "auto", "udp"],
  ] as const
) {
  Deno.test(`--transport ${alices} and ${bobs}: the session goes by ${expected}, a file arrives, and both say so`, async () => {
    await using stack = new AsyncDisposableStack();
    const { folder, alice, bob, sessions } = await met(stack, [alices, bobs]);
    const [ours, theirs] = sessions.map(({ path }) => path);
    assertEquals([ours?.transport, theirs?.transport], [expected, expected]);
    assertEquals([ours?.local, ours?.remote], [theirs?.remote, theirs?.local]);
    assertMatch(ours?.local ?? "", /^(\d+\.\d+\.\d+\.\d+|\[[\da-f:]+\]):\d+$/);
    const bytes = someBytes(3_000_000);
    await Deno.writeFile(folder.path("file"), bytes);
    const { identity } = await bob.client.status();
    await alice.client.send({ paths: [folder.path("file")], identity });
    const { transfer } = await bob.event("transfer-offered");
    await bob.client.acceptTransfer(transfer.transferId, {});
    await bob.event("transfer-finished");
    assertEquals(sha256(await Deno.readFile(join(bob.inbox, "file"))), sha256(bytes));
  });
}
