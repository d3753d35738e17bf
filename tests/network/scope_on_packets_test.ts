/**
 * The network scope holds on packets, not only in the text of signals; and nothing is contacted but
 * the peer and the rendezvous server.
 *
 * @module
 */
import { assertEquals, assertGreater, assertStringIncludes } from "@std/assert";
import { canMakeNamespaces, NetworkNamespace } from "../support/network_namespace.ts";
import { assertExchanged, assertFatal, byFile, byRendezvous, having } from "../support/pairs.ts";
import { DAEMON, type Program, Run } from "../support/program.ts";
import { fromFileUrl } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";

const possible = await canMakeNamespaces();
if (!possible) {
  const why = "Tests with network namespaces are skipped: they need Linux, root and iproute2.\n";
  await Deno.stderr.write(new TextEncoder().encode(why));
}
const options = { ignore: !possible };

const RELAY: Program = {
  command: Deno.execPath(),
  args: [
    "run",
    "--quiet",
    "--allow-net",
    fromFileUrl(new URL("../../scripts/rendezvous/main.ts", import.meta.url)),
  ],
  env: { DENO_NO_UPDATE_CHECK: "1" },
};

Deno.test("the way out counts what leaves (the other tests depend on it)", options, async () => {
  await using host = await NetworkNamespace.make();
  await host.addWayOut("203.0.113.5/24");
  assertEquals(await host.packetsOut(), 0);
  const send = 'const s = Deno.listenDatagram({transport:"udp",hostname:"0.0.0.0",port:0});' +
    'await s.send(new Uint8Array(1), {transport:"udp",hostname:"198.51.100.1",port:9}); s.close();';
  const sender = host.inside({ command: Deno.execPath(), args: ["eval", "--unstable-net", send] });
  await using run = new Run(sender, []);
  assertEquals((await run.outcome()).code, 0);
  assertGreater(await host.packetsOut(), 0);
});

for (const scope of ["lan", "overlay", "global"]) {
  Deno.test(
    `no server is contacted in scope ${scope}: not one packet leaves the host`,
    options,
    async () => {
      await using folder = await TempFolder.make();
      await using host = await NetworkNamespace.make();
      await host.addWayOut("203.0.113.5/24");
      const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
      const daemon = host.inside(DAEMON);
      await using offerer = new Run(daemon, [...args.offerer, "--network-scope", scope]);
      await using answerer = new Run(daemon, [...args.answerer, "--network-scope", scope]);
      const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
      assertExchanged("Offerer", offered);
      assertExchanged("Answerer", answered);
      assertEquals(await host.packetsOut(), 0);
      // An address outside the scope is neither in the list nor inside the SDP.
      const offer = await Deno.readTextFile(folder.path("offer.json"));
      assertEquals(offer.includes("203.0.113.5"), scope === "global");
    },
  );
}

Deno.test("rendezvous mode contacts the rendezvous server and nothing else", options, async () => {
  await using host = await NetworkNamespace.make();
  await host.addWayOut("203.0.113.5/24");
  await using relay = new Run(host.inside(RELAY), ["--port", "3001"]);
  await relay.said("listening");
  const args = byRendezvous("ws://127.0.0.1:3001");
  await using offerer = new Run(host.inside(DAEMON), [
    ...args.offerer,
    "--network-scope",
    "global",
  ]);
  await using answerer = new Run(host.inside(DAEMON), [
    ...args.answerer,
    "--network-scope",
    "global",
  ]);
  const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
  assertExchanged("Offerer", offered);
  assertExchanged("Answerer", answered);
  assertEquals(await host.packetsOut(), 0);
});

Deno.test(
  "host names and mDNS names in a bundle are rejected, and never looked up",
  options,
  async () => {
    await using folder = await TempFolder.make();
    await using host = await NetworkNamespace.make();
    await host.addWayOut("203.0.113.5/24");
    const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
    await using offerer = new Run(host.inside(DAEMON), args.offerer);
    await offerer.said("offer written");
    const bundle = JSON.parse(await Deno.readTextFile(folder.path("offer.json")));
    const names = ["peer.example.com", "0a7f2a5e-5b1f-4d28-9d0d-8a4f2f1b6c11.local"];
    for (const name of names) {
      const candidate = `candidate:9 1 UDP 2130706431 ${name} 50001 typ host`;
      bundle.candidates.push({ candidate, mid: "0" });
      bundle.description.sdp += `a=${candidate}\r\n`;
    }
    await Deno.writeTextFile(folder.path("named.json"), JSON.stringify(bundle));
    const named = byFile(folder.path("named.json"), folder.path("answer.json"));
    await using answerer = new Run(host.inside(DAEMON), named.answerer);
    const [offered, answered] = await Promise.all([offerer.outcome(), answerer.outcome()]);
    assertExchanged("Offerer", offered);
    assertExchanged("Answerer", answered);
    for (const name of names) assertStringIncludes(answered.stderr, `address=${name}`);
    assertEquals(await host.packetsOut(), 0);
  },
);

Deno.test(
  "a peer outside the scope never connects, though its packets arrive",
  options,
  async () => {
    await using folder = await TempFolder.make();
    await using inside = await NetworkNamespace.make();
    await using outside = await NetworkNamespace.make();
    await inside.connect("10.77.0.1/24", outside, "203.0.113.9/24");
    for (const role of ["offerer", "answerer"] as const) {
      const files = byFile(folder.path(`${role}-offer.json`), folder.path(`${role}-answer.json`));
      const other = role === "offerer" ? "answerer" : "offerer";
      const short = (args: readonly string[]) => having(args, "--phase-timeout-secs", "4");
      await using lan = new Run(inside.inside(DAEMON), short(files[role]));
      await using stranger = new Run(outside.inside(DAEMON), [
        ...short(files[other]),
        "--network-scope",
        "global",
      ]);
      const [ours, theirs] = await Promise.all([lan.outcome(), stranger.outcome()]);
      assertFatal(ours, "phase timeout expired: waiting for the DataChannel to open");
      assertFatal(theirs, "");
      assertStringIncludes(ours.stderr, "ICE candidate REJECTED side=remote address=203.0.113.9");
    }
  },
);

Deno.test("the same two hosts connect when both choose the wider scope", options, async () => {
  await using folder = await TempFolder.make();
  await using one = await NetworkNamespace.make();
  await using two = await NetworkNamespace.make();
  await one.connect("10.77.0.1/24", two, "203.0.113.9/24");
  const args = byFile(folder.path("offer.json"), folder.path("answer.json"));
  await using offerer = new Run(one.inside(DAEMON), [...args.offerer, "--network-scope", "global"]);
  await using answerer = new Run(two.inside(DAEMON), [
    ...args.answerer,
    "--network-scope",
    "global",
  ]);
  assertExchanged("Offerer", await offerer.outcome());
  assertExchanged("Answerer", await answerer.outcome());
});
