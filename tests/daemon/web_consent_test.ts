/**
 * A daemon and a web application agree to connect before one offers: each asks the other's people,
 * or accepts because its own have asked for the session.
 *
 * @module
 */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import type { PairRequest } from "../../src/ipc/api/schemas.ts";
import { ApiError } from "../../src/ipc/client/api_http.ts";
import { MemoryNetwork } from "../../src/transport/testing/memory_connector.ts";
import { LocalDaemon, meeting } from "../support/daemon.ts";
import { RelayPeer } from "../support/relay_peer.ts";

/** A daemon called bob, and an application called web at its server. */
async function start(stack: AsyncDisposableStack) {
  const server = stack.use(startRendezvousServer());
  const flags = ["--device-name", "our machine"];
  const bob = stack.use(await LocalDaemon.start(new MemoryNetwork(), { flags }));
  const web = stack.use(await RelayPeer.register(server.url, "web"));
  const { offerer, answerer } = meeting(server.url);
  const changed = (request: PairRequest, more: Partial<PairRequest>): PairRequest =>
    ({ ...request, peerId: "bob", web: true, ...more }) as PairRequest;
  return {
    bob,
    web,
    server,
    offerer: (more: Partial<PairRequest> = {}) => changed(offerer, { to: "web", ...more }),
    answerer: (more: Partial<PairRequest> = {}) =>
      changed(answerer, { expectPeer: "web", ...more }),
  };
}

const say = (type: string, from: string, data: unknown = {}) => ({ type, data, from, to: "bob" });
const endOf = async (bob: LocalDaemon) =>
  (await bob.event("session-closed", undefined, 120_000)).session.failure;

Deno.test("as offerer the application is asked first, and offered to when it has accepted", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, offerer } = await start(stack);
  await bob.pair(offerer());
  assertEquals(await web.signal(), {
    type: "connection_request",
    data: { deviceName: "our machine", deviceType: "desktop" },
    from: "bob",
    to: "web",
  });
  web.send("bob", say("connection_accepted", "web"));
  assertEquals((await web.signal()).type, "offer");
});

Deno.test("as offerer with webConsent off the offer comes at once, as the bare SDK takes it", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, offerer } = await start(stack);
  await bob.pair(offerer({ webConsent: "off" }));
  assertEquals((await web.signal()).type, "offer");
});

Deno.test("an application that declines ends the session, with its reason", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, offerer } = await start(stack);
  await bob.pair(offerer());
  await web.signal();
  web.send("bob", say("connection_declined", "web", { reason: "busy" }));
  assertEquals(await endOf(bob), {
    code: "PEER_DECLINED",
    message: `peer 'web' declined the connection: "busy"`,
  });
});

Deno.test("a client that does not answer the question is told of as one that may need it off", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, offerer } = await start(stack);
  await bob.pair(offerer({ phaseTimeoutSecs: 1 }));
  await web.signal();
  const failure = await endOf(bob);
  assertEquals(failure?.code, "DEADLINE");
  assertStringIncludes(failure?.message ?? "", "needs --web-consent off");
});

Deno.test("as answerer the application's request is accepted, and its offer answered", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, answerer, server } = await start(stack);
  await using eve = await RelayPeer.register(server.url, "eve");
  await bob.pair(answerer());
  await web.joined(); // eve
  await ask(web, "web");
  assertEquals((await web.signal()).type, "connection_accepted");
  await ask(eve, "eve");
  const { type, data } = await eve.signal();
  assertEquals([type, data], ["connection_declined", { reason: "declined" }]);
});

Deno.test("a session that is not asked for with a web client declines its request", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, web, answerer } = await start(stack);
  await bob.pair(answerer({ web: false }));
  await ask(web, "web");
  assertEquals((await web.signal()).type, "connection_declined");
});

Deno.test("webConsent is taken with a web client that is offered to, and nowhere else", async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, offerer, answerer } = await start(stack);
  for (
    const request of [offerer({ web: false, webConsent: "on" }), answerer({ webConsent: "on" })]
  ) {
    const { code } = await assertRejects(() => bob.pair(request), ApiError);
    assertEquals(code, "INVALID_PARAMETERS");
  }
});

/** Asks the daemon for a connection, once it is there. */
async function ask(peer: RelayPeer, from: string): Promise<void> {
  await peer.joined();
  peer.send("bob", say("connection_request", from, { deviceName: "page", deviceType: "phone" }));
}
