/**
 * Daemons as processes, over the real connection: signals, sudden death, and what the logs hold.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { startRendezvousServer } from "../../scripts/rendezvous/server.ts";
import { boltctl } from "../boltctl/support/boltctl.ts";
import { DaemonUnreachableError } from "../../src/ipc/client/client.ts";
import {
  closedSession,
  meeting,
  meetingByFile,
  openedSession,
  pairBy,
  ServedDaemon,
  type ServedDaemon as Served,
} from "../support/daemon.ts";
import { join, relative } from "../support/paths.ts";
import { DAEMON, Run, run } from "../support/program.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { HELD, namesIn, offerOf, transferIn } from "../support/transfers.ts";

/** Windows has no POSIX signals, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

/** A file so long that it can't have passed before its transfer is held; sparse. */
async function writeLong(path: string): Promise<void> {
  await Deno.writeFile(path, new Uint8Array());
  await Deno.truncate(path, HELD);
}

/**
 * Sends a file; gives both sides' view of it once it flows, held at some place in its middle.
 *
 * @param isAsked Whether bob is asked about it; else his consent goes on.
 */
async function heldMidway(
  alice: Served,
  bob: Served,
  path: string,
  identity: string,
  isAsked = true,
) {
  const [sent] = await alice.client.send({ paths: [path], identity, priority: 0 });
  if (sent === undefined) throw new Error("nothing was queued");
  const offer = await offerOf(bob, String(sent.name));
  if (isAsked) await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(alice, sent, "active");
  await alice.client.pauseTransfer(sent.transferId);
  await transferIn(bob, offer, "paused");
  return { sent, offer };
}

/** Everything that a daemon has let out of itself. */
async function allThatWasSaid(daemon: Served): Promise<string> {
  const { client } = daemon;
  const answers = [
    await client.status(),
    await client.listSessions(),
    await client.listPeers(),
    await client.listTransfers({ limit: 200 }),
    daemon.events,
  ];
  return [daemon.run.stderr, ...answers.map((answer) => JSON.stringify(answer))].join("\n");
}

/** The ways in which bytes may be spelled in a text. */
function spellings(bytes: Uint8Array<ArrayBuffer>): string[] {
  const raw = new TextDecoder("latin1").decode(bytes);
  const escaped = JSON.stringify(raw).slice(1, -1);
  return [bytes.toHex(), bytes.toHex().toUpperCase(), bytes.toBase64(), raw, escaped];
}

test("relative paths of serve count from the current folder", async () => {
  await using folder = await TempFolder.make();
  const paths = ["data", "inbox", "data/other.sock"].map((name) => folder.path(name));
  const [dataDir, inbox, socket] = paths.map((path) => relative(Deno.cwd(), path));
  const flags = [`--data-dir=${dataDir}`, `--inbox=${inbox}`, `--socket-path=${socket}`];
  await using daemon = new Run(DAEMON, ["serve", ...flags]);
  await daemon.said(`[bolt-daemon] serving data_dir=${paths[0]} socket=${paths[2]}`);
  daemon.kill("SIGTERM");
  assertEquals((await daemon.outcome()).code, 0);
  assert((await Deno.stat(folder.path("inbox"))).isDirectory);
});

