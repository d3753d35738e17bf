/**
 * What the Daemon Runtime document demands and no other test here shows. The rest of it is in the
 * tests beside this one, whose names quote it.
 *
 * @module
 */
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { meetingByFile, pairBy, ServedDaemon } from "../support/daemon.ts";
import { fromFileUrl, join } from "../support/paths.ts";
import { TempFolder } from "../support/temp_folder.ts";
import { LONG, offerOf, Pair, someBytes, transferIn } from "../support/transfers.ts";

/** Windows has no modes and, for most users, no links, no POSIX shell and no /proc, no Unix sockets. */
const test = Deno.build.os === "windows" ? Deno.test.ignore : Deno.test;

const SRC = fromFileUrl(new URL("../../src", import.meta.url));

/** The sources of the daemon below a folder of `src`, tests left out. */
async function* sources(folder: string): AsyncGenerator<{ path: string; text: string }> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* sources(path);
    else if (/\.ts$/.test(name) && !/_test\.ts$/.test(name) && !path.includes("testing")) {
      yield { path, text: await Deno.readTextFile(path) };
    }
  }
}

Deno.test("MUST NOT define new message types: those of the wire format, and no frame is made outside the core", async () => {
  const messages = await Deno.readTextFile(join(SRC, "protocol/messages/inner_message.ts"));
  const types = new Set(
    [...messages.matchAll(/ extends Tagged<"([^"]+)">/g)].map(([, name]) => name),
  );
  // Whatever is declared otherwise would not be counted above.
  assert(!/readonly type:/.test(messages));
  assertEquals(
    [...types].sort(),
    [
      "app_message",
      "cancel",
      "error",
      "file-accept",
      "file-chunk",
      "file-finish",
      "file-offer",
      "pause",
      "ping",
      "pong",
      "resume",
    ],
  );
  for await (const { path, text } of sources(SRC)) {
    if (path.startsWith(join(SRC, "protocol"))) continue;
    assert(!/profile-envelope|"file-(offer|accept|chunk|finish)"/.test(text), path);
  }
});

Deno.test("MUST NOT implement UI: nothing is written to stdout, and the local API answers data only", async () => {
  await using daemon = await ServedDaemon.start();
  const { stdout } = await (async () => {
    await daemon.stop();
    return await daemon.run.outcome();
  })();
  assertEquals(stdout, "");
  for await (const { path, text } of sources(join(SRC, "ipc"))) {
    assert(!/text\/html/.test(text), path);
  }
});

/** The process's TCP sockets, as `local remote state` in the kernel's hex. */
async function tcpSockets(pid: number): Promise<string[]> {
  const own = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const target = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const [, inode] = /^socket:\[(\d+)\]$/.exec(target) ?? [];
    if (inode !== undefined) own.add(inode);
  }
  const found: string[] = [];
  for (const table of ["tcp", "tcp6"]) {
    for (
      const line of (await Deno.readTextFile(`/proc/${pid}/net/${table}`)).split("\n").slice(1)
    ) {
      const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
      if (inode !== undefined && own.has(inode)) found.push(`${local} ${remote} ${state}`);
    }
  }
  return found;
}

for (const transport of ["auto", "udp"]) {
  const what = transport === "auto" ? "but the session's own connection" : "at all";
  test({
    name:
      `IPC messages MUST NOT be exposed on network interfaces, and MUST NOT perform discovery: paired through files by ${transport}, a daemon has no TCP socket ${what}`,
    ignore: Deno.build.os !== "linux",
  }, async () => {
    await using folder = await TempFolder.make();
    const flags = ["--transport", transport];
    await using alice = await ServedDaemon.start({ flags });
    await using bob = await ServedDaemon.start({ flags });
    await pairBy(meetingByFile(folder), alice, bob);
    const ours = await tcpSockets(alice.run.pid);
    const theirs = await tcpSockets(bob.run.pid);
    // Established, from one to the other; nobody listens.
    const turned = ours.map((socket) => socket.replace(/^(\S+) (\S+) 01$/, "$2 $1 01"));
    assertEquals([ours.length, turned], [transport === "auto" ? 1 : 0, theirs]);
    // Nobody but its user reaches the API: neither the folder nor the socket.
    assertEquals(((await Deno.stat(alice.dataDir)).mode ?? 0) & 0o777, 0o700);
    const socket = await Deno.lstat(join(alice.dataDir, "daemon.sock"));
    assertEquals((socket.mode ?? 0) & 0o777, 0o600);
    // Production default: info.
    assert(!alice.run.stderr.includes("level=debug"), alice.run.stderr);
  });
}

Deno.test("Backpressure: if peer cannot accept data, pause reading from disk", async () => {
  await using pair = await Pair.make();
  const sent = await pair.send("long", someBytes(LONG));
  const offer = await offerOf(pair.bob, "long");
  await pair.bob.client.acceptTransfer(offer.transferId, {});
  await transferIn(pair.alice, sent, "active");
  pair.network.paths[0]?.stall();
  const before = await pair.alice.client.getTransfer(sent.transferId);
  // As many turns as would do for the rest of the file.
  let now = before;
  for (let i = 0; i < 100; i++) now = await pair.alice.client.getTransfer(sent.transferId);
  // The channel's window of 512 KiB, and a chunk more.
  assertLessOrEqual(now.transferred - before.transferred, 524_288 + 131_072);
  pair.network.paths[0]?.resume();
  await transferIn(pair.bob, offer, "completed");
});

test({
  name: "File handles closed promptly after transfer completion or cancellation",
  ignore: Deno.build.os !== "linux",
}, async () => {
  /** Open files of this process, which both daemons are in, below a folder. */
  const openBelow = async (folder: string) => {
    const open: string[] = [];
    for await (const { name } of Deno.readDir("/proc/self/fd")) {
      const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => "");
      if (target.startsWith(folder)) open.push(target);
    }
    return open;
  };
  await using pair = await Pair.make({ bob: ["--on-interrupt", "keep"] });
  const source = pair.folder.path();
  for (const end of ["completed", "cancelled"] as const) {
    const { sent, offer } = await pair.hold(await pair.send(end, someBytes(LONG)));
    assertEquals((await openBelow(source)).length, 1);
    assertEquals((await openBelow(pair.bob.inbox)).length, 1);
    if (end === "cancelled") await pair.bob.client.cancelTransfer(offer.transferId);
    else await pair.alice.client.resumeTransfer(sent.transferId);
    await transferIn(pair.alice, sent, end);
    await transferIn(pair.bob, offer, end);
    assertEquals(await openBelow(source), []);
    assertEquals(await openBelow(pair.bob.inbox), []);
  }
});
