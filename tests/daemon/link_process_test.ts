/**
 * Links between real daemons, each a process of its own, over the development server: nobody pairs
 * anything after the links are added.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { BEHAVIOURS } from "../../scripts/rendezvous/room.ts";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { ApiError } from "../../src/ipc/client/client.ts";
import type { LinkRequest, LinkView } from "../../src/ipc/api/schemas.ts";
import { type DaemonUnderTest, ServedDaemon } from "../support/daemon.ts";
import { TcpProxy } from "../support/tcp_proxy.ts";
import { TempFolder } from "../support/temp_folder.ts";

/** Longest that anything here takes: the longest wait between attempts, and time for slow machines. */
const WITHIN_MS = 120_000;

const identityOf = async ({ client }: DaemonUnderTest) => (await client.status()).identity;

/** What both ends of a link are told. */
function ends(url: string, alice: string, bob: string): { alice: LinkRequest; bob: LinkRequest } {
  const common = { rendezvousUrl: url, room: "r", session: "s", phaseTimeoutSecs: 20 };
  return {
    alice: { ...common, name: "bob", identity: bob, role: "offerer", peerId: "alice", to: "bob" },
    bob: {
      ...{ ...common, name: "alice", identity: alice },
      ...{ role: "answerer", peerId: "bob", expectPeer: "alice" },
    },
  };
}

/** Trusts a key by its name, and links to it. */
async function link({ client }: DaemonUnderTest, request: LinkRequest): Promise<LinkView> {
  const { identity, name } = request;
  await client.trust(identity, { decision: "allow_always", name });
  return await client.addLink(request);
}

/** The link when it is connected in another session than that. */
async function connected(daemon: DaemonUnderTest, before?: string): Promise<string> {
  const fits = ({ link }: { link: LinkView }) =>
    link.state === "connected" && link.sessionId !== before;
  const { link } = await daemon.event("link-changed", fits, WITHIN_MS);
  return link.sessionId ?? "";
}

/** A file goes over. */
async function sends(from: ServedDaemon, to: ServedDaemon): Promise<void> {
  const identity = await identityOf(to);
  const [sent] = await from.client.send({ paths: ["/etc/hostname"], identity, priority: 0 });
  const { transfer: { transferId } } = await to.event(
    "transfer-offered",
    ({ transfer }) => transfer.protocolTransferId !== undefined && transfer.state === "offered",
  );
  await to.client.acceptTransfer(transferId);
  await from.event("transfer-finished", ({ transfer }) => transfer.transferId === sent?.transferId);
}

/** A folder with the data of both, which outlives their processes. */
class Machines implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  constructor(readonly folder: TempFolder) {
    this.#stack.use(folder);
  }
  static async make(): Promise<Machines> {
    return new Machines(await TempFolder.make());
  }
  async start(name: string, flags: readonly string[] = []): Promise<ServedDaemon> {
    return this.#stack.use(
      await ServedDaemon.start({ dataDir: this.folder.path(name), flags }),
    );
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

for (const behaviour of BEHAVIOURS) {
  Deno.test(`at a server that is ${behaviour}, two links find each other, and again after either daemon was killed, and both`, async () => {
    await using server = startRendezvousServer({ behaviour });
    await using machines = await Machines.make();
    let alice = await machines.start("alice");
    let bob = await machines.start("bob");
    const told = ends(server.url, await identityOf(alice), await identityOf(bob));
    // The one comes long after the other: its link waits, and makes no session meanwhile.
    await link(alice, told.alice);
    await alice.event("link-changed", ({ link }) => link.server === "registered");
    assertEquals(await alice.client.listSessions(), []);
    await link(bob, told.bob);
    let [a, b] = [await connected(alice), await connected(bob)];
    await sends(alice, bob);

    bob.run.kill("SIGKILL");
    await bob.run.outcome();
    bob = await machines.start("bob");
    a = await connected(alice, a);
    b = await connected(bob);

    alice.run.kill("SIGKILL");
    await alice.run.outcome();
    alice = await machines.start("alice");
    a = await connected(alice);
    b = await connected(bob, b);
    await sends(bob, alice);

    for (const daemon of [alice, bob]) daemon.run.kill("SIGKILL");
    await Promise.all([alice.run.outcome(), bob.run.outcome()]);
    [alice, bob] = await Promise.all([machines.start("alice"), machines.start("bob")]);
    await Promise.all([connected(alice), connected(bob)]);
    const [peer] = await alice.client.listPeers();
    assertEquals([peer?.connected, peer?.link?.state], [true, "connected"]);
    await alice.stop();
    await bob.stop();
  });
}