test("MUST NOT log plaintext file contents, secret keys, or nonces alongside ciphertext: a whole session at debug level", async (t) => {
  await using folder = await TempFolder.make();
  const flags = ["--log-level", "debug", "--shutdown-timeout-secs", "60"];
  await using alice = await ServedDaemon.start({ flags });
  await using bob = await ServedDaemon.start({ flags: [...flags, "--log-format", "json"] });
  const { alice: session } = await pairBy(meetingByFile(folder), alice, bob);
  const identity = session.identity ?? "";

  // The content says what it is in every block.
  const content = new TextEncoder().encode("the secret content of this file; ".repeat(10_000));
  const path = folder.path("secret.txt");
  await Deno.writeFile(path, content);
  const [sent] = await alice.client.send({ paths: [path], identity, priority: 0 });
  const offer = await offerOf(bob, "secret.txt");
  await bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(bob, offer, "completed");
  await transferIn(alice, { transferId: sent?.transferId ?? "" }, "completed");
  assertEquals(await Deno.readFile(join(bob.inbox, "secret.txt")), content);

  for (const [name, daemon] of [["alice", alice], ["bob", bob]] as const) {
    await t.step(`what ${name} said`, async () => {
      const said = await allThatWasSaid(daemon);
      assertStringIncludes(said, "ICE candidate accepted");
      assertStringIncludes(said, offer.fileHash ?? "no hash");
      const key = await Deno.readFile(join(daemon.dataDir, "identity.key"));
      assertStringIncludes(said, key.slice(0, 32).toHex()); // the public half may be said
      const secret = spellings(key.slice(32));
      const block = content.slice(0, 33);
      for (const hidden of [...secret, ...spellings(block), "secret content"]) {
        assert(!said.includes(hidden), `it said ${hidden}`);
      }
      // A nonce is 24 bytes, what is sealed is longer: neither is there in base64, nor in hex, of
      // which all that is said are identities, hashes and ids.
      const withoutPaths = said.replaceAll(daemon.dataDir, "").replaceAll(folder.path(), "");
      const longest = withoutPaths.match(/[A-Za-z0-9+/]{32,}/g) ?? [];
      const known = [
        offer.fileHash,
        offer.transferId,
        sent?.transferId,
        identity,
        session.identity,
      ];
      const identities = [identity, (await daemon.client.status()).identity, offer.identity];
      const strange = longest.filter((text) => ![...known, ...identities].includes(text));
      assertEquals(strange, []);
    });
  }

  await t.step("MUST use structured logging: every line is pairs after a message, or JSON", () => {
    for (const line of bob.run.stderr.trim().split("\n")) {
      const { time, level, message, fields } = JSON.parse(line);
      assert(time && ["error", "warn", "info", "debug"].includes(level));
      assert(message.startsWith("["));
      assertEquals(typeof fields, "object");
    }
    for (const line of alice.run.stderr.trim().split("\n")) assert(line.startsWith("["), line);
  });

  await t.step(
    "a transfer leaves a line at its start and at its end, with ids that both ends tell",
    () => {
      const wire = offer.transferId;
      const ids = `transfer=${sent?.transferId} protocol_transfer=${wire} direction=outgoing ` +
        `peer=${identity}`;
      const lines = alice.run.stderr.split("\n").filter((line) => line.includes("] transfer "));
      assertEquals(lines[0], `[bolt-daemon] transfer started ${ids} size=${content.length}`);
      const ended = ` transfer ended ${ids} state=completed bytes=${content.length} seconds=`;
      assertMatch(
        lines[1]?.replace(`[bolt-daemon]${ended}`, "") ?? "",
        /^\d+(\.\d+)? confirmed=true$/,
      );
      assertEquals(lines.length, 2);
      const told = bob.run.stderr.trim().split("\n").map((line) => JSON.parse(line));
      const end = told.find(({ message }) => message === "[bolt-daemon] transfer ended");
      const { seconds, ...fields } = end.fields;
      assert(seconds >= 0);
      assertEquals(fields, {
        transfer: wire,
        protocol_transfer: wire,
        direction: "incoming",
        peer: offer.identity,
        state: "completed",
        bytes: content.length,
      });
    },
  );

  await t.step("a second signal forces the end: exit 1", async () => {
    const long = folder.path("long");
    await writeLong(long);
    await heldMidway(alice, bob, long, identity);
    // A peer that does not answer holds the graceful end up.
    bob.run.kill("SIGSTOP");
    alice.run.kill("SIGTERM");
    await alice.run.said("stopping reason=signal");
    alice.run.kill("SIGINT");
    const { code, stderr } = await alice.run.outcome();
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "the shutdown was forced");
    bob.run.kill("SIGCONT");
  });
});

test("SIGHUP stops the daemon in order, however often the terminal says that it is gone", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using daemon = await ServedDaemon.start();
  for (let i = 0; i < 3; i++) daemon.run.kill("SIGHUP");
  const { code, stderr } = await daemon.run.outcome();
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "stopping reason=signal");
  assertEquals(stderr.trimEnd().split("\n").at(-1), "[bolt-daemon] exit 0");
});

