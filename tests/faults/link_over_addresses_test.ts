/**
 * A link over a network that changes under it: daemons in network namespaces, a cable between them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { ServedDaemon } from "../support/daemon.ts";
import { addLink, connected, identityOf, linkBetween, linkThat } from "../support/links.ts";
import { canMakeNamespaces, NetworkNamespace } from "../support/network_namespace.ts";
import { fromFileUrl } from "../support/paths.ts";
import { DAEMON, Run } from "../support/program.ts";
import { say } from "./results.ts";

const canCut = await canMakeNamespaces();
if (!canCut) {
  await say("Tests of links in namespaces are skipped: they need Linux, root, iproute2.");
}

const SERVER = {
  command: Deno.execPath(),
  args: [
    ...["run", "--quiet", "--allow-net"],
    fromFileUrl(new URL("../../scripts/rendezvous/main.ts", import.meta.url)),
  ],
};

Deno.test(
  "a link is made again when its cable is back, and when a host has another address, without people",
  { ignore: !canCut },
  async () => {
    await using stack = new AsyncDisposableStack();
    const one = stack.use(await NetworkNamespace.make());
    const two = stack.use(await NetworkNamespace.make());
    await one.connect("10.78.0.1/24", two, "10.78.0.2/24");
    const server = stack.use(
      new Run(two.inside(SERVER), [
        "--host",
        "10.78.0.2",
        "--port",
        "3001",
        "--behaviour",
        "replace",
      ]),
    );
    await server.said("listening");
    const alice = stack.use(await ServedDaemon.start({ program: one.inside(DAEMON) }));
    const bob = stack.use(await ServedDaemon.start({ program: two.inside(DAEMON) }));
    const told = linkBetween(
      "ws://10.78.0.2:3001",
      { name: "alice", identity: await identityOf(alice) },
      { name: "bob", identity: await identityOf(bob) },
    );
    await addLink(alice, told.offerer);
    await addLink(bob, told.answerer);
    const first = await connected(alice, "bob");

    await two.ip("link", "set", "cable", "down");
    await linkThat(alice, "bob", ({ state }) => state === "trying");
    await linkThat(alice, "bob", ({ server }) => server === "unreachable");
    await two.ip("link", "set", "cable", "up");
    await two.ip("route", "replace", "default", "dev", "cable");
    const second = await connected(alice, "bob", first);

    await one.ip("addr", "del", "10.78.0.1/24", "dev", "cable");
    await one.ip("addr", "add", "10.78.0.77/24", "dev", "cable");
    await one.ip("route", "replace", "default", "dev", "cable");
    const { sessionId } = await linkThat(
      alice,
      "bob",
      ({ state, sessionId }) =>
        state === "connected" && sessionId !== first && sessionId !== second,
    );
    const session = await alice.client.getSession(sessionId ?? "");
    assertEquals(session.path?.local.startsWith("10.78.0.77:"), true);
  },
);