test("Identity store and pin store MUST survive crashes: killed in the middle of a transfer, nothing is lost and nothing half-named", async (t) => {
  await using folder = await TempFolder.make();
  const dataDir = folder.path("bob");
  await using alice = await ServedDaemon.start();
  const long = folder.path("long");
  await writeLong(long);
  const before = await (async () => {
    await using bob = await ServedDaemon.start({ dataDir });
    const { alice: session } = await pairBy(meetingByFile(folder), alice, bob);
    const { sent, offer } = await heldMidway(alice, bob, long, session.identity ?? "");
    const { identity } = await bob.client.status();
    const peers = await bob.client.listPeers();
    const second = await run(DAEMON, ["serve", "--data-dir", dataDir]);
    assertEquals(second.code, 1);
    assertStringIncludes(second.stderr, `process ${bob.run.pid}`);
    bob.run.kill("SIGKILL");
    await bob.run.outcome();
    const lost = `session ended session=${session.sessionId} by=failure code=CONNECTION_LOST`;
    await alice.run.said(`${lost} reason="the `);
    return { identity, peers, sent, offer, session };
  })();
  const part = `.${before.offer.transferId}.part`;
  assertEquals(await namesIn(join(dataDir, "inbox")), [part]);
  const arrived = (await Deno.stat(join(dataDir, "inbox", part))).size;

  await using bob = await ServedDaemon.start({ dataDir });
  await t.step("identity and pins are the same, the transfer is told as interrupted", async () => {
    assertEquals((await bob.client.status()).identity, before.identity);
    const pins = (await bob.client.listPeers()).map(({ identity, trust }) => ({ identity, trust }));
    assertEquals(pins, before.peers.map(({ identity, trust }) => ({ identity, trust })));
    const { state, failure, transferred } = await bob.client.getTransfer(before.offer.transferId);
    assertEquals([state, failure?.code], ["interrupted", "DAEMON_STOPPED"]);
    assertEquals(transferred, arrived);
    // What has come is kept, under no name that anybody would take for the file's.
    assertEquals(await namesIn(bob.inbox), [part]);
    const { transferId: id } = before.offer;
    const ids = `transfer=${id} protocol_transfer=${id} direction=incoming`;
    const end = "state=interrupted code=DAEMON_STOPPED bytes=";
    await bob.run.said(`transfer ended ${ids} peer=${pins[0]?.identity} ${end}${transferred}`);
  });

  await t.step("the peer comes again without a question, and the file goes through", async () => {
    const requests = meetingByFile(folder);
    const offering = await bob.pair(requests.offerer);
    const answering = await alice.pair(requests.answerer);
    await openedSession(bob, offering);
    const { identity = "" } = await openedSession(alice, answering);
    // The session that was lost is known to be, and so is its transfer.
    await closedSession(alice, before.session);
    const old = await alice.client.getTransfer(before.sent.transferId);
    assertEquals(old.state, "interrupted");
    const { sent, offer } = await heldMidway(alice, bob, long, identity, false);

    alice.run.kill("SIGINT");
    await transferIn(bob, offer, "interrupted");
    const { code, stderr } = await alice.run.outcome();
    assertEquals(code, 0, stderr);
    await transferIn(alice, sent, "interrupted");
  });

  await t.step("SIGTERM: exit 0, the socket is gone, the lock is free", async () => {
    await bob.stop();
    assert(!(await namesIn(dataDir)).includes("daemon.sock"));
    await assertRejects(() => bob.client.status(), DaemonUnreachableError);
    await using again = await ServedDaemon.start({ dataDir });
    assertEquals((await again.client.getTransfer(before.offer.transferId)).state, "interrupted");
    await again.stop();
  });
});

test("a peer that was stopped for 5 s gets the CANCEL of a shutdown: exit 0; one that is stopped for good: exit 1 at the deadline, and the journal is as it was", async (t) => {
  await using folder = await TempFolder.make();
  await using bob = await ServedDaemon.start();
  const dataDir = folder.path("alice");
  const long = folder.path("long");
  await writeLong(long);

  await t.step("stopped for 5 s", async () => {
    await using alice = await ServedDaemon.start({
      dataDir,
      flags: ["--shutdown-timeout-secs", "60"],
    });
    const { alice: session } = await pairBy(meetingByFile(folder), alice, bob);
    const { sent, offer } = await heldMidway(alice, bob, long, session.identity ?? "");
    bob.run.kill("SIGSTOP");
    const stopping = alice.client.shutdown();
    await alice.run.said("stopping reason=api");
    await stopping;
    // How long it is stopped is what is tried here.
    await new Promise((resolve) => setTimeout(resolve, 5000));
    assertEquals((await alice.client.getTransfer(sent.transferId)).state, "paused");
    bob.run.kill("SIGCONT");
    const { failure } = await transferIn(bob, offer, "interrupted");
    assertEquals(failure?.code, "PEER_STOPPED"); // and no lost connection
    const { code, stderr } = await alice.run.outcome();
    assertEquals(code, 0, stderr);
    await transferIn(alice, sent, "interrupted");
    assert((await alice.event("daemon-stopped")).graceful);
  });

  await t.step("stopped for good", async () => {
    // Another name: the first one's offer has been told of.
    const again = folder.path("again");
    await Deno.rename(long, again);
    const left = await (async () => {
      await using alice = await ServedDaemon.start({
        dataDir,
        flags: ["--shutdown-timeout-secs", "2"],
      });
      const requests = meetingByFile(folder);
      const offering = await alice.pair(requests.offerer);
      await bob.pair(requests.answerer);
      const { identity = "" } = await openedSession(alice, offering);
      const { sent } = await heldMidway(alice, bob, again, identity);
      bob.run.kill("SIGSTOP");
      const waiting = run(boltctl(join(dataDir, "daemon.sock")), ["shutdown", "--wait"]);
      const { code, stderr } = await alice.run.outcome();
      assertEquals(code, 1, stderr);
      assertMatch(stderr, /FATAL: 1 transfer is left .*secs 2\)/);
      const told = await waiting;
      assertEquals(told.code, 1, told.stderr);
      assertStringIncludes(told.stdout, sent.transferId.slice(0, 8));
      return sent;
    })();
    const journal = (await Deno.readTextFile(join(dataDir, "journal.ndjson"))).trim().split("\n");
    const { entry } = JSON.parse(journal.at(-1) ?? "");
    assertEquals([entry.transferId, entry.state], [left.transferId, "paused"]);
    await using next = await ServedDaemon.start({ dataDir });
    assertEquals((await next.client.getTransfer(left.transferId)).state, "interrupted");
    await next.stop();
    bob.run.kill("SIGCONT");
  });
});

Deno.test("a rendezvous URL's query and user are in no log, answer, event or file", async () => {
  const gone = startRendezvousServer();
  await using folder = await TempFolder.make();
  const dataDir = folder.path("data");
  const rendezvousUrl = gone.url + "/?token=hush";
  await gone.close();
  await using alice = await ServedDaemon.start({ dataDir, flags: ["--log-level", "debug"] });
  const { offerer } = meeting(rendezvousUrl);
  const session = await alice.pair(offerer);
  const { failure } = await closedSession(alice, session);
  assertEquals(failure?.code, "RENDEZVOUS_UNREACHABLE");
  const told = [JSON.stringify(await alice.client.listSessions())];
  for (const refused of ["ws://me:hush@[/?hush", rendezvousUrl.replace("ws://", "ws://me:hush@")]) {
    const bad = { ...offerer, rendezvousUrl: refused };
    told.push(
      (await assertRejects(() => alice.pair(bad), Error, "/rendezvousUrl must be")).message,
    );
  }
  await alice.stop();
  for await (const { name, isFile } of Deno.readDir(dataDir)) {
    if (isFile) told.push(await Deno.readTextFile(`${dataDir}/${name}`));
  }
  for (const text of [...told, alice.run.stderr, JSON.stringify(alice.events)]) {
    assert(!text.includes("hush"), text);
  }
});
